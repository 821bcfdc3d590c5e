package meshd

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"path/filepath"
	"sync/atomic"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/clock"
	"github.com/realm-mesh/realm/internal/kit/daemon"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/task"
	"github.com/realm-mesh/realm/internal/kit/trace"
	"github.com/realm-mesh/realm/internal/kit/trust"
	"github.com/realm-mesh/realm/meshd/internal/p2p"
)

// Files in the daemon's state folder.
const (
	filePort    = "port"        // decimal: the kept port, when the settings name none
	filePeers   = "peers.json"  // members that this node has been connected to
	fileIntents = "intents.log" // see package intents
	fileSynced  = "synced"      // the realm for which the node has been brought up to date once
)

// Daemon is meshd.
type Daemon struct {
	env       *daemon.Env
	key       ed25519.PrivateKey
	self      api.PeerID
	bootstrap []peer.AddrInfo
	metrics   *metrics
	clock     *clock.Clock
	tracer    *trace.Tracer // nil: nothing is traced

	now     atomic.Pointer[stage] // the one that answers
	ready   bool                  // the launcher has been told
	refused string                // why the invite that the node has is of no use
}

// New reads what the daemon needs to know of its node. It starts nothing.
func New(ctx context.Context, env *daemon.Env) (daemon.Daemon, error) {
	key, err := keys.Read(env.Home.NodeKey())
	if err != nil {
		return nil, fmt.Errorf("%w; realm up makes the node's key", err)
	}
	bootstrap, err := p2p.ParseBootstrap(env.Config.Bootstrap)
	if err != nil {
		return nil, err
	}
	d := &Daemon{env: env, key: key, self: keys.Peer(keys.PublicOf(key).Key()), bootstrap: bootstrap, clock: clock.Open(env.Home.Clock())}
	d.metrics = newMetrics(env.Metrics, d.stage)
	if d.tracer, err = trace.New(ctx, env.Config, api.Meshd, d.self, env.Log); err != nil {
		return nil, err
	}
	return d, nil
}

// Run implements [daemon.Daemon].
func (d *Daemon) Run(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, d.clock.Close()) }()
	p2p.LogTo(p2p.Quiet(ctx, d.env.Log))
	return task.Run(ctx, d.tracer.Run, d.stages)
}

// stages goes from one to the next until ctx ends.
func (d *Daemon) stages(ctx context.Context) error {
	for ctx.Err() == nil {
		run, err := d.next()
		if err == nil {
			err = run(ctx)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// next is the stage that the files of the home ask for.
func (d *Daemon) next() (run func(context.Context) error, err error) {
	pin, err := trust.ReadPin(d.env.Home.Pin())
	unclaimed := errors.Is(err, trust.ErrUnclaimed)
	if err != nil && !unclaimed {
		return nil, err
	}
	why := err
	proof, err := d.membership(pin.Realm)
	if err != nil {
		return nil, err
	}
	token, err := d.token()
	switch {
	case err != nil && d.refused == "":
		d.refuse(err)
	case token == nil || d.refused != "":
	case unclaimed:
		if err := token.Pin().Create(d.env.Home.Pin()); err != nil {
			return nil, err
		}
		return d.next()
	case token.Realm != pin.Realm:
		d.refuse(fmt.Errorf("the invite is of realm %s, and this node belongs to %s: give that up first, with realm reset", token.Realm, pin.Realm))
	case len(proof.Intents) > 0:
		if err := d.dropToken(); err != nil {
			return nil, err
		}
	default:
		return func(ctx context.Context) error { return d.runJoining(ctx, *token) }, nil
	}
	if unclaimed {
		return func(ctx context.Context) error { return d.runUnclaimed(ctx, why) }, nil
	}
	return func(ctx context.Context) error { return d.runFollowing(ctx, pin, proof) }, nil
}

// refuse takes note that the invite is of no use.
func (d *Daemon) refuse(why error) {
	d.refused = why.Error()
	d.env.Log.Warn("the invite of this node is of no use", "why", d.refused)
}

// membership is what the node has been given to show, if that is of realm r.
func (d *Daemon) membership(r api.RealmID) (api.Proof, error) {
	p, err := trust.ReadMembership(d.env.Home.Proof())
	switch {
	case errors.Is(err, trust.ErrNoMembership), err == nil && p.Realm != r:
		return api.Proof{Realm: r}, nil
	}
	return p, err
}

// state is a file in the daemon's folder.
func (d *Daemon) state(name string) string {
	return filepath.Join(d.env.Home.State(api.Meshd), name)
}

// listen opens the port of the settings, else the kept one.
func (d *Daemon) listen(ctx context.Context, h host.Host) error {
	if d.env.Config.Client {
		return nil // it dials, and is gone before anybody could be told where it is
	}
	port := d.env.Config.ListenPort
	if port == 0 {
		var err error
		if port, err = p2p.KeptPort(ctx, d.state(filePort)); err != nil {
			return err
		}
	}
	return p2p.Listen(ctx, h, port)
}

// show has s answer from now on. The first time, the launcher is told that the node is
// there: all addresses go to the log, one a line, and the first to the launcher.
func (d *Daemon) show(ctx context.Context, s stage) error {
	d.now.Store(&s)
	if d.ready {
		return nil
	}
	d.ready = true
	if err := d.serve(); err != nil {
		return err
	}
	note := ""
	for i, a := range s.Status().Addrs {
		d.env.Log.Info("listening", "addr", a)
		if i == 0 {
			note = a
		}
	}
	if err := d.env.Ready(ctx, note); ctx.Err() == nil {
		return err
	}
	return nil // stopped before anybody could be told
}
