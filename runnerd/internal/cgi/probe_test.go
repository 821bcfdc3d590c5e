package cgi

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/engine/wasmtest"
)

func TestProbe(t *testing.T) {
	answer := func(head string) wasmtest.Step { return wasmtest.Out(head + "\n\nbody") }
	for name, c := range map[string]struct {
		steps []wasmtest.Step
		path  string
		want  string // of the error; empty: it is well
	}{
		"well":                {[]wasmtest.Step{answer("Content-Type: text/plain")}, "/", ""},
		"no content":          {[]wasmtest.Step{answer("Status: 204 No Content")}, "/health?full=1", ""},
		"a redirection":       {[]wasmtest.Step{answer("Location: /elsewhere")}, "/a%20b", ""},
		"not found":           {[]wasmtest.Step{answer("Status: 404 Not Found")}, "/health", "GET /health: it answers 404 Not Found"},
		"ill":                 {[]wasmtest.Step{answer("Status: 503 x")}, "/", "GET /: it answers 503 Service Unavailable"},
		"no header":           {nil, "/", "GET /: it gives no CGI answer: it ended without a header"},
		"fails at once":       {[]wasmtest.Step{wasmtest.Leave(4)}, "/", "GET /: exit code 4"},
		"breaks off":          {[]wasmtest.Step{answer("Content-Type: text/plain"), wasmtest.Fault()}, "/", "GET /: the answer breaks off"},
		"says nothing":        {[]wasmtest.Step{wasmtest.Sleep(time.Hour)}, "/", "GET /: no answer within 300ms"},
		"says it and goes on": {[]wasmtest.Step{answer("Content-Type: text/plain"), wasmtest.Sleep(time.Hour)}, "/", "GET /: no answer within 300ms"},
		"never ends":          {[]wasmtest.Step{answer("Content-Type: text/plain"), wasmtest.Forever(wasmtest.Out("more"))}, "/", "GET /: no answer within 300ms"},
		"no such escape":      {nil, "/%zz", `GET /%zz: parse "/probe/web/%zz": invalid URL escape "%zz"`},
	} {
		t.Run(name, func(t *testing.T) {
			s := scripted(t, 0, c.steps...)
			err := s.program.Probe(t.Context(), c.path, 300*time.Millisecond)
			if got := text(err); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// TestProbeIsARequest has an unmodified Go handler see what is asked.
func TestProbeIsARequest(t *testing.T) {
	s := newSite(t, hello, api.Component{})
	if err := s.program.Probe(t.Context(), "/echo/a%2Fb?q=1", 10*time.Second); err != nil {
		t.Error(err)
	}
	if err := s.program.Probe(t.Context(), "/no/such/page", 10*time.Second); err == nil || !strings.HasSuffix(err.Error(), "404 Not Found") {
		t.Error(err)
	}
	gone, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("the node stops"))
	if err := s.program.Probe(gone, "/", 10*time.Second); err == nil || !strings.HasSuffix(err.Error(), "the node stops") {
		t.Error(err)
	}
}
