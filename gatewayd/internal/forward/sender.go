package forward

import (
	"context"
	"net/http"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/gatewayd/internal/route"
	"github.com/realm-mesh/realm/internal/kit/trace"
	"github.com/realm-mesh/realm/internal/kit/vigil"
)

// Patience is how long a request waits for a member that takes it.
const Patience = 2 * time.Second

const (
	maxElsewhere = 3 // members asked in one round, besides this node
	maxRepeats   = 3 // of a request that does no harm twice
	firstPause   = 20 * time.Millisecond
	longestPause = 200 * time.Millisecond
)

// Sender sends requests to the members that run what they are for. It is safe for
// use by several goroutines.
type Sender struct {
	transport http.RoundTripper // reaches the sockets of this node's daemons
	pulse     *pulse            // of these daemons
	forget    func()            // closes connections that nobody uses
	live      *route.Live
	tried     func(Try)
	balance   *balancer
	tracer    *trace.Tracer
}

// Try is one attempt to have a request answered.
type Try struct {
	Here  bool // on this node, not through the mesh
	Taken bool // there is an answer of a program
	// Ejected: the member lost the request, and is not asked for a while if another can be.
	Ejected bool
}

// New returns a Sender; transport reaches the sockets of this node's daemons under
// URLs whose host is the daemon, tried is told of every attempt.
func New(transport http.RoundTripper, live *route.Live, tried func(Try)) *Sender {
	forget := func() {}
	if c, ok := transport.(interface{ CloseIdleConnections() }); ok {
		forget = c.CloseIdleConnections
	}
	p := newPulse(transport)
	return &Sender{
		transport: vigil.Transport{Next: transport, Probe: p.probe}, pulse: p,
		forget: forget, live: live, tried: tried, balance: newBalancer(),
	}
}

// Trace has each attempt be a span in the trace of its request. It must be called before the
// first.
func (s *Sender) Trace(t *trace.Tracer) { s.tracer = t }

// Send sends req, whose URL has path and query of a route on runnerd's socket, to a
// member on which ref answers. The answer is whatever that member says.
//
// Errors: [*UnknownError], [*UnavailableError], [*InterruptedError], [*BodyError], or
// that of req's context. The body of req is not closed.
func (s *Sender) Send(ref api.Ref, req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	d := &delivery{Sender: s, ref: ref, req: req, body: newReplay(req.Body)}
	s.balance.asked()
	if repeatable(req) {
		d.repeats = maxRepeats
	}
	if err := d.run(ctx); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, err
	}
	return d.answer, nil
}

// repeatable reports whether a request says that twice has the effect of once: by its
// method (RFC 9110, section 9.2.2), or by a key that tells the program it is the same
// (draft-ietf-httpapi-idempotency-key-header).
func repeatable(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
		return true
	}
	return r.Header.Get("Idempotency-Key") != ""
}
