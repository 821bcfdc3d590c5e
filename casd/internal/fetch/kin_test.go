package fetch

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/casd/internal/wire"
)

// cutEvery is the index of a blob in chunks of the given sizes, which are called by
// their names.
func cutEvery(size int64, names ...string) (idx api.BlobIndex) {
	for _, name := range names {
		idx.Chunks = append(idx.Chunks, api.BlobInfo{SHA256: api.Sum([]byte(name)), Size: size})
		idx.Size += size
	}
	return idx
}

// The chunks that are named stand where the missing ones would, seen from either side.
func TestBeside(t *testing.T) {
	const size = 64 << 10
	old := cutEvery(size, "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p")
	tests := []struct {
		name   string
		idx    api.BlobIndex
		chunks []int32
		want   string
	}{
		{"in the same place", cutEvery(size, "a", "B", "c"), []int32{1}, "abcd"},
		{"one was put in before", cutEvery(size, "a", "b", "X", "c", "D", "e"), []int32{4}, "bcdef"},
		{"some were taken out before", cutEvery(size, "a", "h", "I", "j"), []int32{2}, "ghijk"},
		{"at the end", cutEvery(size, "o", "p", "Q"), []int32{2}, "op"},
		{"much was put in between", cutEvery(size, "a", "B", "X1", "X2", "X3", "X4", "X5", "C", "d", "e"), []int32{7}, "abcdefghij"},
	}
	for _, tt := range tests {
		k := newKin(tt.idx, old)
		p := newPlan(tt.idx, nil, 1, rand.New(rand.NewPCG(1, 1)), func(event) {})
		got := ""
		for _, c := range k.beside(p, tt.chunks) {
			i := slices.Index(old.Chunks, c)
			got += string(rune('a' + i))
		}
		if got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

// A history is never more than the other side takes.
func TestBesideIsBounded(t *testing.T) {
	var names, others []string
	for i := range 1000 {
		names = append(names, string(rune('a'+i)))
		others = append(others, string(rune('A'+5000+i)))
	}
	for _, size := range []int64{1 << 10, 64 << 10} {
		old := cutEvery(size, names...)
		idx := cutEvery(size, append([]string{names[0]}, others...)...)
		k, p := newKin(idx, old), newPlan(idx, nil, 1, rand.New(rand.NewPCG(1, 1)), func(event) {})
		var all []int32
		for c := range int32(600) {
			all = append(all, c+1)
		}
		got := k.beside(p, all)
		total := int64(len(got)) * wire.FrameHead
		for _, c := range got {
			total += c.Size
		}
		if len(got) == 0 || len(got) > wire.MaxNames || total > wire.MaxHistory {
			t.Errorf("chunks of %d: %d of %d bytes", size, len(got), total)
		}
		k.taken, k.moved = 2*kinTrial, 2*kinTrial
		if got := k.beside(p, all); len(got) > 0 {
			t.Errorf("chunks of %d: %d, though it saves nothing", size, len(got))
		}
	}
}
