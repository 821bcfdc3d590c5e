package client

import (
	"context"
	"errors"
	"fmt"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/lockfile"
	"github.com/realm-mesh/realm/internal/kit/paths"
)

// newHome makes a home that this process holds; release removes it. Homes that
// nobody holds any more are removed first.
func newHome(ctx context.Context) (h paths.Home, release func() error, err error) {
	all, err := paths.OpenClients()
	if err != nil {
		return h, nil, err
	}
	lock, err := lockfile.Wait(ctx, all.Lock())
	if err != nil {
		return h, nil, fmt.Errorf("make a temporary home: %w", err)
	}
	defer lock.Release()
	if err := sweep(all); err != nil {
		return h, nil, err
	}
	if h, err = all.New(); err != nil {
		return h, nil, err
	}
	held, err := lockfile.Try(h.ClientLock())
	if err == nil {
		err = h.Create()
	}
	if err != nil {
		return h, nil, errors.Join(err, h.Remove())
	}
	return h, func() error {
		held.Release()
		return h.Remove()
	}, nil
}

// sweep removes the homes of processes that have ended without doing so.
func sweep(all paths.Clients) error {
	homes, err := all.Homes()
	if err != nil {
		return err
	}
	for _, h := range homes {
		if abandoned(h) {
			err = errors.Join(err, h.Remove())
		}
	}
	return err
}

// abandoned reports whether neither the command that made h runs, nor a daemon that
// has not noticed yet that it has ended.
func abandoned(h paths.Home) bool {
	for _, path := range append([]string{h.ClientLock()}, daemonLocks(h)...) {
		lock, err := lockfile.Try(path)
		if errors.Is(err, lockfile.ErrHeld) {
			return false
		}
		if err == nil {
			lock.Release()
		}
	}
	return true
}

func daemonLocks(h paths.Home) (out []string) {
	for _, d := range api.Daemons() {
		out = append(out, h.DaemonLock(d))
	}
	return out
}
