package cgi

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

// Program is a component that answers requests. It is safe for use by several goroutines.
type Program struct {
	exchange.Config
	env      engine.Env
	script   string
	deadline time.Duration
}

// New makes a program. Errors: a [*program.RefusedError], or that of ctx.
func New(ctx context.Context, c exchange.Config) (*Program, error) {
	if err := program.CheckCommand(c.Module.Shape); err != nil {
		return nil, err
	}
	if part := c.Module.Component; part != nil && !part.IsCommand() {
		return nil, program.Refuse("the component exports no wasi:cli/run of WASI 0.2, as programs that speak CGI do")
	}
	p := &Program{Config: c, env: c.Env(), script: c.Mount(), deadline: program.Deadline(c.Component.Module.Limits)}
	if err := c.Try(ctx); err != nil {
		return nil, err
	}
	return p, nil
}

// Probe is [exchange.Probe].
func (p *Program) Probe(ctx context.Context, path string, timeout time.Duration) error {
	return exchange.Probe(ctx, p, string(p.Name), path, timeout)
}

// Serve answers r, whose URL has the form /anything/NAME/path…, and path is what
// follows NAME, decoded, without its slash; or, at the root, all of the URL's path. It returns an error, and has answered
// nothing, if the program did not: [*HeaderError], [exchange.ErrLengthRequired], those of
// [engine.Module.Run], or the cause of r's context. Afterwards it breaks off the connection by panicking
// with [http.ErrAbortHandler], as net/http asks for.
func (p *Program) Serve(w http.ResponseWriter, r *http.Request, path string) error {
	ctx, cancel := engine.WithDeadline(r.Context(), p.deadline)
	defer cancel()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	rc := http.NewResponseController(w)
	body := exchange.NewBody(r)
	defer func() { body.Spare(w.Header()) }() // of an answer that tells the error
	release := exchange.Interruptible(ctx, rc, body)
	length, err := body.Measure(r.ContentLength)
	if err != nil {
		release()
		return err
	}
	if err := rc.EnableFullDuplex(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		release()
		return err
	}
	out := &response{w: w, rc: rc, request: body, script: p.MountOf(r), stop: stop}
	complaints := p.Log.Writer(logs.Stderr)
	defer complaints.Flush()
	t := target{script: p.MountOf(r), path: "/" + path, raw: r.URL.EscapedPath()}
	if p.script != "" {
		t.raw = exchange.RawPath(t.raw)
	}
	env := p.env
	env.Vars, env.Stdin, env.Stdout, env.Stderr = variables(p.Component.Env, r, t, length), body, out, complaints
	err = program.Advise(p.Module.Run(ctx, env))
	_ = body.Close()
	sent, bad := out.close()
	release()
	return p.judge(err, sent, bad)
}

// judge says how a request has ended.
func (p *Program) judge(err error, sent bool, bad error) error {
	var header *HeaderError
	switch {
	case errors.As(bad, &header):
		return bad
	case err == nil && !sent:
		return &HeaderError{"it ended without a header"}
	case err == nil:
		return nil
	case sent:
		fmt.Fprintf(p.Log.Writer(logs.Stderr), "(the answer broke off: %v)\n", err)
		panic(http.ErrAbortHandler)
	default:
		return err
	}
}
