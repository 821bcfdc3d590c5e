//go:build unix

package e2e_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/e2e/internal/node"
	"github.com/realm-mesh/realm/internal/kit/local"
	"github.com/realm-mesh/realm/internal/kit/paths"
)

const mib = 1 << 20

// random is n bytes that nothing compresses, the same for the same seed.
func random(seed uint64, n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)})
	_, _ = r.Read(b) // never fails
	return b
}

func randomFile(t *testing.T, seed uint64, n int) (path string, digest api.Digest) {
	t.Helper()
	b := random(seed, n)
	path = filepath.Join(t.TempDir(), fmt.Sprintf("random-%d", seed))
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path, api.Sum(b)
}

// storePut stores a file by the command line, and checks under which digest.
func storePut(t *testing.T, n *node.Node, path string, want api.Digest, args ...string) {
	t.Helper()
	if out := do(t, n, append([]string{"storage", "put", path}, args...)...); !strings.Contains(out, want.String()) {
		t.Fatalf("storage put says %q, want the digest %s", out, want)
	}
}

// storeGet brings a blob by the command line, and checks its bytes.
func storeGet(ctx context.Context, n *node.Node, d api.Digest, dir string) error {
	path := filepath.Join(dir, strings.ReplaceAll(n.Name, " ", "-")+"-"+d.Short())
	if _, err := n.Do(ctx, "storage", "get", d.String(), "-o", path); err != nil {
		return err
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if got := api.Sum(b); got != d {
		return node.Final(fmt.Errorf("%s: wrote %d bytes of digest %s, want %s", n.Name, len(b), got, d))
	}
	return nil
}

// casdCall asks the store of a node by its socket.
func casdCall(ctx context.Context, n *node.Node, method, path string, in any, out api.Validator) error {
	home, err := paths.Open(n.Home)
	if err != nil {
		return err
	}
	client, err := local.NewClient(home)
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	return local.Call(ctx, client, method, local.URL(api.Casd, path), in, out, 1<<20)
}

func copiesOf(ctx context.Context, n *node.Node, d api.Digest) (api.BlobCopies, error) {
	var c api.BlobCopies
	err := casdCall(ctx, n, http.MethodGet, api.PathBlobCopies(d), nil, &c)
	return c, err
}

// holds reports whether a blob is in the store of a node, whole.
func holds(ctx context.Context, n *node.Node, d api.Digest) bool {
	var idx api.BlobIndex
	return casdCall(ctx, n, http.MethodGet, api.PathBlobIndex(d), nil, &idx) == nil
}

func storageOf(t *testing.T, n *node.Node) api.StorageStatus {
	t.Helper()
	var s api.StorageStatus
	if err := casdCall(testContext(t), n, http.MethodGet, "/storage", nil, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestStoreFetch brings one blob to several nodes at once, over a killed store and a
// killed source.
func TestStoreFetch(t *testing.T) {
	t.Parallel()
	nodes := startMesh(t, 4)
	path, d := randomFile(t, 1, 96*mib)
	storePut(t, nodes[0], path, d)

	dir := t.TempDir()
	var all sync.WaitGroup
	for _, n := range nodes[1:] {
		all.Go(func() {
			// A get that meets the killed store may fail in words; the next one goes on.
			if err := node.Until(testContext(t), "the blob on "+n.Name, func(ctx context.Context) error { return storeGet(ctx, n, d, dir) }); err != nil {
				t.Error(err)
			}
		})
	}
	// While they fetch: kill a store in the middle, whatever it is doing.
	until(t, "node 2 has something of it", func(ctx context.Context) error {
		var r api.TransfersReply
		if err := casdCall(ctx, nodes[1], http.MethodGet, "/transfers", nil, &r); err != nil {
			return err
		}
		for _, tr := range r.Transfers {
			if tr.SHA256 == d && tr.Done > 0 {
				return nil
			}
		}
		if holds(ctx, nodes[1], d) {
			return nil
		}
		return fmt.Errorf("transfers: %+v", r.Transfers)
	})
	pid, err := nodes[1].DaemonPID(testContext(t), "casd")
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	all.Wait()

	// The source is gone: whoever has it gives it to who comes later.
	late := newNode(t, "node 5", nodes[0].OwnerKey)
	addr, err := nodes[1].Addr(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := nodes[0].Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-nodes[0].Done()
	start(t, late, "--mdns=false", "--bootstrap", addr)
	until(t, "the blob on a late node", func(ctx context.Context) error { return storeGet(ctx, late, d, dir) })
}

// TestNewVersion moves what has changed, and not the rest.
func TestNewVersion(t *testing.T) {
	nodes := startMesh(t, 2)
	before := random(2, 30*mib)
	half := len(before) / 2
	after := bytes.Join([][]byte{before[:half], random(3, 1000), before[half:]}, nil)
	dir := t.TempDir()
	moved := func(b []byte, name string) int64 {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		was := storageOf(t, nodes[1]).Stored
		storePut(t, nodes[0], path, api.Sum(b))
		if err := storeGet(testContext(t), nodes[1], api.Sum(b), dir); err != nil {
			t.Fatal(err)
		}
		return storageOf(t, nodes[1]).Stored - was
	}
	if got := moved(before, "v1"); got < int64(len(before)) {
		t.Errorf("the first version stored %d bytes of %d", got, len(before))
	}
	if got := moved(after, "v2"); got > int64(len(after))/5 {
		t.Errorf("a version with 1000 more bytes in the middle stored %d new bytes of %d", got, len(after))
	}
}

// TestKeptAlive keeps a program on three members, whoever of them dies.
func TestKeptAlive(t *testing.T) {
	t.Parallel()
	nodes := startMesh(t, 5)
	byPeer := map[api.PeerID]*node.Node{}
	for _, n := range nodes {
		byPeer[api.PeerID(peerOf(t, n))] = n
	}
	b, err := os.ReadFile(sample("ticker"))
	if err != nil {
		t.Fatal(err)
	}
	d := api.Sum(b)
	out := do(t, nodes[0], "push", "--name", "kept", "--file", sample("ticker"), "--replicas", "1")
	if !strings.Contains(out, "3 of 3") {
		t.Errorf("push does not tell on how many members the program is kept:\n%s", out)
	}
	c, err := copiesOf(testContext(t), nodes[0], d)
	if err != nil || len(c.Have) < api.Copies || c.Want != api.Copies || !c.Needed {
		t.Fatalf("copies: %+v, %v", c, err)
	}

	// The machine of the person who pushed is gone, and with it one of the keepers.
	gone := []*node.Node{nodes[0]}
	for _, p := range c.Keepers {
		if byPeer[p] != nodes[0] {
			gone = append(gone, byPeer[p])
			break
		}
	}
	for _, n := range gone {
		if err := n.Signal(syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		<-n.Done()
	}
	var left []*node.Node
	for _, n := range nodes {
		if n != gone[0] && n != gone[1] {
			left = append(left, n)
		}
	}
	until(t, "three living members to have it", func(ctx context.Context) error {
		for _, n := range left {
			if !holds(ctx, n, d) {
				return fmt.Errorf("%s lacks it", n.Name)
			}
		}
		return nil
	})
	until(t, "the program to run", func(ctx context.Context) error {
		var st status
		if err := left[0].JSON(ctx, &st, "status"); err != nil {
			return err
		}
		for p, n := range byPeer {
			for _, l := range left {
				if l == n && st.runs("kept", string(p)) {
					return nil
				}
			}
		}
		return fmt.Errorf("it runs nowhere: %+v", st)
	})
}

// TestQuota collects what nobody needs, the least recently used first, and refuses in
// words what does not fit.
func TestQuota(t *testing.T) {
	n := newNode(t, "node", "")
	n.Env = append(n.Env, "REALM_STORAGE_QUOTA_MB=100")
	do(t, n, "init")
	start(t, n)
	var digests []api.Digest
	for i := range uint64(3) {
		path, d := randomFile(t, 10+i, 30*mib)
		digests = append(digests, d)
		storePut(t, n, path, d)
	}
	do(t, n, "storage", "pin", digests[0].String())
	path, d := randomFile(t, 20, 30*mib)
	storePut(t, n, path, d)
	ctx := testContext(t)
	if !holds(ctx, n, digests[0]) || holds(ctx, n, digests[1]) || !holds(ctx, n, d) {
		t.Errorf("after a fourth blob: pinned %v, oldest %v, newest %v are here; want the oldest to give way",
			holds(ctx, n, digests[0]), holds(ctx, n, digests[1]), holds(ctx, n, d))
	}
	if got := storageOf(t, n); got.Stored > got.Quota || got.Quota != 100*mib {
		t.Errorf("stored %d of %d bytes", got.Stored, got.Quota)
	}

	big, _ := randomFile(t, 21, 80*mib)
	refuse(t, n, []string{"MiB", "quota"}, "storage", "put", big)
	if !holds(ctx, n, digests[0]) {
		t.Error("a put that was refused took what is pinned")
	}
	do(t, n, "storage", "unpin", digests[0].String())
	do(t, n, "storage", "gc")
	if holds(ctx, n, digests[0]) {
		t.Error("gc left what nobody needs")
	}
	do(t, n, "storage", "put", big)
	if out := do(t, n, "storage", "du"); !strings.Contains(out, "80") {
		t.Errorf("du after 80 MiB:\n%s", out)
	}
}

// TestBitRot finds a flipped bit on disk and mends it from another member.
func TestBitRot(t *testing.T) {
	nodes := startMesh(t, 2)
	path, d := randomFile(t, 30, 4*mib)
	storePut(t, nodes[0], path, d)
	dir := t.TempDir()
	if err := storeGet(testContext(t), nodes[1], d, dir); err != nil {
		t.Fatal(err)
	}
	do(t, nodes[1], "storage", "pin", "--local", d.String())

	flipBit(t, nodes[1].Home)
	out := do(t, nodes[1], "storage", "verify")
	if !strings.Contains(out, d.Short()) || !strings.Contains(out, "mended") {
		t.Errorf("verify after a flipped bit:\n%s", out)
	}
	if err := storeGet(testContext(t), nodes[1], d, dir); err != nil {
		t.Error(err)
	}
	if out := do(t, nodes[1], "storage", "verify"); strings.Contains(out, d.Short()) {
		t.Errorf("verify after it was mended:\n%s", out)
	}
}

// flipBit spoils the first chunk that is found below a home.
func flipBit(t *testing.T, home string) {
	t.Helper()
	chunks, err := filepath.Glob(filepath.Join(home, "*", "chunks", "*", "*"))
	if err != nil || len(chunks) == 0 {
		t.Fatalf("no chunks below %s: %v", home, err)
	}
	b, err := os.ReadFile(chunks[0])
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.WriteFile(chunks[0], b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestPin keeps a blob on three members for as long as the realm says so.
func TestPin(t *testing.T) {
	nodes := startMesh(t, 3)
	path, d := randomFile(t, 40, 8*mib)
	storePut(t, nodes[0], path, d)
	do(t, nodes[0], "storage", "pin", d.String())
	for _, n := range nodes {
		until(t, n.Name+" to keep what is pinned", func(ctx context.Context) error {
			if !holds(ctx, n, d) {
				return fmt.Errorf("it is not there")
			}
			return nil
		})
		do(t, n, "storage", "gc")
		if !holds(testContext(t), n, d) {
			t.Errorf("%s: gc took what is pinned", n.Name)
		}
	}
	if out := do(t, nodes[2], "storage", "ls"); !strings.Contains(out, d.Short()) || !strings.Contains(out, "pin") {
		t.Errorf("storage ls:\n%s", out)
	}
	do(t, nodes[1], "storage", "unpin", d.String())
	for _, n := range nodes {
		until(t, n.Name+" to let go", func(ctx context.Context) error {
			if _, err := n.Do(ctx, "storage", "gc"); err != nil {
				return err
			}
			if holds(ctx, n, d) {
				return fmt.Errorf("it is still there")
			}
			return nil
		})
	}
}
