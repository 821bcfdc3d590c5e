package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/e2e/internal/node"
	"github.com/realm-mesh/realm/internal/kit/local"
	"github.com/realm-mesh/realm/internal/kit/paths"
)

// member is a node, and a way to its store past the command line.
type member struct {
	*node.Node
	casd    *http.Client
	daemons map[api.Daemon]int // their process ids
}

type mesh []*member

// newMesh starts so many nodes, each connected to each other one.
func (b *bench) newMesh(ctx context.Context, size int) (mesh, error) {
	var m mesh
	var flags []string
	for len(m) < size {
		n, err := b.start(ctx, len(m)+1, flags...)
		if err != nil {
			return m, err
		}
		m = append(m, n)
		if flags == nil && size > 1 {
			addr, err := n.Addr(ctx)
			if err != nil {
				return m, err
			}
			flags = []string{"--bootstrap", addr}
		}
	}
	return m, m.whole(ctx)
}

func (b *bench) start(ctx context.Context, number int, flags ...string) (*member, error) {
	home := filepath.Join(b.dir, fmt.Sprint("node", number))
	n, err := node.New(ctx, fmt.Sprint("node ", number), b.bin, home, filepath.Join(b.dir, "owner.pem"))
	if err != nil {
		return nil, err
	}
	if number == 1 {
		if _, err := n.Do(ctx, "init"); err != nil {
			return nil, err
		}
	}
	if err := n.Start(ctx, append(flags, "--mdns=false")...); err != nil {
		return nil, errors.Join(err, n.Stop())
	}
	m := &member{Node: n, daemons: make(map[api.Daemon]int)}
	if err := m.open(ctx); err != nil {
		return nil, errors.Join(err, n.Stop())
	}
	return m, nil
}

// open finds the way to the daemons.
func (m *member) open(ctx context.Context) error {
	home, err := paths.Open(m.Home)
	if err != nil {
		return err
	}
	if m.casd, err = local.NewClient(home); err != nil {
		return err
	}
	ps, err := m.PS(ctx)
	for _, d := range ps.Daemons {
		m.daemons[api.Daemon(d.Daemon)] = d.PID
	}
	return err
}

// whole waits until each has a connection to each other one.
func (m mesh) whole(ctx context.Context) error {
	for _, n := range m {
		err := node.Until(ctx, "peers of "+n.Name, func(ctx context.Context) error {
			p, err := n.Peers(ctx)
			if err == nil && p.Connected() != len(m)-1 {
				err = fmt.Errorf("%d connected", p.Connected())
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (m mesh) stop() error {
	var errs []error
	for i := len(m) - 1; i >= 0; i-- {
		m[i].casd.CloseIdleConnections()
		errs = append(errs, m[i].Stop())
	}
	return errors.Join(errs...)
}
