package wasihttp

import (
	"context"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/realm-mesh/realm/runnerd/internal/exchange"
)

// routes are what the component of the tests knows, each with what is apt to be asked of it.
var routes = []string{"/", "/echo", "/splice", "/length-of-body", "/method", "/headers", "/change-headers", "/bad-headers", "/repeated",
	"/query?a=b", "/target", "/status/404", "/status/204", "/try-status/99", "/chunks/50", "/big/3000000", "/zeroes/100000", "/announce/100",
	"/trailers", "/slow/3", "/early", "/longer/10", "/no-response", "/trap-after", "/trap-late", "/trap", "/unfinished", "/set-twice",
	"/error/3", "/error", "/loop", "/memory/30", "/memory/3000", "/count", "/env", "/random", "/clock", "/fetch?http://a/"}

// stranger is a client that does what it likes: it asks for anything, with a body or without, which
// it may send slowly or not to its end, and leaves when it likes.
type stranger struct {
	*rand.Rand
	*site
}

func (c *stranger) visit(ctx context.Context) {
	ctx, leave := context.WithTimeout(ctx, time.Duration(1+c.IntN(120))*time.Millisecond)
	defer leave()
	var body io.Reader
	switch c.IntN(4) {
	case 0:
		body = strings.NewReader(strings.Repeat("body", c.IntN(50_000)))
	case 1:
		body = io.LimitReader(forever{}, c.Int64N(1<<20)) // of a length that is not told
	case 2:
		body = io.MultiReader(strings.NewReader("begun"), until{ctx})
	}
	method := []string{http.MethodGet, http.MethodPost, http.MethodHead, http.MethodDelete}[c.IntN(4)]
	r, err := http.NewRequestWithContext(ctx, method, c.URL+routes[c.IntN(len(routes))], body)
	if err != nil {
		panic(err)
	}
	if body != nil && c.IntN(4) == 0 {
		r.Header.Set("Expect", "100-continue")
	}
	resp, err := c.Client().Do(r)
	if err != nil {
		return
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, c.Int64N(1<<20))) // or it is left before
	resp.Body.Close()
}

// until is a body that does not come before ctx ends.
type until struct{ ctx context.Context } //nolint:containedctx // it is all that it is

func (u until) Read([]byte) (int, error) {
	<-u.ctx.Done()
	return 0, u.ctx.Err()
}

// TestStrangers has many clients who do what they like, at a program that does what it likes. In
// the end all that its instances had is given back, and it answers as ever.
func TestStrangers(t *testing.T) {
	var held atomic.Int64
	upstream := echoes(t)
	s, g := counted(t, "http", func(c *exchange.Config) {
		c.Component.Module.Limits.EpochMS, c.Component.Module.Limits.Fuel = 100, 200_000_000
		c.Account.Holds = func(n int64) { held.Add(n) }
		c.Sender = upstreamOnly{upstream.URL}
	})
	status, text, err := get(t, s.URL+"/")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for n := range uint64(8) {
		all.Go(func() {
			c := &stranger{rand.New(rand.NewPCG(*seed, n)), s}
			for range 60 {
				c.visit(t.Context())
			}
		})
	}
	all.Wait()
	g.await(t, 0)
	for late := time.Now().Add(time.Minute); held.Load() != 0; time.Sleep(time.Millisecond) {
		if time.Now().After(late) {
			t.Fatalf("instances that are gone hold %d bytes", held.Load())
		}
	}
	if len(s.program.lingering) != 0 {
		t.Errorf("%d instances linger that are gone", len(s.program.lingering))
	}
	again, textAgain, err := get(t, s.URL+"/")
	if err != nil || again != status || textAgain != text {
		t.Errorf("%d %q, %v; at first it was %d %q", again, textAgain, err, status, text)
	}
}
