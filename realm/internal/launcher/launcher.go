package launcher

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/bus"
	"github.com/realm-mesh/realm/internal/kit/config"
	"github.com/realm-mesh/realm/internal/kit/invite"
	"github.com/realm-mesh/realm/internal/kit/paths"
	"github.com/realm-mesh/realm/internal/kit/task"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
	"github.com/realm-mesh/realm/realm/internal/busserver"
	"github.com/realm-mesh/realm/realm/internal/owner"
	"github.com/realm-mesh/realm/realm/internal/supervisor"
)

// Options say which node to bring up.
type Options struct {
	Home   paths.Home
	Config config.Node // effective: defaults filled in, validated
	BinDir string      // folder of the daemons' binaries; "": $REALM_BIN_DIR, else beside this executable
	// Daemons are those to run; nil: all.
	Daemons []api.Daemon
	// Enroll is the invite with which the node becomes a member, if it is none; nil: none.
	Enroll *invite.Token
	// Owner returns the owner's key of this account; it is called when the node needs
	// one. nil: [owner.Load].
	Owner func() (owner.Key, error)
	Out   io.Writer    // trouble at the start, for people; nil: nowhere
	Log   *slog.Logger // what the launcher does
	// OnReady is called once, when all daemons are ready for the first time, with a
	// context that ends when the node stops. Its error stops the node. It may be nil.
	OnReady func(context.Context) error
	// Kill, when closed, ends all daemons at once, without a chance to finish. It may be nil.
	Kill <-chan struct{}
}

// connectTimeout bounds the launcher's own log-in to the bus, in its own process.
const connectTimeout = 10 * time.Second

// Run brings the node up and keeps it up until ctx ends, somebody asks for "down" or
// Kill is closed, for which it returns nil, or until the first start fails. It
// returns when every daemon has ended. Where another launcher holds the home it is
// [ErrAlreadyUp].
func Run(ctx context.Context, o Options) error {
	if o.Out == nil {
		o.Out = io.Discard
	}
	err := up(ctx, o)
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil // stopped before it was up
	}
	return err
}

func up(ctx context.Context, o Options) error {
	lock, err := hold(ctx, o.Home)
	if err != nil {
		return err
	}
	defer lock.Release()
	if err := furnish(o); err != nil {
		return err
	}
	if o.Config, err = settle(ctx, o.Home, o.Config); err != nil {
		return err
	}
	programs, err := programs(o)
	if err != nil {
		return err
	}
	srv, err := busserver.Start(ctx, o.Home, o.Log)
	if err != nil {
		return err
	}
	defer srv.Close()
	connecting, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	conn, err := bus.Connect(connecting, o.Home, api.Launcher, o.Log)
	if err != nil {
		return err
	}
	defer conn.Close()
	logs := openLogs(o.Home, conn)
	defer logs.close()
	n := &node{Options: o, sup: supervisor.New(programs, supervisor.DefaultLimits(), logs.add, o.Log)}
	return n.run(ctx, conn)
}

// node is a node whose bus is up.
type node struct {
	Options
	sup  *supervisor.Supervisor
	down context.CancelFunc // stops the node
}

// run keeps the daemons up and answers the bus until the node is to stop.
func (n *node) run(ctx context.Context, conn *bus.Conn) error {
	// Requests in flight are answered while the daemons end: a restart that will not
	// come, and "down" itself.
	answering := context.WithoutCancel(ctx)
	ctx, n.down = context.WithCancel(ctx)
	defer n.down()
	service, err := conn.NewService(answering)
	if err != nil {
		return err
	}
	if err := n.serve(ctx, service); err != nil {
		return errors.Join(err, service.Stop())
	}
	n.Log.Info("starting", "home", n.Home.Root())
	ended := make(chan struct{})
	err = task.Run(ctx, n.firstStart,
		func(ctx context.Context) error {
			defer close(ended)
			return n.sup.Run(ctx)
		},
		func(context.Context) error {
			select {
			case <-n.Kill: // also while the daemons are ending
				n.sup.Kill()
				n.down()
			case <-ended:
			}
			return nil
		})
	n.Log.Info("stopped")
	if stopErr := service.Stop(); stopErr != nil {
		n.Log.Warn("stop answering", telemetry.Error(stopErr))
	}
	return err
}

// firstStart waits until all daemons are ready, and tells. One that cannot be
// started fails the node: a person is there who can mend it.
func (n *node) firstStart(ctx context.Context) error {
	told := map[api.Daemon]int{}
	err := n.sup.Watch(ctx, func(all []api.DaemonStatus) (bool, error) {
		n.tellDeaths(all, told)
		return supervisor.AllReady(all)
	})
	if ctx.Err() != nil {
		return nil //nolint:nilerr // stopped as asked
	}
	if err != nil {
		return fmt.Errorf("start the node: %w (logs: %s)", err, n.Home.DaemonLogs())
	}
	n.Log.Info("ready")
	if n.OnReady == nil {
		return nil
	}
	if err := n.OnReady(ctx); ctx.Err() == nil {
		return err
	}
	return nil
}

// tellDeaths prints what has ended and is started again, once for each death.
func (n *node) tellDeaths(all []api.DaemonStatus, told map[api.Daemon]int) {
	for _, s := range all {
		deaths := s.Restarts
		if s.State == api.DaemonBackoff {
			deaths++
		}
		if deaths > told[s.Daemon] {
			told[s.Daemon] = deaths
			fmt.Fprintf(n.Out, "%s has ended (%s); it is started again.\n", s.Daemon, s.Reason)
		}
	}
}
