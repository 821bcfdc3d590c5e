package wasihttp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/realm-mesh/realm/engine"
	"github.com/realm-mesh/realm/runnerd/internal/exchange"
	"github.com/realm-mesh/realm/runnerd/internal/logs"
	"github.com/realm-mesh/realm/runnerd/internal/program"
)

// maxLingering is how many instances of a program may go on after their responses.
const maxLingering = 32

// Program is a component that answers requests. It is safe for use by several goroutines.
type Program struct {
	exchange.Config
	env       engine.Env
	mount     string // /NAME, or nothing
	deadline  time.Duration
	lingering chan struct{}
}

// New makes a program. Errors: a [*program.RefusedError], or that of ctx.
func New(ctx context.Context, c exchange.Config) (*Program, error) {
	if err := program.CheckHandler(c.Module.Shape); err != nil {
		return nil, err
	}
	if c.Linger == nil {
		c.Linger = func() func() { return func() {} }
	}
	p := &Program{Config: c, env: c.Env(), mount: c.Mount(), deadline: program.Deadline(c.Component.Module.Limits), lingering: make(chan struct{}, maxLingering)}
	for name, value := range c.Component.Env {
		p.env.Vars = append(p.env.Vars, engine.Var{Name: name, Value: value})
	}
	if err := c.Try(ctx); err != nil {
		return nil, err
	}
	return p, nil
}

// Probe is [exchange.Probe].
func (p *Program) Probe(ctx context.Context, path string, timeout time.Duration) error {
	return exchange.Probe(ctx, p, string(p.Name), path, timeout)
}

// Serve implements [exchange.Server]. It returns an error, and has answered nothing, if the
// program did not: a [*FailedError], or the cause of r's context. Afterwards it breaks off
// the connection by panicking with [http.ErrAbortHandler], as net/http asks for. It changes
// r, which a guest may still look at that goes on.
func (p *Program) Serve(w http.ResponseWriter, r *http.Request, path string) error {
	ctx, cancel := engine.WithDeadline(r.Context(), p.deadline)
	defer cancel()
	body := exchange.NewBody(r)
	defer func() { body.Spare(w.Header()) }() // of an answer that tells the error
	release := exchange.Interruptible(ctx, http.NewResponseController(w), body)
	g := p.guest(r)
	stop := context.AfterFunc(ctx, func() { g.stop(context.Cause(ctx)) })
	err := p.Module.Serve(g.ctx, g.env, &response{ResponseWriter: w, mount: p.MountOf(r)}, p.below(r, path, body), g.ended) //nolint:contextcheck // the guest may outlive the request
	stop()
	release()
	if err != nil {
		g.stop(err)
		return p.judge(err)
	}
	g.linger()
	return nil
}

// judge says how a request has ended that did not go well.
func (p *Program) judge(err error) error {
	gone := errors.Is(err, context.Canceled) // the client: nobody reads it
	cut := errors.Is(err, engine.ErrCut)
	if gone && !cut {
		return err
	}
	failed := &FailedError{ID: newID(), Err: program.Advise(err)}
	if !gone {
		p.note(failed)
	}
	if cut {
		panic(http.ErrAbortHandler)
	}
	return failed
}

// note has the program's log tell of a failure.
func (p *Program) note(f *FailedError) {
	log := p.Log.Writer(logs.Stderr)
	defer log.Flush()
	fmt.Fprintf(log, "(failure %s: %v)\n", f.ID, f.Err)
}
