package launcher

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/keys"
)

// fill puts something into a file, as daemons do.
func fill(t *testing.T, path string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte("x"), 0o600)); err != nil {
		t.Fatal(err)
	}
}

func TestReset(t *testing.T) {
	for _, purge := range []bool{false, true} {
		n := newNode(t)
		newAccount(t)
		n.once()
		h := n.home
		blob := filepath.Join(h.State(api.Casd), "blob")
		for _, path := range []string{h.Config(), h.EnrollToken(), h.Marks(api.Meshd), h.Marks(api.Runnerd), h.LastGood(api.Ref{Kind: api.KindFunction, Name: "f"}), blob, h.WorkloadLog(api.Ref{Kind: api.KindFunction, Name: "f"})} {
			fill(t, path)
		}
		before, err := keys.Read(h.NodeKey())
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // again is no error
			if err := Reset(t.Context(), h, purge); err != nil {
				t.Fatal(err)
			}
		}
		for path, kept := range map[string]bool{
			h.Config(): true, blob: !purge, h.NodeKey(): !purge, h.WorkloadLogs(): !purge, h.Ports(): !purge,
			h.Pin(): false, h.Proof(): false, h.EnrollToken(): false, h.Bus(): false, h.State(api.Meshd): false, h.State(api.Runnerd): false,
		} {
			if _, err := os.Stat(path); (err == nil) != kept {
				t.Errorf("purge %v: %s is kept %v, want %v (%v)", purge, path, err == nil, kept, err)
			}
		}
		if err := os.Remove(h.Config()); err != nil { // it is none
			t.Fatal(err)
		}
		k := newAccount(t)
		n.once()
		if realm, member := n.follows(); realm != k.Realm() || !member {
			t.Errorf("afterwards it follows %q, member %v", realm, member)
		}
		if after, err := keys.Read(h.NodeKey()); err != nil || after.Equal(before) == purge {
			t.Errorf("purge %v: the same node key: %v (%v)", purge, after.Equal(before), err)
		}
	}
}

func TestResetOfANodeThatIsUp(t *testing.T) {
	n := newNode(t)
	n.up()
	if err := Reset(t.Context(), n.home, true); !errors.Is(err, ErrAlreadyUp) || !strings.Contains(err.Error(), n.home.Root()) {
		t.Errorf("got %v", err)
	}
	n.ps(n.cli()) // it is unhurt
}
