package collect

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/realm-mesh/realm/internal/kit/disk"
	"github.com/realm-mesh/realm/internal/kit/hosttest"
)

// A disk that fills up, by whomever, is met by collecting, in time and in the background,
// then by a refusal that says how much is missing there.
func TestFullDisk(t *testing.T) {
	dir := hosttest.MountTmpfs(t, "size=80m") // 48 MiB of it are the reserve
	w := newWorld(t, dir, 1<<40)
	blobs := w.puts(3, 6*mib)
	w.pin(blobs[1])
	w.put(noise(1, 16*mib))
	if w.has(blobs[0]) || !w.has(blobs[1]) {
		t.Errorf("after a put: the oldest is here: %v, the pinned one: %v", w.has(blobs[0]), w.has(blobs[1]))
	}

	if err := os.WriteFile(filepath.Join(dir, "filler"), make([]byte, 14*mib), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := w.look(t.Context(), func(bool) {}); err != nil {
		t.Fatal(err)
	}
	if free, err := disk.Free(dir); err != nil || free < disk.ReserveBulk {
		t.Errorf("%d bytes are left, %v", free, err)
	}
	if !w.has(blobs[1]) {
		t.Error("what is pinned is gone from a disk that somebody filled")
	}
	_, err := w.tryPut(noise(2, 100*mib))
	var full *Refusal
	if !errors.As(err, &full) || full.ByQuota || full.Missing < 80*mib {
		t.Fatalf("put: %v", err)
	}
	for _, want := range []string{"disk full", "missing on " + dir, "free some space there", "in reserve"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %q", err, want)
		}
	}
	w.sound(blobs[1], noise(1001, 6*mib))
}

// A disk that has no room although it says so, such as one that runs out of inodes, is
// met in the same way, by puts and by pins.
func TestDiskThatDoesNotTell(t *testing.T) {
	w := newWorld(t, hosttest.MountTmpfs(t, "size=256m,nr_inodes=1000"), 1<<40)
	first := w.put(noise(0, 64*kib))
	w.pin(first)
	for i := 1; i < 60; i++ {
		b := noise(uint64(i), 256*kib)
		if d, err := w.tryPut(b); err != nil {
			t.Fatalf("put %d: %v", i, err)
		} else {
			w.sound(d, b)
		}
	}
	if blobs, _, _ := w.Totals(); blobs == 0 || !w.has(first) {
		t.Errorf("%d blobs were collected; what is pinned is here: %v", blobs, w.has(first))
	}
	for i := 100; ; i++ { // until nothing may go any more
		d, err := w.tryPut(noise(uint64(i), 256*kib))
		if err == nil {
			if err = w.Pin(d); err == nil {
				continue
			}
		}
		if !disk.IsFull(err) || !strings.Contains(err.Error(), "free some space there") {
			t.Errorf("put %d: %v", i, err)
		}
		break
	}
	if st := w.store.Stats(); st.Reserved != 0 || st.Staged != 0 {
		t.Errorf("counted for writers that have ended: %+v", st)
	}
}
