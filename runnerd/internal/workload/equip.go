package workload

import (
	"context"
	"errors"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/engine"
	"github.com/realm-mesh/realm/runnerd/internal/folders"
	"github.com/realm-mesh/realm/runnerd/internal/program"
)

// Folders opens what components mount. Errors: those that say [folders.ErrRefused] are of
// this node; a [*program.RefusedError] is of the component; others may pass.
type Folders interface {
	Open(ctx context.Context, name api.Name, mounts []api.Mount) (*folders.Set, error)
}

// equip gives v what it has of this node beside its module, until v.unmount is called.
// Errors are those of [actor.prepare].
func (v *version) equip(ctx context.Context, a *actor, c *api.Component) error {
	set, err := a.Folders.Open(ctx, v.name, c.Mounts)
	if errors.Is(err, folders.ErrRefused) {
		return &refusal{err}
	}
	if err != nil {
		return err
	}
	v.folders, v.unmount = set, set.Close
	sender, release, err := program.NewSender(c.AllowHosts)
	if err != nil {
		return err
	}
	v.sender, v.unmount = sender, func() { release(); set.Close() }
	if c.Interface == api.InterfaceCommand {
		return nil // each run is a replica
	}
	mounts, end, err := set.Replica()
	if err != nil {
		return err
	}
	v.mounts, v.unmount = mounts, func() { end(); release(); set.Close() }
	return nil
}

// establish says of what v keeps its state in that it is to be kept.
func (v *version) establish() {
	if v.folders != nil {
		v.folders.Establish()
	}
}

// replica is what one run of a command sees, until end is called.
func (v *version) replica() (mounts []engine.Mount, end func(), err error) {
	return v.folders.Replica()
}
