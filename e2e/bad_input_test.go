//go:build unix

package e2e_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/e2e/internal/node"
	"github.com/realm-mesh/realm/e2e/internal/wasm"
	"github.com/realm-mesh/realm/internal/kit/bus"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/paths"
)

// unhurt checks that what ran before still does.
func unhurt(t *testing.T, n *node.Node) {
	t.Helper()
	if got := strings.TrimSpace(do(t, n, "fn", "exec", "double", "21")); got != "42" {
		t.Errorf("double 21 = %s afterwards", got)
	}
	ps, err := n.PS(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range ps.Daemons {
		if d.State != "ready" || d.Restarts != 0 {
			t.Errorf("%s is %s after %d restarts: %s", d.Daemon, d.State, d.Restarts, d.Reason)
		}
	}
}

func write(t *testing.T, name string, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestBadPrograms pushes what cannot run.
func TestBadPrograms(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	do(t, n, "fn", "deploy", "--wasm", sample("double"), "--name", "double")
	good, err := os.ReadFile(sample("hello-cgi"))
	if err != nil {
		t.Fatal(err)
	}
	huge := write(t, "huge.wasm", wasm.Header)
	if err := os.Truncate(huge, api.MaxModule+1); err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		what, file string
		words      []string
	}{
		{"no wasm", write(t, "text.wasm", []byte("#!/bin/sh\necho hello\n")), []string{"wasm"}},
		{"empty", write(t, "empty.wasm", nil), []string{"empty"}},
		{"missing", filepath.Join(t.TempDir(), "nowhere.wasm"), []string{"nowhere.wasm"}},
		{"a folder", t.TempDir(), nil},
		{"truncated", write(t, "cut.wasm", good[:len(good)/2]), []string{"cut"}},
		{"header alone", write(t, "header.wasm", wasm.Header), []string{"_start"}},
		{"too large", huge, []string{"64 MiB"}},
		{"a component that needs another host", "../engine/component/testdata/text/unknown-import.wasm", []string{"example:missing/thing@1.0.0"}},
		{"a component of WASI 0.3", "../engine/component/testdata/text/async-import.wasm", []string{"async"}},
		// A type section that claims 4 billion entries ends a decoder that believes it.
		{"a bomb", write(t, "bomb.wasm", append(append([]byte(nil), wasm.Header...), 1, 5, 0xff, 0xff, 0xff, 0xff, 0x0f)), nil},
	}
	for _, c := range cases {
		t.Run(c.what, func(t *testing.T) {
			refuse(t, n, c.words, "push", "--name", "bad", "--file", c.file)
			unhurt(t, n)
		})
	}
	t.Run("a version that cannot run leaves the good one", func(t *testing.T) {
		refuse(t, n, nil, "fn", "deploy", "--wasm", cases[4].file, "--name", "double")
		if got := strings.TrimSpace(do(t, n, "fn", "exec", "double", "21")); got != "42" {
			t.Errorf("double 21 = %s", got)
		}
	})
	t.Run("a program that fails shows why", func(t *testing.T) {
		// Under no web server a CGI program says so and ends.
		refuse(t, n, []string{"REQUEST_METHOD"}, "push", "--name", "fails", "--http", "none", "--file", sample("hello-cgi"))
	})
}

// TestBadNames wants names refused before anything happens.
func TestBadNames(t *testing.T) {
	n := startNode(t)
	for _, name := range []string{"", "a/b", "..", "../x", "Grüße", "UPPER", "a b", "-a", strings.Repeat("n", 64), "a%00"} {
		refuse(t, n, []string{"name"}, "push", "--name="+name, "--file", sample("ticker"))
		refuse(t, n, []string{"name"}, "fn", "deploy", "--name="+name, "--wasm", sample("double"))
	}
	for _, path := range []string{"/../etc/passwd", "/%2e%2e/", "/a%2fb/", "/logs/..%2f"} {
		if status, got := request(t, http.MethodGet, "http://"+n.HTTP+path, "", nil); status/100 != 4 {
			t.Errorf("GET %s: %d %s", path, status, got)
		}
	}
	if status, got := request(t, http.MethodGet, "http://"+n.Manage+"/logs?component=../../config.toml", "", nil); status/100 != 4 {
		t.Errorf("/logs of a path: %d %s", status, got)
	}
}

// forger submits envelopes of its own making, as a program of the same user could.
type forger struct {
	conn *bus.Conn
	key  ed25519.PrivateKey
	real api.RealmID
}

func newForger(t *testing.T, n *node.Node) *forger {
	t.Helper()
	home, err := paths.Open(n.Home)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := bus.Connect(testContext(t), home, api.CLI, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return &forger{conn, readKey(t, n.OwnerKey), realmOf(t, n)}
}

func readKey(t *testing.T, path string) ed25519.PrivateKey {
	t.Helper()
	key, err := keys.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// next is a valid next intent after the current one of double.
func (f *forger) next(t *testing.T) api.Intent {
	t.Helper()
	b, err := f.conn.Bucket(testContext(t), api.BucketIntents)
	if err != nil {
		t.Fatal(err)
	}
	e, err := b.Get(testContext(t), api.KeySlot(api.Ref{Kind: api.KindFunction, Name: "double"}, api.KeyName(keys.PublicOf(f.key).Key())))
	if err != nil {
		t.Fatal(err)
	}
	cur, err := intent.Read(e.Value)
	if err != nil {
		t.Fatal(err)
	}
	in := cur.Intent
	in.Seq, in.Prev, in.Issued = cur.Seq+1, cur.Digest, time.Now().UTC()
	return in
}

func (f *forger) sign(t *testing.T, in api.Intent, key ed25519.PrivateKey) []byte {
	t.Helper()
	s, err := intent.Sign(in, key)
	if err != nil {
		t.Fatal(err)
	}
	return s.Envelope
}

func (f *forger) submit(t *testing.T, envelope []byte) error {
	t.Helper()
	return f.conn.RequestRetry(testContext(t), api.SubjectSubmit, envelope, &api.SubmitReply{})
}

// TestForgedIntents submits what the owner did not say, or said to others, or
// took back.
func TestForgedIntents(t *testing.T) {
	n := startNode(t)
	do(t, n, "fn", "deploy", "--wasm", sample("double"), "--name", "double")
	f := newForger(t, n)
	_, stranger, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	removal := f.next(t)
	removal.Tombstone, removal.Body = true, nil

	refused := func(what string, envelope []byte) {
		t.Helper()
		if err := f.submit(t, envelope); err == nil {
			t.Errorf("%s was accepted", what)
		} else {
			t.Logf("%s: %v", what, err)
		}
		unhurt(t, n)
	}
	refused("an intent by another owner", f.sign(t, removal, stranger))
	refused("a tampered intent", tamper(t, f.sign(t, removal, f.key)))
	refused("garbage", []byte(`{"payload":`))
	refused("something enormous", bytes.Repeat([]byte("a"), api.MaxEnvelope+1))

	other := removal
	other.Realm = api.NewRealmID(keys.PublicOf(stranger).Key())
	refused("an intent for another realm", f.sign(t, other, f.key))

	// What was current once is refused later, also after a restart.
	old := f.next(t)
	oldEnvelope := f.sign(t, old, f.key)
	if err := f.submit(t, oldEnvelope); err != nil {
		t.Fatal(err)
	}
	if err := f.submit(t, oldEnvelope); err != nil {
		t.Errorf("the current intent, once more: %v", err)
	}
	if err := f.submit(t, f.sign(t, f.next(t), f.key)); err != nil {
		t.Fatal(err)
	}
	refused("a replayed intent", oldEnvelope)
	if err := n.Stop(); err != nil {
		t.Fatal(err)
	}
	start(t, n)
	f = newForger(t, n)
	until(t, "double after the restart", func(ctx context.Context) error {
		_, err := n.Do(ctx, "fn", "exec", "double", "21")
		return err
	})
	refused("a replayed intent after a restart", oldEnvelope)

	// One that is meant for somebody else is kept, for them, and not followed here.
	away := f.next(t)
	away.Name, away.Seq, away.Prev = "away", 1, api.Digest{}
	away.Target = api.Target{Peers: []api.PeerID{keys.Peer(stranger.Public().(ed25519.PublicKey))}}
	if err := f.submit(t, f.sign(t, away, f.key)); err != nil {
		t.Fatal(err)
	}
	time.Sleep(500 * time.Millisecond) // long enough for it to have run if it was going to
	refuse(t, n, nil, "fn", "exec", "away", "1")
	unhurt(t, n)

	// A person with another key is told whom the node follows.
	n.OwnerKey = filepath.Join(t.TempDir(), "other.pem")
	do(t, n, "init")
	refuse(t, n, []string{keys.PublicOf(f.key).String()}, "push", "--name", "mine", "--file", sample("ticker"))
	unhurt(t, n)
}

// tamper changes the payload under a signature.
func tamper(t *testing.T, envelope []byte) []byte {
	t.Helper()
	var e map[string]any
	if err := json.Unmarshal(envelope, &e); err != nil {
		t.Fatal(err)
	}
	payload, err := base64.StdEncoding.DecodeString(e["payload"].(string))
	if err != nil {
		t.Fatal(err)
	}
	changed := bytes.Replace(payload, []byte(`"name":"double"`), []byte(`"name":"triple"`), 1)
	if bytes.Equal(changed, payload) {
		t.Fatal("nothing was changed")
	}
	e["payload"] = base64.StdEncoding.EncodeToString(changed)
	out, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestFlippedBit damages a stored chunk. The node must notice, never hand out
// wrong bytes, and mend it from a peer.
func TestFlippedBit(t *testing.T) {
	nodes := startMesh(t, 2)
	do(t, nodes[0], "fn", "deploy", "--wasm", sample("double"), "--name", "double")
	n := nodes[1]
	if err := n.Stop(); err != nil {
		t.Fatal(err)
	}
	chunk := largestFile(t, filepath.Join(n.Home, "casd"))
	b, err := os.ReadFile(chunk)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.WriteFile(chunk, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(n.Home, "cache")); err != nil {
		t.Fatal(err)
	}
	start(t, n, "--mdns=false")
	until(t, "double runs from mended bytes", func(ctx context.Context) error {
		return runsAll(ctx, n, []string{"double"})
	})
	unhurt(t, n)
}

func largestFile(t *testing.T, dir string) string {
	t.Helper()
	var path string
	var size int64
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if fi, err := d.Info(); err == nil && fi.Size() > size {
			path, size = p, fi.Size()
		}
		return nil
	})
	if err != nil || path == "" {
		t.Fatalf("no chunk under %s: %v", dir, err)
	}
	return path
}

// fill writes until the disk takes no more.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	block := make([]byte, 1<<20)
	for range 1 << 10 {
		if _, err := f.Write(block); err != nil {
			return
		}
	}
	t.Fatal(fmt.Errorf("%s took a GiB", path))
}
