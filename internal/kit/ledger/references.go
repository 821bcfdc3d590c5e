package ledger

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/keys"
)

// Revision is another number whenever what is held is another set: what was found out
// about the set holds until then.
func (l *Ledger) Revision() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.revision
}

// References lists the blobs that the realm needs at now, in the order of
// [api.Reference]: the programs of components and functions that are wanted, stopped
// ones too, those of their versions before, and what is pinned. until is when it may be
// another list although the set is the same; zero: never.
//
// Of a workload the last [api.KeptVersions] programs, each with the files of its mounts, are
// needed, and of each all versions that are held with it: one that was scaled or started
// anew is the same program, and takes no place of what a rollback may go back to. What was before a
// removal is not needed any more, and neither is what lost to another version with
// its number. A version that was issued in the future will count one day.
func (l *Ledger) References(now time.Time) (out []api.Reference, until time.Time) {
	out, until = l.references(now)
	slices.SortFunc(out, func(a, b api.Reference) int { return a.Compare(&b) })
	return out, until
}

func (l *Ledger) references(now time.Time) (out []api.Reference, until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	out = make([]api.Reference, 0, len(l.byRef))
	for ref, signers := range l.byRef {
		switch {
		case ref.Kind.Workload():
			out = l.programs(out, ref, now)
		case ref.Kind == api.KindPin, ref.Kind == api.KindVolume:
			out = l.standing(out, ref, now)
		case ref.Kind == api.KindJob:
			out = l.ofJob(out, ref, now)
		default:
			continue
		}
		if at := l.matures(ref, signers, now); !at.IsZero() && (until.IsZero() || at.Before(until)) {
			until = at
		}
	}
	return out, until
}

// standing appends what the newest version of ref, a pin or a volume, asks for.
func (l *state) standing(out []api.Reference, ref api.Ref, now time.Time) []api.Reference {
	cur, ok := l.current(ref, now)
	if !ok || cur.Tombstone {
		return out
	}
	return l.refer(out, cur, true)
}

// ofJob appends what executions of the job ref need.
func (l *state) ofJob(out []api.Reference, ref api.Ref, now time.Time) []api.Reference {
	h, ok := l.job(ref, now)
	if !ok {
		return out
	}
	for _, b := range l.storeOf(h).blobs {
		out = append(out, api.Reference{Blob: b.SHA256, Size: b.Size, Ref: ref, Seq: h.Seq, Current: true})
	}
	return out
}

// jobStore is what a job has to do with the store.
type jobStore struct {
	blobs  []api.BlobInfo // that its executions need
	copies int            // of what they leave; 0: [api.Copies]
}

// storeOf reads the body of a job; one of a newer version needs nothing that is known.
func (l *state) storeOf(h JobHead) jobStore {
	known, ok := l.bodies[h.Digest].(jobStore)
	if !ok {
		if j, err := h.Job(); err == nil {
			known = jobStore{j.Blobs(), j.Keep}
		}
		l.bodies[h.Digest] = known
	}
	return known
}

// Copies says on how many members what executions of jobs leave is kept, by the jobs'
// roots: of those that say so themselves.
func (l *Ledger) Copies(now time.Time) map[api.Digest]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := map[api.Digest]int{}
	l.eachJob(now, func(h JobHead) {
		if n := l.storeOf(h).copies; n > 0 {
			out[h.Root] = n
		}
	})
	return out
}

// programs appends what the workload ref needs.
func (l *state) programs(out []api.Reference, ref api.Ref, now time.Time) []api.Reference {
	cur, ok := l.current(ref, now)
	if !ok || cur.Tombstone {
		return out
	}
	var (
		last uint64
		sets [][]api.BlobInfo
	)
	for _, s := range l.versions(ref) {
		is := l.become(s, cur, now)
		switch {
		case is == api.VersionShadowed, is == api.VersionReplaced && s.Seq == last:
			continue // it is somebody else's name, or has lost
		case s.Tombstone && is == api.VersionReplaced && l.outranks(s.Signer, cur.Signer):
			return out
		case is != api.VersionQuarantine:
			last = s.Seq
		}
		set := l.blobsOf(s)
		if len(set) > 0 && !slices.ContainsFunc(sets, func(o []api.BlobInfo) bool { return slices.Equal(o, set) }) {
			if sets = append(sets, set); len(sets) > api.KeptVersions {
				return out
			}
		}
		out = l.refer(out, s, is == api.VersionCurrent)
	}
	return out
}

// outranks reports whether the word of a stands before that of b, who have both signed
// something that is held: a tombstone of somebody who has less say removes nothing.
func (l *state) outranks(a, b keys.Public) bool {
	if a == b || l.owns(a) || l.owns(b) {
		return a == b || l.owns(a)
	}
	older, err := l.grantOf(a)
	if err != nil {
		return false
	}
	newer, err := l.grantOf(b)
	return err != nil || cmp.Or(older.Since.Compare(newer.Since), slices.Compare(a[:], b[:])) < 0
}

// versions are those of ref that are held, the newest first; what retired keys have
// signed comes last, whatever its numbers.
func (l *state) versions(ref api.Ref) (out []intent.Signed) {
	signers := l.byRef[ref]
	if len(signers) == 1 {
		return l.slots[Slot{Ref: ref, Signer: signers[0]}]
	}
	for _, k := range signers {
		out = append(out, l.slots[Slot{Ref: ref, Signer: k}]...)
	}
	slices.SortFunc(out, func(a, b intent.Signed) int {
		return cmp.Or(cmp.Compare(l.generation(b.Signer), l.generation(a.Signer)), cmp.Compare(b.Seq, a.Seq), b.Digest.Compare(a.Digest))
	})
	return out
}

// generation orders the keys that the owner has had; all that count are of the last.
func (l *state) generation(k keys.Public) int {
	if i, retired := l.retired[k]; retired {
		return i
	}
	return len(l.retired)
}

// refer appends the references that s makes, if any.
func (l *state) refer(out []api.Reference, s intent.Signed, current bool) []api.Reference {
	for _, b := range l.blobsOf(s) {
		out = append(out, api.Reference{Blob: b.SHA256, Size: b.Size, Ref: s.Ref, Seq: s.Seq, Current: current})
	}
	return out
}

// blobsOf are the blobs that s names, each once: the program first. It reads no more of the
// body than that: what a newer version says beside it must not cost anybody the blobs.
func (l *state) blobsOf(s intent.Signed) (out []api.BlobInfo) {
	if known, ok := l.bodies[s.Digest].([]api.BlobInfo); ok {
		return known
	}
	for _, b := range namedBlobs(s) {
		if b.Validate() == nil && b.Size <= api.MaxBlob && !slices.Contains(out, b) {
			out = append(out, b)
		}
	}
	l.bodies[s.Digest] = out
	return out
}

// namedBlobs are the blobs that s names, whatever they are.
func namedBlobs(s intent.Signed) (out []api.BlobInfo) {
	type files struct {
		Files *api.BlobInfo `json:"files"`
	}
	var more []files
	switch s.Kind {
	case api.KindPin:
		var pin api.BlobInfo
		if json.Unmarshal(s.Body, &pin) == nil {
			out = append(out, pin)
		}
	case api.KindVolume:
		var v struct {
			Copies []files `json:"copies"`
		}
		if json.Unmarshal(s.Body, &v) == nil {
			more = v.Copies
		}
	default:
		var w struct {
			Program struct {
				Blob api.Digest `json:"blob"`
				Size int64      `json:"size"`
			} `json:"program"`
			Mounts []files `json:"mounts"`
		}
		if json.Unmarshal(s.Body, &w) == nil {
			out = append(out, api.BlobInfo{SHA256: w.Program.Blob, Size: w.Program.Size})
			more = w.Mounts
		}
	}
	for _, f := range more {
		if f.Files != nil {
			out = append(out, *f.Files)
		}
	}
	return out
}

// matures is when the first version of ref that does not count yet will; zero: there
// is none.
func (l *state) matures(ref api.Ref, signers []keys.Public, now time.Time) (at time.Time) {
	for _, k := range signers {
		for _, s := range l.slots[Slot{Ref: ref, Signer: k}] {
			if begins := s.Issued.Add(-MaxAhead); early(s, now) && (at.IsZero() || begins.Before(at)) {
				at = begins
			}
		}
	}
	return at
}
