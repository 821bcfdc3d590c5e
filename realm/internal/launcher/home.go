package launcher

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/disk"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/local"
	"github.com/realm-mesh/realm/internal/kit/lockfile"
	"github.com/realm-mesh/realm/internal/kit/paths"
	"github.com/realm-mesh/realm/internal/kit/trust"
	"github.com/realm-mesh/realm/realm/internal/owner"
)

// ErrAlreadyUp says that another launcher holds the home.
var ErrAlreadyUp = errors.New("this node is up already")

const (
	// holdTimeout is how long a launcher that was just killed may take to be gone.
	holdTimeout = 500 * time.Millisecond
	// predecessorTimeout is how long its daemons may take to end; they give
	// themselves less.
	predecessorTimeout = 12 * time.Second
)

// hold makes the folders of the home and takes its lock.
func hold(ctx context.Context, h paths.Home) (*lockfile.Lock, error) {
	if err := h.Create(); err != nil {
		return nil, err
	}
	bounded, cancel := context.WithTimeout(ctx, holdTimeout)
	defer cancel()
	lock, err := lockfile.Wait(bounded, h.Lock())
	if errors.Is(err, lockfile.ErrHeld) {
		return nil, fmt.Errorf("%w: %w", ErrAlreadyUp, err)
	}
	if err != nil {
		return nil, err
	}
	if err := outlive(ctx, h); err != nil {
		lock.Release()
		return nil, err
	}
	return lock, nil
}

// outlive waits until no daemon of an earlier launcher of this home runs.
func outlive(ctx context.Context, h paths.Home) error {
	bounded, cancel := context.WithTimeout(ctx, predecessorTimeout)
	defer cancel()
	for _, d := range api.Daemons() {
		lock, err := lockfile.Wait(bounded, h.DaemonLock(d))
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return fmt.Errorf("wait for the %s of the last realm up to end: %w", d, err)
		}
		lock.Release()
	}
	return nil
}

// furnish makes what the daemons expect to find in the home.
func furnish(o Options) error {
	h := o.Home
	if err := disk.Room(h.Root(), 0, disk.ReserveState); err != nil {
		return err
	}
	if err := local.CreateToken(h); err != nil {
		return fmt.Errorf("create the home's token: %w", err)
	}
	if _, err := keys.ReadOrCreate(h.NodeKey()); err != nil {
		return err
	}
	if o.Enroll != nil {
		if err := owner.Enroll(h, *o.Enroll, o.Config); err != nil && !errors.Is(err, owner.ErrMember) {
			return err
		}
	}
	return join(o)
}

// join settles whom the node follows, and makes it a member where this account can.
func join(o Options) error {
	mine := o.Owner
	if mine == nil {
		mine = owner.Load
	}
	pin, err := owner.Claim(o.Home, o.Config, mine)
	if errors.Is(err, trust.ErrUnclaimed) {
		return nil // it comes up, accepts nothing, and says how to mend that
	}
	if err != nil {
		return err
	}
	err = owner.Join(o.Home, pin, mine, time.Now())
	if errors.Is(err, owner.ErrLocked) {
		fmt.Fprintf(o.Out, "This node is not a member yet: %v; then start the node again, or admit it with realm peers admit, here or on a member.\n", err)
		return nil
	}
	return err
}
