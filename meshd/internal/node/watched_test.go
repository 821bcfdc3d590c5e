package node

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/realm-mesh/realm/meshd/internal/meshtest"
	"github.com/realm-mesh/realm/meshd/internal/neighbours"
)

// tripFunc is a transport.
type tripFunc func(*http.Request) (*http.Response, error)

func (f tripFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestWatchedTrips has answers begin late, or never, from members that are there or not.
func TestWatchedTrips(t *testing.T) {
	host := meshtest.NewRealm(t).Host(t).ID().String()
	begins := func(after time.Duration) tripFunc {
		return func(r *http.Request) (*http.Response, error) {
			select {
			case <-time.After(after):
				return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader("x"))}, nil
			case <-r.Context().Done():
				return nil, context.Cause(r.Context())
			}
		}
	}
	for name, c := range map[string]struct {
		begins time.Duration
		silent time.Duration // the member answers pings until then
		took   time.Duration
		lost   bool
	}{
		"at once":                   {took: 0},
		"soon":                      {begins: silence / 2, took: silence / 2},
		"after a while":             {begins: time.Minute, silent: time.Hour, took: time.Minute},
		"never, of one that is not": {begins: time.Hour, took: silence + neighbours.ProbeTimeout, lost: true},
		"of one that goes":          {begins: time.Hour, silent: 2 * time.Second, took: silence + 2*again + neighbours.ProbeTimeout, lost: true},
		"before the ping has ended": {begins: silence + neighbours.ProbeTimeout/2, took: silence + neighbours.ProbeTimeout/2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begun := time.Now()
				trips := watchedTrips{begins(c.begins), func(context.Context, peer.ID) error {
					if time.Since(begun) < c.silent {
						return nil
					}
					time.Sleep(neighbours.ProbeTimeout)
					return neighbours.ErrSilent
				}}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				resp, err := trips.RoundTrip(httptest.NewRequestWithContext(ctx, http.MethodGet, "http://"+host+"/x", nil))
				if took := time.Since(begun); took != c.took || (err != nil) != c.lost {
					t.Fatalf("%v after %v", err, took)
				}
				var dial *net.OpError
				if c.lost && (!errors.Is(err, neighbours.ErrSilent) || !errors.As(err, &dial) || dial.Op != "dial") {
					t.Errorf("nothing was sent, and it says %v", err)
				}
				time.Sleep(10 * time.Second)
				if err == nil {
					if b, err := io.ReadAll(resp.Body); err != nil || string(b) != "x" {
						t.Errorf("%q, %v", b, err)
					}
					if ctx.Err() != nil {
						t.Error("the answer was cut off")
					}
				}
			})
		})
	}
}

// TestProbe asks a member that is there, several at once, and one that is not.
func TestProbe(t *testing.T) {
	all := mesh(t, meshtest.NewRealm(t), 2)
	var failed atomic.Int32
	done := make(chan struct{})
	for range 20 {
		go func() {
			if err := all[0].watch.Probe(t.Context(), all[1].host.ID()); err != nil {
				failed.Add(1)
			}
			done <- struct{}{}
		}()
	}
	for range 20 {
		<-done
	}
	if n := failed.Load(); n > 0 {
		t.Errorf("%d of 20 had no answer", n)
	}
	gone := all[1].host.ID()
	all[1].stop()
	if err := all[0].watch.Probe(t.Context(), gone); !errors.Is(err, neighbours.ErrSilent) {
		t.Errorf("of one that has gone: %v", err)
	}
}
