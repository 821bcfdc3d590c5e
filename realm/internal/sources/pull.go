package sources

import (
	"context"
	"fmt"

	"github.com/realm-mesh/realm/realm/internal/manifest"
	"github.com/realm-mesh/realm/realm/internal/oci"
	"github.com/realm-mesh/realm/realm/internal/pack"
	"github.com/realm-mesh/realm/realm/internal/wasmfile"
)

// Pull fetches what a registry has, of any kind. The file is removed by [Finder.Close].
func (f *Finder) Pull(ctx context.Context, ref oci.Ref) (oci.Artifact, error) {
	dir, err := f.folder()
	if err != nil {
		return oci.Artifact{}, err
	}
	return oci.Fetch(ctx, f.client, ref, dir, f.note)
}

// pull fetches a program, or a package, from a registry, and checks it as what comes from an
// address.
func (f *Finder) pull(ctx context.Context, c manifest.Component) (Program, error) {
	ref := c.Source.Ref
	a, err := f.Pull(ctx, ref)
	if err != nil {
		return Program{}, err
	}
	head, err := headOf(a.Path)
	if err == nil && !pack.Is(head) {
		err = wasmfile.Check(head)
	}
	if err != nil {
		return Program{}, fmt.Errorf("%s is %w", ref, err)
	}
	p, err := f.take(ctx, a.Path, ref.Base(), c.SHA256)
	if err != nil {
		return Program{}, fmt.Errorf("%s: %w", ref, err)
	}
	return p, nil
}
