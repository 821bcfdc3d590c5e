package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/realm-mesh/realm/api"
)

// versionAim is the part of a new version's size that may move to a node that has
// the old one.
const versionAim = 0.20

// version sends new versions of a binary to nodes that have the old one, a node for
// each, so that none gains from another change.
func (b *bench) version(ctx context.Context) (err error) {
	changes := changes()
	m, err := b.newMesh(ctx, 1+len(changes))
	defer func() { err = errors.Join(err, m.stop()) }()
	if err != nil {
		return err
	}
	built := release{source: b.source, dir: b.dir}
	old, err := built.build(ctx, "old", "v1.0.0", edit{})
	if err != nil {
		return err
	}
	blob, err := m[0].putFile(ctx, old)
	if err != nil {
		return err
	}
	for _, n := range m[1:] {
		if err := n.fetch(ctx, blob); err != nil {
			return err
		}
	}
	heading("A new version of meshd to a node that has the old one", "change", "size", "moved", "of it", "aim")
	for i, c := range changes {
		file, err := c.make(ctx, built, old, fmt.Sprint("new", i))
		if err != nil {
			return err
		}
		blob, moved, err := m.move(ctx, file, i+1)
		if err != nil {
			return err
		}
		part := float64(moved) / float64(blob.Size)
		row(c.what, megabytes(blob.Size), megabytes(moved), percent(part), below(part, versionAim, percent(versionAim)))
	}
	return nil
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }

// move puts a file on the first node and fetches it on another, and counts what
// all but that one give out meanwhile.
func (m mesh) move(ctx context.Context, file string, to int) (blob api.BlobInfo, moved int64, err error) {
	if blob, err = m[0].putFile(ctx, file); err != nil {
		return blob, 0, err
	}
	before, err := m.written(to)
	if err != nil {
		return blob, 0, err
	}
	if err := m[to].fetch(ctx, blob); err != nil {
		return blob, 0, err
	}
	after, err := m.written(to)
	return blob, after - before, err
}

// written is what the stores of all nodes but one have written.
func (m mesh) written(but int) (sum int64, err error) {
	for i, n := range m {
		if i == but {
			continue
		}
		w, err := written(n.daemons[api.Casd])
		if err != nil {
			return 0, err
		}
		sum += w
	}
	return sum, nil
}

// change makes a new version out of an old one.
type change struct {
	what string
	make func(ctx context.Context, r release, old, name string) (file string, err error)
}

// nextVersion is the one text that differs if nothing else does.
const nextVersion = "v1.0.1"

func changes() []change {
	all := []change{{"4 KiB inserted in the middle of the file", inserted}}
	for _, e := range edits() {
		all = append(all, change{e.what, func(ctx context.Context, r release, _, name string) (string, error) {
			return r.build(ctx, name, nextVersion, e)
		}})
	}
	return all
}

// edits are made to the source, besides the version's number.
func edits() []edit {
	const (
		refusal = "the token of this home is missing or wrong"
		server  = "internal/kit/local/local.go"
	)
	return []edit{
		{what: "another version number"},
		{what: "and a message with other words, as long", file: server, old: refusal, text: strings.ToUpper(refusal)},
		{what: "and a longer message", file: server, old: refusal, text: refusal + ", or old"},
		{what: "and one more statement in `main`", file: "meshd/cmd/meshd/main.go",
			old: "func main() {", text: `func main() { println("hello");`},
		{what: "and one more statement in a package below all others", file: "internal/kit/paths/paths.go",
			old: "func Open(dir string) (Home, error) {", text: "func Open(dir string) (Home, error) {\n\tprintln(dir)"},
	}
}

// inserted is the old version with 4 KiB more in its middle.
func inserted(_ context.Context, r release, old, name string) (string, error) {
	b, err := os.ReadFile(old)
	if err != nil {
		return "", err
	}
	out := filepath.Join(r.dir, name)
	f, err := os.Create(out)
	if err != nil {
		return "", err
	}
	_, err = io.Copy(f, io.MultiReader(bytes.NewReader(b[:len(b)/2]), randomBytes(4<<10), bytes.NewReader(b[len(b)/2:])))
	return out, errors.Join(err, f.Close())
}
