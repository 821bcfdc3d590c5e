package trace_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/config"
	"github.com/realm-mesh/realm/internal/kit/trace"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	sampled   = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	unsampled = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
)

// newTracer sends to a collector that forgets all.
func newTracer(t testing.TB, ratio float64) *trace.Tracer {
	t.Helper()
	for _, name := range []string{"OTEL_SDK_DISABLED", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"} {
		t.Setenv(name, "")
	}
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	t.Cleanup(srv.Close)
	tr, err := trace.New(t.Context(), config.Node{OTLPEndpoint: srv.URL, TraceRatio: &ratio}, api.Gatewayd, "peer", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- tr.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return tr
}

func request(parent string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/x", nil)
	if parent != "" {
		r.Header.Set("Traceparent", parent)
	}
	return r
}

// TestOff passes headers as they come.
func TestOff(t *testing.T) {
	var off *trace.Tracer
	r, span := off.Serve(request(sampled), "x")
	span.Into(r.Context(), r.Header)
	span.Status(500)
	span.Set("a", "b")
	ctx, child := off.Child(r.Context(), "y")
	child.Fail(io.EOF)
	child.End()
	span.End()
	if got := r.Header.Get("Traceparent"); got != sampled || span.TraceID() != "" || ctx != r.Context() {
		t.Errorf("%q, %q", got, span.TraceID())
	}
	if err := off.Run(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestParents goes on with the trace of a client, if there is one, and by its word.
func TestParents(t *testing.T) {
	tr := newTracer(t, 0) // none by itself
	for _, c := range []struct {
		name, parent, flags string
		goesOn, joins       bool
	}{
		{"recorded", sampled, "-01", true, true},
		{"not recorded", unsampled, "-00", true, true},
		{"none", "", "-00", false, false},
		{"of a later version", strings.Replace(sampled, "00-", "cc-", 1) + "-more", "-01", true, true},
		{"version ff", strings.Replace(sampled, "00-", "ff-", 1), "-00", false, false},
		{"zero", "00-00000000000000000000000000000000-b7ad6b7169203331-01", "-00", false, false},
		{"upper case", strings.ToUpper(sampled), "-00", false, false},
		{"long", sampled + strings.Repeat("-x", 5000), "-00", false, false},
		{"nonsense", "\x00\xff", "-00", false, false},
	} {
		r := request(c.parent)
		r.Header.Set("Tracestate", "a=b")
		r, span := tr.Serve(r, "x")
		span.Into(r.Context(), r.Header)
		got := r.Header.Get("Traceparent")
		if goesOn := strings.Contains(got, "0af7651916cd43dd8448eb211c80319c"); goesOn != c.goesOn || !strings.HasSuffix(got, c.flags) || strings.Contains(got, "b7ad6b7169203331") {
			t.Errorf("%s: %q", c.name, got)
		}
		if r.Header.Get("Tracestate") != "" && !c.goesOn {
			t.Errorf("%s: it keeps %q", c.name, r.Header.Get("Tracestate"))
		}
		span.End()
		_, joined := tr.Join(request(c.parent), "x")
		if (joined != nil) != c.joins {
			t.Errorf("%s: joined: %t", c.name, joined != nil)
		}
		joined.End()
	}
}

// TestJoined gives the next handler what it would see without traces, and the span's header.
func TestJoined(t *testing.T) {
	tr := newTracer(t, 1)
	var got string
	h := tr.Joined("x", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Get("Traceparent")
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Error(err)
		}
		_, _ = io.WriteString(w, "y")
	}))
	for _, parent := range []string{"", sampled} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, request(parent))
		if w.Body.String() != "y" || (got == "") != (parent == "") || got == sampled && parent != "" {
			t.Errorf("%q: %q, %q", parent, w.Body, got)
		}
	}
}

func TestEndpoint(t *testing.T) {
	for _, c := range []struct {
		setting string
		env     map[string]string
		want    string
	}{
		{"", nil, ""},
		{"http://c:4318", nil, "http://c:4318/v1/traces"},
		{"http://c:4318/", map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://d:1"}, "http://c:4318/v1/traces"},
		{"http://c:4318/v1/traces", nil, "http://c:4318/v1/traces"},
		{"", map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://d:1/base"}, "http://d:1/base/v1/traces"},
		{"", map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://d:1", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://e:1/x"}, "http://e:1/x"},
		{"", map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://d:1", "OTEL_SDK_DISABLED": "true"}, ""},
	} {
		for _, name := range []string{"OTEL_SDK_DISABLED", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"} {
			t.Setenv(name, c.env[name])
		}
		if got := trace.Endpoint(config.Node{OTLPEndpoint: c.setting}); got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

// FuzzServe wants a trace that is valid, whatever a client says of its own.
func FuzzServe(f *testing.F) {
	f.Add(sampled, "a=b,c=d")
	f.Add(strings.ToUpper(sampled), strings.Repeat("a=b,", 100))
	tr := newTracer(f, 0)
	f.Fuzz(func(t *testing.T, parent, state string) {
		r := request("")
		r.Header["Traceparent"], r.Header["Tracestate"] = []string{parent}, []string{state}
		r, span := tr.Serve(r, "x")
		defer span.End()
		span.Into(r.Context(), r.Header)
		got := r.Header.Get("Traceparent")
		if len(got) != len(sampled) || !strings.HasPrefix(got, "00-") || !strings.Contains(got, span.TraceID()) || strings.Trim(span.TraceID(), "0") == "" {
			t.Fatalf("%q, %q: %q", parent, state, got)
		}
	})
}
