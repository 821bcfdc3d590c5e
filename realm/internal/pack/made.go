package pack

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/realm/internal/wasmfile"
)

// custom are the mounts that a folder becomes a package with, where it has no manifest, by
// the names of folders in it.
var custom = []struct{ folder, kind, guest string }{
	{"static", "static", "/www"},
	{"config", "config", "/etc/app"},
	{"work", "work", "/work"},
	{"seed-data", "state", "/data"},
}

// makeManifest makes a manifest for what is in the folder dir.
func (d *Draft) makeManifest(dir string, name api.Name) ([]byte, error) {
	if name == "" {
		return nil, fmt.Errorf("%s has no %s, and the package no name: give it one", dir, ManifestName)
	}
	wasm, err := d.onlyProgram(dir)
	if err != nil {
		return nil, err
	}
	s, err := d.file(wasm)
	if err != nil {
		return nil, err
	}
	from, err := s.Open()
	if err != nil {
		return nil, err
	}
	defer from.Close()
	m, err := wasmfile.Load(wasm, from)
	if err != nil {
		return nil, err
	}
	about, err := m.About()
	var http api.Interface
	if err == nil {
		http, err = about.Interface()
	}
	if err != nil {
		return nil, fmt.Errorf("%s is %w", wasm, err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "[component]\nname = %q\nwasm = %q\nsha256 = %q\n", name, wasm, m.Digest)
	if http != api.InterfaceCommand {
		fmt.Fprintf(&b, "http = %q\n", string(http))
	}
	err = d.makeMounts(&b)
	return []byte(b.String()), err
}

// onlyProgram is the one program in the folder.
func (d *Draft) onlyProgram(dir string) (string, error) {
	all, err := fs.ReadDir(d.root.FS(), ".")
	if err != nil {
		return "", err
	}
	var found []string
	for _, e := range all {
		if strings.EqualFold(path.Ext(e.Name()), ".wasm") && e.Type().IsRegular() {
			found = append(found, e.Name())
		}
	}
	switch len(found) {
	case 0:
		return "", fmt.Errorf("there is no .wasm file in %s: build the program first, or write a %s that names it", dir, ManifestName)
	case 1:
		return found[0], nil
	}
	return "", fmt.Errorf("%s has several programs (%s): write a %s that names one", dir, strings.Join(found, ", "), ManifestName)
}

// makeMounts adds the mounts of the folders that are there.
func (d *Draft) makeMounts(b *strings.Builder) error {
	for _, c := range custom {
		is, err := d.folder(c.folder)
		if err != nil {
			return err
		}
		if !is {
			continue
		}
		fmt.Fprintf(b, "\n[[mounts]]\nkind = %q\nguest = %q\n", c.kind, c.guest)
		switch c.kind {
		case "work":
			if err := d.leave(c.folder); err != nil {
				return err
			}
		case "state":
			fmt.Fprintf(b, "seed = %q\n", c.folder)
		default:
			fmt.Fprintf(b, "source = %q\n", c.folder)
		}
	}
	return nil
}

// leave notes the files of a folder which begins empty for each replica.
func (d *Draft) leave(folder string) error {
	return fs.WalkDir(d.root.FS(), folder, func(p string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case !e.IsDir() && !strings.HasPrefix(e.Name(), ".git"): // which only keeps the folder in Git
			d.Left = append(d.Left, p)
		}
		if len(d.Left) > maxFiles {
			return errors.New("too many files in " + folder)
		}
		return nil
	})
}
