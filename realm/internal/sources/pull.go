package sources

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

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

// pull fetches a program from a registry, and checks it as what comes from an address.
func (f *Finder) pull(ctx context.Context, c manifest.Component) (Program, error) {
	ref := c.Source.Ref
	a, err := f.Pull(ctx, ref)
	if err != nil {
		return Program{}, err
	}
	if a.Size > pack.MaxSize {
		return Program{}, fmt.Errorf("%s is larger than %d MiB, the most that it may have", ref, pack.MaxSize>>20)
	}
	head, err := headOf(a.Path)
	if err != nil {
		return Program{}, err
	}
	if !pack.Is(head) {
		if err := wasmfile.Check(head); err != nil {
			return Program{}, fmt.Errorf("%s is %w", ref, err)
		}
	}
	p, err := f.take(ctx, a.Path, ref.Base(), c.SHA256)
	if err != nil {
		return Program{}, fmt.Errorf("%s: %w", ref, err)
	}
	return p, nil
}

// headOf is enough of a file to tell what it is.
func headOf(path string) ([]byte, error) {
	in, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read download: %w", err)
	}
	defer in.Close()
	head := make([]byte, headBytes)
	n, err := io.ReadFull(in, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, fmt.Errorf("read download: %w", err)
	}
	return head[:n], nil
}
