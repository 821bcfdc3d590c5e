package diff

import (
	"strings"

	"github.com/realm-mesh/realm/api"
)

// Components is what a manifest asks for in another way than before.
type Components struct {
	Added, Changed, Removed []api.Name // each in order
}

// Manifest tells what differs from one version of a manifest to another.
func Manifest(from, to api.Manifest) (c Components) {
	for _, now := range to.Components {
		switch was, ok := from.Component(now.Name); {
		case !ok:
			c.Added = append(c.Added, now.Name)
		case was.Intent != now.Intent:
			c.Changed = append(c.Changed, now.Name)
		}
	}
	for _, was := range from.Components {
		if _, ok := to.Component(was.Name); !ok {
			c.Removed = append(c.Removed, was.Name)
		}
	}
	return c
}

// String is what differs for people: "new: web; changed: api".
func (c Components) String() string {
	var parts []string
	for _, p := range []struct {
		what  string
		names []api.Name
	}{{"new", c.Added}, {"changed", c.Changed}, {"removed", c.Removed}} {
		if len(p.names) == 0 {
			continue
		}
		var names []string
		for _, n := range p.names {
			names = append(names, string(n))
		}
		parts = append(parts, p.what+": "+strings.Join(names, ", "))
	}
	return strings.Join(parts, "; ")
}
