package pack

import (
	"fmt"
	"path"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/archive"
	"github.com/realm-mesh/realm/realm/internal/manifest"
	"github.com/realm-mesh/realm/realm/internal/tomlfile"
)

const (
	// ManifestName is that of the manifest in a package, and in a folder that becomes one.
	ManifestName = "manifest.toml"
	// MaxManifest caps a manifest, in bytes.
	MaxManifest = 1 << 20
)

// Spec is what the manifest of a package says.
type Spec struct {
	Name   api.Name
	Wasm   string     // the program, by its name in the package
	SHA256 api.Digest // of the program; zero: it is left out
	// Body is the component, but for its program and its mounts.
	Body   api.Component
	Mounts []tomlfile.Mount // their folders are names in the package

	file         *tomlfile.Document
	atWasm, atID tomlfile.Span // of the values of wasm, and of sha256, or the table
	folders      []tomlfile.Span
}

// ParseSpec reads a manifest, which its problems call name. What is wrong with it is
// [tomlfile.Problems].
func ParseSpec(name string, text []byte) (*Spec, error) {
	file, root := tomlfile.Parse(name, text)
	s := &Spec{file: file}
	if root == nil {
		return nil, file.Err()
	}
	var component tomlfile.Field
	file.Table(tomlfile.Field{Value: root}, "the manifest of a package", tomlfile.Keys{
		"component": func(f tomlfile.Field) { component = f; s.component(f) },
		"mounts":    s.mounts,
	})
	switch {
	case component.Value == nil && len(file.Problems) == 0:
		file.Wrong(tomlfile.Span{}, "there is no [component] in it: that says what the package runs")
	case len(file.Problems) == 0:
		s.whole(component)
	}
	if err := file.Err(); err != nil {
		return nil, err
	}
	return s, nil
}

// component reads [component].
func (s *Spec) component(f tomlfile.Field) {
	d, named := s.file, false
	known := manifest.BodyKeys(d, &s.Body)
	known["name"] = func(f tomlfile.Field) {
		named = true
		if text, ok := d.Str(f); ok {
			var err error
			if s.Name, err = api.ParseName(text); err != nil {
				d.Wrong(f.Value.At, "%s", err)
			}
		}
	}
	known["wasm"] = func(f tomlfile.Field) {
		s.Wasm, s.atWasm = f.Text, f.Value.At
		if _, ok := d.Str(f); ok {
			s.inside(f)
		}
	}
	known["sha256"] = func(f tomlfile.Field) { s.SHA256, s.atID = d.Digest(f), f.Value.At }
	known["mounts"] = func(f tomlfile.Field) { d.Wrong(f.At, "mounts of a package are tables of their own: [[mounts]]") }
	s.atID = f.At
	d.Table(f, "[component]", known)
	if f.Kind != tomlfile.KindTable {
		return
	}
	if !named {
		d.Wrong(f.At, "name is missing: say what to call it, as in name = \"shop\"")
	}
	if s.atWasm == (tomlfile.Span{}) {
		d.Wrong(f.At, "wasm is missing: say which file of the package is the program, as in wasm = \"shop.wasm\"")
	}
}

// inside checks the name of something in the package.
func (s *Spec) inside(f tomlfile.Field) {
	if err := archive.CheckName(f.Text); err != nil {
		s.file.Wrong(f.Value.At, "%s: want a path from the folder of the package, with slashes: %s", f.Key, err)
	}
}

// mounts reads [[mounts]].
func (s *Spec) mounts(f tomlfile.Field) {
	s.Mounts = s.file.Mounts(f, true)
	for i, item := range f.Items {
		at := item.At
		for _, in := range item.Fields {
			if (in.Key == "source" || in.Key == "seed") && in.Kind == unstable.String {
				at = in.Value.At
				s.inside(in)
			}
		}
		s.folders = append(s.folders, at)
		if i < len(s.Mounts) && s.Mounts[i].Kind == api.MountHost {
			s.file.Wrong(item.At, "kind: a package knows no folders of members: want static, config, work or state")
		}
	}
}

// whole checks what no key tells by itself.
func (s *Spec) whole(f tomlfile.Field) {
	c, err := s.Component(s.Name)
	if err != nil {
		s.file.Wrong(f.At, "%s", err)
		return
	}
	for i, m := range s.Mounts {
		m.Mount = c.Mounts[i]
		c.Mounts[i] = m.Stand(false)
	}
	s.file.Valid(tomlfile.Field{Key: "component", Value: &tomlfile.Value{At: f.At}}, c)
}

// Component is the component under the name that it is deployed as, without its program
// and its files. A volume that the manifest gives no name is called by that of the
// component, and the last part of its path: shop-data.
func (s *Spec) Component(name api.Name) (api.Component, error) {
	c := s.Body
	for _, m := range s.Mounts {
		if m.Kind == api.MountState && m.Volume == "" {
			volume, err := api.ParseName(string(name) + "-" + strings.ToLower(path.Base(m.Guest)))
			if err != nil {
				return c, fmt.Errorf("volume of %.80q: %w: give it a name by the key volume", m.Guest, err)
			}
			m.Volume = volume
		}
		c.Mounts = append(c.Mounts, m.Mount)
	}
	return c, nil
}

// wrong is an error about a piece of the manifest.
func (s *Spec) wrong(at tomlfile.Span, format string, args ...any) error {
	s.file.Wrong(at, format, args...)
	return s.file.Err()
}
