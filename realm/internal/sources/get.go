package sources

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/realm/internal/manifest"
	"github.com/realm-mesh/realm/realm/internal/oci"
	"github.com/realm-mesh/realm/realm/internal/pack"
	"github.com/realm-mesh/realm/realm/internal/tomlfile"
	"github.com/realm-mesh/realm/realm/internal/wasmfile"
)

// Get reads the program in a file, at an http(s) address, or of a registry (oci://…), which is
// what a person has given. want, unless it is zero, is what its digest must be. note tells what is waited for.
func Get(ctx context.Context, fileOrURL string, want api.Digest, note func(format string, args ...any)) (m wasmfile.Module, err error) {
	f := New(nil, note)
	defer func() { err = errors.Join(err, f.Close()) }()
	p, err := f.get(ctx, fileOrURL, !want.IsZero())
	if err != nil {
		return m, err
	}
	if p.Package != nil {
		return m, fmt.Errorf("%s is a package, and no program by itself: run it with realm deploy-package", fileOrURL)
	}
	if m, err = p.Read(); err == nil && !want.IsZero() && m.Digest != want {
		err = fmt.Errorf("%s is another program than --sha256 says: its sha256 is %s", fileOrURL, m.Digest)
	}
	return m, err
}

// GetPackage opens the package in a file, at an address, or of a registry, as [Get] does with
// programs. It is closed with the Finder.
func (f *Finder) GetPackage(ctx context.Context, fileOrURL string) (*pack.Package, error) {
	p, err := f.get(ctx, fileOrURL, false)
	if err != nil {
		return nil, err
	}
	if p.Package == nil {
		return nil, fmt.Errorf("%s is a program, and no package: run it with realm push, or make a package of it with realm package create", fileOrURL)
	}
	return p.Package, nil
}

// get finds what a person has given. sure: they have said which digest it must have.
func (f *Finder) get(ctx context.Context, fileOrURL string, sure bool) (Program, error) {
	u, parsed := url.Parse(fileOrURL)
	switch {
	case oci.Is(fileOrURL):
		ref, err := oci.Parse(fileOrURL)
		if err != nil {
			return Program{}, fmt.Errorf("%s: %w", fileOrURL, err)
		}
		return f.pull(ctx, manifest.Component{Source: manifest.Source{Kind: tomlfile.OCI, Text: fileOrURL, Ref: ref}})
	case parsed != nil || u.Scheme != "http" && u.Scheme != "https":
		return f.take(ctx, fileOrURL, filepath.Base(fileOrURL), api.Digest{})
	case !safe(u) && !sure:
		return Program{}, fmt.Errorf("download program: who is on the way of %s can change it: give its https address, or say what it is with --sha256", u.Redacted())
	}
	return f.download(ctx, manifest.Component{Source: manifest.Source{Kind: tomlfile.URL, URL: u}})
}
