package records

import (
	"cmp"
	"crypto/sha256"
	"maps"
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
	// Remember is how long it is known that records of a job have been removed, so that
	// members which remove theirs later do not bring them back.
	Remember = 24 * time.Hour

	digestSize = 8
)

// held is a record that is kept.
type held struct {
	rec    api.JobRecord
	raw    []byte
	key    string
	sum    api.Digest // of rec
	orphan time.Time  // when its job was first seen to be missing; zero: it is there
}

// Shelf is the records of a realm that a node keeps. It is safe for use by several
// goroutines, and blocks none of them.
type Shelf struct {
	self api.PeerID
	most int // Most, but in tests

	mu      sync.Mutex
	all     map[string]*held // by key of the bucket
	parts   [Parts]map[string]*held
	sorted  [Parts][]*held           // by key; nil: to be made anew
	digests [Parts][]byte            // likewise
	shares  map[api.PeerID]*share    // of members of which something is kept
	gone    map[api.Digest]time.Time // jobs whose records have been removed, and when
	going   map[api.Digest]time.Time // jobs that are missing, and when something of them was last seen to go on
	floors  map[group]int64          // ages below which no record that has ended is taken
	read    bool                     // all of the bucket has been seen once
	blobs   uint64                   // grows when other blobs may be named
	writes  map[string]struct{}      // keys that the bucket does not have like this
	gossip  map[string]struct{}      // keys that others are to be told
	write   chan struct{}
	tell    chan struct{}
}

// New returns an empty Shelf of the node self.
func New(self api.PeerID) *Shelf {
	s := &Shelf{self: self, most: Most, all: map[string]*held{}, shares: map[api.PeerID]*share{}, gone: map[api.Digest]time.Time{}, going: map[api.Digest]time.Time{}, floors: map[group]int64{}, writes: map[string]struct{}{}, gossip: map[string]struct{}{},
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
	h := &held{rec: rec, raw: raw, key: api.KeyRecord(rec.Exec())}
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.all[h.key]
	switch {
	case old != nil && !rec.Newer(&old.rec):
		if from != Members && old.rec.Newer(&rec) { // the bus has an older one
			s.due(s.writes, h.key, s.write)
		}
		return false
	case old != nil:
		h.orphan = old.orphan
	case from == Members && (s.past(&rec) || !s.room(h)):
		return false
	}
	s.put(h)
	switch {
	case from == Members:
		s.due(s.writes, h.key, s.write)
	case rec.Peer == s.self && (from == Runnerd || s.read): // it was said while the bus was away
		s.due(s.gossip, h.key, s.tell)
	}
	return true
}

// put keeps h in the place of what is there, and no more than there is room for; s.mu is
// held.
func (s *Shelf) put(h *held) {
	part := partOf(h.key)
	old := s.all[h.key]
	h.sum = h.rec.Sum()
	s.all[h.key], s.parts[part][h.key] = h, h
	s.sorted[part], s.digests[part] = nil, nil
	if h.rec.State.Ended() {
		s.blobs++
	}
	s.shared(h, old == nil)
	for len(s.all) > s.most {
		s.remove(s.lowest(s.fullest("")))
	}
}

// Knows reports whether a record like this, or a newer one, is kept, or is not to be kept
// any more.
func (s *Shelf) Knows(rec *api.JobRecord) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.all[api.KeyRecord(rec.Exec())]
	if old == nil {
		return s.past(rec)
	}
	return !rec.Newer(&old.rec)
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
	s.read = true
	for key := range s.all {
		if !has[key] {
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

// digest is that of one part: of its keys in order, each with what the record says; s.mu is held.
func (s *Shelf) digest(i int) []byte {
	if s.digests[i] != nil {
		return s.digests[i]
	}
	h := sha256.New()
	var b []byte
	for _, r := range s.inPart(i) {
		b = append(append(b[:0], r.key...), 0)
		h.Write(append(b, r.sum[:]...))
	}
	s.digests[i] = h.Sum(nil)[:digestSize]
	return s.digests[i]
}

// inPart are the records of a part by their keys; s.mu is held.
func (s *Shelf) inPart(i int) []*held {
	if s.sorted[i] == nil {
		s.sorted[i] = slices.SortedFunc(maps.Values(s.parts[i]), func(a, b *held) int { return strings.Compare(a.key, b.key) })
	}
	return s.sorted[i]
}

// Follows reports whether a record may come after the one with the key after in what
// [Shelf.Differing] tells; after empty: anything may.
func Follows(key, after string) bool {
	return after == "" || cmp.Or(cmp.Compare(partOf(key), partOf(after)), strings.Compare(key, after)) > 0
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

// remove forgets a record, here and on the bus; s.mu is held.
func (s *Shelf) remove(h *held) {
	part := partOf(h.key)
	delete(s.all, h.key)
	delete(s.parts[part], h.key)
	s.sorted[part], s.digests[part] = nil, nil
	s.unshared(h)
	s.blobs++
	s.due(s.writes, h.key, s.write)
}
