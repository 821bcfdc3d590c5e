package sources

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/realm/internal/manifest"
	"github.com/realm-mesh/realm/realm/internal/oci"
	"github.com/realm-mesh/realm/realm/internal/tomlfile"
	"github.com/realm-mesh/realm/realm/internal/wasmfile"
)

// Get reads the program in a file, at an http(s) address, or of a registry (oci://…), which is
// what a person has given. want, unless it is zero, is what its digest must be. note tells what is waited for.
func Get(ctx context.Context, fileOrURL string, want api.Digest, note func(format string, args ...any)) (m wasmfile.Module, err error) {
	u, parsed := url.Parse(fileOrURL)
	switch {
	case oci.Is(fileOrURL):
		m, err = getOCI(ctx, fileOrURL, note)
	case parsed != nil || u.Scheme != "http" && u.Scheme != "https":
		m, err = wasmfile.Read(fileOrURL)
	default:
		m, err = getURL(ctx, u, want, note)
	}
	if err == nil && !want.IsZero() && m.Digest != want {
		err = fmt.Errorf("%s is another program than --sha256 says: its sha256 is %s", fileOrURL, m.Digest)
	}
	return m, err
}

func getURL(ctx context.Context, u *url.URL, want api.Digest, note func(format string, args ...any)) (m wasmfile.Module, err error) {
	if !safe(u) && want.IsZero() {
		return m, fmt.Errorf("download program: who is on the way of %s can change it: give its https address, or say what it is with --sha256", u.Redacted())
	}
	return fetched(note, func(f *Finder) (Program, error) {
		return f.download(ctx, manifest.Component{Source: manifest.Source{Kind: tomlfile.URL, URL: u}})
	})
}

func getOCI(ctx context.Context, text string, note func(format string, args ...any)) (m wasmfile.Module, err error) {
	ref, err := oci.Parse(text)
	if err != nil {
		return m, fmt.Errorf("%s: %w", text, err)
	}
	return fetched(note, func(f *Finder) (Program, error) {
		return f.pull(ctx, manifest.Component{Source: manifest.Source{Kind: tomlfile.OCI, Text: text, Ref: ref}})
	})
}

// fetched reads what fetch has a Finder fetch.
func fetched(note func(format string, args ...any), fetch func(*Finder) (Program, error)) (m wasmfile.Module, err error) {
	f := New(nil, note)
	defer func() { err = errors.Join(err, f.Close()) }()
	p, err := fetch(f)
	if err != nil {
		return m, err
	}
	if p.Package != nil {
		return m, fmt.Errorf("%s is a package, and no program by itself: run it with realm deploy-package", p.Name)
	}
	return p.Read()
}
