package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/realm-mesh/realm/e2e/internal/node"
)

// folder is where make samples puts what a package is made of.
func folder(name string) string { return filepath.Join(samplesDir, name) }

// packed makes a package of a folder.
func packed(t *testing.T, n *node.Node, name, dir string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name+".realm")
	do(t, n, "package", "create", "--dir", dir, "--name", name, "--output", file)
	return file
}

// copied is a copy of a sample's folder, to be changed.
func copied(t *testing.T, name string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	if err := os.CopyFS(dir, os.DirFS(folder(name))); err != nil {
		t.Fatal(err)
	}
	return dir
}

// rewrite replaces a text in a file of a folder.
func rewrite(t *testing.T, file, old, text string) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(b), old) {
		t.Fatalf("%s has no %q", file, old)
	}
	if err := os.WriteFile(file, []byte(strings.Replace(string(b), old, text, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
}

// counted asks a counter for its count, or counts one more, until it answers.
func counted(t *testing.T, n *node.Node, path string) (count int) {
	t.Helper()
	until(t, "the counter answers", func(ctx context.Context) error {
		code, body, err := tryRequest(ctx, http.MethodGet, "http://"+n.HTTP+"/counter"+path, "", nil)
		if err == nil && code != http.StatusOK {
			err = fmt.Errorf("%d: %s", code, body)
		}
		if err == nil {
			count, err = strconv.Atoi(strings.TrimSpace(body))
		}
		return err
	})
	return count
}

// volumeRow is what realm volume ls --json says of a copy.
type volumeRow struct {
	Volume string `json:"volume"`
	User   string `json:"user"`
	Epoch  uint64 `json:"epoch"`
	Peer   string `json:"peer"`
	Used   int64  `json:"used"`
	Limit  int64  `json:"limit"`
	InUse  bool   `json:"in_use"`
	Void   bool   `json:"void"`
	Away   bool   `json:"away"`
}

func volumeRows(t *testing.T, n *node.Node) []volumeRow {
	t.Helper()
	var v struct {
		Copies []volumeRow `json:"copies"`
	}
	if err := n.JSON(testContext(t), &v, "volume", "ls"); err != nil {
		t.Fatal(err)
	}
	return v.Copies
}

// killDaemon kills a daemon of a node, which the launcher starts again.
func killDaemon(t *testing.T, n *node.Node, daemon string) {
	t.Helper()
	pid, err := n.DaemonPID(testContext(t), daemon)
	if err == nil {
		err = syscall.Kill(pid, syscall.SIGKILL)
	}
	if err != nil {
		t.Fatal(err)
	}
	until(t, daemon+" is back", func(ctx context.Context) error {
		now, err := n.DaemonPID(ctx, daemon)
		if err == nil && now == pid {
			err = fmt.Errorf("it is still pid %d", pid)
		}
		return err
	})
}

// TestStateStays: a counter goes on counting through kills, upgrades, rollbacks, a drain, and
// the loss of its node; it waits for its volume, and starts nowhere else without a word.
func TestStateStays(t *testing.T) {
	t.Parallel()
	nodes := startMesh(t, 3)
	dir := copied(t, "counter")
	do(t, nodes[0], "deploy-package", "--file", packed(t, nodes[0], "counter", dir))
	r := watchReplicas(t, nodes[0], "counter")
	home := r.settle(1, 0)[0]
	runner := byPeer(t, nodes, home)
	asked := others(t, nodes, []string{home})[0]
	if n := counted(t, asked, "/"); n != 42 {
		t.Errorf("a new volume counts %d, want one more than its seed", n)
	}
	counted(t, nodes[0], "/")

	killDaemon(t, runner, "runnerd")
	if n := counted(t, runner, "/"); n != 44 {
		t.Errorf("after runnerd was killed it counts %d", n)
	}
	rewrite(t, filepath.Join(dir, "manifest.toml"), "replicas = 1", "replicas = 1\nargs = [\"v2\"]")
	rewrite(t, filepath.Join(dir, "seed-data", "count"), "41", "1000")
	do(t, asked, "deploy-package", "--file", packed(t, nodes[0], "counter", dir))
	if n := counted(t, asked, "/"); n != 45 {
		t.Errorf("the next version counts %d: it was seeded once more, or begun elsewhere", n)
	}
	do(t, asked, "rollback", "counter")
	if n := counted(t, asked, "/"); n != 46 {
		t.Errorf("rolled back, it counts %d", n)
	}
	do(t, asked, "stop", "counter")
	do(t, asked, "start", "counter")
	do(t, asked, "node", "drain", home, "--wait=false")
	if n := counted(t, asked, "/"); n != 47 {
		t.Errorf("its node drained, it counts %d", n)
	}
	do(t, asked, "node", "resume", home)
	r.settleOn(home)

	if err := runner.Stop(); err != nil {
		t.Fatal(err)
	}
	until(t, "the others say what they wait for", func(ctx context.Context) error {
		out, err := asked.Do(ctx, "explain", "counter")
		if err == nil && !strings.Contains(out, "blocked: volume counter on") {
			err = fmt.Errorf("explain says\n%s", out)
		}
		return err
	})
	if rows := volumeRows(t, asked); len(rows) != 1 || !rows[0].Away || rows[0].Peer != home {
		t.Errorf("%+v", rows)
	}
	killDaemon(t, asked, "meshd") // what is remembered is remembered
	killDaemon(t, asked, "runnerd")
	waitPeers(t, asked, 1)
	time.Sleep(7 * time.Second) // longer than anybody waits for who is away
	if rows := volumeRows(t, asked); len(rows) != 1 {
		t.Errorf("somebody has begun anew: %+v", rows)
	}
	if err := runner.StartOnly("--mdns=false"); err != nil {
		t.Fatal(err)
	}
	if err := runner.WaitReady(testContext(t)); err != nil {
		t.Fatal(err)
	}
	if n := counted(t, asked, "/"); n != 48 {
		t.Errorf("its node back, it counts %d", n)
	}

	// It is lost for good, as far as the owner knows; and comes back all the same.
	killAll(t, runner)
	until(t, "the owner gives it up", func(ctx context.Context) error {
		_, err := asked.Do(ctx, "volume", "abandon", "counter", "--peer", home, "--yes")
		return err
	})
	if n := counted(t, asked, "/"); n != 42 {
		t.Errorf("begun anew elsewhere, it counts %d", n)
	}
	start(t, runner, "--mdns=false")
	until(t, "what comes back is set aside", func(context.Context) error {
		rows := volumeRows(t, asked)
		for _, r := range rows {
			if r.Peer == home && r.Void && !r.InUse {
				return nil
			}
		}
		return fmt.Errorf("%+v", rows)
	})
	if n := counted(t, runner, "/"); n != 43 {
		t.Errorf("after that it counts %d", n)
	}
	if b, err := os.ReadFile(filepath.Join(runner.Home, "volumes", ".void", "counter.0", "data", "count")); err != nil || strings.TrimSpace(string(b)) != "48" {
		t.Errorf("what was set aside has %q, %v", b, err)
	}
}

// TestVolumeByHand moves a volume, gives it up, fills and clears it.
func TestVolumeByHand(t *testing.T) {
	t.Parallel()
	nodes := startMesh(t, 3)
	do(t, nodes[0], "deploy-package", "--file", packed(t, nodes[0], "counter", folder("counter")))
	r := watchReplicas(t, nodes[0], "counter")
	home := r.settle(1, 0)[0]
	elsewhere := others(t, nodes, []string{home})
	for range 3 {
		counted(t, nodes[0], "/")
	}
	refuse(t, nodes[0], []string{"in use", "realm stop counter"}, "volume", "clear", "counter", "--yes")

	// Full: the program is told, and nobody else is disturbed.
	code, body := request(t, http.MethodPut, "http://"+nodes[0].HTTP+"/counter/fill?mb=20", "", nil)
	if code != http.StatusInsufficientStorage || !strings.Contains(body, "o space left on device") {
		t.Errorf("%d: %s", code, body)
	}
	rows := volumeRows(t, elsewhere[0])
	if len(rows) != 1 || rows[0].Used > 8<<20 || rows[0].Used < 7<<20 || rows[0].Limit != 8<<20 || !rows[0].InUse || rows[0].User != "counter" {
		t.Errorf("%+v", rows)
	}
	if code, body = request(t, http.MethodGet, "http://"+nodes[0].HTTP+"/counter/", "", nil); code != http.StatusInsufficientStorage {
		t.Errorf("counted in a full volume: %d: %s", code, body)
	}
	if code, body = request(t, http.MethodPut, "http://"+nodes[0].HTTP+"/counter/fill?mb=1", "", nil); code != http.StatusOK {
		t.Errorf("%d: %s", code, body)
	}
	if n := counted(t, nodes[0], "/"); n != 45 {
		t.Errorf("it counts %d", n)
	}

	// Moved by an archive.
	file := filepath.Join(t.TempDir(), "counter.zip")
	do(t, nodes[0], "stop", "counter")
	do(t, elsewhere[0], "volume", "export", "counter", "-o", file)
	target := peerOf(t, elsewhere[1])
	do(t, elsewhere[0], "volume", "restore", "counter", file, "--peer", target)
	do(t, nodes[0], "start", "counter")
	r.settleOn(target)
	if n := counted(t, nodes[0], "/"); n != 46 {
		t.Errorf("restored elsewhere, it counts %d", n)
	}
	out := do(t, nodes[0], "volume", "ls")
	if !strings.Contains(out, "set aside") || !strings.Contains(out, "in use") {
		t.Errorf("the copy that was left is not shown:\n%s", out)
	}
	if out := do(t, elsewhere[0], "volume", "inspect", "counter"); !strings.Contains(out, "count") || !strings.Contains(out, "fill") {
		t.Errorf("%s", out)
	}

	// Given up: another member begins anew, with the seed.
	do(t, nodes[0], "stop", "counter")
	do(t, nodes[0], "volume", "abandon", "counter", "--peer", target, "--yes")
	do(t, nodes[0], "start", "counter")
	if n := counted(t, nodes[0], "/"); n != 42 {
		t.Errorf("begun anew, it counts %d", n)
	}

	// Imported into where it is, with a file that is no archive refused before.
	do(t, nodes[0], "stop", "counter")
	bad := filepath.Join(t.TempDir(), "bad.zip")
	if err := os.WriteFile(bad, []byte("PK no"), 0o600); err != nil {
		t.Fatal(err)
	}
	refuse(t, nodes[0], []string{"no archive"}, "volume", "import", "counter", bad)
	do(t, nodes[0], "volume", "import", "counter", file)
	do(t, nodes[0], "start", "counter")
	if n := counted(t, nodes[0], "/"); n != 46 {
		t.Errorf("imported, it counts %d", n)
	}

	// Cleared: nothing is left, on any member.
	do(t, nodes[0], "rm", "counter")
	do(t, nodes[0], "volume", "clear", "counter", "--yes")
	until(t, "all copies are gone", func(context.Context) error {
		if rows := volumeRows(t, nodes[0]); len(rows) != 0 {
			return fmt.Errorf("%+v", rows)
		}
		return nil
	})
	for _, n := range nodes {
		left, err := filepath.Glob(filepath.Join(n.Home, "volumes", "[a-z]*"))
		aside, err2 := filepath.Glob(filepath.Join(n.Home, "volumes", ".void", "*"))
		if err != nil || err2 != nil || len(left)+len(aside) != 0 {
			t.Errorf("%s has %v %v", n.Name, left, aside)
		}
	}
}

// TestWebsite swaps the files of a site under requests, and looks for what is left behind.
func TestWebsite(t *testing.T) {
	t.Parallel()
	nodes := startMesh(t, 2)
	dir := copied(t, "website")
	index := filepath.Join(dir, "static", "index.html")
	var file string
	do(t, nodes[0], "deploy-package", "--file", packed(t, nodes[0], "website", dir))
	watchReplicas(t, nodes[0], "website").settle(2, 0)
	first, err := os.ReadFile(index)
	if err != nil {
		t.Fatal(err)
	}
	rewrite(t, index, "A website on Realm</h1>", "The second version</h1>"+strings.Repeat("<!-- much longer -->", 5000))
	rewrite(t, filepath.Join(dir, "config", "site.json"), `"sample"`, `"second"`)
	second, err := os.ReadFile(index)
	if err != nil {
		t.Fatal(err)
	}

	ctx, cancel := context.WithCancel(testContext(t))
	ended := make(chan error, len(nodes))
	for _, n := range nodes {
		go func() { ended <- watchSite(ctx, n, string(first), string(second)) }()
	}
	do(t, nodes[1], "deploy-package", "--file", packed(t, nodes[0], "website", dir))
	for _, n := range nodes {
		if code, body := request(t, http.MethodGet, "http://"+n.HTTP+"/website/", "", nil); code != http.StatusOK || body != string(second) {
			t.Errorf("%s: %d, %d bytes: not the second version", n.Name, code, len(body))
		}
	}
	cancel()
	for range nodes {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	do(t, nodes[0], "rollback", "website")
	if _, body := request(t, http.MethodGet, "http://"+nodes[1].HTTP+"/website/", "", nil); body != string(first) {
		t.Errorf("rolled back: %.60q", body)
	}

	// Work folders: one for each replica, whatever becomes of it.
	works := func(n *node.Node) int {
		all, err := filepath.Glob(filepath.Join(n.Home, "runnerd", "work", "*"))
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	one := func(when string, want int) {
		t.Helper()
		until(t, when, func(context.Context) error {
			for _, n := range nodes {
				if got := works(n); got != want {
					return fmt.Errorf("%s has %d work folders", n.Name, got)
				}
			}
			return nil
		})
	}
	one("the second version has left nothing", 1)
	killDaemon(t, nodes[0], "runnerd")
	until(t, "the site is back", func(ctx context.Context) error {
		code, _, err := tryRequest(ctx, http.MethodGet, "http://"+nodes[0].HTTP+"/website/style.css", "", nil)
		if err == nil && code != http.StatusOK {
			err = fmt.Errorf("%d", code)
		}
		return err
	})
	one("a kill has left nothing", 1)
	do(t, nodes[0], "stop", "website")
	one("stopped", 0)
	do(t, nodes[0], "start", "website")
	one("started", 1)
	moved := func(to, from *node.Node) {
		t.Helper()
		do(t, nodes[0], "deploy-package", "--file", file, "--replicas", "1", "--peer", peerOf(t, to))
		until(t, "it has moved with all that is its", func(ctx context.Context) error {
			if there, here := works(to), works(from); there != 1 || here != 0 {
				return fmt.Errorf("%s has %d work folders, %s %d", to.Name, there, from.Name, here)
			}
			_, body, err := tryRequest(ctx, http.MethodGet, "http://"+to.HTTP+"/website/", "", nil)
			if err == nil && body != string(second) {
				err = fmt.Errorf("%.60q", body)
			}
			return err
		})
	}
	file = packed(t, nodes[0], "website", dir)
	moved(nodes[0], nodes[1])
	moved(nodes[1], nodes[0])
	do(t, nodes[0], "rm", "website")
	one("removed", 0)
}

// watchSite asks for the first page until ctx ends: it is of one version or of the other.
func watchSite(ctx context.Context, n *node.Node, first, second string) error {
	for ctx.Err() == nil {
		code, body, err := tryRequest(ctx, http.MethodGet, "http://"+n.HTTP+"/website/", "", nil)
		switch {
		case ctx.Err() != nil: // nobody wants to know any more
		case err != nil:
			return fmt.Errorf("%s: %w", n.Name, err)
		case code != http.StatusOK || body != first && body != second:
			return fmt.Errorf("%s: %d: %d bytes, neither the first version nor the second", n.Name, code, len(body))
		}
	}
	return nil
}

// TestComponentMeetsBounds runs a component of WASI 0.2 with the mounts of a node: what is in
// them is seen, and what does not fit is refused to it alone.
func TestComponentMeetsBounds(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	seed, static := t.TempDir(), t.TempDir()
	for file, size := range map[string]int{filepath.Join(seed, "f"): 1 << 20, filepath.Join(static, "page"): 5} {
		if err := os.WriteFile(file, make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tool := filepath.Join("..", "engine", "component", "testdata", "rust-command.wasm")
	args := func(name string, words ...string) []string {
		out := []string{"push", "--name", name, "--file", tool, "--restart", "never", "--replicas", "1", "--mount", "kind=state,guest=/data,volume=" + name + ",size_mb=1,seed=" + seed,
			"--mount", "kind=static,guest=/www,source=" + static, "--mount", "kind=work,guest=/work,size_mb=1"}
		for _, w := range words {
			out = append(out, "--arg", w)
		}
		return out
	}
	says := func(name, want string) {
		t.Helper()
		if out := do(t, n, "logs", name); !strings.Contains(out, want) {
			t.Errorf("%s says %q, want %q", name, out, want)
		}
	}
	do(t, n, args("reads", "size", "/www/page")...)
	says("reads", "5")
	do(t, n, args("works", "write", "/work/f", "some")...)
	do(t, n, args("seeded", "size", "/data/f")...)
	says("seeded", strconv.Itoa(1<<20))
	refuse(t, n, []string{"code: 51"}, args("full", "append", "/data/f", "x")...)
	refuse(t, n, []string{"code: 69"}, args("fixed", "write", "/www/page", "x")...) // read-only
	do(t, n, args("shrinks", "remove", "/data/f")...)
}
