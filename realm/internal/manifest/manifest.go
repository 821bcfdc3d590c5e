package manifest

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"unicode/utf8"

	"github.com/realm-mesh/realm/api"
)

// Manifest is what a file asks for.
type Manifest struct {
	Name       api.Name // of the manifest
	Components []Component
}

// Component is one program that a manifest asks for.
type Component struct {
	Name   api.Name
	At     string // FILE:LINE:COLUMN of its source, for what is found wrong with that
	Source Source
	SHA256 api.Digest // that the program must have; zero: any
	Target api.Target
	// Body is its intent, except for what its source tells: the program's digest and
	// size.
	Body api.Component
}

const (
	// MaxFile caps a manifest, in bytes.
	MaxFile = 1 << 20
	// DefaultName is that of a manifest which does not tell.
	DefaultName = api.Name("default")
)

// Read reads the manifest in a file. What is wrong with its text is [Problems].
func Read(path string) (Manifest, error) {
	f, err := os.Open(path)
	if err != nil {
		return Manifest{}, fmt.Errorf("read manifest: %w", err)
	}
	defer f.Close()
	text, err := api.ReadAll(f, MaxFile)
	if errors.Is(err, api.ErrTooLarge) {
		return Manifest{}, fmt.Errorf("read manifest %s: it is larger than %d MiB: make several manifests of it", path, MaxFile>>20)
	}
	if err != nil {
		return Manifest{}, fmt.Errorf("read manifest %s: %w", path, err)
	}
	return Parse(path, filepath.Dir(path), text)
}

// Parse reads a manifest. name is what its problems call it; paths in it begin at dir.
func Parse(name, dir string, text []byte) (Manifest, error) {
	d := &document{name: name, text: text}
	if !utf8.Valid(text) {
		at := invalid(text)
		d.wrong(span{at, at + 1}, "this is no text in UTF-8")
		return Manifest{}, d.err()
	}
	root := d.parse()
	if root == nil {
		return Manifest{}, d.err()
	}
	m := Manifest{Name: DefaultName}
	listed := false
	known := keys{
		"name": func(f field) {
			if s, ok := d.str(f); ok {
				var err error
				if m.Name, err = api.ParseName(s); err != nil {
					d.wrong(f.value.at, "%s", err)
				}
			}
		},
		"components": func(f field) {
			listed = true
			m.Components = d.components(f, dir)
		},
	}
	d.misplaced(root, known)
	d.table(field{value: root}, "a manifest", known)
	if !listed && len(d.problems) == 0 {
		d.wrong(span{}, "there is no [components.NAME] in it; a manifest that is to remove all that it had has an empty [components]")
	}
	if err := d.err(); err != nil {
		return Manifest{}, err
	}
	return m, nil
}

// misplaced notes keys of components that stand at the top, and takes them out of root.
func (d *document) misplaced(root *value, known keys) {
	inside := keys{"source": nil, "sha256_hex": nil, "target_peer_ids": nil, "target_tags": nil}
	d.bodyKeys(new(api.Component), inside)
	root.fields = slices.DeleteFunc(root.fields, func(f field) bool {
		_, here := known[f.key]
		_, there := inside[f.key]
		if !here && there {
			d.wrong(f.at, "%s is a key of a component: put it below a line with [components.NAME]", f.key)
		}
		return !here && there
	})
}

func (d *document) components(f field, dir string) []Component {
	if !d.is(f, kindTable) {
		return nil
	}
	if len(f.fields) > api.MaxComponents {
		d.wrong(f.at, "%d components, at most %d: make several manifests of it, each with a name", len(f.fields), api.MaxComponents)
		return nil
	}
	out := []Component{}
	for _, c := range f.fields {
		out = append(out, d.component(c, dir))
	}
	slices.SortFunc(out, func(a, b Component) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// invalid is where text stops to be UTF-8.
func invalid(text []byte) int {
	for at := 0; at < len(text); {
		r, size := utf8.DecodeRune(text[at:])
		if r == utf8.RuneError && size == 1 {
			return at
		}
		at += size
	}
	return len(text)
}
