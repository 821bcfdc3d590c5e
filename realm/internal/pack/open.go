package pack

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/archive"
	"github.com/realm-mesh/realm/realm/internal/wasmfile"
)

// Limits of a package.
const (
	MaxSize  = 2 << 30 // bytes, of the file and of what is in it
	maxFiles = archive.MaxFiles
)

var limits = archive.Limits{Bytes: MaxSize, Files: maxFiles}

// magic is how zip archives with something in them begin.
const magic = "PK\x03\x04"

// Is reports whether a file that begins with head is a package, as far as that tells: it
// is no program.
func Is(head []byte) bool { return strings.HasPrefix(string(head), magic) }

// Package is one that was opened and checked.
type Package struct {
	*Spec
	Info    api.BlobInfo // the file itself
	Program Blob
	Files   []*Files // of each of the Mounts; nil: it has none
	Unused  int      // files in it that the manifest does not name

	file *os.File
	zip  *archive.Archive
}

// Open opens the package in the file at path. The caller closes it, after the last of its
// blobs has been read.
func Open(ctx context.Context, path string) (*Package, error) {
	p, err := open(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("open package %s: %w", path, err)
	}
	return p, nil
}

func open(ctx context.Context, path string) (_ *Package, err error) {
	p := new(Package)
	if p.file, err = os.Open(path); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			p.file.Close()
		}
	}()
	if err := p.measure(); err != nil {
		return nil, err
	}
	if p.zip, err = archive.Open(p.file, p.Info.Size, limits); err != nil {
		return nil, fmt.Errorf("%w. realm package create makes packages", err)
	}
	if err := p.readSpec(filepath.Base(path)); err != nil {
		return nil, err
	}
	if err := p.hashProgram(ctx); err != nil {
		return nil, err
	}
	if err := p.hashFiles(ctx); err != nil {
		return nil, err
	}
	return p, nil
}

// Close closes the file.
func (p *Package) Close() error { return p.file.Close() }

// measure finds out which file it is.
func (p *Package) measure() error {
	fi, err := p.file.Stat()
	switch {
	case err != nil:
		return err
	case fi.IsDir():
		return errors.New("it is a folder: make a package of it with realm package create --dir")
	case fi.Size() > MaxSize:
		return fmt.Errorf("it is larger than %d GiB, the most that a package may have", MaxSize>>30)
	}
	sum := sha256.New()
	if p.Info.Size, err = io.Copy(sum, io.NewSectionReader(p.file, 0, fi.Size())); err != nil {
		return err
	}
	sum.Sum(p.Info.SHA256[:0])
	return nil
}

func (p *Package) readSpec(name string) error {
	f, err := p.zip.File(ManifestName)
	if err != nil {
		return fmt.Errorf("there is no %s in it. realm package create makes packages", ManifestName)
	}
	defer f.Close()
	text, err := api.ReadAll(f, MaxManifest)
	if errors.Is(err, api.ErrTooLarge) {
		return fmt.Errorf("its %s is larger than %d KiB", ManifestName, MaxManifest>>10)
	}
	if err != nil {
		return err
	}
	if p.Spec, err = ParseSpec(name+":"+ManifestName, text); err != nil {
		return err
	}
	if p.SHA256.IsZero() {
		return p.wrong(p.atID, "sha256 is missing: realm package create writes it")
	}
	return nil
}

// hashProgram makes sure that the program is the one that the manifest means.
func (p *Package) hashProgram(ctx context.Context) error {
	m, err := p.Module()
	if err != nil {
		return err
	}
	if m.Digest != p.SHA256 {
		return p.wrong(p.atID, "sha256: %s is another program: its sha256 is %s", p.Wasm, m.Digest)
	}
	p.Program = Blob{api.BlobInfo{SHA256: m.Digest, Size: m.Size()}, p.Wasm, func(_ context.Context, w io.Writer) error {
		from, err := p.zip.File(p.Wasm)
		if err != nil {
			return err
		}
		defer from.Close()
		_, err = io.Copy(w, from)
		return err
	}}
	return ctx.Err()
}

// Module reads the program.
func (p *Package) Module() (m wasmfile.Module, err error) {
	from, err := p.zip.File(p.Wasm)
	if err != nil {
		return m, p.wrong(p.atWasm, "wasm: there is no file %s in the package", p.Wasm)
	}
	defer from.Close()
	return wasmfile.Load(p.Wasm, from)
}

// hashFiles makes the archives of mounts.
func (p *Package) hashFiles(ctx context.Context) error {
	used := map[string]bool{ManifestName: true, p.Wasm: true}
	for i, m := range p.Mounts {
		if m.Folder == "" {
			p.Files = append(p.Files, nil)
			continue
		}
		all, ok := p.below(m.Folder, used)
		if !ok {
			return p.wrong(p.folders[i], "there is no folder %s in the package", m.Folder)
		}
		f, err := newFiles(ctx, m.Folder, func(_ context.Context, use func([]archive.Source) error) error { return use(all) })
		if err != nil {
			return fmt.Errorf("folder %s: %w", m.Folder, err)
		}
		p.Files = append(p.Files, &f)
	}
	for _, e := range p.zip.Entries() {
		if !e.Dir && !used[e.Name] {
			p.Unused++
		}
	}
	return nil
}

// below is what is in a folder of the package; ok is false where there is no such folder.
func (p *Package) below(dir string, used map[string]bool) (all []archive.Source, ok bool) {
	for _, e := range p.zip.Entries() {
		name, in := strings.CutPrefix(e.Name, dir+"/")
		if !in {
			ok = ok || e.Dir && e.Name == dir
			continue
		}
		used[e.Name] = true
		all = append(all, archive.Source{Name: name, Exec: e.Exec && !e.Dir, Dir: e.Dir, Size: e.Size, Open: func() (io.ReadCloser, error) { return p.zip.File(e.Name) }})
	}
	return all, ok || len(all) > 0
}

// Deployed is the component under the name that it is deployed as.
func (p *Package) Deployed(name api.Name) (api.Component, error) {
	c, err := p.Component(name)
	if err != nil {
		return c, err
	}
	c.Module.Blob, c.Module.Size = p.Program.SHA256, p.Program.Size
	for i, f := range p.Files {
		if f != nil {
			info := f.BlobInfo
			c.Mounts[i].Files = &info
		}
	}
	return c, nil
}

// Blobs are all that a node has to have before the package is deployed.
func (p *Package) Blobs() []Blob {
	out := []Blob{p.Program}
	for _, f := range p.Files {
		if f != nil {
			out = append(out, f.Blob)
		}
	}
	return out
}
