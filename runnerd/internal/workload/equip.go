package workload

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/engine"
	"github.com/realm-mesh/realm/engine/mount"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/runnerd/internal/folders"
	"github.com/realm-mesh/realm/runnerd/internal/program"
	"github.com/realm-mesh/realm/runnerd/internal/secrets"
)

// Folders opens what components mount. Errors: those that say [folders.ErrRefused] are of
// this node; a [*program.RefusedError] is of the component; others may pass.
type Folders interface {
	Open(ctx context.Context, name api.Name, mounts []api.Mount) (*folders.Set, error)
}

// Secrets opens what components are given. Errors: those that say [secrets.ErrRefused] are of
// this node; others may pass.
type Secrets interface {
	Give(ctx context.Context, by keys.Public, uses []api.SecretUse) (secrets.Given, error)
}

// equip gives v what it has of this node beside its module, until v.unmount is called, and
// returns c as it runs: with the secrets that it is given among its variables. Errors are
// those of [actor.prepare].
func (v *version) equip(ctx context.Context, a *actor, c *api.Component) (*api.Component, error) {
	given, err := v.give(ctx, a, c)
	if err != nil {
		return nil, err
	}
	if err := v.mount(ctx, a, c); err != nil {
		return nil, err
	}
	byFolder := map[string]map[string][]byte{}
	for file, value := range given.Files {
		dir := path.Dir(file)
		if byFolder[dir] == nil {
			byFolder[dir] = map[string][]byte{}
		}
		byFolder[dir][path.Base(file)] = value
	}
	for dir, files := range byFolder {
		f, err := mount.Memory(files)
		if err != nil {
			return nil, &refusal{fmt.Errorf("give secrets: %w", err)}
		}
		unmount := v.unmount
		v.unmount = func() { unmount(); _ = f.Close() } // nothing is lost: it is in memory
		v.given = append(v.given, engine.Mount{Guest: dir, Folder: f})
	}
	v.mounts = append(slices.Clone(v.mounts), v.given...)
	if len(given.Env) == 0 {
		return c, nil
	}
	run := *c
	run.Env = maps.Clone(given.Env)
	maps.Copy(run.Env, c.Env)
	return &run, nil
}

// give opens the secrets of c.
func (v *version) give(ctx context.Context, a *actor, c *api.Component) (secrets.Given, error) {
	if len(c.Secrets) == 0 {
		return secrets.Given{}, nil
	}
	given, err := a.Secrets.Give(ctx, v.signed.Signer, c.Secrets)
	if errors.Is(err, secrets.ErrRefused) {
		return given, &refusal{err}
	}
	return given, err
}

// mount opens what c mounts, and what it sends with.
func (v *version) mount(ctx context.Context, a *actor, c *api.Component) error {
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
	mounts, end, err = v.folders.Replica()
	return append(slices.Clone(mounts), v.given...), end, err
}
