//go:build unix

package trust

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// A rewrite that fails costs no mark, neither one before nor one after it.
func TestFailedCompaction(t *testing.T) {
	path := markPath(t)
	m := openMarks(t, path)
	m.most = 0
	dir, aside := filepath.Dir(path), filepath.Dir(path)+"-aside"
	rename := func(from, to string) {
		t.Helper()
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	advance(t, m, ref("a"), version(1, 0))
	m.most = 0
	rename(dir, aside)
	if err := m.Advance(ref("a"), version(2, 0)); err != nil { // by the file that is open
		t.Error(err)
	}
	if err := m.Advance(ref("a"), version(3, 0)); err == nil || m.At(ref("a")) != version(2, 0) {
		t.Errorf("without a file: %v, %v", m.At(ref("a")), err)
	}
	rename(aside, dir)
	advance(t, m, ref("a"), version(3, 0))
	if got := openMarks(t, path).At(ref("a")); got != version(3, 0) {
		t.Errorf("on disk: %v", got)
	}
}

// TestCompactionThatIsNotDurable: after a rewrite whose name may not last, no mark is
// accepted until it does.
func TestCompactionThatIsNotDurable(t *testing.T) {
	path := markPath(t)
	m := openMarks(t, path)
	advance(t, m, ref("a"), version(1, 0))
	m.most = 0
	dir, aside := filepath.Dir(path), filepath.Dir(path)+"-aside"
	if err := os.Rename(dir, aside); err != nil {
		t.Fatal(err)
	}
	if err := m.Advance(ref("a"), version(2, 0)); err != nil { // and is rewritten, in vain
		t.Error(err)
	}
	if err := os.Rename(aside, dir); err != nil {
		t.Fatal(err)
	}
	full := errors.New("no descriptors left")
	synced := m.sync
	m.sync = func(string) error { return full }
	if err := m.Advance(ref("a"), version(3, 0)); !errors.Is(err, full) || m.At(ref("a")) != version(2, 0) {
		t.Errorf("with a name that may not last: %v, %v", m.At(ref("a")), err)
	}
	m.sync = synced
	advance(t, m, ref("a"), version(3, 0))
	if got := openMarks(t, path).At(ref("a")); got != version(3, 0) {
		t.Errorf("on disk: %v", got)
	}
}
