package bridge

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/local"
)

// TestAccount asks another member how a workload stands there.
func TestAccount(t *testing.T) {
	w := newWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(rw, r.Header.Get(local.HeaderPeer)+" "+r.URL.RawQuery)
	}))
	resp, body := do(t, http.MethodGet, w.path(t, api.ServiceNode, "/workloads/component/web?tail=10"), nil, nil)
	if want := w.caller.ID().String() + " tail=10"; resp.StatusCode != http.StatusOK || body != want {
		t.Errorf("%d %q, want %q", resp.StatusCode, body, want)
	}
}

// A runnerd that does not answer, or does not come to an end, holds nobody up.
func TestAccountInTime(t *testing.T) {
	for name, begin := range map[string]bool{"says nothing": false, "does not end": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if begin {
					_, _ = io.WriteString(rw, "{")
					_ = http.NewResponseController(rw).Flush()
				}
				<-r.Context().Done()
			}))
			began := time.Now()
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.path(t, api.ServiceNode, "/workloads/component/web"), nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if took := time.Since(began); took < accountWithin || took >= 3*accountWithin { // which is what the caller waits
				t.Errorf("it took %v", took)
			}
			if begin && err == nil {
				t.Error("an answer that was cut off looks whole")
			}
			if !begin && (resp.StatusCode != http.StatusGatewayTimeout || !strings.Contains(string(body), "try again")) {
				t.Errorf("%d %s", resp.StatusCode, body)
			}
		})
	}
}

// The caller does not depend on the callee for that.
func TestAskInTime(t *testing.T) {
	stuck := trip(func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	})
	self, other := api.PeerID("12D3KooW"+strings.Repeat("A", 44)), api.PeerID("12D3KooW"+strings.Repeat("B", 44))
	mux := http.NewServeMux()
	mux.Handle(api.RoutePeer, Peers(self, map[api.Service]http.RoundTripper{api.ServiceNode: stuck},
		map[api.Service]time.Duration{api.ServiceNode: 50 * time.Millisecond}, quiet))
	meshd := serve(t, mux)
	began := time.Now()
	resp, body := do(t, http.MethodGet, meshd+api.PathPeer(other, api.ServiceNode, "/workloads/component/web"), nil, nil)
	if took := time.Since(began); resp.StatusCode != http.StatusGatewayTimeout || took > 2*time.Second {
		t.Errorf("%d %s after %v", resp.StatusCode, body, took)
	}
}

type trip func(*http.Request) (*http.Response, error)

// RoundTrip implements [http.RoundTripper].
func (t trip) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }
