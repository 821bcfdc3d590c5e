// Package ingress says which component of a realm the public listeners serve under which
// host and path. It is a pure function of what is signed, so that all members with the
// role edge, and people who ask why, come to the same answer.
//
// A component that is public answers under /NAME/, and under its route, if it has one:
//
//   - A host that some route names is for the routes with that host, and for routes that
//     name none. No other component is under it by its name: pages of one host can read
//     what browsers keep for it.
//   - Of the routes that fit, one with the host goes before one without, and then the
//     longest path, by whole segments. A name goes before a route with the same path.
//   - Where two components have the same route, the one has it whose name comes first in
//     the order of bytes.
package ingress

import (
	"cmp"
	"maps"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/realm-mesh/realm/api"
)

// RoleEdge is the role of members that serve what is public.
const RoleEdge = "edge"

// Component is one that is public.
type Component struct {
	Name  api.Name
	Route api.Route // the zero Route: none
}

// Of is what the public listeners may serve of c; false: nothing, since it is local, is
// stopped, or does not answer HTTP.
func Of(name api.Name, c *api.Component) (Component, bool) {
	if c.Visibility != api.VisibilityPublic || c.Stopped || c.Interface == api.InterfaceCommand {
		return Component{}, false
	}
	out := Component{Name: name}
	if c.Route != nil {
		out.Route = *c.Route
	}
	return out, true
}

// Table finds components. It never changes; the zero Table has none.
type Table struct {
	hosts  map[string][]entry // by host, the first that fits counts
	any    []entry            // routes without a host, and names, likewise
	losers map[api.Name]api.Name
}

// entry is a path that leads to a component.
type entry struct {
	segments []string // decoded
	name     api.Name
	byName   bool
}

// New returns the Table of all.
func New(all []Component) *Table {
	t := &Table{hosts: map[string][]entry{}, losers: map[api.Name]api.Name{}}
	all = slices.SortedFunc(slices.Values(all), func(a, b Component) int { return cmp.Compare(a.Name, b.Name) })
	for _, c := range all {
		t.any = append(t.any, entry{[]string{string(c.Name)}, c.Name, true})
	}
	for _, c := range all {
		e := entry{segments: split(c.Route.Path), name: c.Name}
		switch host := CanonicalHost(c.Route.Host); {
		case c.Route == (api.Route{}):
		case host == "":
			t.any = t.add(t.any, e)
		default:
			t.hosts[host] = t.add(t.hosts[host], e)
		}
	}
	longest := func(a, b entry) int { return cmp.Compare(len(b.segments), len(a.segments)) }
	slices.SortStableFunc(t.any, longest)
	for _, of := range t.hosts {
		slices.SortStableFunc(of, longest)
	}
	return t
}

// add adds e, unless somebody has its path already.
func (t *Table) add(to []entry, e entry) []entry {
	for _, o := range to {
		if slices.Equal(o.segments, e.segments) {
			if o.name != e.name {
				t.losers[e.name] = o.name
			}
			return to
		}
	}
	return append(to, e)
}

// Empty reports whether nothing is public.
func (t *Table) Empty() bool { return len(t.any) == 0 }

// Hosts lists the hosts that routes name, in order.
func (t *Table) Hosts() []string { return slices.Sorted(maps.Keys(t.hosts)) }

// HasHost reports whether a route names the host.
func (t *Table) HasHost(host string) bool {
	_, ok := t.hosts[CanonicalHost(host)]
	return ok
}

// Taken is the component that has the route of name in its place; false: name has it.
func (t *Table) Taken(name api.Name) (by api.Name, ok bool) {
	by, ok = t.losers[name]
	return by, ok
}

// Match is a component that a request is for.
type Match struct {
	Name  api.Name
	Mount string // below which path clients see it, escaped, without a slash at its end; "": at the root
	Rest  string // of the request's path, as it is escaped there, without the slash after Mount
	Whole bool   // Mount is all of the path: not even a slash follows
}

// Find is for whom a request to a host (with a port or without) and an escaped path is.
func (t *Table) Find(host, escaped string) (m Match, ok bool) {
	path, ok := strings.CutPrefix(escaped, "/")
	if !ok {
		return m, false
	}
	asked := strings.Split(path, "/")
	own, named := t.hosts[CanonicalHost(host)]
	for _, list := range [][]entry{own, t.any} {
		for _, e := range list {
			if fits(e.segments, asked) && (!named || !e.byName) {
				rest := asked[len(e.segments):]
				return Match{e.name, mount(e.segments), strings.Join(rest, "/"), len(rest) == 0}, true
			}
		}
	}
	return m, false
}

func fits(segments, asked []string) bool {
	if len(segments) > len(asked) {
		return false
	}
	for i, s := range segments {
		if got, err := url.PathUnescape(asked[i]); err != nil || got != s {
			return false
		}
	}
	return true
}

func mount(segments []string) string {
	var b strings.Builder
	for _, s := range segments {
		b.WriteString("/" + url.PathEscape(s))
	}
	return b.String()
}

// split makes decoded segments of the path of a route; none for the root.
func split(path string) []string {
	path = strings.Trim(path, "/")
	if path == "" {
		return nil
	}
	out := strings.Split(path, "/")
	for i, s := range out {
		if plain, err := url.PathUnescape(s); err == nil {
			out[i] = plain
		}
	}
	return out
}

// CanonicalHost is the name in a Host header, or of a route, as all spell it: without the
// port, in lower case, without the dot of a name that is complete.
func CanonicalHost(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}
