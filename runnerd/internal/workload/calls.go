package workload

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/runnerd/internal/exchange"
	"github.com/realm-mesh/realm/runnerd/internal/function"
)

// ErrUnknown says that there is no such workload on this node.
var ErrUnknown = errors.New("it is not on this node")

// ErrNoInterface says that a component answers no requests at all.
var ErrNoInterface = errors.New("it is a command and answers no requests: push it with --http cgi, if it speaks CGI; components that export wasi:http/incoming-handler answer by themselves")

// NotReadyError says that a workload is on this node and does not answer.
type NotReadyError struct {
	State  api.State
	Reason string
	Tail   []string
}

func (e *NotReadyError) Error() string {
	if e.Reason == "" {
		return fmt.Sprintf("it is %s on this node", e.State)
	}
	return fmt.Sprintf("it is %s on this node: %s", e.State, e.Reason)
}

// Web is a component that answers requests. It is safe for use by several goroutines.
type Web interface {
	exchange.Server
	// Probe returns nil if the program answers a request for path well, within timeout.
	Probe(ctx context.Context, path string, timeout time.Duration) error
	// Hold keeps the program usable until release is called, even if it is closed
	// meanwhile. It must be called before Close.
	Hold() (release func())
	// Close lets requests on their way go on.
	Close()
}

// Function returns the function of a name, to be called until release is. Errors:
// [ErrUnknown], [*NotReadyError].
func (s *Set) Function(name api.Name) (f *function.Function, release func(), err error) {
	release, err = s.hold(api.Ref{Kind: api.KindFunction, Name: name}, func(v *version) func() {
		if f = v.function; f == nil {
			return nil
		}
		return f.Hold()
	})
	return f, release, err
}

// Component returns the component of a name that answers requests. Errors:
// [ErrUnknown], [*NotReadyError], [ErrNoInterface].
func (s *Set) Component(name api.Name) (p Web, release func(), err error) {
	release, err = s.hold(api.Ref{Kind: api.KindComponent, Name: name}, func(v *version) func() {
		if p = v.web; p == nil {
			return nil
		}
		done, leave := p.Hold(), v.calls.enter()
		return func() { done(); leave() }
	})
	return p, release, err
}

func (s *Set) hold(ref api.Ref, take func(*version) func()) (func(), error) {
	a := s.actor(ref)
	if a == nil {
		return nil, ErrUnknown
	}
	return a.hold(take)
}

// Tail is the last log lines of a workload.
func (s *Set) Tail(ref api.Ref) []string {
	if a := s.actor(ref); a != nil {
		return a.log.Tail()
	}
	return nil
}

// hold takes part of what answers now and keeps it usable until release is called.
func (a *actor) hold(take func(*version) func()) (release func(), err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	v := a.current
	if v == nil || v.command == nil && !v.good {
		if a.fact.State == "" {
			return nil, ErrUnknown
		}
		return nil, &NotReadyError{a.fact.State, a.fact.Reason, a.fact.Tail}
	}
	if release = take(v); release == nil {
		return nil, ErrNoInterface
	}
	return release, nil
}

// calls counts what is on its way in a version.
type calls struct {
	mu   sync.Mutex
	n    int
	then []func() // to be done when there is nothing any more
}

// enter counts one more until leave is called.
func (c *calls) enter() (leave func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
	return sync.OnceFunc(c.leave)
}

func (c *calls) leave() {
	c.mu.Lock()
	c.n--
	var then []func()
	if c.n == 0 {
		then, c.then = c.then, nil
	}
	c.mu.Unlock()
	for _, fn := range then {
		fn()
	}
}

// whenNone calls fn as soon as nothing is on its way, perhaps now.
func (c *calls) whenNone(fn func()) {
	c.mu.Lock()
	if c.n > 0 {
		c.then = append(c.then, fn)
		c.mu.Unlock()
		return
	}
	c.mu.Unlock()
	fn()
}
