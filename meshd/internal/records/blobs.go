package records

import (
	"slices"

	"github.com/realm-mesh/realm/api"
)

// Blob is one that an execution has left: an artifact, or its output.
type Blob struct {
	Root api.Digest // of its job
	Job  api.Name
	api.BlobInfo
}

// Revision is another number whenever [Shelf.Blobs] may name others.
func (s *Shelf) Revision() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.blobs
}

// Blobs are what executions of known jobs have left. Of more than most those of the newest
// executions are named.
func (s *Shelf) Blobs(most int) (out []Blob) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ended []*held
	n := 0
	for _, h := range s.all {
		if h.rec.State.Ended() && h.orphan.IsZero() {
			ended = append(ended, h)
			n += len(h.rec.Artifacts) + 1
		}
	}
	if n > most {
		slices.SortFunc(ended, func(a, b *held) int { return older(b, a) })
	}
	for _, h := range ended {
		if out = h.left(out); len(out) > most {
			return out[:max(most, 0)]
		}
	}
	return out
}

// left appends the blobs that a record names.
func (h *held) left(out []Blob) []Blob {
	for _, a := range h.rec.Artifacts {
		if !a.Blob.SHA256.IsZero() {
			out = append(out, Blob{h.rec.Root, h.rec.Job, a.Blob})
		}
	}
	if !h.rec.Log.SHA256.IsZero() {
		out = append(out, Blob{h.rec.Root, h.rec.Job, h.rec.Log})
	}
	return out
}
