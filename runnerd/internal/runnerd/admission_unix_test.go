//go:build unix

package runnerd

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/config"
	"github.com/realm-mesh/realm/internal/kit/daemon"
	"github.com/realm-mesh/realm/internal/kit/paths"
)

// TestNothingPrivateIsMounted has the settings allow everything, and the home be so deep
// that its sockets lie elsewhere.
func TestNothingPrivateIsMounted(t *testing.T) {
	top := t.TempDir()
	for name, dir := range map[string]string{"XDG_RUNTIME_DIR": "run", "XDG_CONFIG_HOME": "config"} {
		t.Setenv(name, filepath.Join(top, dir))
	}
	t.Setenv("HOME", filepath.Join(top, "user"))
	t.Setenv(paths.EnvOwnerKey, filepath.Join(top, "vault", "owner.pem"))
	home, err := paths.Open(filepath.Join(top, strings.Repeat("deep/", 20)))
	if err != nil {
		t.Fatal(err)
	}
	agent, err := paths.OpenKeyAgent(filepath.Join(top, "vault", "owner.pem"))
	if err != nil {
		t.Fatal(err)
	}
	contexts, err := paths.Contexts()
	if err != nil {
		t.Fatal(err)
	}
	free := filepath.Join(top, "free")
	node := newAdmission(&daemon.Env{Home: home, Config: config.Node{Mounts: []string{top}}})
	for _, dir := range []string{home.Root(), home.Run(), filepath.Dir(home.Run()), filepath.Join(top, "vault"), agent.Dir(), filepath.Dir(contexts), free} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		_, _, err := node.Open([]api.Mount{{Host: dir, Guest: "/data", RO: true}})
		if dir == free {
			if err != nil {
				t.Error(err)
			}
		} else if err == nil || !strings.Contains(err.Error(), "no program may see") {
			t.Errorf("%s: %v", dir, err)
		}
	}
}
