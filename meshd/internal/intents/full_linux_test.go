package intents

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/disk"
	"github.com/realm-mesh/realm/internal/kit/hosttest"
	"github.com/realm-mesh/realm/internal/kit/intent"
)

// TestDiskFillsUp has another writer take the last of the disk, so that an addition
// ends in the middle of a line.
func TestDiskFillsUp(t *testing.T) {
	dir := hosttest.MountTmpfs(t, "size=256k")
	w := newWorld(t)
	w.path = filepath.Join(dir, "intents.log")
	k := w.open(t)
	filler := filepath.Join(dir, "filler")
	if err := os.WriteFile(filler, make([]byte, 1<<20), 0o600); !disk.IsFull(err) {
		t.Fatalf("filling the disk: %v", err)
	}
	var kept []intent.Signed
	var refused intent.Signed
	for i := 0; refused.Seq == 0; i++ { // up to the end of the file's last page
		s := w.component(t, fmt.Sprint("a", i), 1, api.Digest{})
		switch _, _, err := k.Submit(t.Context(), s.Envelope); {
		case err == nil:
			kept = append(kept, s)
		case disk.IsFull(err):
			refused = s
		default:
			t.Fatal(err)
		}
	}
	if holds(k, refused) || k.Ledger().Len() != len(kept) {
		t.Errorf("%d intents are held, %d were accepted", k.Ledger().Len(), len(kept))
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	accept(t, k, refused)
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	if k = w.open(t); k.Ledger().Len() != len(kept)+1 || !holds(k, refused) {
		t.Errorf("after a restart %d intents are held", k.Ledger().Len())
	}
}
