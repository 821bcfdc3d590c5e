package manage

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/gatewayd/internal/standin"
)

// TestScrapesAreBounded has more scrapers than are answered at once.
func TestScrapesAreBounded(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	own := prometheus.NewRegistry()
	RegisterVersion(own)
	srv := httptest.NewServer(NewMetrics(Node{Client: standin.Client(t, standin.Home(t)), Own: own, Log: slog.New(slog.DiscardHandler),
		PS: func(context.Context) (*api.PSReply, error) {
			entered <- struct{}{}
			<-release
			return ready(api.Daemons()...), nil
		}}))
	defer srv.Close()
	get := func() int {
		resp, err := srv.Client().Get(srv.URL + "/metrics")
		if err != nil {
			t.Error(err)
			return 0
		}
		defer resp.Body.Close()
		if retry := resp.Header.Get("Retry-After"); resp.StatusCode == http.StatusServiceUnavailable && retry != "1" {
			t.Errorf("Retry-After: %q", retry)
		}
		return resp.StatusCode
	}
	var asked sync.WaitGroup
	for range maxScrapes {
		asked.Go(func() {
			if status := get(); status != http.StatusOK {
				t.Errorf("one of %d: %d", maxScrapes, status)
			}
		})
		<-entered
	}
	if status := get(); status != http.StatusServiceUnavailable {
		t.Errorf("one too many: %d", status)
	}
	close(release)
	asked.Wait()
	go func() { <-entered }()
	if status := get(); status != http.StatusOK {
		t.Errorf("afterwards: %d", status)
	}
}

func TestVersion(t *testing.T) {
	home := standin.Home(t)
	own := prometheus.NewRegistry()
	RegisterVersion(own)
	_, body := served(t, Node{Client: standin.Client(t, home), Own: own})("/metrics")
	if want := "\nagent_version{version=\"v0.0.0-dev\"} 1\n"; !strings.Contains(body, want) {
		t.Errorf("no %q in\n%s", want, body)
	}
}
