package meshd

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync/atomic"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/atomicfile"
	"github.com/realm-mesh/realm/internal/kit/buildinfo"
	"github.com/realm-mesh/realm/internal/kit/disk"
	"github.com/realm-mesh/realm/internal/kit/ledger"
	"github.com/realm-mesh/realm/internal/kit/task"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
	"github.com/realm-mesh/realm/internal/kit/trust"
	"github.com/realm-mesh/realm/meshd/internal/claim"
	"github.com/realm-mesh/realm/meshd/internal/intents"
	"github.com/realm-mesh/realm/meshd/internal/node"
	"github.com/realm-mesh/realm/meshd/internal/records"
)

// runFollowing is a node of the realm of pin until ctx ends.
func (d *Daemon) runFollowing(ctx context.Context, pin trust.Pin, proof api.Proof) (err error) {
	buckets, err := d.openBuckets(ctx)
	if err != nil {
		return err
	}
	var running atomic.Pointer[node.Node]
	shelf := records.New(d.self)
	kept := &recordMirror{shelf: shelf, bucket: buckets.jobs, log: d.env.Log, changed: func() {
		if n := running.Load(); n != nil {
			n.RecordsChanged()
		}
	}}
	keeper, err := intents.Open(intents.Config{ //nolint:contextcheck // it waits for the disk alone
		Pin: pin, Path: d.state(fileIntents), Now: d.clock.Now, Projection: projection{buckets.intents}, Log: d.env.Log,
		Room: func(n int64) error { return disk.Room(d.env.Home.Root(), n, disk.ReserveState) },
		Changed: func(by intents.Source, c ledger.Change) {
			if n := running.Load(); n != nil {
				n.Changed(by, c)
			}
		},
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, keeper.Close()) }()
	if keeper.Fresh() { // what it knew is lost: no single member is to tell it
		if err := os.Remove(d.state(fileSynced)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return task.Run(ctx, keeper.Run, kept.read, kept.write, func(ctx context.Context) error {
		for {
			err := d.runNode(ctx, keeper, &running, shelf, buckets, pin, proof)
			if !errors.Is(err, node.ErrReopen) || ctx.Err() != nil {
				return err
			}
			d.env.Log.Info("showing others the new membership of this node")
			if pin, err = trust.ReadPin(d.env.Home.Pin()); err != nil {
				return err
			}
			if proof, err = d.membership(pin.Realm); err != nil {
				return err
			}
		}
	})
}

// runNode runs one node.
func (d *Daemon) runNode(ctx context.Context, keeper *intents.Keeper, running *atomic.Pointer[node.Node], shelf *records.Shelf, b buckets, pin trust.Pin, proof api.Proof) error {
	known, err := b.recover(ctx, d.self)
	if err != nil {
		return err
	}
	cfg := d.nodeConfig(pin, proof)
	cfg.Keeper, cfg.Known, cfg.Records = keeper, known, shelf
	for _, r := range known {
		if r.Peer == d.self {
			cfg.Fact.Full, cfg.Fact.Holdings = r.Full, r.Holdings // casd and runnerd say it again only when it changes, or in a while
		}
	}
	cfg.Fact.Down = downBefore(d.self, known)
	n, err := node.Open(ctx, cfg)
	if err != nil {
		return err
	}
	running.Store(n)
	if err := errors.Join(d.keepMembership(n, proof), d.show(ctx, following{n, d})); err != nil {
		return errors.Join(err, n.Close())
	}
	m := newMirror(n.Table(), b, keeper.Reset, d.env.Log)
	return task.Run(ctx, n.Run, m.readOwn, m.write, d.watchPolicy(n), func(ctx context.Context) error {
		return watchSiblings(ctx, cfg.Fact.Down, d.askLauncher, func(down api.DaemonList) {
			n.Table().ChangePeer(func(me *api.PeerFact) { me.Down = down })
		}, d.env.Log)
	})
}

func (d *Daemon) nodeConfig(pin trust.Pin, proof api.Proof) node.Config {
	env := d.env
	powers := d.powers()
	host, err := os.Hostname()
	if err != nil {
		host = "" // it is told to people only
	}
	synced, err := os.ReadFile(d.state(fileSynced))
	return node.Config{
		Key: d.key, Pin: pin, Now: d.clock.Now, Proof: proof,
		Fresh:     err != nil || strings.TrimSpace(string(synced)) != string(pin.Realm),
		Synced:    func() { d.synced(pin.Realm) },
		Repin:     func(p trust.Pin) error { return p.Write(env.Home.Pin()) },
		Fact:      api.PeerFact{Version: buildinfo.Version, Host: host, Roles: env.Config.Roles, Client: env.Config.Client, Capacity: env.Config.Capacity(), Powers: powers},
		Bootstrap: d.bootstrap, MDNS: *env.Config.MDNS,
		Book:    d.state(filePeers),
		Daemons: env.Client.Transport,
		Tracer:  d.tracer,
		Log:     env.Log, Observe: d.metrics.observer(),
		Listen: d.listen,
	}
}

// synced keeps that the node has been brought up to date. Where that fails it is once more.
func (d *Daemon) synced(r api.RealmID) {
	if err := atomicfile.Write(d.state(fileSynced), []byte(r+"\n"), 0o600); err != nil {
		d.env.Log.Warn("that this node is up to date is not kept", telemetry.Error(err))
	}
}

// keepMembership keeps what the node shows of itself, where that is more than before:
// it tells a node that was a member once from one that waits.
func (d *Daemon) keepMembership(n *node.Node, had api.Proof) error {
	has := n.Membership()
	before, err := json.Marshal(had)
	if err != nil {
		return fmt.Errorf("keep membership: %w", err)
	}
	after, err := json.Marshal(has)
	if err != nil {
		return fmt.Errorf("keep membership: %w", err)
	}
	if len(has.Intents) == 0 || bytes.Equal(before, after) {
		return nil
	}
	return trust.WriteMembership(d.env.Home.Proof(), has)
}

// following is a node as the bus sees it.
type following struct {
	*node.Node
	d *Daemon
}

// Status adds what the node cannot know.
func (f following) Status() api.MeshStatus {
	s := f.Node.Status()
	s.Warnings = append(f.d.clock.Warnings(), s.Warnings...)
	if s.Standing != api.StandingMember && s.Standing != api.StandingClient && f.d.refused != "" {
		s.Refused = f.d.refused
		s.Note = f.d.refused + "; " + s.Note
	}
	return s
}

// Members implements [stage].
func (f following) Members(after api.PeerID) (api.MembersReply, error) {
	return f.Node.Members(after), nil
}

// History implements [stage].
func (f following) History(ref api.Ref) (api.HistoryReply, error) { return f.Node.History(ref), nil }

// Claim takes another node for the owner.
func (f following) Claim(ctx context.Context, r *api.ClaimNode) error {
	return claim.Send(ctx, r, buildinfo.Version)
}
