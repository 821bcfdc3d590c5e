package records

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/realm-mesh/realm/api"
)

const (
	// Parts is how many digests nodes compare.
	Parts = 256
	// Keep is how long records stay whose job is not known, or not any more.
	Keep = 10 * time.Minute
	// Most is how many records a node keeps.
	Most = 20_000
	// Instants is of how many instants of a recurring job records are kept.
	Instants = 50
	// Restarts is how many executions of a run of a service are kept.
	Restarts = 20

	digestSize = 8
)

// held is a record that is kept.
type held struct {
	rec    api.JobRecord
	raw    []byte
	key    string
	orphan time.Time // when its job was first seen to be missing; zero: it is there
}

// Shelf is the records of a realm that a node keeps. It is safe for use by several
// goroutines, and blocks none of them.
type Shelf struct {
	self api.PeerID

	mu      sync.Mutex
	all     map[string]*held // by key of the bucket
	parts   [Parts]map[string]*held
	digests [Parts][]byte       // nil: to be made anew
	blobs   uint64              // grows when other blobs may be named
	writes  map[string]struct{} // keys that the bucket does not have like this
	gossip  map[string]struct{} // keys that others are to be told
	write   chan struct{}
	tell    chan struct{}
}

// New returns an empty Shelf of the node self.
func New(self api.PeerID) *Shelf {
	s := &Shelf{self: self, all: map[string]*held{}, writes: map[string]struct{}{}, gossip: map[string]struct{}{},
		write: make(chan struct{}, 1), tell: make(chan struct{}, 1)}
	for i := range s.parts {
		s.parts[i] = map[string]*held{}
	}
	return s
}

// Source is where a record comes from.
type Source int

// The sources.
const (
	Members Source = iota // it is to be written to the bus
	Disk                  // of the bus, as it was found there
	Runnerd               // by the bus, a moment ago: what this node says itself is gossiped
)

// Add takes in a record whose signature is good, and reports whether it is news.
func (s *Shelf) Add(rec api.JobRecord, raw []byte, from Source) (news bool) {
	key := api.KeyRecord(rec.Exec())
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.all[key]
	if old != nil && !rec.Newer(&old.rec) {
		if from != Members && rec.Seq != old.rec.Seq { // the bus has an older one
			s.due(s.writes, key, s.write)
		}
		return false
	}
	if old == nil && len(s.all) >= Most && from == Members {
		return false
	}
	h := &held{rec: rec, raw: raw, key: key}
	s.all[key] = h
	part := partOf(key)
	s.parts[part][key], s.digests[part] = h, nil
	if rec.State.Ended() {
		s.blobs++
	}
	switch {
	case from == Members:
		s.due(s.writes, key, s.write)
	case from == Runnerd && rec.Peer == s.self:
		s.due(s.gossip, key, s.tell)
	}
	return true
}

// Knows reports whether a record like this, or a newer one, is kept.
func (s *Shelf) Knows(rec *api.JobRecord) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.all[api.KeyRecord(rec.Exec())]
	return old != nil && !rec.Newer(&old.rec)
}

// Len is how many records are kept.
func (s *Shelf) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.all)
}

func (s *Shelf) due(in map[string]struct{}, key string, wake chan struct{}) {
	in[key] = struct{}{}
	select {
	case wake <- struct{}{}:
	default: // it will be looked at anyway
	}
}

// partOf is the part that a key belongs to.
func partOf(key string) int {
	sum := sha256.Sum256([]byte(key))
	return int(sum[0])
}

// Writes receives when [Shelf.TakeWrites] has something.
func (s *Shelf) Writes() <-chan struct{} { return s.write }

// TakeWrites returns changes that the bucket is to get, at most n.
func (s *Shelf) TakeWrites(n int) (puts map[string][]byte, deletes []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	puts = map[string][]byte{}
	for key := range s.writes {
		if n--; n < 0 {
			s.due(s.writes, key, s.write)
			break
		}
		delete(s.writes, key)
		if h := s.all[key]; h != nil {
			puts[key] = h.raw
		} else {
			deletes = append(deletes, key)
		}
	}
	return puts, deletes
}

// Failed has changes be taken again that the bucket has not got.
func (s *Shelf) Failed(puts map[string][]byte, deletes []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key := range puts {
		s.due(s.writes, key, s.write)
	}
	for _, key := range deletes {
		s.due(s.writes, key, s.write)
	}
}

// Compare has the bucket get all that it lacks; has are the keys that are there.
func (s *Shelf) Compare(has map[string]bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, h := range s.all {
		if !has[key] && h.rec.Peer != s.self {
			s.due(s.writes, key, s.write)
		}
	}
}

// Gossip receives when [Shelf.TakeGossip] has something.
func (s *Shelf) Gossip() <-chan struct{} { return s.tell }

// TakeGossip returns records that others are to be told, as many as a message takes.
func (s *Shelf) TakeGossip() (b api.RecordBatch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	size := 0
	for key := range s.gossip {
		h := s.all[key]
		if h == nil {
			delete(s.gossip, key)
			continue
		}
		if size += len(h.raw); size > api.MaxRecordsBytes || len(b.Records) == api.MaxRecords {
			s.due(s.gossip, key, s.tell)
			break
		}
		delete(s.gossip, key)
		b.Records = append(b.Records, h.raw)
	}
	return b
}

// Digests are those of all parts, [digestSize] bytes each, one after the other.
func (s *Shelf) Digests() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]byte, 0, Parts*digestSize)
	for i := range s.parts {
		out = append(out, s.digest(i)...)
	}
	return out
}

// digest is that of one part: of its keys in order, each with the record's number and
// whether it is an end; s.mu is held.
func (s *Shelf) digest(i int) []byte {
	if s.digests[i] != nil {
		return s.digests[i]
	}
	h := sha256.New()
	var b []byte
	for _, r := range s.inPart(i) {
		b = append(append(b[:0], r.key...), 0)
		b = binary.BigEndian.AppendUint64(b, r.rec.Seq)
		if r.rec.State.Ended() {
			b = append(b, 1)
		}
		h.Write(b)
	}
	s.digests[i] = h.Sum(nil)[:digestSize]
	return s.digests[i]
}

func (s *Shelf) inPart(i int) []*held {
	out := make([]*held, 0, len(s.parts[i]))
	for _, h := range s.parts[i] {
		out = append(out, h)
	}
	slices.SortFunc(out, func(a, b *held) int { return strings.Compare(a.key, b.key) })
	return out
}

// Differing are the records of parts that differ from those of the asking node, from the
// key after on, in the order of (part, key).
func (s *Shelf) Differing(q *api.RecordParts) (b api.RecordBatch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	from := 0
	if q.After != "" {
		from = partOf(q.After)
	}
	size := 0
	for i := from; i < Parts; i++ {
		if string(s.digest(i)) == string(q.Digests[i*digestSize:(i+1)*digestSize]) {
			continue
		}
		for _, h := range s.inPart(i) {
			if i == from && q.After != "" && h.key <= q.After {
				continue
			}
			if size += len(h.raw); size > api.MaxRecordsBytes || len(b.Records) == api.MaxRecords {
				b.More = true
				return b
			}
			b.Records = append(b.Records, h.raw)
		}
	}
	return b
}

// Prune removes what is not to be kept: see the package. known says of a job whether its
// intent is held, and of which type it is.
func (s *Shelf) Prune(now time.Time, known func(root api.Digest) (api.JobType, bool)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	groups := map[group][]*held{}
	for _, h := range s.all {
		kind, ok := known(h.rec.Root)
		switch {
		case !ok && h.orphan.IsZero():
			h.orphan = now
		case !ok && now.Sub(h.orphan) > Keep:
			s.remove(h)
		case !ok:
		case kind == api.JobRecurring:
			h.orphan = time.Time{}
			g := group{root: h.rec.Root}
			groups[g] = append(groups[g], h)
		case kind == api.JobService:
			h.orphan = time.Time{}
			g := group{h.rec.Root, h.rec.Run}
			groups[g] = append(groups[g], h)
		default:
			h.orphan = time.Time{}
		}
	}
	for g, list := range groups {
		s.thin(g, list)
	}
}

// group is records of which only the newest are kept.
type group struct {
	root api.Digest
	run  api.RunKey // "": all runs of a recurring job
}

// thin removes the oldest that have ended; s.mu is held.
func (s *Shelf) thin(g group, list []*held) {
	age := func(h *held) int64 { return int64(h.rec.Epoch) }
	most := Restarts
	if g.run == "" {
		age, most = func(h *held) int64 { return h.rec.Run.Instant().Unix() }, Instants
	}
	slices.SortFunc(list, func(a, b *held) int { return cmp.Compare(age(b), age(a)) })
	seen, last := 0, int64(0)
	for i, h := range list {
		if a := age(h); i == 0 || a != last {
			seen, last = seen+1, a
		}
		if seen > most && h.rec.State.Ended() {
			s.remove(h)
		}
	}
}

// remove forgets a record, here and on the bus; s.mu is held.
func (s *Shelf) remove(h *held) {
	part := partOf(h.key)
	delete(s.all, h.key)
	delete(s.parts[part], h.key)
	s.digests[part] = nil
	s.blobs++
	s.due(s.writes, h.key, s.write)
}

// Revision is another number whenever [Shelf.Blobs] may name others.
func (s *Shelf) Revision() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.blobs
}

// Blobs calls fn for each blob that a record of a known job names, with the job's id.
func (s *Shelf) Blobs(fn func(root api.Digest, job api.Name, b api.BlobInfo)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range s.all {
		if !h.rec.State.Ended() || !h.orphan.IsZero() {
			continue
		}
		for _, a := range h.rec.Artifacts {
			if !a.Blob.SHA256.IsZero() {
				fn(h.rec.Root, h.rec.Job, a.Blob)
			}
		}
		if !h.rec.Log.SHA256.IsZero() {
			fn(h.rec.Root, h.rec.Job, h.rec.Log)
		}
	}
}
