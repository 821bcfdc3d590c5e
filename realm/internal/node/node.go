package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/bus"
	"github.com/realm-mesh/realm/internal/kit/clock"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/local"
	"github.com/realm-mesh/realm/internal/kit/paths"
)

// ErrDown says that no node is up in the home.
var ErrDown = errors.New("no node is up")

const (
	// connectTimeout bounds the log-in to a bus whose socket is there. A launcher
	// that takes over from another leaves it unanswered for some tens of milliseconds.
	connectTimeout = 3 * time.Second
	retryEvery     = 100 * time.Millisecond
)

// Node is a node that is up. It is safe for use by several goroutines.
type Node struct {
	Home  paths.Home
	bus   *bus.Conn
	http  *http.Client
	clock *clock.Clock
}

// Dial connects to the node of h; where none is up it is [ErrDown], at once.
// The caller closes the Node.
func Dial(ctx context.Context, h paths.Home) (*Node, error) {
	if !Up(ctx, h) {
		return nil, fmt.Errorf("%w in %s: start one with realm up", ErrDown, h.Root())
	}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	conn, err := bus.Connect(ctx, h, api.CLI, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	client, err := local.NewClient(h)
	if err != nil {
		conn.Close()
		return nil, err
	}
	return &Node{h, conn, client, clock.Open(h.Clock())}, nil
}

// Self is the key of the node.
func (n *Node) Self() (keys.Public, error) {
	k, err := keys.Read(n.Home.NodeKey())
	if err != nil {
		return keys.Public{}, err
	}
	return keys.PublicOf(k), nil
}

// Up reports whether something answers on the bus's socket of h.
func Up(ctx context.Context, h paths.Home) bool {
	var d net.Dialer
	c, err := d.DialContext(ctx, "unix", h.Socket(api.Launcher))
	if err != nil {
		return false
	}
	_ = c.Close() // nothing was sent
	return true
}

// Close ends the connection.
func (n *Node) Close() {
	n.bus.Close()
	n.http.CloseIdleConnections()
}

// PS asks the launcher how its daemons are.
func (n *Node) PS(ctx context.Context) (api.PSReply, error) {
	var r api.PSReply
	err := n.bus.RequestRetry(ctx, api.SubjectPS, api.Empty{}, &r)
	return r, explain(err, "the launcher")
}

// Restart stops a daemon and returns when it is ready again.
func (n *Node) Restart(ctx context.Context, d api.Daemon) error {
	err := n.bus.Request(ctx, api.SubjectRestart, api.RestartRequest{Daemon: d}, &api.Empty{})
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("it does not get ready: %w: see realm ps, and realm logs %s", err, d)
	}
	return explain(err, "the launcher")
}

// Down asks the launcher to stop the node; it returns when that has begun.
func (n *Node) Down(ctx context.Context) error {
	err := n.bus.Request(ctx, api.SubjectDown, api.Empty{}, &api.Empty{})
	if errors.Is(err, bus.ErrDisconnected) {
		return nil // it was quicker than its answer
	}
	return explain(err, "the launcher")
}

// Mesh asks how the node stands in its realm.
func (n *Node) Mesh(ctx context.Context) (api.MeshStatus, error) {
	var r api.MeshStatus
	err := n.bus.RequestRetry(ctx, api.SubjectMesh, api.Empty{}, &r)
	return r, explain(err, "meshd")
}

// Submit hands a signed intent to the node and returns when it is on the node's
// disk and on its way to the others. The same envelope may be submitted twice.
// A refusal is a [*bus.RemoteError].
func (n *Node) Submit(ctx context.Context, envelope []byte) (api.SubmitReply, error) {
	var r api.SubmitReply
	err := n.bus.RequestRetry(ctx, api.SubjectSubmit, envelope, &r)
	return r, explain(err, "meshd")
}

// Refused reports whether err is the answer of a daemon, not the lack of one.
func Refused(err error) bool {
	var remote *bus.RemoteError
	return errors.As(err, &remote)
}

// explain says who did not answer, and where to look.
func explain(err error, who string) error {
	if err == nil || Refused(err) {
		return err
	}
	if errors.Is(err, bus.ErrDisconnected) || errors.Is(err, bus.ErrNoAnswer) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%s of this node does not answer: %w: see realm ps, and realm logs %s", who, err, daemonOf(who))
	}
	return err
}

func daemonOf(who string) string {
	if who == "the launcher" {
		return string(api.Launcher)
	}
	return who
}

// again calls fn until it does not fail for want of the bus, or ctx ends.
func again(ctx context.Context, fn func() error) error {
	for {
		err := fn()
		if !errors.Is(err, bus.ErrDisconnected) && !errors.Is(err, bus.ErrNoAnswer) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(retryEvery):
		}
	}
}
