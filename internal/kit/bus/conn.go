package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/paths"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
)

// Errors that callers branch on.
var (
	ErrDisconnected = errors.New("the node's bus is not reachable")
	ErrForbidden    = errors.New("no right to use this subject of the bus")
	ErrNoAnswer     = errors.New("nobody answers")
)

const (
	reconnectStep = 10 * time.Millisecond
	reconnectMax  = time.Second
	pingInterval  = 5 * time.Second
	drainTimeout  = 5 * time.Second
	flushTimeout  = 10 * time.Second
	dialTimeout   = 2 * time.Second
)

// Conn is a connection to the bus. It is safe for use by several goroutines.
type Conn struct {
	nc     *nats.Conn
	js     jetstream.JetStream
	daemon api.Daemon
	closed chan struct{} // closed when the connection is given up for good

	mu      sync.Mutex
	calls   map[*call]struct{}
	revived chan struct{} // closed, and replaced, at every reconnect
}

// call is a request in flight, to be ended early when its connection breaks or a
// subject that begins like this is refused.
type call struct {
	subject string
	cancel  context.CancelCauseFunc
}

// Connect logs in as d with the key that the launcher put into the home, and
// waits for the bus until ctx ends.
func Connect(ctx context.Context, h paths.Home, d api.Daemon, log *slog.Logger) (*Conn, error) {
	seed, err := os.ReadFile(h.BusSeed(d))
	if err != nil {
		return nil, fmt.Errorf("connect to the bus: %w: is the node up? Start it with: realm up", err)
	}
	kp, err := nkeys.FromSeed(seed)
	if err != nil {
		return nil, fmt.Errorf("connect to the bus: %s: %w", h.BusSeed(d), err)
	}
	pub, err := kp.PublicKey()
	if err != nil {
		return nil, fmt.Errorf("connect to the bus: %w", err)
	}
	c := &Conn{daemon: d, closed: make(chan struct{}), calls: map[*call]struct{}{}, revived: make(chan struct{})}
	opts := []nats.Option{
		nats.Name(string(d)),
		nats.Nkey(pub, kp.Sign),
		nats.SetCustomDialer(unixDialer{h.Socket(api.Launcher)}),
		nats.SkipHostLookup(), // "bus" is no host: a name server that is away would hold up every log-in
		nats.CustomInboxPrefix(api.InboxPrefix(d)),
		nats.MaxReconnects(-1),
		nats.IgnoreAuthErrorAbort(),
		nats.PermissionErrOnSubscribe(true),
		nats.PingInterval(pingInterval),
		nats.DrainTimeout(drainTimeout),
		nats.CustomReconnectDelay(func(n int) time.Duration { return min(time.Duration(n)*reconnectStep, reconnectMax) }),
		nats.DisconnectErrHandler(func(*nats.Conn, error) { c.endCalls(func(*call) bool { return true }, ErrDisconnected) }),
		nats.ReconnectHandler(func(*nats.Conn) { c.revive() }),
		nats.ClosedHandler(func(*nats.Conn) {
			close(c.closed)
			c.endCalls(func(*call) bool { return true }, ErrDisconnected)
		}),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { c.refused(err, log) }),
	}
	for {
		c.nc, err = nats.Connect("nats://bus", opts...)
		if err == nil {
			break
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("connect to the bus at %s: %w: is the node up? Start it with: realm up", h.Socket(api.Launcher), err)
		case <-time.After(reconnectStep * 5):
		}
	}
	if c.js, err = jetstream.New(c.nc); err != nil {
		c.nc.Close()
		return nil, fmt.Errorf("connect to the bus: %w", err)
	}
	return c, nil
}

type unixDialer struct{ path string }

func (d unixDialer) Dial(string, string) (net.Conn, error) {
	dialer := net.Dialer{Timeout: dialTimeout}
	return dialer.DialContext(context.Background(), "unix", d.path)
}

// SkipTLSHandshake tells nats.go that the dialer needs no TLS.
func (d unixDialer) SkipTLSHandshake() bool { return true }

// Closed is closed when the connection is given up for good: the process should end.
func (c *Conn) Closed() <-chan struct{} { return c.closed }

// Close sends what is buffered and closes the connection.
func (c *Conn) Close() {
	if err := c.nc.Drain(); err != nil {
		c.nc.Close()
		return
	}
	select {
	case <-c.closed:
	case <-time.After(drainTimeout):
		c.nc.Close()
	}
}

// Connected reports whether the bus is reachable now.
func (c *Conn) Connected() bool { return c.nc.IsConnected() }

// Flush returns when the bus has seen all that was published before.
func (c *Conn) Flush(ctx context.Context) error { return c.nc.FlushWithContext(ctx) }

// Publish sends data to whoever listens now.
func (c *Conn) Publish(subject string, data []byte) error {
	if len(data) > api.MaxMessage {
		return fmt.Errorf("publish %s: %w: %d bytes", subject, api.ErrTooLarge, len(data))
	}
	if err := c.nc.Publish(subject, data); err != nil {
		return fmt.Errorf("publish %s: %w", subject, err)
	}
	return nil
}

// Subscribe calls fn, one message at a time, until cancel is called. fn must not
// block for long: when 512 Ki messages wait, new ones are dropped. A subscription
// outlives a restart of the bus.
func (c *Conn) Subscribe(subject string, fn func(subject string, data []byte)) (cancel func(), err error) {
	sub, err := c.nc.Subscribe(subject, func(m *nats.Msg) { fn(m.Subject, m.Data) })
	if err == nil {
		err = c.confirm(subject)
	}
	if err != nil {
		return nil, fmt.Errorf("subscribe %s: %w", subject, err)
	}
	return func() { _ = sub.Unsubscribe() }, nil // fails only on a closed connection
}

// confirm waits until the bus has seen a subscription, and tells whether it took it.
// The server answers a refusal before the flush, so the client knows it by then.
func (c *Conn) confirm(subject string) error {
	if err := c.nc.FlushTimeout(flushTimeout); err != nil {
		return err
	}
	err := c.nc.LastError()
	if errors.Is(err, nats.ErrPermissionViolation) && strings.Contains(err.Error(), `Subscription to "`+subject+`"`) {
		return fmt.Errorf("%w: %w", ErrForbidden, err)
	}
	return nil
}

// begin derives a context for a call on subjects that begin with subject. It ends
// with the connection or with a refusal; end must be called.
func (c *Conn) begin(ctx context.Context, subject string) (_ context.Context, end func(error) error) {
	ctx, cancel := context.WithCancelCause(ctx)
	k := &call{subject, cancel}
	c.mu.Lock()
	c.calls[k] = struct{}{}
	c.mu.Unlock()
	// Only now: who breaks off later finds the call in the list.
	if !c.nc.IsConnected() {
		cancel(ErrDisconnected)
	}
	return ctx, func(err error) error {
		c.mu.Lock()
		delete(c.calls, k)
		c.mu.Unlock()
		defer cancel(nil)
		if cause := context.Cause(ctx); err != nil && cause != nil {
			return cause
		}
		for _, away := range []error{nats.ErrNoResponders, jetstream.ErrNoStreamResponse, jetstream.ErrJetStreamNotEnabled} {
			if errors.Is(err, away) {
				return ErrNoAnswer
			}
		}
		return err
	}
}

func (c *Conn) endCalls(match func(*call) bool, cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for k := range c.calls {
		if match(k) {
			k.cancel(cause)
		}
	}
}

// refused handles what the server tells outside of any call.
func (c *Conn) refused(err error, log *slog.Logger) {
	if errors.Is(err, nats.ErrPermissionViolation) {
		text := err.Error()
		c.endCalls(func(k *call) bool { return strings.Contains(text, ` to "`+k.subject) }, fmt.Errorf("%w: %s", ErrForbidden, text))
	}
	log.Warn("bus", telemetry.Error(err))
}

func (c *Conn) revive() {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.revived)
	c.revived = make(chan struct{})
}

// reconnected is closed at the next reconnect.
func (c *Conn) reconnected() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.revived
}

// awaitBus returns, not before pause, when the bus is reachable: at once with
// [ErrDisconnected] if it never will be, or with the error of ctx.
func (c *Conn) awaitBus(ctx context.Context, pause time.Duration) error {
	wait := time.NewTimer(pause)
	defer wait.Stop()
	revived := c.reconnected() // before the look, so that no reconnect is missed
	up := wait.C
	var again <-chan struct{}
	if !c.Connected() {
		up, again = nil, revived
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-c.closed:
		return ErrDisconnected
	case <-up:
	case <-again:
	}
	return nil
}
