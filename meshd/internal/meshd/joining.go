package meshd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/buildinfo"
	"github.com/realm-mesh/realm/internal/kit/invite"
	"github.com/realm-mesh/realm/internal/kit/trust"
	"github.com/realm-mesh/realm/meshd/internal/discovery"
	"github.com/realm-mesh/realm/meshd/internal/enroll"
	"github.com/realm-mesh/realm/meshd/internal/p2p"
)

// token is the invite that the node was given; nil: none.
func (d *Daemon) token() (*invite.Token, error) {
	text, err := os.ReadFile(d.env.Home.EnrollToken())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read token: %w", err)
	}
	t, err := invite.Parse(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", d.env.Home.EnrollToken(), err)
	}
	return &t, nil
}

// dropToken removes the token of a node that is a member: it could let others in.
func (d *Daemon) dropToken() error {
	if err := os.Remove(d.env.Home.EnrollToken()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove token: %w", err)
	}
	return nil
}

// runJoining asks members to let the node in, until one does, or says that the invite
// is of no use.
func (d *Daemon) runJoining(ctx context.Context, token invite.Token) error {
	j, err := enroll.Open(ctx, enroll.Config{Key: d.key, Token: token, Version: buildinfo.Version, Bootstrap: d.bootstrap,
		Book: d.state(filePeers), MDNS: *d.env.Config.MDNS, Listen: d.listen, Log: d.env.Log})
	if err != nil {
		return err
	}
	status := func() api.MeshStatus {
		return api.MeshStatus{Peer: d.self, Realm: token.Realm, Owner: token.Owner.String(), Addrs: j.Addrs(),
			Standing: api.StandingJoining, Note: j.Note(), Warnings: d.clock.Warnings()}
	}
	if err := d.show(ctx, waiting{status}); err != nil {
		return errors.Join(err, j.Close())
	}
	reply, err := j.Run(ctx)
	switch {
	case ctx.Err() != nil:
		return nil //nolint:nilerr // stopped as asked
	case errors.Is(err, enroll.ErrRefused):
		d.refuse(err)
		return nil
	case err != nil:
		return err
	}
	d.env.Log.Info("a member has let this node in")
	return d.join(reply, token)
}

// join keeps what makes the node a member. It is one when the file is there, and needs
// the token no more; the members to dial come first, since the token names them.
func (d *Daemon) join(reply api.EnrollReply, token invite.Token) error {
	var members []peer.AddrInfo
	for _, a := range token.Addrs {
		if ai, err := p2p.ParseBootstrap([]string{a}); err == nil {
			members = append(members, ai...)
		}
	}
	for _, f := range reply.Peers {
		if id, err := p2p.Decode(f.Peer); err == nil {
			members = append(members, peer.AddrInfo{ID: id, Addrs: p2p.ParseAddrs(f.Addrs, api.MaxPeerList)})
		}
	}
	if err := discovery.Remember(d.state(filePeers), members, time.Now()); err != nil {
		return err
	}
	if err := trust.WriteMembership(d.env.Home.Proof(), reply.Proof); err != nil {
		return err
	}
	return d.dropToken()
}
