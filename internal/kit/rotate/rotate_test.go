package rotate

import (
	"bytes"
	"errors"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/realm-mesh/realm/internal/kit/disk"
)

func TestRotate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "logs", "casd.log")
	f := New(path, 0)
	defer f.Close()
	block := bytes.Repeat([]byte("x"), MaxFile/4)
	var names []byte
	for i := range byte(4*(Older+2) + 1) { // one more file than is kept, and a bit
		block[0] = 'A' + i
		if i%4 == 0 {
			names = append(names, block[0])
		}
		if n, err := f.Write(block); err != nil || n != len(block) {
			t.Fatalf("write: %d, %v", n, err)
		}
		if i == 5 { // a log that is closed, or reopened by a new process, goes on
			f.Close()
			f = New(path, 0)
		}
	}
	for age, want := range []struct {
		suffix string
		size   int
	}{{"", 1}, {".1", 4}, {".2", 4}, {".3", 4}} {
		b, err := os.ReadFile(path + want.suffix)
		if err != nil {
			t.Fatal(err)
		}
		if len(b) != want.size*len(block) || b[0] != names[len(names)-1-age] {
			t.Errorf("%q: %d bytes that begin with %c", want.suffix, len(b), b[0])
		}
	}
	if _, err := os.Stat(path + ".4"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the oldest is still there: %v", err)
	}
}

func TestReserve(t *testing.T) {
	path := filepath.Join(t.TempDir(), "casd.log")
	if _, err := New(path, math.MaxInt64/2).Write([]byte("x\n")); !errors.Is(err, disk.ErrFull) {
		t.Errorf("got %v, want ErrFull", err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file was made: %v", err)
	}
}
