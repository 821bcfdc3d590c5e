package cgi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/engine"
	"github.com/realm-mesh/realm/runnerd/internal/exchange"
	"github.com/realm-mesh/realm/runnerd/internal/logs"
	"github.com/realm-mesh/realm/runnerd/internal/program"
)

// Program is a component that answers requests. It is safe for use by several goroutines.
type Program struct {
	module   *engine.Module
	script   string
	args     []string
	env      map[string]string
	mounts   []engine.Mount
	deadline time.Duration
	fuel     uint64 // of one request; 0: no limit
	log      *logs.Log
	account  program.Account
}

// New makes a program of a module, which it releases when it is closed; on an
// error the module stays the caller's. What it mounts stays the caller's, too. account is
// told what each request uses. Errors: a [*program.RefusedError],
// or that of ctx.
func New(ctx context.Context, m *engine.Module, name api.Name, c *api.Component, mounts []engine.Mount, log *logs.Log, account program.Account) (*Program, error) {
	if err := program.CheckCommand(m.Shape); err != nil {
		return nil, err
	}
	if m.Component != nil && !m.Component.IsCommand() {
		return nil, program.Refuse("the component exports no wasi:cli/run of WASI 0.2, as programs that speak CGI do")
	}
	if err := try(ctx, m, c.Module.Limits, account); err != nil {
		if ctx.Err() != nil {
			return nil, err
		}
		return nil, program.Refuse("no instance of it can be made: %v", err)
	}
	return &Program{module: m, script: "/" + string(name), args: append([]string{string(name)}, c.Args...), env: c.Env,
		mounts: mounts, deadline: program.Deadline(c.Module.Limits), fuel: c.Module.Limits.Fuel, log: log, account: account}, nil
}

// AtRoot has the program see paths as they are sent, since it is mounted nowhere, and
// returns it. It must be called before Serve.
func (p *Program) AtRoot() *Program {
	p.script = ""
	return p
}

// try makes an instance, under the limits of a request.
func try(ctx context.Context, m *engine.Module, l api.Limits, account program.Account) error {
	ctx, cancel := engine.WithDeadline(ctx, program.Deadline(l))
	defer cancel()
	i, err := m.New(ctx, engine.Env{Fuel: l.Fuel, Used: account.Used, Holds: account.Holds})
	if err != nil {
		return program.Advise(err)
	}
	i.Close()
	return nil
}

// Hold keeps the program usable until release is called, even if it is closed
// meanwhile. It must be called before Close.
func (p *Program) Hold() (release func()) {
	p.module.Retain()
	return p.module.Release
}

// Close releases the module; requests on their way go on.
func (p *Program) Close() { p.module.Release() }

// Probe is [exchange.Probe].
func (p *Program) Probe(ctx context.Context, path string, timeout time.Duration) error {
	return exchange.Probe(ctx, p, strings.TrimPrefix(p.script, "/"), path, timeout)
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
	out := &response{w: w, rc: rc, request: body, script: p.script, stop: stop}
	complaints := p.log.Writer(logs.Stderr)
	defer complaints.Flush()
	t := target{script: p.script, path: "/" + path, raw: r.URL.EscapedPath()}
	if p.script != "" {
		t.raw = exchange.RawPath(t.raw)
	}
	err = program.Advise(p.module.Run(ctx, engine.Env{Args: p.args, Vars: variables(p.env, r, t, length), Stdin: body, Stdout: out, Stderr: complaints, Mounts: p.mounts, Fuel: p.fuel,
		Used: p.account.Used, Holds: p.account.Holds}))
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
		fmt.Fprintf(p.log.Writer(logs.Stderr), "(the answer broke off: %v)\n", err)
		panic(http.ErrAbortHandler)
	default:
		return err
	}
}
