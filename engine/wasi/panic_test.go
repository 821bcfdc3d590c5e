package wasi_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/realm-mesh/realm/engine/component/wit"
	"github.com/realm-mesh/realm/engine/wasi"
)

// broken is a part of the host that panics.
type broken struct{}

func (broken) Read([]byte) (int, error) { panic("broken") }
func (broken) Close() error             { return nil }

func (broken) Send(r *http.Request, _ wasi.Timeouts) (*http.Response, error) {
	if r.URL.Path == "/body" {
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: broken{}}, nil
	}
	panic("broken")
}

// TestPanicsBesideGuests has what runs in goroutines of the host panic: that is the failure of a stream
// or of a request, and not the end of the process.
func TestPanicsBesideGuests(t *testing.T) {
	g := newGuest(t, wasi.Env{Stdin: broken{}, Sender: broken{}})
	text, end := g.readAll(g.handle("cli/stdin get-stdin"))
	if c, ok := end.(wit.Choice); text != "" || !ok || c == closed {
		t.Errorf("stdin gives %q, %v", text, end)
	}
	if _, _, code := g.fetch(g.request(0, "http://a/"), wit.None()); code == nil {
		t.Error("the request went well")
	}
	status, text, code := g.fetch(g.request(0, "http://a/body"), wit.None())
	if status != http.StatusOK || text != "" || code == nil || strings.Contains(text, "panic") {
		t.Errorf("%d %q, %v", status, text, code)
	}
}
