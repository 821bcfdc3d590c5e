package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// manifest writes a manifest beside the samples that it names.
func manifest(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"ticker", "hello-cgi"} {
		b, err := os.ReadFile(sample(name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name+".wasm"), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "realm.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const shop = `
name = "shop"

[components.web]
source = "hello-cgi.wasm"
http = "cgi"
replicas = 2
visibility = "Local"
env = { GREETING = "Hello from the shop" }
health = { path = "/healthz", interval = "2s" }

[components.clock]
source = "ticker.wasm"
replicas = %d
memory_max_mb = 64
restart = "always"
update = { order = "stop-first", max_unavailable = 1 }
`

// TestManifest applies a manifest, changes it, and finds what was changed by hand.
func TestManifest(t *testing.T) {
	t.Parallel()
	nodes := startMesh(t, 3)
	first := nodes[0]
	path := manifest(t, fmt.Sprintf(shop, 1))
	if out := do(t, first, "diff", "--file", path); !strings.Contains(out, "web") || !strings.Contains(out, "clock") {
		t.Errorf("realm diff:\n%s", out)
	}
	do(t, first, "apply", "--file", path, "--version", "5")
	clock, web := watchReplicas(t, first, "clock"), watchReplicas(t, first, "web")
	clock.settle(1, 0)
	web.settle(2, 0)
	web.mark()

	// Nothing to do, then a change of one.
	if out := do(t, nodes[1], "apply", "--file", path, "--yes"); !strings.Contains(out, "othing to change") {
		t.Errorf("applied again:\n%s", out)
	}
	scaled := manifest(t, fmt.Sprintf(shop, 3))
	if out := do(t, nodes[1], "diff", "--file", scaled); !strings.Contains(out, "1 -> 3") || strings.Contains(out, "GREETING") {
		t.Errorf("realm diff of a change:\n%s", out)
	}
	do(t, nodes[1], "apply", "--file", scaled, "--yes")
	clock.settle(3, 0)

	// What was changed by hand shows, and is mended.
	do(t, first, "scale", "clock", "2")
	if out := do(t, first, "diff", "--file", scaled); !strings.Contains(out, "2 -> 3") {
		t.Errorf("realm diff does not show what was scaled by hand:\n%s", out)
	}

	// A lower version is refused, also after everything has been started again.
	refuse(t, first, []string{"version 4", "applied last, 6"}, "apply", "--file", path, "--version", "4", "--yes")
	for _, n := range nodes {
		if err := n.Stop(); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range nodes {
		if err := n.StartOnly("--mdns=false"); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range nodes {
		if err := n.WaitReady(testContext(t)); err != nil {
			t.Fatal(err)
		}
		waitPeers(t, n, 2)
	}
	refuse(t, nodes[2], []string{"version 5", "applied last, 6"}, "apply", "--file", path, "--version", "5", "--yes")

	// Somebody else's program is not taken over unasked, nor is one of the manifest.
	do(t, first, "push", "--name", "own", "--file", sample("ticker"), "--replicas", "1")
	more := manifest(t, fmt.Sprintf(shop, 1)+"\n[components.own]\nsource = \"ticker.wasm\"\nreplicas = 1\n")
	refuse(t, first, []string{"own", "--take-over"}, "apply", "--file", more, "--yes")
	do(t, first, "apply", "--file", more, "--yes", "--take-over")
	refuse(t, first, []string{"shop", "--take-over"}, "push", "--name", "own", "--file", sample("ticker"))

	// What is dropped goes; the manifest's version before brings it back.
	do(t, first, "apply", "--file", path, "--yes")
	watchReplicas(t, first, "own").settle(0, 0)
	do(t, first, "rollback", "manifest/shop")
	watchReplicas(t, first, "own").settle(1, 0)

	typo := manifest(t, strings.Replace(fmt.Sprintf(shop, 1), "replicas = 2", "replica = 2", 1))
	refuse(t, first, []string{"realm.toml:7:1", "replica", `did you mean "replicas"`}, "apply", "--file", typo)
}
