package manifest

import (
	"cmp"
	"maps"
	"path/filepath"
	"slices"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/realm/internal/tomlfile"
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
	// Body is its intent, except for what its source tells, the program's digest and
	// size, and for what is in the folders of its Mounts.
	Body   api.Component
	Mounts []tomlfile.Mount // their folders lie on this machine

	read   *tomlfile.Document
	fields []tomlfile.Field // that Body was read from
}

const (
	// MaxFile caps a manifest, in bytes.
	MaxFile = 1 << 20
	// DefaultName is that of a manifest which does not tell.
	DefaultName = api.Name("default")
)

// Read reads the manifest in a file. What is wrong with its text is [Problems].
func Read(path string) (Manifest, error) {
	text, err := tomlfile.Read(path, "manifest", MaxFile)
	if err != nil {
		return Manifest{}, err
	}
	return Parse(path, filepath.Dir(path), text)
}

// Parse reads a manifest. name is what its problems call it; paths in it begin at dir.
func Parse(name, dir string, text []byte) (Manifest, error) {
	file, root := tomlfile.Parse(name, text)
	d := &document{file}
	if root == nil {
		return Manifest{}, d.Err()
	}
	m := Manifest{Name: DefaultName}
	listed := false
	known := tomlfile.Keys{
		"name": func(f tomlfile.Field) {
			if s, ok := d.Str(f); ok {
				var err error
				if m.Name, err = api.ParseName(s); err != nil {
					d.Wrong(f.Value.At, "%s", err)
				}
			}
		},
		"components": func(f tomlfile.Field) {
			listed = true
			m.Components = d.components(f, dir)
		},
	}
	d.misplaced(root, known)
	d.Table(tomlfile.Field{Value: root}, "a manifest", known)
	if !listed && len(d.Problems) == 0 {
		d.Wrong(tomlfile.Span{}, "there is no [components.NAME] in it; a manifest that is to remove all that it had has an empty [components]")
	}
	if err := d.Err(); err != nil {
		return Manifest{}, err
	}
	return m, nil
}

// misplaced notes keys of components that stand at the top, and takes them out of root.
func (d *document) misplaced(root *tomlfile.Value, known tomlfile.Keys) {
	inside := tomlfile.Keys{"source": nil, "sha256_hex": nil, "target_peer_ids": nil, "target_tags": nil, "mounts": nil}
	maps.Copy(inside, BodyKeys(d.Document, new(api.Component)))
	root.Fields = slices.DeleteFunc(root.Fields, func(f tomlfile.Field) bool {
		_, here := known[f.Key]
		_, there := inside[f.Key]
		if !here && there {
			d.Wrong(f.At, "%s is a key of a component: put it below a line with [components.NAME]", f.Key)
		}
		return !here && there
	})
}

func (d *document) components(f tomlfile.Field, dir string) []Component {
	if !d.Is(f, tomlfile.KindTable) {
		return nil
	}
	if len(f.Fields) > api.MaxComponents {
		d.Wrong(f.At, "%d components, at most %d: make several manifests of it, each with a name", len(f.Fields), api.MaxComponents)
		return nil
	}
	out := []Component{}
	for _, c := range f.Fields {
		out = append(out, d.component(c, dir))
	}
	slices.SortFunc(out, func(a, b Component) int { return cmp.Compare(a.Name, b.Name) })
	return out
}
