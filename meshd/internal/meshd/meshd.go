package meshd

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/buildinfo"
	"github.com/realm-mesh/realm/internal/kit/bus"
	"github.com/realm-mesh/realm/internal/kit/daemon"
	"github.com/realm-mesh/realm/internal/kit/disk"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/task"
	"github.com/realm-mesh/realm/internal/kit/trust"
	"github.com/realm-mesh/realm/meshd/internal/node"
	"github.com/realm-mesh/realm/meshd/internal/p2p"
)

// Files in the daemon's state folder, besides the marks.
const (
	filePort  = "port"       // decimal: the kept port, when the settings name none
	filePeers = "peers.json" // members that this node has been connected to
)

// Daemon is meshd.
type Daemon struct {
	env       *daemon.Env
	key       ed25519.PrivateKey
	bootstrap []peer.AddrInfo
	metrics   *metrics
}

// New reads what the daemon needs to know of its node. It starts nothing.
func New(_ context.Context, env *daemon.Env) (daemon.Daemon, error) {
	key, err := keys.Read(env.Home.NodeKey())
	if err != nil {
		return nil, fmt.Errorf("%w; realm up makes the node's key", err)
	}
	bootstrap, err := p2p.ParseBootstrap(env.Config.Bootstrap)
	if err != nil {
		return nil, err
	}
	return &Daemon{env: env, key: key, bootstrap: bootstrap, metrics: newMetrics(env.Metrics)}, nil
}

// Run implements [daemon.Daemon].
func (d *Daemon) Run(ctx context.Context) error {
	p2p.LogTo(p2p.Quiet(ctx, d.env.Log))
	pin, err := trust.ReadPin(d.env.Home.Pin())
	if errors.Is(err, trust.ErrUnclaimed) {
		return d.runUnclaimed(ctx, err)
	}
	if err != nil {
		return err
	}
	return d.runMember(ctx, pin)
}

// runMember is a member of the realm of pin until ctx ends.
func (d *Daemon) runMember(ctx context.Context, pin trust.Pin) error {
	buckets, err := d.openBuckets(ctx)
	if err != nil {
		return err
	}
	known, err := buckets.recover(ctx, keys.Peer(d.key.Public().(ed25519.PublicKey)))
	if err != nil {
		return err
	}
	marks, err := trust.OpenMarks(d.env.Home.Marks(api.Meshd))
	if err != nil {
		return err
	}
	defer marks.Close()
	cfg := d.nodeConfig(pin, marks)
	cfg.Store, cfg.Known = bucketStore{buckets.intents}, known
	n, err := node.Open(ctx, cfg)
	if err != nil {
		return err
	}
	d.metrics.watch(n)
	m := newMirror(n.Table(), buckets, d.env.Log)
	return task.Run(ctx, n.Run, m.readOwn, m.write, func(ctx context.Context) error {
		if err := d.serveMember(n, pin); err != nil {
			return err
		}
		return d.ready(ctx, n.Addrs())
	})
}

func (d *Daemon) nodeConfig(pin trust.Pin, marks *trust.Marks) node.Config {
	env := d.env
	host, err := os.Hostname()
	if err != nil {
		host = "" // it is told to people only
	}
	return node.Config{
		Key: d.key, Pin: pin, Marks: marks,
		Fact:      api.PeerFact{Version: buildinfo.Version, Host: host, Roles: env.Config.Roles},
		Bootstrap: d.bootstrap, MDNS: *env.Config.MDNS,
		Book:    filepath.Join(env.Home.State(api.Meshd), filePeers),
		Room:    func(n int64) error { return disk.Room(env.Home.Root(), n, disk.ReserveState) },
		Daemons: env.Client.Transport,
		Log:     env.Log, Observe: d.metrics.observer(),
		Listen: d.listen,
	}
}

// listen opens the port of the settings, else the kept one.
func (d *Daemon) listen(ctx context.Context, h host.Host) error {
	port := d.env.Config.ListenPort
	if port == 0 {
		var err error
		if port, err = p2p.KeptPort(ctx, filepath.Join(d.env.Home.State(api.Meshd), filePort)); err != nil {
			return err
		}
	}
	return p2p.Listen(ctx, h, port)
}

// runUnclaimed shows where the node is reached, and refuses the rest with why.
func (d *Daemon) runUnclaimed(ctx context.Context, why error) (err error) {
	h, err := p2p.New(p2p.Config{Key: d.key, Version: buildinfo.Version, Judge: func(peer.ID, []byte) p2p.Standing { return p2p.Member }})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.Close()) }()
	if err := d.listen(ctx, h); err != nil {
		return err
	}
	d.env.Log.Warn("this node takes no part in any realm", "why", why)
	if err := d.serveUnclaimed(h, why); err != nil {
		return err
	}
	if err := d.ready(ctx, p2p.PasteAddrs(h)); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// ready logs all addresses, one a line, and gives the first to the launcher.
func (d *Daemon) ready(ctx context.Context, addrs []string) error {
	for _, a := range addrs {
		d.env.Log.Info("listening", "addr", a)
	}
	note := ""
	if len(addrs) > 0 {
		note = addrs[0]
	}
	if err := d.env.Ready(ctx, note); ctx.Err() == nil {
		return err
	}
	return nil // stopped before anybody could be told
}

// buckets are those that meshd reads and writes.
type buckets struct {
	intents, peers, workloads *bus.Bucket
}

func (d *Daemon) openBuckets(ctx context.Context) (b buckets, err error) {
	for _, o := range []struct {
		name string
		to   **bus.Bucket
	}{{api.BucketIntents, &b.intents}, {api.BucketPeers, &b.peers}, {api.BucketWorkloads, &b.workloads}} {
		if *o.to, err = d.env.Bus.Bucket(ctx, o.name); err != nil {
			return buckets{}, err
		}
	}
	return b, nil
}
