package sources

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/realm/internal/manifest"
	"github.com/realm-mesh/realm/realm/internal/node"
	"github.com/realm-mesh/realm/realm/internal/pack"
	"github.com/realm-mesh/realm/realm/internal/wasmfile"
)

// Store is what a node and its realm hold.
type Store interface {
	// Stored looks a blob up on the node; ok tells whether it is there.
	Stored(ctx context.Context, d api.Digest) (s node.Stored, ok bool, err error)
	// Bring has the node fetch a blob from other members; size 0 is any.
	Bring(ctx context.Context, d api.Digest, size int64) (api.BlobInfo, error)
}

// Program is a program that was found.
type Program struct {
	api.BlobInfo
	Name string // for people
	// Package is what the program came in; nil: it came by itself.
	Package *pack.Package
	file    string // where its bytes are on this machine; "": a node has them
}

// Here reports whether the bytes are on this machine, for [Program.Read].
func (p Program) Here() bool { return p.file != "" }

// Read reads the bytes once more. That they are others by now is an error.
func (p Program) Read() (wasmfile.Module, error) {
	if p.Package != nil {
		return p.Package.Module()
	}
	m, err := wasmfile.Read(p.file)
	if err == nil && m.Digest != p.SHA256 {
		err = fmt.Errorf("%s has changed since this command began: build it first, then apply", p.Name)
	}
	return m, err
}

// Finder finds programs. It keeps what it has downloaded until it is closed.
type Finder struct {
	store  Store
	client *http.Client
	note   func(format string, args ...any)

	mu   sync.Mutex
	dir  string // "": nothing was downloaded yet
	done map[string]*result
	open []*pack.Package
}

type result struct {
	once    sync.Once
	program Program
	err     error
}

// New makes a Finder that tells people through note what it waits for.
func New(store Store, note func(format string, args ...any)) *Finder {
	return &Finder{store: store, client: newClient(), note: note, done: map[string]*result{}}
}

// Close removes what was downloaded, and closes packages.
func (f *Finder) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.client.CloseIdleConnections()
	for _, p := range f.open {
		p.Close()
	}
	f.open = nil
	if f.dir == "" {
		return nil
	}
	if err := os.RemoveAll(f.dir); err != nil {
		return fmt.Errorf("remove downloads: %w", err)
	}
	return nil
}

// atOnce is how many programs are looked for at the same time.
const atOnce = 4

// All finds the programs of all components, in their order. The error names each
// that was not found, by its place in the manifest.
func (f *Finder) All(ctx context.Context, all []manifest.Component) ([]Program, error) {
	found := make([]Program, len(all))
	failures := make([]error, len(all))
	var g errgroup.Group
	g.SetLimit(atOnce)
	for i, c := range all {
		g.Go(func() error {
			found[i], failures[i] = f.find(ctx, c)
			return nil
		})
	}
	_ = g.Wait() // there are no errors
	return found, errors.Join(failures...)
}

// find finds the program of one component; several that have one source wait for it
// together.
func (f *Finder) find(ctx context.Context, c manifest.Component) (Program, error) {
	f.mu.Lock()
	key := c.SHA256.String() + " " + cmp.Or(c.Source.Path, c.Source.Text)
	r := f.done[key]
	if r == nil {
		r = new(result)
		f.done[key] = r
	}
	f.mu.Unlock()
	r.once.Do(func() { r.program, r.err = f.look(ctx, c) })
	if r.err != nil {
		return r.program, fmt.Errorf("%s: component %s: %w", c.At, c.Name, r.err)
	}
	return r.program, nil
}

func (f *Finder) look(ctx context.Context, c manifest.Component) (Program, error) {
	switch c.Source.Kind {
	case manifest.Blob:
		return f.inStore(ctx, c.Source.SHA256)
	case manifest.URL:
		if p, ok := f.known(ctx, c); ok {
			return p, nil
		}
		return f.download(ctx, c)
	case manifest.OCI:
		if p, ok := f.known(ctx, c); ok {
			return p, nil
		}
		return f.pull(ctx, c)
	default:
		return f.take(ctx, c.Source.Path, filepath.Base(c.Source.Path), c.SHA256)
	}
}

// take takes the program in a file of this machine: the file is one, or a package, as its
// first bytes tell. want, unless it is zero, is the digest that the file must have.
func (f *Finder) take(ctx context.Context, path, name string, want api.Digest) (Program, error) {
	if head, err := headOf(path); err == nil && pack.Is(head) {
		return f.takePackage(ctx, path, name, want)
	}
	m, err := wasmfile.Read(path)
	if err != nil {
		return Program{}, err
	}
	return fitting(Program{BlobInfo: api.BlobInfo{SHA256: m.Digest, Size: m.Size()}, Name: name, file: path}, want)
}

func (f *Finder) takePackage(ctx context.Context, path, name string, want api.Digest) (Program, error) {
	p, err := pack.Open(ctx, path)
	if err != nil {
		return Program{}, err
	}
	f.mu.Lock()
	f.open = append(f.open, p)
	f.mu.Unlock()
	if _, err := fitting(Program{BlobInfo: p.Info, Name: name}, want); err != nil {
		return Program{}, err
	}
	return Program{BlobInfo: p.Program.BlobInfo, Name: name, Package: p, file: path}, nil
}

// fitting is p if it is the program that want names.
func fitting(p Program, want api.Digest) (Program, error) {
	if !want.IsZero() && p.SHA256 != want {
		return p, fmt.Errorf("%s is another program than sha256_hex says: its sha256 is %s, not %s", p.Name, p.SHA256, want)
	}
	return p, nil
}

// known is the program of c if its digest is given and the node has it: there is
// nothing to download then.
func (f *Finder) known(ctx context.Context, c manifest.Component) (Program, bool) {
	if c.SHA256.IsZero() {
		return Program{}, false
	}
	s, ok, err := f.store.Stored(ctx, c.SHA256)
	if err != nil || !ok || check(s) != nil {
		return Program{}, false
	}
	return Program{BlobInfo: s.BlobInfo, Name: c.Source.Text}, true
}

// inStore is a program that the realm holds; the node has it when this returns.
func (f *Finder) inStore(ctx context.Context, d api.Digest) (Program, error) {
	s, ok, err := f.store.Stored(ctx, d)
	if err == nil && !ok {
		f.note("Fetching %s from the mesh", d.Short())
		if _, err := f.store.Bring(ctx, d, 0); err != nil {
			return Program{}, fmt.Errorf("%w: name the program by its file or address if no node has it any more", err)
		}
		if s, ok, err = f.store.Stored(ctx, d); err == nil && !ok {
			err = fmt.Errorf("program %s was fetched, and is gone again: see realm logs casd", d.Short())
		}
	}
	if err == nil {
		err = check(s)
	}
	return Program{BlobInfo: s.BlobInfo, Name: "cas:" + d.Short()}, err
}

// check says why a blob is no program.
func check(s node.Stored) error {
	if s.Size > api.MaxModule {
		return fmt.Errorf("cas:%s is larger than %d MiB, the most that a program may have", s.SHA256.Short(), api.MaxModule>>20)
	}
	if err := wasmfile.Check(slices.Clone(s.Head)); err != nil {
		return fmt.Errorf("cas:%s is %w", s.SHA256.Short(), err)
	}
	return nil
}
