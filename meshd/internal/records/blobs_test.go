package records

import (
	"fmt"
	"slices"
	"testing"

	"github.com/realm-mesh/realm/api"
)

// Of more blobs than are asked for those of the newest executions are named.
func TestBlobs(t *testing.T) {
	s := New(me)
	blob := func(name string) api.BlobInfo {
		return api.BlobInfo{SHA256: api.Sum([]byte(name)), Size: int64(len(name))}
	}
	var newest []api.BlobInfo
	for epoch := 1; epoch <= 9; epoch++ {
		rec := record("a", "0", epoch, other, 1, api.ExecSucceeded)
		rec.Log = blob(fmt.Sprint("log ", epoch))
		out := blob(fmt.Sprint("out ", epoch))
		rec.Artifacts = []api.JobOutput{{Name: "out", Blob: out}, {Name: "none", Missing: "it was not there"}}
		add(s, rec, Members)
		newest = append([]api.BlobInfo{out, rec.Log}, newest...)
	}
	add(s, record("a", "0", 10, other, 1, api.ExecRunning), Members)
	for _, most := range []int{0, 1, 2, 5, 17, 18, 100} {
		got := s.Blobs(most)
		if len(got) != min(most, 18) {
			t.Errorf("%d of at most %d", len(got), most)
		}
		for _, b := range got {
			if i := slices.Index(newest, b.BlobInfo); i < 0 || i >= most || b.Root != api.Sum([]byte("a")) || b.Job != "build-1" {
				t.Errorf("of %d: %+v", most, b)
			}
		}
	}
}
