package runnerd

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"
	"go.uber.org/goleak"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/bus"
	"github.com/realm-mesh/realm/internal/kit/daemon"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/local"
	"github.com/realm-mesh/realm/internal/kit/paths"
	"github.com/realm-mesh/realm/internal/kit/trust"
)

// envDaemon makes the test binary run as the daemon.
const envDaemon = "REALM_TEST_RUNNERD"

// TestMain is also the daemon, and its compiling child.
func TestMain(m *testing.M) {
	if os.Getenv(envDaemon) != "" || len(os.Args) > 1 && !strings.HasPrefix(os.Args[1], "-") {
		os.Exit(Main())
	}
	goleak.VerifyTestMain(m)
}

// node is a home with a real bus, an owner, a casd of this test, and runnerd as a
// process of its own.
type node struct {
	*testing.T
	home  paths.Home
	self  api.PeerID
	owner ed25519.PrivateKey
	prev  map[api.Ref]intent.Signed

	settings []string // more of the daemon's environment

	users  []*server.NkeyUser
	key    nkeys.KeyPair // of the launcher
	srv    *server.Server
	ln     net.Listener
	wg     sync.WaitGroup
	conn   *bus.Conn // as the launcher, which may do anything
	ready  chan api.Ready
	client *http.Client

	mu    sync.Mutex
	blobs map[api.Digest][]byte

	cmd    *exec.Cmd
	ended  chan error
	stdin  io.Closer
	output *bytes.Buffer
}

func newNode(t *testing.T) *node {
	t.Helper()
	dir, err := os.MkdirTemp("", "rd") // short: sockets lie in it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	n := &node{T: t, prev: map[api.Ref]intent.Signed{}, ready: make(chan api.Ready, 16), blobs: map[api.Digest][]byte{}}
	n.home, err = paths.Open(dir)
	n.check(errors.Join(err, n.home.Create(), local.CreateToken(n.home)))
	key, err := keys.ReadOrCreate(n.home.NodeKey())
	n.check(err)
	n.self = keys.Peer(key.Public().(ed25519.PublicKey))
	_, n.owner, err = ed25519.GenerateKey(nil)
	n.check(err)
	n.check(trust.NewPin(keys.PublicOf(n.owner)).Write(n.home.Pin()))
	n.client, err = local.NewClient(n.home)
	n.check(err)
	n.makeUsers()
	n.startBus()
	t.Cleanup(n.stopBus)
	n.serveBlobs()
	t.Cleanup(n.client.CloseIdleConnections)
	return n
}

func (n *node) check(err error) {
	n.Helper()
	if err != nil {
		n.Fatal(err)
	}
}

func (n *node) makeUsers() {
	n.Helper()
	for _, d := range []api.Daemon{api.Launcher, api.Runnerd} {
		user, err := nkeys.CreateUser()
		n.check(err)
		seed, err := user.Seed()
		n.check(err)
		pub, err := user.PublicKey()
		n.check(err)
		n.check(os.WriteFile(n.home.BusSeed(d), seed, 0o600))
		n.users = append(n.users, &server.NkeyUser{Nkey: pub})
		if d == api.Launcher {
			n.key = user
		}
	}
}

func (n *node) startBus() {
	n.Helper()
	srv, err := server.NewServer(&server.Options{DontListen: true, NoSigs: true, NoLog: true, JetStream: true, StoreDir: n.home.Bus(), Nkeys: n.users})
	n.check(err)
	srv.Start()
	if !srv.ReadyForConnections(10 * time.Second) {
		n.Fatal("the bus does not start")
	}
	n.srv = srv
	if err := os.Remove(n.home.Socket(api.Launcher)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		n.Fatal(err)
	}
	n.ln, err = net.Listen("unix", n.home.Socket(api.Launcher))
	n.check(err)
	n.makeBuckets()
	n.wg.Go(n.accept)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	n.conn, err = bus.Connect(ctx, n.home, api.Launcher, slog.New(slog.DiscardHandler))
	n.check(err)
	service, err := n.conn.NewService(context.Background())
	n.check(err)
	n.check(bus.Handle(service, api.SubjectReady, func(_ context.Context, r *api.Ready) (any, error) {
		n.ready <- *r
		return api.Empty{}, nil
	}))
}

func (n *node) stopBus() {
	n.conn.Close()
	n.ln.Close()
	n.srv.Shutdown()
	n.srv.WaitForShutdown()
	n.wg.Wait()
}

// accept joins each connection to the socket with one inside the server.
func (n *node) accept() {
	for {
		outer, err := n.ln.Accept()
		if err != nil {
			return
		}
		inner, err := n.srv.InProcessConn()
		if err != nil {
			outer.Close()
			continue
		}
		for _, c := range [][2]net.Conn{{outer, inner}, {inner, outer}} {
			n.wg.Go(func() {
				_, _ = io.Copy(c[0], c[1])
				c[0].Close()
				c[1].Close()
			})
		}
	}
}

func (n *node) makeBuckets() {
	n.Helper()
	nc, err := nats.Connect("", nats.InProcessServer(n.srv), nats.Nkey(n.users[0].Nkey, n.key.Sign))
	n.check(err)
	defer nc.Close()
	js, err := jetstream.New(nc)
	n.check(err)
	for name, storage := range map[string]jetstream.StorageType{api.BucketIntents: jetstream.FileStorage, api.BucketPeers: jetstream.MemoryStorage,
		api.BucketWorkloads: jetstream.MemoryStorage, api.BucketJobs: jetstream.FileStorage} {
		kv, err := js.CreateOrUpdateKeyValue(context.Background(), jetstream.KeyValueConfig{Bucket: name, Storage: storage})
		n.check(err)
		status, err := kv.Status(context.Background())
		n.check(err)
		c := status.(*jetstream.KeyValueBucketStatus).StreamInfo().Config
		c.AllowAtomicPublish = true
		_, err = js.UpdateStream(context.Background(), c)
		n.check(err)
	}
}

// serveBlobs is casd, as far as runnerd knows it.
func (n *node) serveBlobs() {
	n.Helper()
	mux := http.NewServeMux()
	find := func(w http.ResponseWriter, r *http.Request) ([]byte, bool) {
		d, err := api.ParseDigest(r.PathValue("sha256"))
		n.mu.Lock()
		b, ok := n.blobs[d]
		n.mu.Unlock()
		if err != nil || !ok {
			local.WriteError(w, http.StatusNotFound, errors.New("no member has it"))
		}
		return b, ok
	}
	mux.HandleFunc(api.RouteBlobFetch, func(w http.ResponseWriter, r *http.Request) {
		if b, ok := find(w, r); ok {
			local.WriteJSON(w, http.StatusOK, api.BlobInfo{SHA256: api.Sum(b), Size: int64(len(b))})
		}
	})
	mux.HandleFunc(api.RouteBlobGet, func(w http.ResponseWriter, r *http.Request) {
		if b, ok := find(w, r); ok {
			_, _ = w.Write(b)
		}
	})
	ln, err := local.Listen(n.home, api.Casd)
	n.check(err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- local.Serve(ctx, n.home, ln, mux, time.Second) }()
	n.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			n.Error(err)
		}
	})
}

// start runs the daemon and waits until it is ready.
func (n *node) start() {
	n.Helper()
	n.cmd = exec.Command(os.Args[0])
	n.output = &bytes.Buffer{}
	n.cmd.Stdout, n.cmd.Stderr = n.output, n.output
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "REALM_") {
			n.cmd.Env = append(n.cmd.Env, kv)
		}
	}
	n.cmd.Env = append(n.cmd.Env, envDaemon+"=1", paths.EnvHome+"="+n.home.Root(), daemon.EnvLifeline+"=1", "REALM_ROLES=edge,gpu")
	n.cmd.Env = append(n.cmd.Env, n.settings...)
	stdin, err := n.cmd.StdinPipe()
	n.check(err)
	n.stdin = stdin
	n.check(n.cmd.Start())
	cmd, ended := n.cmd, make(chan error, 1)
	n.ended = ended
	go func() { ended <- cmd.Wait() }()
	n.Cleanup(n.stop)
	select {
	case r := <-n.ready:
		if r.Daemon != api.Runnerd || r.PID != n.cmd.Process.Pid {
			n.Fatalf("%+v", r)
		}
	case err := <-n.ended:
		n.ended <- err
		n.Fatalf("runnerd has ended: %v\n%s", err, n.output)
	case <-time.After(20 * time.Second):
		n.Fatal("runnerd is not ready")
	}
}

// stop ends the daemon as its launcher does.
func (n *node) stop() {
	if n.cmd == nil {
		return
	}
	n.stdin.Close()
	select {
	case err := <-n.ended:
		if err != nil {
			n.Errorf("runnerd: %v\n%s", err, n.output)
		}
	case <-time.After(10 * time.Second):
		n.Error("runnerd does not end")
		_ = n.cmd.Process.Kill()
		n.reap()
	}
	if n.Failed() {
		n.Logf("runnerd said:\n%s", n.output)
	}
	n.cmd = nil
}

// kill ends the daemon without its notice.
func (n *node) kill() {
	n.Helper()
	n.check(n.cmd.Process.Kill())
	n.reap()
	n.stdin.Close()
	n.cmd = nil
}

// reap waits for a process that was killed.
func (n *node) reap() {
	n.Helper()
	if err := <-n.ended; err == nil {
		n.Error("runnerd was killed and says that it ended well")
	}
}

func (n *node) bucket(name string) *bus.Bucket {
	n.Helper()
	b, err := n.conn.Bucket(n.Context(), name)
	n.check(err)
	return b
}

// program puts a module where casd finds it.
func (n *node) program(wasm []byte) api.Program {
	n.mu.Lock()
	defer n.mu.Unlock()
	p := api.Program{Blob: api.Sum(wasm), Size: int64(len(wasm))}
	n.blobs[p.Blob] = wasm
	return p
}

// await waits until this node's fact of ref is as it should be.
func (n *node) await(ref api.Ref, ok func(api.WorkloadFact) bool) api.WorkloadFact {
	n.Helper()
	var last api.WorkloadFact
	ctx, cancel := context.WithTimeout(n.Context(), 60*time.Second)
	defer cancel()
	errFound := errors.New("found")
	err := n.bucket(api.BucketWorkloads).Watch(ctx, api.KeyWorkload(ref, n.self), func(ev bus.Event) error {
		last = api.WorkloadFact{}
		if ev.Kind == bus.Put {
			if err := json.Unmarshal(ev.Value, &last); err != nil {
				return err
			}
		}
		if (ev.Kind == bus.Put || ev.Kind == bus.Deleted) && ok(last) {
			return errFound
		}
		return nil
	})
	if !errors.Is(err, errFound) {
		n.Fatalf("%s stays %s of number %d (%s), serving %d: %v", ref, last.State, last.Seq, last.Reason, last.Serving, err)
	}
	return last
}

func (n *node) awaitState(ref api.Ref, seq uint64, state api.State) api.WorkloadFact {
	n.Helper()
	return n.await(ref, func(f api.WorkloadFact) bool { return f.Seq == seq && f.State == state })
}

// request speaks to the daemon's socket.
func (n *node) request(method, path, body string) (*http.Response, string) {
	n.Helper()
	var in io.Reader
	if body != "" {
		in = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(n.Context(), method, local.URL(api.Runnerd, path), in)
	n.check(err)
	resp, err := n.client.Do(req)
	n.check(err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	n.check(err)
	return resp, strings.TrimSpace(string(b))
}

// call calls a function and returns the status, and the body or what it says of an error.
func (n *node) call(name api.Name, args string) string {
	n.Helper()
	resp, body := n.request(http.MethodPost, api.PathFunction(name), `{"args":`+args+`}`)
	if resp.StatusCode != http.StatusOK {
		var reply api.ErrorReply
		n.check(json.Unmarshal([]byte(body), &reply))
		body = reply.Error
	}
	return fmt.Sprint(resp.StatusCode, " ", body)
}

func (n *node) log(ref api.Ref) string {
	b, err := os.ReadFile(n.home.WorkloadLog(ref))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		n.Error(err)
	}
	return string(b)
}
