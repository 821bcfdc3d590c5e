package sources

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/realm/internal/manifest"
	"github.com/realm-mesh/realm/realm/internal/node"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var wasm = []byte("\x00asm\x01\x00\x00\x00")

// shelf is the store of a node with a mesh behind it.
type shelf struct {
	mu     sync.Mutex
	here   map[api.Digest][]byte
	others map[api.Digest][]byte
	broken error
}

func (s *shelf) Stored(_ context.Context, d api.Digest) (node.Stored, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.here[d]
	return node.Stored{BlobInfo: api.BlobInfo{SHA256: d, Size: int64(len(b))}, Head: b[:min(len(b), 16)]}, ok, s.broken
}

func (s *shelf) Bring(_ context.Context, d api.Digest, _ int64) (api.BlobInfo, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.others[d]
	if !ok {
		return api.BlobInfo{}, errors.New("no member has it")
	}
	s.here[d] = b
	return api.BlobInfo{SHA256: d, Size: int64(len(b))}, nil
}

type stand struct {
	*Finder
	shelf *shelf
	notes []string
}

func newStand(t *testing.T) *stand {
	s := &stand{shelf: &shelf{here: map[api.Digest][]byte{}, others: map[api.Digest][]byte{}}}
	var mu sync.Mutex
	s.Finder = New(s.shelf, func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		s.notes = append(s.notes, fmt.Sprintf(format, args...))
	})
	t.Cleanup(func() {
		dir := s.dir
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(dir); dir != "" && !os.IsNotExist(err) {
			t.Errorf("%s is left: %v", dir, err)
		}
	})
	return s
}

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func file(path string) manifest.Source {
	return manifest.Source{Kind: manifest.File, Text: filepath.Base(path), Path: path}
}

func at(t *testing.T, address string) manifest.Source {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return manifest.Source{Kind: manifest.URL, Text: address, URL: u}
}

func blob(d api.Digest) manifest.Source {
	return manifest.Source{Kind: manifest.Blob, Text: "cas:" + d.String(), SHA256: d}
}

func (s *stand) one(t *testing.T, src manifest.Source, want api.Digest) (Program, error) {
	found, err := s.All(within(t), []manifest.Component{{Name: "web", At: "realm.toml:2:10", Source: src, SHA256: want}})
	return found[0], err
}

func TestFile(t *testing.T) {
	s := newStand(t)
	path := filepath.Join(t.TempDir(), "web.wasm")
	if err := os.WriteFile(path, wasm, 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := s.one(t, file(path), api.Sum(wasm))
	if err != nil || !p.Here() || p.SHA256 != api.Sum(wasm) || p.Size != 8 || p.Name != "web.wasm" {
		t.Fatalf("%+v, %v", p, err)
	}
	if m, err := p.Read(); err != nil || m.Digest != p.SHA256 {
		t.Errorf("read: %v", err)
	}
	if err := os.WriteFile(path, append(slices.Clone(wasm), 0), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Read(); err == nil || !strings.Contains(err.Error(), "web.wasm has changed since") {
		t.Errorf("another one: %v", err)
	}
	s = newStand(t)
	_, err = s.one(t, file(path), api.Sum(wasm))
	if err == nil || !strings.Contains(err.Error(), "realm.toml:2:10: component web: web.wasm is another program than sha256_hex says") {
		t.Errorf("another digest: %v", err)
	}
	if _, err = s.one(t, file(path+"x"), api.Digest{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

func TestStore(t *testing.T) {
	s := newStand(t)
	d, text := api.Sum(wasm), []byte("no program")
	s.shelf.others[d] = wasm
	s.shelf.here[api.Sum(text)] = text
	p, err := s.one(t, blob(d), api.Digest{})
	if err != nil || p.Here() || p.SHA256 != d || p.Size != 8 || len(s.notes) != 1 {
		t.Errorf("%+v, %v, %q", p, err, s.notes)
	}
	for want, src := range map[string]manifest.Source{
		"no member has it: name the program by its file": blob(api.Sum(nil)),
		"is no WebAssembly": blob(api.Sum(text)),
	} {
		if _, err := s.one(t, src, api.Digest{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in %v", want, err)
		}
	}
}

// server answers over https, and is trusted by s.
func (s *stand) server(t *testing.T, handler http.Handler) *httptest.Server {
	srv := httptest.NewTLSServer(handler)
	t.Cleanup(srv.Close)
	s.client.Transport.(*http.Transport).TLSClientConfig = srv.Client().Transport.(*http.Transport).TLSClientConfig
	return srv
}

func TestDownload(t *testing.T) {
	s := newStand(t)
	var asked atomic.Int32
	mux := http.NewServeMux()
	mux.HandleFunc("/web.wasm", func(w http.ResponseWriter, _ *http.Request) { asked.Add(1); _, _ = w.Write(wasm) })
	mux.HandleFunc("/page", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") })
	mux.HandleFunc("/short", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "20")
		_, _ = w.Write(wasm)
	})
	mux.HandleFunc("/large", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(api.MaxModule+1))
		_, _ = w.Write(wasm)
	})
	mux.HandleFunc("/endless", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(wasm)
		piece := make([]byte, 1<<20)
		for {
			if _, err := w.Write(piece); err != nil {
				return
			}
		}
	})
	mux.HandleFunc("/once", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/web.wasm", http.StatusFound) })
	mux.HandleFunc("/circle", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/circle", http.StatusFound) })
	mux.HandleFunc("/plain", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://example.org/web.wasm", http.StatusFound)
	})
	srv := s.server(t, mux)

	p, err := s.one(t, at(t, srv.URL+"/web.wasm"), api.Sum(wasm))
	if err != nil || !p.Here() || p.SHA256 != api.Sum(wasm) || p.Size != 8 || p.Name != "web.wasm" {
		t.Fatalf("%+v, %v", p, err)
	}
	if m, err := p.Read(); err != nil || m.Digest != p.SHA256 {
		t.Errorf("read: %v", err)
	}
	if _, err := s.one(t, at(t, srv.URL+"/once"), api.Digest{}); err != nil {
		t.Errorf("redirected: %v", err)
	}
	for path, want := range map[string]string{
		"/none":    "the server answers \"404 Not Found\"",
		"/page":    "is no WebAssembly",
		"/short":   "unexpected EOF",
		"/large":   "is larger than 64 MiB",
		"/endless": "is larger than 64 MiB",
		"/circle":  "it leads on more than 5 times",
		"/plain":   "it leads on to http://example.org/web.wasm, which is not https",
	} {
		if _, err := s.one(t, at(t, srv.URL+path), api.Digest{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: no %q in %v", path, want, err)
		}
	}
	before := asked.Load()
	if _, err := s.one(t, at(t, srv.URL+"/web.wasm"), api.Sum(nil)); err == nil || !strings.Contains(err.Error(), "another program than sha256_hex says") || asked.Load() != before+1 {
		t.Errorf("another digest: %v", err)
	}
	// Several components of one source fetch it once.
	src := at(t, srv.URL+"/web.wasm")
	var all []manifest.Component
	for i := range 20 {
		all = append(all, manifest.Component{Name: api.Name(fmt.Sprint("c", i)), Source: src, SHA256: api.Sum(wasm)})
	}
	before = asked.Load()
	if found, err := s.All(within(t), all); err != nil || len(found) != 20 || found[19].Size != 8 || asked.Load() != before {
		t.Errorf("many: %v, asked %d times", err, asked.Load()-before)
	}
	// What the node has need not be downloaded.
	s = newStand(t)
	s.shelf.here[api.Sum(wasm)] = wasm
	if p, err := s.one(t, at(t, "https://example.invalid/web.wasm"), api.Sum(wasm)); err != nil || p.Here() || p.Size != 8 {
		t.Errorf("%+v, %v", p, err)
	}
}

// What begins elsewhere does not lead into this machine.
func TestRedirects(t *testing.T) {
	request := func(u string) *http.Request {
		r, err := http.NewRequest(http.MethodGet, u, nil)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	for _, c := range []struct {
		from, to string
		ok       bool
	}{
		{"https://example.org/a", "https://example.com/b", true},
		{"https://example.org/a", "http://example.org/a", false},
		{"https://example.org/a", "https://127.0.0.1/a", false},
		{"https://example.org/a", "http://localhost:8080/a", false},
		{"http://127.0.0.1:1/a", "http://127.0.0.1:2/b", true},
		{"http://[::1]:1/a", "https://example.org/b", true},
		{"https://example.org/a", "file:///etc/passwd", false},
	} {
		if err := checkRedirect(request(c.to), []*http.Request{request(c.from)}); (err == nil) != c.ok {
			t.Errorf("%s -> %s: %v", c.from, c.to, err)
		}
	}
}

// All that is not found is told at once.
func TestAllMissing(t *testing.T) {
	s := newStand(t)
	dir := t.TempDir()
	_, err := s.All(within(t), []manifest.Component{
		{Name: "a", At: "realm.toml:2:10", Source: file(filepath.Join(dir, "a.wasm"))},
		{Name: "b", At: "realm.toml:4:10", Source: file(dir)},
	})
	for _, want := range []string{"realm.toml:2:10: component a: ", "realm.toml:4:10: component b: ", "is a folder"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in %v", want, err)
		}
	}
}

// A server that says nothing is waited for no longer than the command lasts.
func TestSilentServer(t *testing.T) {
	s := newStand(t)
	end := make(chan struct{})
	srv := s.server(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-end }))
	defer close(end)
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	_, err := s.All(ctx, []manifest.Component{{Name: "web", Source: at(t, srv.URL)}})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}
