package store

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/disk"
	"github.com/realm-mesh/realm/internal/kit/hosttest"
)

// A disk that fills up refuses the put in words and keeps nothing of it; what was
// there reads, and with space back the same put succeeds.
func TestFullDisk(t *testing.T) {
	s := openStore(t, hosttest.MountTmpfs(t, "size=64m")) // 48 MiB of it are the reserve
	kept := noise(30, 4*mib)
	d := put(t, s, kept)
	filler := filepath.Join(s.dir, "filler")
	if err := os.WriteFile(filler, make([]byte, 6*mib), 0o600); err != nil {
		t.Fatal(err)
	}
	before, room := files(t, s), free(t, s)

	big := noise(31, 10*mib)
	idx := indexOf(t, big)
	_, err := s.Put(context.Background(), bytes.NewReader(big), int64(len(big)), api.Digest{})
	if !errors.Is(err, disk.ErrFull) {
		t.Fatalf("put: %v", err)
	}
	if after := files(t, s); !slices.Equal(before, after) {
		t.Errorf("files %v, before %v", after, before)
	}
	if now := free(t, s); now < room-mib {
		t.Errorf("%d bytes free, before %d", now, room)
	}
	if got, err := get(s, d); err != nil || !bytes.Equal(got, kept) {
		t.Errorf("what was there: %v", err)
	}

	// So does a fetch, which keeps what it has for later.
	if err := s.Begin(idx); err != nil {
		t.Fatal(err)
	}
	rest := big
	for _, c := range idx.Chunks {
		if err = s.PutChunk(c, rest[:c.Size]); err != nil {
			break
		}
		rest = rest[c.Size:]
	}
	if !errors.Is(err, disk.ErrFull) {
		t.Fatalf("put chunks: %v", err)
	}

	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	put(t, s, big)
	if got, err := get(s, idx.SHA256); err != nil || !bytes.Equal(got, big) {
		t.Errorf("with space back: %v", err)
	}
}

// Another writer may take the last room between the look and the write: what the
// OS says then counts as full, too.
func TestFullBeneathTheReserve(t *testing.T) {
	s := openStore(t, hosttest.MountTmpfs(t, "size=64m"))
	before := files(t, s)
	filler, err := os.Create(filepath.Join(s.dir, dirTemp, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	defer filler.Close()
	if _, err := io.CopyN(filler, zeros{}, 63*mib); err != nil {
		t.Fatal(err)
	}
	// Straight to the file, as if Room had said yes.
	full := filepath.Join(s.dir, dirTemp, "late")
	if err := os.WriteFile(full, make([]byte, 4*mib), 0o600); !disk.IsFull(err) {
		t.Fatalf("write to a full disk: %v", err)
	}
	if _, err := s.Put(context.Background(), bytes.NewReader(noise(32, 10)), -1, api.Digest{}); !disk.IsFull(err) {
		t.Fatalf("put: %v", err)
	}
	if after := files(t, openStore(t, s.dir)); !slices.Equal(before, after) {
		t.Errorf("files %v, before %v", after, before)
	}
}

func free(t *testing.T, s *Store) int64 {
	t.Helper()
	n, err := disk.Free(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
