package client

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/config"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/paths"
	"github.com/realm-mesh/realm/internal/kit/trust"
	"github.com/realm-mesh/realm/realm/internal/launcher"
	"github.com/realm-mesh/realm/realm/internal/node"
	"github.com/realm-mesh/realm/realm/internal/owner"
)

// Options say which realm to join, and as whom.
type Options struct {
	Pin    trust.Pin
	Signer owner.Signer  // lets the client in: the owner, or who holds a grant
	Addr   string        // multiaddr with /p2p of a member
	Life   time.Duration // how long the command may take
	// Alone does not wait for the realm: Addr is of a node that is no member yet.
	Alone  bool
	BinDir string          // as in [launcher.Options]
	Kill   <-chan struct{} // as in [launcher.Options]
	Log    *slog.Logger
}

// Patience of a client.
const (
	// connectTimeout bounds the way from the start to a member and to what it holds.
	connectTimeout = 30 * time.Second
	// slack is how much longer than its command a client is let in: clocks differ.
	slack = time.Hour
	// askEvery is how often meshd is asked how far it is: nothing on the bus tells.
	askEvery = 100 * time.Millisecond
)

// daemons are those that commands speak to. A client runs no programs, and is never
// upgraded.
func daemons() []api.Daemon { return []api.Daemon{api.Casd, api.Meshd, api.Gatewayd} }

// Run brings up a client, calls fn with its home once it knows what the realm holds,
// and takes everything away when fn returns. Its error is that of fn, or why it came
// to nothing. The context of fn ends, too, when the client breaks down.
func Run(ctx context.Context, o Options, fn func(context.Context, paths.Home) error) (err error) {
	h, release, err := newHome(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()
	if err := furnish(h, o); err != nil {
		return err
	}
	// The daemons outlive the end of ctx, so that fn ends first.
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	ctx, broken := context.WithCancelCause(ctx)
	defer broken(nil)
	up := make(chan struct{})
	ended := make(chan error, 1)
	go func() {
		err := launcher.Run(running, launcher.Options{
			Home: h, Config: settings(o), BinDir: o.BinDir, Daemons: daemons(), Kill: o.Kill, Log: o.Log,
			OnReady: func(context.Context) error { close(up); return nil },
		})
		if err != nil {
			err = fmt.Errorf("bring up a client of the realm: %w", err)
		}
		broken(err)
		ended <- err
	}()
	select {
	case <-up:
		err = session(ctx, h, o, fn)
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	stop()
	if failure := <-ended; failure != nil {
		return failure
	}
	return err
}

// furnish puts into the home what makes it a client.
func furnish(h paths.Home, o Options) error {
	if _, err := keys.Create(h.NodeKey()); err != nil {
		return err
	}
	if err := o.Pin.Write(h.Pin()); err != nil {
		return err
	}
	now := time.Now()
	return o.Signer.JoinAsClient(h, o.Pin, now.Add(min(o.Life+slack, api.MaxClient)), now)
}

func settings(o Options) config.Node {
	off := false
	return config.Node{Client: true, Bootstrap: []string{o.Addr}, MDNS: &off, HTTPListen: "127.0.0.1:0", ManageListen: "127.0.0.1:0"}
}

// session is the time between the start of the daemons and their end.
func session(ctx context.Context, h paths.Home, o Options, fn func(context.Context, paths.Home) error) error {
	if !o.Alone {
		if err := joined(ctx, h, o.Addr); err != nil {
			return err
		}
	}
	return fn(ctx, h)
}

// joined returns when the client of h has what the realm holds.
func joined(outer context.Context, h paths.Home, addr string) error {
	ctx, cancel := context.WithTimeout(outer, connectTimeout)
	defer cancel()
	n, err := node.Dial(ctx, h)
	if err != nil {
		return err
	}
	defer n.Close()
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	var last api.MeshStatus
	for {
		s, err := n.Mesh(ctx)
		switch {
		case err == nil && s.Peers > 0 && s.Synced:
			return nil
		case err == nil && s.Standing == api.StandingRevoked:
			return notIn(addr, s)
		case err == nil:
			last = s
		}
		select {
		case <-ctx.Done():
			err := notIn(addr, last)
			if outer.Err() != nil {
				err = fmt.Errorf("%w: %w", context.Cause(outer), err)
			}
			return err
		case <-tick.C:
		}
	}
}

// ErrNotIn says that a client did not find its way into the realm.
var ErrNotIn = errors.New("no member lets this command in")

func notIn(addr string, s api.MeshStatus) error {
	why := "nobody answers there, or who does is of another realm: check the address, and that the node is up"
	switch {
	case s.Refused != "":
		why = s.Refused
	case s.Peers > 0:
		why = "a member is connected, but has not told yet what the realm holds: try again"
	case s.Note != "":
		why = s.Note
	}
	return fmt.Errorf("%w at %s: %s", ErrNotIn, addr, why)
}
