package single

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/engine"
	"github.com/realm-mesh/realm/internal/kit/gate"
	"github.com/realm-mesh/realm/internal/kit/local"
	"github.com/realm-mesh/realm/runnerd/internal/cgi"
	"github.com/realm-mesh/realm/runnerd/internal/exchange"
	"github.com/realm-mesh/realm/runnerd/internal/logs"
	"github.com/realm-mesh/realm/runnerd/internal/wasihttp"
)

const (
	requestsAtOnce = 32 // as on a node, where several programs share them; likewise how many wait, and how long
	requestsWait   = 256
	requestWaits   = 5 * time.Second
	headWithin     = 10 * time.Second // the head of a request
	maxHead        = 64 << 10         // bytes of that
	idleFor        = 2 * time.Minute  // a connection without requests
)

// service answers requests with a program until it is told to end.
type service struct {
	name string // of the file
	how  string // the program is spoken to
	web  exchange.Server
	log  *logs.Log
	gate *gate.Gate

	patience time.Duration // of requests on their way, when it ends
	busy     sync.WaitGroup
}

// serve answers requests at the address of spec until ctx ends.
func serve(ctx context.Context, m *engine.Module, spec *api.RunSpec, env engine.Env, s Streams) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", spec.Serve)
	if err != nil {
		return fmt.Errorf("%w: choose another address, or port 0 for one that is free", err)
	}
	v, err := newService(ctx, m, spec, env, s.Err)
	if err != nil {
		_ = l.Close() // nobody has used it
		return err
	}
	fmt.Fprintf(s.Out, "Serving %s (%s) at %s until Ctrl-C\n", v.name, v.how, address(l.Addr()))
	return v.run(ctx, l)
}

// newService makes what serves a program. What the program writes goes to errs, line by line.
func newService(ctx context.Context, m *engine.Module, spec *api.RunSpec, env engine.Env, errs io.Writer) (*service, error) {
	v := &service{name: filepath.Base(spec.File), patience: api.ServePatience,
		gate: gate.New(gate.Config{Places: requestsAtOnce, Share: requestsAtOnce, Queue: requestsWait, Patience: requestWaits})}
	v.log = logs.Pass(api.Ref{Kind: api.KindComponent, Name: programName}, func(_ api.Ref, line api.LogLine) { fmt.Fprintln(errs, line.Line) })
	c := &api.Component{Args: spec.Args, Env: spec.Env, AllowHosts: spec.AllowHosts, Module: api.Program{Limits: spec.Limits}}
	cfg := exchange.Config{Module: m, Name: programName, Component: c, Mounts: env.Mounts, Sender: env.Sender,
		Log: v.log, Root: true, Linger: v.enter}
	var err error
	if m.Component != nil && m.Component.IsHandler() {
		v.how = "wasi:http"
		v.web, err = wasihttp.New(ctx, cfg)
	} else {
		v.how = "CGI"
		v.web, err = cgi.New(ctx, cfg)
	}
	return v, err
}

// programName stands where a node has the name of a component.
const programName = api.Name("program")

// enter counts a request, or a guest that goes on after its response.
func (v *service) enter() (leave func()) {
	v.busy.Add(1)
	return v.busy.Done
}

// address is how people reach what listens at a.
func address(a net.Addr) string {
	host, port, err := net.SplitHostPort(a.String())
	if err != nil {
		return a.String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, port) + "/"
}

// errEnding is what requests end with that take too long when the service ends.
var errEnding = errors.New("it was told to end")

// guestsEnd is how long guests get to end when they are told to: the engine is faster.
const guestsEnd = time.Second

// run serves until ctx ends; then requests on their way, and guests that go on after
// theirs, have some time left.
func (v *service) run(ctx context.Context, l net.Listener) error {
	life, end := context.WithCancelCause(context.WithoutCancel(ctx))
	defer end(nil)
	srv := &http.Server{Handler: v, ReadHeaderTimeout: headWithin, IdleTimeout: idleFor, MaxHeaderBytes: maxHead,
		BaseContext: func(net.Listener) context.Context { return life }}
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(l) }()
	var err error
	select {
	case err = <-failed:
		err = fmt.Errorf("serve at %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(life, v.patience)
	defer cancel()
	if srv.Shutdown(grace) != nil || !v.idle(grace) {
		v.note("(what has not ended within %s is cut)", v.patience)
		end(errEnding)
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), guestsEnd)
		defer cancel()
		v.idle(last)
		_ = srv.Close() // there is nobody to tell
	}
	return err
}

// idle waits until nothing is on its way any more; false: ctx has ended before.
func (v *service) idle(ctx context.Context) bool {
	over := make(chan struct{})
	go func() {
		v.busy.Wait()
		close(over)
	}()
	select {
	case <-over:
		return true
	case <-ctx.Done():
		return false
	}
}

// ServeHTTP implements [http.Handler].
func (v *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer v.enter()()
	if !strings.HasPrefix(r.URL.Path, "/") {
		http.Error(w, "want a path that begins with a slash", http.StatusBadRequest)
		return
	}
	leave, err := v.gate.Enter(r.Context(), v.name)
	if err == nil {
		defer leave()
		err = v.web.Serve(w, r, r.URL.Path[1:])
	}
	if err != nil {
		v.fail(w, r, err)
	}
}

// fail answers with err, as nodes do, and says it.
func (v *service) fail(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, context.Canceled) {
		return // the client has gone: nobody reads it
	}
	reply := api.ErrorReply{Error: v.name + ": " + err.Error(), Tail: v.log.Tail()}
	if failed := new(wasihttp.FailedError); !errors.As(err, &failed) { // else the log has it
		v.note("(%s %.200q: %v)", r.Method, r.URL.Path, err)
	}
	code := status(err)
	if code == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	local.WriteJSON(w, code, reply)
}

// note adds a line to what the program writes.
func (v *service) note(format string, args ...any) {
	w := v.log.Writer(logs.Stderr)
	defer w.Flush()
	fmt.Fprintf(w, format, args...)
}

// status says what err means to the client, in the words of nodes.
func status(err error) int {
	switch {
	case errors.As(err, new(*engine.DeadlineError)):
		return http.StatusGatewayTimeout
	case errors.As(err, new(*wasihttp.FailedError)):
		return http.StatusInternalServerError
	case errors.Is(err, exchange.ErrLengthRequired):
		return http.StatusLengthRequired
	case errors.Is(err, gate.ErrBusy), errors.Is(err, engine.ErrRunaway), errors.Is(err, errEnding):
		return http.StatusServiceUnavailable
	}
	return http.StatusBadGateway
}
