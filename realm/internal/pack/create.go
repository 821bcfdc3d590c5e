package pack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/archive"
	"github.com/realm-mesh/realm/realm/internal/wasmfile"
)

// Draft is a package that can be written.
type Draft struct {
	Name     api.Name
	Manifest []byte // its text
	Made     bool   // the folder has no manifest: this one was made from what is in it
	// Left are files that a person may expect in the package, and that are not.
	Left []string

	root    *os.Root
	sources []archive.Source
}

// Create makes a package of the folder dir: as its manifest.toml says, or else of what
// it has. name is what a package is called whose folder has no manifest. The caller closes
// the draft.
func Create(ctx context.Context, dir string, name api.Name) (*Draft, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("create package: %w", err)
	}
	d := &Draft{root: root}
	if err := d.create(ctx, dir, name); err != nil {
		root.Close()
		return nil, fmt.Errorf("create package: %w", err)
	}
	return d, nil
}

// Close closes the folder.
func (d *Draft) Close() error { return d.root.Close() }

// Write writes the package.
func (d *Draft) Write(ctx context.Context, w io.Writer) error {
	if err := archive.Write(ctx, w, d.sources, limits); err != nil {
		return fmt.Errorf("create package: %w", err)
	}
	return nil
}

func (d *Draft) create(ctx context.Context, dir string, name api.Name) error {
	text, err := d.root.ReadFile(ManifestName)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		d.Made = true
		if text, err = d.makeManifest(dir, name); err != nil {
			return err
		}
	case err != nil:
		return err
	case len(text) > MaxManifest:
		return fmt.Errorf("%s is larger than %d KiB", ManifestName, MaxManifest>>10)
	}
	spec, err := ParseSpec(filepath.Join(dir, ManifestName), text)
	if err != nil {
		return err
	}
	if name != "" && name != spec.Name {
		return fmt.Errorf("%s calls it %s, not %s: leave the name out, or change it there", ManifestName, spec.Name, name)
	}
	if text, err = d.identify(spec, text); err != nil {
		return err
	}
	d.Name, d.Manifest = spec.Name, text
	return d.collect(ctx, spec)
}

// identify has the manifest name the program that lies in the folder.
func (d *Draft) identify(spec *Spec, text []byte) ([]byte, error) {
	m, err := d.module(spec)
	if err != nil {
		return nil, err
	}
	about, err := m.About()
	if err == nil {
		_, err = about.Interface()
	}
	if err == nil {
		err = about.Speaks(spec.Body.Interface)
	}
	switch {
	case err != nil:
		return nil, spec.wrong(spec.atWasm, "%s is %s", spec.Wasm, err)
	case spec.SHA256 == m.Digest:
		return text, nil
	case !spec.SHA256.IsZero():
		return nil, spec.wrong(spec.atID, "sha256: %s is another program: its sha256 is %s; leave the key out to have it written", spec.Wasm, m.Digest)
	}
	line := fmt.Sprintf("sha256 = %q\n", m.Digest)
	end := len(text)
	if i := bytes.IndexByte(text[spec.atWasm.To:], '\n'); i >= 0 {
		end = spec.atWasm.To + i + 1
	} else {
		line = "\n" + line
	}
	text = bytes.Join([][]byte{text[:end], []byte(line), text[end:]}, nil)
	if again, err := ParseSpec(ManifestName, text); err != nil || again.SHA256 != m.Digest {
		return nil, spec.wrong(spec.atID, "sha256 is missing, and cannot be written into this form of the table: add %s", strings.TrimSpace(line))
	}
	return text, nil
}

func (d *Draft) module(spec *Spec) (m wasmfile.Module, err error) {
	s, err := d.file(spec.Wasm)
	if err != nil {
		return m, spec.wrong(spec.atWasm, "wasm: %s", err)
	}
	from, err := s.Open()
	if err != nil {
		return m, err
	}
	defer from.Close()
	return wasmfile.Load(spec.Wasm, from)
}

// file is a file of the folder.
func (d *Draft) file(name string) (archive.Source, error) {
	fi, err := d.root.Lstat(filepath.FromSlash(name))
	if err == nil && !fi.Mode().IsRegular() {
		err = fmt.Errorf("%s is no file", name)
	}
	if err != nil {
		return archive.Source{}, err
	}
	return archive.Source{Name: name, Exec: fi.Mode()&0o111 != 0, Size: fi.Size(), Open: func() (io.ReadCloser, error) { return d.root.Open(filepath.FromSlash(name)) }}, nil
}

// collect finds what the manifest names.
func (d *Draft) collect(ctx context.Context, spec *Spec) error {
	wasm, err := d.file(spec.Wasm)
	if err != nil {
		return err
	}
	wasm.Exec = false // whatever it was built with
	all := map[string]archive.Source{spec.Wasm: wasm, ManifestName: {
		Name: ManifestName, Size: int64(len(d.Manifest)), Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(d.Manifest)), nil },
	}}
	for i, m := range spec.Mounts {
		if m.Folder == "" {
			continue
		}
		if ok, err := d.folder(m.Folder); err != nil || !ok {
			return spec.wrong(spec.folders[i], "there is no folder %s", filepath.Join(d.root.Name(), filepath.FromSlash(m.Folder)))
		}
		in, err := archive.List(ctx, d.root, m.Folder, mountLimits)
		if err != nil {
			return fmt.Errorf("folder %s: %w", m.Folder, err)
		}
		for _, s := range append(in, archive.Source{Dir: true}) {
			s.Name = path.Join(m.Folder, s.Name)
			if _, there := all[s.Name]; !there {
				all[s.Name] = s
			}
		}
	}
	for _, s := range all {
		d.sources = append(d.sources, s)
	}
	return archive.Check(d.sources, limits)
}

// folder reports whether the folder has one of this name.
func (d *Draft) folder(name string) (bool, error) {
	fi, err := d.root.Lstat(filepath.FromSlash(name))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && fi.IsDir(), err
}
