package trust

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/realm-mesh/realm/internal/kit/disk"
	"github.com/realm-mesh/realm/internal/kit/hosttest"
)

// A disk that is full in the middle of a line leaves no half of it behind.
func TestMarksOnAFullDisk(t *testing.T) {
	dir := hosttest.MountTmpfs(t, "size=256k")
	path, filler := filepath.Join(dir, "marks.log"), filepath.Join(dir, "filler")
	m := openMarks(t, path)
	if err := os.WriteFile(filler, make([]byte, 1<<20), 0o600); !disk.IsFull(err) {
		t.Fatalf("filling the disk: %v", err)
	}
	seq := uint64(0)
	for err := error(nil); err == nil; { // up to the end of the file's last page
		seq++
		if err = m.Advance(ref("a"), version(seq, 0)); err != nil && !disk.IsFull(err) {
			t.Fatal(err)
		}
	}
	if got := m.At(ref("a")); got.Seq != seq-1 {
		t.Errorf("at %v after %d was refused", got, seq)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	advance(t, m, ref("a"), version(seq+1, 0))
	advance(t, m, ref("b"), version(1, 0))
	again := openMarks(t, path)
	if a, b := again.At(ref("a")), again.At(ref("b")); a != version(seq+1, 0) || b != version(1, 0) {
		t.Errorf("after a restart: %v, %v", a, b)
	}
}
