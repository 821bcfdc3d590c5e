package e2e_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/realm-mesh/realm/e2e/internal/node"
)

// span is what a collector has of one.
type span struct {
	name, service, peer string
	trace, id, parent   string // in hex
}

// spans are those that daemons have sent, by id.
type spans struct {
	mu  sync.Mutex
	all map[string]span
}

// collect is a collector of traces, OTLP over HTTP, until the test ends.
func collect(t *testing.T) (*spans, string) {
	t.Helper()
	s := &spans{all: map[string]span{}}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		var req collector.ExportTraceServiceRequest
		if err == nil {
			err = proto.Unmarshal(b, &req)
		}
		if err != nil || r.URL.Path != "/v1/traces" {
			t.Errorf("%s %s: %v", r.Method, r.URL, err)
			return
		}
		s.add(&req)
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	t.Cleanup(srv.Close)
	return s, srv.URL
}

func (s *spans) add(req *collector.ExportTraceServiceRequest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range req.GetResourceSpans() {
		about := map[string]string{}
		for _, a := range r.GetResource().GetAttributes() {
			about[a.GetKey()] = a.GetValue().GetStringValue()
		}
		for _, scope := range r.GetScopeSpans() {
			for _, x := range scope.GetSpans() {
				id := hex.EncodeToString(x.GetSpanId())
				s.all[id] = span{x.GetName(), about["service.name"], about["service.instance.id"], hex.EncodeToString(x.GetTraceId()), id, hex.EncodeToString(x.GetParentSpanId())}
			}
		}
	}
}

// up is the way from a span to the first one of its trace, as "service name@peer".
func (s *spans) up(id string) (way []string, trace string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		x, ok := s.all[id]
		if !ok {
			return way, trace
		}
		way, trace, id = append(way, fmt.Sprintf("%s: %s @%s", x.service, x.name, x.peer)), x.trace, x.parent
	}
}

// TestTrace follows one request over one hop to a guest.
func TestTrace(t *testing.T) {
	got, endpoint := collect(t)
	first := newNode(t, "node 1", "")
	first.Env = append(first.Env, "REALM_OTLP_ENDPOINT="+endpoint, "REALM_ACCESS_LOG=true")
	do(t, first, "init")
	start(t, first, "--mdns=false")
	addr, err := first.Addr(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	second := newNode(t, "node 2", first.OwnerKey)
	second.Env = append(second.Env, "OTEL_EXPORTER_OTLP_ENDPOINT="+endpoint+"/") // as others call it
	start(t, second, "--mdns=false", "--bootstrap", addr)
	waitPeers(t, first, 1)
	do(t, first, "push", "--name", "there", "--http", "cgi", "--peer", peerOf(t, second), "--file", sample("hello-cgi"))
	do(t, first, "fn", "deploy", "--name", "double", "--peer", peerOf(t, second), "--wasm", sample("double"))

	const trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	status, body := request(t, http.MethodGet, "http://"+first.HTTP+"/there/echo?secret=1", "", map[string]string{"Traceparent": "00-" + trace + "-" + parent + "-01"})
	if status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	_, seen, _ := strings.Cut(body, "header: Traceparent: 00-")
	fields := strings.Split(strings.SplitN(seen, "\n", 2)[0], "-")
	if len(fields) != 3 || fields[0] != trace || fields[2] != "01" {
		t.Fatalf("the guest saw no trace:\n%s", body)
	}
	one, two := peerOf(t, first), peerOf(t, second)
	want := []string{
		"runnerd: guest @" + two, "runnerd: run component @" + two, "meshd: mesh in @" + two, "meshd: mesh out @" + one,
		"gatewayd: attempt @" + one, "gatewayd: gateway /{program}/ @" + one,
	}
	until(t, "one trace has all of the way", func(context.Context) error {
		way, of := got.up(fields[1])
		if fmt.Sprint(way) != fmt.Sprint(want) || of != trace {
			return fmt.Errorf("trace %s: %s", of, strings.Join(way, "\n\t"))
		}
		return nil
	})
	request(t, http.MethodPost, "http://"+first.HTTP+"/exec", `{"name":"double","arg":21}`, jsonType)
	until(t, "a call is traced, too", func(context.Context) error {
		got.mu.Lock()
		defer got.mu.Unlock()
		for _, x := range got.all {
			if x.service == "runnerd" && x.name == "run function" && x.trace != trace {
				return nil
			}
		}
		return fmt.Errorf("%d spans", len(got.all))
	})
	accessLogged(t, first, two, trace)
}

// accessLogged looks for the request in the access log of a node.
func accessLogged(t *testing.T, n *node.Node, peer, trace string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(n.Home, "logs", "access.log"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		var l struct {
			Method, Path, Peer, Trace, Host, Listener string
			Status, Tries                             int
			BytesOut                                  int64 `json:"bytes_out"`
			MS                                        float64
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if l.Trace != trace {
			continue
		}
		if l.Method != http.MethodGet || l.Path != "/there/echo" || l.Peer != peer || l.Status != http.StatusOK || l.BytesOut == 0 || l.MS <= 0 || l.Host != n.HTTP || l.Listener != "programs" || l.Tries != 1 {
			t.Errorf("%s", line)
		}
		return
	}
	t.Errorf("the access log has no line of it:\n%s", b)
}
