package forward

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

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

	mu    sync.Mutex
	asked map[api.Daemon]*question
	until map[api.Daemon]time.Time // until when a daemon is taken for stopped
}

// question is one that all share who ask at the time.
type question struct {
	done chan struct{}
	err  error // once done is closed
}

func newPulse(transport http.RoundTripper) *pulse {
	return &pulse{transport: transport, asked: map[api.Daemon]*question{}, until: map[api.Daemon]time.Time{}}
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
	p.mu.Lock()
	q, asked := p.asked[d]
	if !asked {
		q = &question{done: make(chan struct{})}
		p.asked[d] = q
	}
	p.mu.Unlock()
	if !asked {
		p.ask(ctx, d, q)
	}
	select {
	case <-q.done:
		return q.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// ask answers q. It goes on when its caller leaves: others may wait.
func (p *pulse) ask(ctx context.Context, d api.Daemon, q *question) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), pulseTime)
	defer cancel()
	q.err = p.beat(ctx, d)
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.asked, d)
	if q.err != nil {
		p.until[d] = time.Now().Add(stoppedFor)
	}
	close(q.done)
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
