package node

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/local"
	"github.com/realm-mesh/realm/meshd/internal/intents"
	"github.com/realm-mesh/realm/meshd/internal/meshtest"
)

// TestBatchSpreads has one member take as much as a batch may be, and all others with
// it; the same batch again changes nothing, and of a bad one nothing is heard.
func TestBatchSpreads(t *testing.T) {
	r := meshtest.NewRealm(t)
	all := mesh(t, r, 3)
	var batch []intent.Signed
	var raw [][]byte
	for i := range api.MaxSubmitBatch - 1 {
		batch = append(batch, r.Component(t, fmt.Sprintf("c%03d", i), 1))
	}
	m := api.Manifest{Version: 1}
	for _, s := range batch {
		m.Components = append(m.Components, api.ManifestComponent{Name: s.Name, Intent: s.Digest})
	}
	batch = append(batch, r.Sign(t, r.Key, api.Intent{Ref: api.Ref{Kind: api.KindManifest, Name: "shop"}}, m))
	for _, s := range batch {
		raw = append(raw, s.Envelope)
	}
	hold := func(m *member) bool {
		return !slices.ContainsFunc(batch, func(s intent.Signed) bool { return !m.holds(s) })
	}
	bad := r.Component(t, "bad", 7)
	if _, err := all[0].SubmitAll(t.Context(), [][]byte{raw[0], bad.Envelope}); !errors.Is(err, intents.ErrOvertaken) {
		t.Errorf("a bad one: %v", err)
	}
	start := time.Now()
	for range 2 {
		got, err := all[0].SubmitAll(t.Context(), raw)
		if err != nil || len(got) != len(batch) || got[0] != batch[0].Digest || got[len(got)-1] != batch[len(batch)-1].Digest {
			t.Fatalf("%d digests, %v", len(got), err)
		}
		if !hold(all[0]) {
			t.Fatal("it is accepted, and not held")
		}
	}
	for _, m := range all[1:] {
		until(t, patience, "it has spread", func() bool { return hold(m) })
	}
	t.Logf("%d intents are on three members after %v", len(batch), time.Since(start))
	for _, m := range all {
		if m.workloads() != len(batch) {
			t.Errorf("%d are held, want %d", m.workloads(), len(batch))
		}
	}
}

// TestAccountOfAMember asks another member's runnerd, through both nodes.
func TestAccountOfAMember(t *testing.T) {
	r := meshtest.NewRealm(t)
	p := newPlace(t, r)
	p.daemons = roundTrip(func(req *http.Request) (*http.Response, error) {
		w := httptest.NewRecorder()
		fmt.Fprintf(w, "%s %s for %s", req.URL.Host, req.URL.RequestURI(), req.Header.Get(local.HeaderPeer))
		return w.Result(), nil
	})
	a := p.start(t)
	b := newPlace(t, r).start(t, a)
	waitMesh(t, a, b)
	mux := http.NewServeMux()
	mux.Handle(api.RoutePeer, b.Peers())
	ask := func(path string) (int, string) {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, api.PathPeer(a.self, api.ServiceNode, path), nil))
		body, err := io.ReadAll(w.Result().Body)
		if err != nil {
			t.Fatal(err)
		}
		return w.Code, string(body)
	}
	path := api.PathAccount(ref("web")) + "?tail=5"
	if code, body := ask(path); code != http.StatusOK || body != "runnerd "+path+" for "+string(b.self) {
		t.Errorf("%d %s", code, body)
	}
	if code, body := ask("/metrics"); code != http.StatusForbidden || !strings.Contains(body, "do not offer") {
		t.Errorf("%d %s", code, body)
	}
}
