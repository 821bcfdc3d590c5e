package vigil_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/realm-mesh/realm/internal/kit/vigil"
)

// tripFunc is a transport.
type tripFunc func(*http.Request) (*http.Response, error)

func (f tripFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestTransport has answers begin late, or never, from somebody who is there or not.
func TestTransport(t *testing.T) {
	const probeTime = time.Second
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
		silent time.Duration // it answers probes until then
		took   time.Duration
		lost   bool
	}{
		"at once":                    {took: 0},
		"soon":                       {begins: vigil.Silence / 2, took: vigil.Silence / 2},
		"after a while":              {begins: time.Minute, silent: time.Hour, took: time.Minute},
		"never, of one that is not":  {begins: time.Hour, took: vigil.Silence + probeTime, lost: true},
		"of one that goes":           {begins: time.Hour, silent: 2 * time.Second, took: vigil.Silence + 2*vigil.Again + probeTime, lost: true},
		"before the probe has ended": {begins: vigil.Silence + probeTime/2, took: vigil.Silence + probeTime/2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begun := time.Now()
				trips := vigil.Transport{begins(c.begins), func(context.Context, *http.Request) error {
					if time.Since(begun) < c.silent {
						return nil
					}
					time.Sleep(probeTime)
					return vigil.ErrSilent
				}}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				resp, err := trips.RoundTrip(httptest.NewRequestWithContext(ctx, http.MethodGet, "http://somebody/x", nil))
				if took := time.Since(begun); took != c.took || (err != nil) != c.lost {
					t.Fatalf("%v after %v", err, took)
				}
				var dial *net.OpError
				if c.lost && (!errors.Is(err, vigil.ErrSilent) || !errors.As(err, &dial) || dial.Op != "dial") {
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
