package forward

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/vigil"
)

const (
	// pulseTime is how long a daemon of this node has to answer that it is there. It is long
	// for a socket of the same machine: on one that is busy, a daemon that is wrongly taken for
	// stopped loses requests.
	pulseTime = 2 * time.Second
	// stoppedFor is how long a daemon that did not is not asked for anything.
	stoppedFor = time.Second
)

// pulse knows which daemons of this node have stopped without an end: frozen by a signal or
// a debugger, or stuck. What has crashed closes its socket, and needs no pulse.
type pulse struct {
	transport http.RoundTripper
	asked     singleflight.Group // one question for all who have it at the time

	mu    sync.Mutex
	until map[api.Daemon]time.Time // until when a daemon is taken for stopped
}

func newPulse(transport http.RoundTripper) *pulse {
	return &pulse{transport: transport, until: map[api.Daemon]time.Time{}}
}

// stopped reports whether a daemon has been found stopped a moment before now.
func (p *pulse) stopped(d api.Daemon, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return now.Before(p.until[d])
}

// probe is for [vigil.Transport].
func (p *pulse) probe(ctx context.Context, r *http.Request) error {
	d := api.Daemon(r.URL.Host)
	answer := p.asked.DoChan(string(d), func() (any, error) {
		return nil, p.ask(context.WithoutCancel(ctx), d) // it goes on when its caller leaves: others may wait
	})
	select {
	case a := <-answer:
		return a.Err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// ask finds out whether a daemon is there, and remembers if not.
func (p *pulse) ask(ctx context.Context, d api.Daemon) error {
	ctx, cancel := context.WithTimeout(ctx, pulseTime)
	defer cancel()
	err := p.beat(ctx, d)
	if err != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.until[d] = time.Now().Add(stoppedFor)
	}
	return err
}

// beat asks for what needs no work. Whatever the answer, there is one; and a socket that is
// gone ends its requests by itself.
func (p *pulse) beat(ctx context.Context, d api.Daemon) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodHead, "http://"+string(d)+"/", nil)
	if err != nil {
		return nil //nolint:nilerr // not of the daemon's doing
	}
	resp, err := p.transport.RoundTrip(r)
	switch {
	case err == nil:
		return resp.Body.Close()
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fmt.Errorf("%s of this node: %w", d, vigil.ErrSilent)
	}
	return nil
}
