package single

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/engine"
	"github.com/realm-mesh/realm/engine/wasmtest"
)

// components are those of the engine's tests.
const components = "../../../engine/component/testdata/"

func component(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(components + name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// lines is what a service says, by several goroutines.
type lines struct {
	mu  sync.Mutex
	all bytes.Buffer
}

// Write implements [io.Writer].
func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.String()
}

// served is a program at an address of its own.
type served struct {
	t       *testing.T
	url     string
	errs    *lines
	service *service
	end     func() error // what a person does by Ctrl-C; returns how it ended
}

func newServed(t *testing.T, wasm []byte, spec api.RunSpec) *served {
	t.Helper()
	spec.File, spec.Cache = filepath.Join(t.TempDir(), "guest.wasm"), cache
	if err := os.WriteFile(spec.File, wasm, 0o600); err != nil {
		t.Fatal(err)
	}
	m, err := load(t.Context(), engine.New(engine.NewCache(cache)), &spec)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	env, release, err := environment(ctx, &spec, Streams{strings.NewReader(""), io.Discard, io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	s := &served{t: t, errs: &lines{}}
	if s.service, err = newService(ctx, m, &spec, env, s.errs); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.url = address(l.Addr())
	ended := make(chan error, 1)
	go func() { ended <- s.service.run(ctx, l) }()
	s.end = sync.OnceValue(func() error {
		cancel()
		err := <-ended
		release()
		m.Release()
		return err
	})
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		if err := s.end(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func (s *served) get(path string) (status int, body string) {
	s.t.Helper()
	resp, err := http.Get(s.url + path)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Error(err)
	}
	return resp.StatusCode, string(b)
}

// fails wants that status for a path, and returns what the answer says.
func (s *served) fails(path string, want int) api.ErrorReply {
	s.t.Helper()
	status, body := s.get(path)
	var reply api.ErrorReply
	if err := json.Unmarshal([]byte(body), &reply); status != want || err != nil || !strings.HasPrefix(reply.Error, "guest.wasm: ") {
		s.t.Errorf("%s: %d %s, %v", path, status, body, err)
	}
	return reply
}

func TestServeComponent(t *testing.T) {
	s := newServed(t, component(t, "http.wasm"), api.RunSpec{Env: map[string]string{"X": "y"}, Limits: api.Limits{EpochMS: 20_000}})
	if s.service.how != "wasi:http" {
		t.Errorf("by %s", s.service.how)
	}
	for path, want := range map[string]string{
		"query%2fa/b?c=%20d": "/query%2fa/b\nc=%20d", // as it was sent
		"env":                "X: y",
		"count":              "", // that of a fresh instance
	} {
		status, first := s.get(path)
		if _, again := s.get(path); status != 200 || !strings.Contains(first, want) || first != again {
			t.Errorf("%s: %d %q, and %q the second time", path, status, first, again)
		}
	}
	reply := s.fails("trap", http.StatusInternalServerError)
	id := regexp.MustCompile(`failure ([0-9a-f]{8})`).FindStringSubmatch(reply.Error)
	if id == nil || !strings.Contains(s.errs.String(), id[1]) {
		t.Errorf("it answers %q, and says %q", reply.Error, s.errs)
	}
	if resp, err := http.Get(s.url + "trap-after"); err == nil { // the answer had begun
		_, err = io.ReadAll(resp.Body)
		resp.Body.Close()
		if err == nil {
			t.Error("an answer that breaks off looks whole")
		}
	}
}

func TestServeCGI(t *testing.T) {
	s := newServed(t, probe, api.RunSpec{Env: map[string]string{"GREETING": "Well"}, Limits: api.Limits{EpochMS: 60_000},
		Args: []string{"out=Content-Type: text/plain", "out=", "env=GREETING", "env=REQUEST_URI", "env=SCRIPT_NAME", "env=PATH_INFO", "env=QUERY_STRING", "copy", "args"}})
	if s.service.how != "CGI" {
		t.Errorf("by %s", s.service.how)
	}
	for path, want := range map[string]string{
		"":                "Well\n/\n\n/\n\n",
		"a%20b/c%2fd?q=1": "Well\n/a%20b/c%2fd?q=1\n\n/a b/c/d\nq=1\n",
	} {
		resp, err := http.Post(s.url+path, "text/plain", strings.NewReader("body "))
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if want += "body program out="; err != nil || resp.StatusCode != http.StatusOK || !strings.HasPrefix(string(b), want) {
			t.Errorf("%s: %d %q, %v; want %q", path, resp.StatusCode, b, err, want)
		}
	}
	s = newServed(t, wasmtest.Script(wasmtest.Out("Location: /there\n\n")), api.RunSpec{})
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Get(s.url + "here")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if to := resp.Header.Get("Location"); resp.StatusCode != http.StatusFound || to != "/there" {
		t.Errorf("it leads to %q with %d", to, resp.StatusCode)
	}
}

func TestServeTellsHowItFails(t *testing.T) {
	s := newServed(t, wasmtest.Script(wasmtest.Err("oh no\n"), wasmtest.Fault()), api.RunSpec{})
	reply := s.fails("a", http.StatusBadGateway)
	if !strings.Contains(reply.Error, "trap: unreachable") || len(reply.Tail) == 0 || reply.Tail[0] != "oh no" {
		t.Errorf("it answers %+v", reply)
	}
	if said := s.errs.String(); !strings.Contains(said, "oh no\n(GET \"/a\": trap: unreachable)\n") {
		t.Errorf("it says %q", said)
	}
	s = newServed(t, wasmtest.Script(wasmtest.Sleep(time.Minute)), api.RunSpec{Limits: api.Limits{EpochMS: 50}})
	s.fails("", http.StatusGatewayTimeout)
	s = newServed(t, wasmtest.Script(wasmtest.Forever()), api.RunSpec{Limits: api.Limits{Fuel: 50_000}})
	s.fails("", http.StatusBadGateway)
	s = newServed(t, wasmtest.Nothing(), api.RunSpec{})
	if reply := s.fails("", http.StatusBadGateway); !strings.Contains(reply.Error, "it gives no CGI answer") {
		t.Errorf("no CGI: %s", reply.Error)
	}
}

// A component sends requests to where it was granted, and nowhere else.
func TestServeAllowHost(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "from there") }))
	defer other.Close()
	u, err := url.Parse(other.URL)
	if err != nil {
		t.Fatal(err)
	}
	s := newServed(t, component(t, "http.wasm"), api.RunSpec{AllowHosts: []string{u.Host}})
	if status, body := s.get("fetch?" + other.URL); status != 200 || !strings.Contains(body, "from there") {
		t.Errorf("granted: %d %s", status, body)
	}
	s = newServed(t, component(t, "http.wasm"), api.RunSpec{AllowHosts: []string{"example.org"}})
	if _, body := s.get("fetch?" + other.URL); strings.Contains(body, "from there") {
		t.Errorf("not granted: %s", body)
	}
}

// What is on its way when the service ends is answered, if it does not take too long.
func TestServeEnds(t *testing.T) {
	asked := func(s *served, path string) <-chan error {
		out := make(chan error, 1)
		begun := make(chan struct{})
		go func() {
			resp, err := http.Get(s.url + path)
			close(begun)
			if err == nil {
				defer resp.Body.Close()
				_, err = io.ReadAll(resp.Body)
			}
			out <- err
		}()
		<-begun // its head has come
		return out
	}
	s := newServed(t, component(t, "http.wasm"), api.RunSpec{})
	answer := asked(s, "slow/100")
	if err := s.end(); err != nil {
		t.Error(err)
	}
	if err := <-answer; err != nil {
		t.Errorf("what was on its way was cut: %v", err)
	}
	if _, err := http.Get(s.url); err == nil {
		t.Error("it is still there")
	}
	s = newServed(t, component(t, "http.wasm"), api.RunSpec{Limits: api.Limits{EpochMS: 60_000}})
	s.service.patience = 100 * time.Millisecond
	answer = asked(s, "slow/20000")
	if err := s.end(); err != nil {
		t.Error(err)
	}
	if err := <-answer; err == nil {
		t.Error("what takes a minute was waited for")
	}
	if !strings.Contains(s.errs.String(), "what has not ended within 100ms is cut") {
		t.Errorf("it says %q", s.errs)
	}
}

func TestServeRefuses(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for name, c := range map[string]struct {
		wasm []byte
		at   string
		want string
	}{
		"taken":    {wasmtest.Nothing(), l.Addr().String(), "choose another address, or port 0"},
		"library":  {wasmtest.Functions(wasmtest.Identity("f", wasmtest.I64)), "127.0.0.1:0", "no WASI command"},
		"no entry": {wasmtest.Component(), "127.0.0.1:0", "exports no wasi:cli/run"},
		"missing":  {component(t, "text/unknown-import.wasm"), "127.0.0.1:0", "example:missing/thing@1.0.0"},
		"later":    {component(t, "text/async-import.wasm"), "127.0.0.1:0", "async"},
	} {
		t.Run(name, func(t *testing.T) {
			var errs bytes.Buffer
			code := Main(specOf(t, c.wasm, api.RunSpec{Serve: c.at}), Streams{strings.NewReader(""), io.Discard, &errs})
			if code != exitFailed || !strings.Contains(errs.String(), c.want) {
				t.Errorf("exit code %d, it complains %q, want %q", code, errs.String(), c.want)
			}
		})
	}
}

// All of it, as the command line has it: a line with the address, and an end without complaints.
func TestServeSaysWhere(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out, in := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, specOf(t, hello, api.RunSpec{Serve: "127.0.0.1:0"}), Streams{strings.NewReader(""), in, io.Discard})
	}()
	line := make([]byte, 200)
	n, err := out.Read(line)
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`^Serving guest\.wasm \(wasi:http\) at (http://127\.0\.0\.1:[0-9]+/) until Ctrl-C\n$`).FindSubmatch(line[:n])
	if found == nil {
		t.Fatalf("it says %q", line[:n])
	}
	resp, err := http.Get(string(found[1]))
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%v, %v", resp, err)
	}
	resp.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestAddress(t *testing.T) {
	for in, want := range map[string]string{"127.0.0.1:80": "http://127.0.0.1:80/", "[::1]:8080": "http://[::1]:8080/", "0.0.0.0:1": "http://localhost:1/", "[::]:2": "http://localhost:2/"} {
		a, err := net.ResolveTCPAddr("tcp", in)
		if got := address(a); err != nil || got != want {
			t.Errorf("%s: %s, %v", in, got, err)
		}
	}
}
