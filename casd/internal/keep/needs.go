package keep

import (
	"cmp"
	"slices"

	"github.com/realm-mesh/realm/api"
)

// needs is what the realm needs, by one answer of meshd. Nobody changes it.
type needs struct {
	tag   string // its ETag; empty: there was none
	list  []api.Reference
	blobs int // in list
}

// newNeeds takes a list, which it puts into the order of [api.Reference].
func newNeeds(tag string, list []api.Reference) *needs {
	if !slices.IsSortedFunc(list, byBlob) { // it comes that way
		slices.SortStableFunc(list, byBlob)
	}
	n := &needs{tag: tag, list: list}
	for range n.each {
		n.blobs++
	}
	return n
}

func byBlob(a, b api.Reference) int { return a.Blob.Compare(b.Blob) }

// each calls fn with the references of each blob, until it returns false.
func (n *needs) each(fn func([]api.Reference) bool) {
	for rest := n.list; len(rest) > 0; {
		end := 1
		for end < len(rest) && rest[end].Blob == rest[0].Blob {
			end++
		}
		if !fn(rest[:end]) {
			return
		}
		rest = rest[end:]
	}
}

// of are the references of a blob; none: the realm does not need it.
func (n *needs) of(blob api.Digest) []api.Reference {
	begin, _ := slices.BinarySearchFunc(n.list, blob, func(r api.Reference, d api.Digest) int { return r.Blob.Compare(d) })
	end := begin
	for end < len(n.list) && n.list[end].Blob == blob {
		end++
	}
	return n.list[begin:end]
}

// copiesOf is on how many members a blob is kept that these references are about: as many
// as the one that asks for most does.
func copiesOf(of []api.Reference) (n int) {
	for _, r := range of {
		n = max(n, cmp.Or(r.Copies, api.Copies))
	}
	return cmp.Or(min(n, api.MaxKeep), api.Copies)
}

// copies is the same of a blob.
func (n *needs) copies(blob api.Digest) int { return copiesOf(n.of(blob)) }

// refs are the things that need a blob, each once, at most limit.
func refs(of []api.Reference, limit int) (out []api.Ref) {
	for _, r := range of {
		if !slices.Contains(out, r.Ref) && len(out) < limit {
			out = append(out, r.Ref)
		}
	}
	return out
}

// version is a version of a workload.
type version struct {
	api.Ref
	seq uint64
}

// find returns which of wanted the list has, with their blobs.
func (n *needs) find(wanted map[version]struct{}) map[version]api.Digest {
	out := make(map[version]api.Digest, len(wanted))
	for _, r := range n.list {
		v := version{r.Ref, r.Seq}
		if _, ok := wanted[v]; ok && len(wanted) > 0 {
			out[v] = r.Blob
		}
	}
	return out
}

// order of members, for lists that are compared.
func byPeer(a, b candidate) int { return cmp.Compare(a.peer, b.peer) }
