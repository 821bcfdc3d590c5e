package sources

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/realm-mesh/realm/api"
)

// TestGet takes programs from files and addresses, as people give them.
func TestGet(t *testing.T) {
	const program = "\x00asm\x01\x00\x00\x00"
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/ok.wasm":
			_, _ = w.Write([]byte(program))
		case "/moved":
			http.Redirect(w, r, "/ok.wasm", http.StatusFound)
		case "/away":
			http.Redirect(w, r, "http://example.invalid/ok.wasm", http.StatusFound)
		case "/round":
			http.Redirect(w, r, "/round", http.StatusFound)
		case "/page":
			_, _ = w.Write([]byte("<html>"))
		case "/large":
			w.Header().Set("Content-Length", "99999999999")
		default:
			http.NotFound(w, r)
		}
	}))
	defer srv.Close()
	file := filepath.Join(t.TempDir(), "local.wasm")
	if err := os.WriteFile(file, []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	right, other := api.Sum([]byte(program)), api.Sum([]byte("another"))
	for _, c := range []struct {
		from string
		want api.Digest
		bad  string // in the error; "": there is none
	}{
		{from: file}, {from: file, want: right}, {from: file, want: other, bad: "--sha256"},
		{from: file + ".gone", bad: "no such file"},
		{from: srv.URL + "/ok.wasm"}, {from: srv.URL + "/ok.wasm", want: right}, {from: srv.URL + "/ok.wasm", want: other, bad: "--sha256"},
		{from: srv.URL + "/moved"}, {from: srv.URL + "/away", bad: "not https"}, {from: srv.URL + "/round", bad: "more than 5 times"},
		{from: srv.URL + "/page", bad: "no WebAssembly"}, {from: srv.URL + "/gone", bad: "404"}, {from: srv.URL + "/large", bad: "larger than"},
		{from: "http://example.invalid/x.wasm", bad: "--sha256"},
	} {
		m, err := Get(t.Context(), c.from, c.want, t.Logf)
		switch {
		case c.bad == "" && (err != nil || m.Digest != right):
			t.Errorf("%s: %v, %v", c.from, m.Digest, err)
		case c.bad != "" && (err == nil || !strings.Contains(err.Error(), c.bad)):
			t.Errorf("%s: %v, want %q", c.from, err, c.bad)
		}
	}
}
