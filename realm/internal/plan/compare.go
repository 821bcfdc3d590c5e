package plan

import (
	"fmt"
	"slices"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/realm/internal/diff"
	"github.com/realm-mesh/realm/realm/internal/node"
)

// maker makes a plan.
type maker struct {
	name    api.Name
	scene   Scene
	options Options
	record  *api.Manifest
	bodies  map[api.Name]*api.Component // of what counts and is no tombstone
	strange map[api.Name]error          // what this version cannot read
}

// read reads what counts now.
func (m *maker) read() error {
	m.bodies, m.strange = map[api.Name]*api.Component{}, map[api.Name]error{}
	if s := m.scene.Current(Ref(m.name)); s != nil && !s.Tombstone {
		m.record = new(api.Manifest)
		if err := api.Decode(s.Body, api.MaxEnvelope, m.record); err != nil {
			return fmt.Errorf("%s: %w: it was applied by a newer version of realm: use that", s.Ref, err)
		}
	}
	for _, r := range m.scene.Refs() {
		s := m.scene.Current(r)
		if r.Kind != api.KindComponent || s == nil || s.Tombstone {
			continue
		}
		c, err := component(s.Intent)
		if err != nil {
			m.strange[r.Name] = err
			continue
		}
		m.bodies[r.Name] = c
	}
	return nil
}

func component(in api.Intent) (*api.Component, error) {
	w, err := in.Workload()
	if err != nil {
		return nil, err
	}
	c, ok := w.(*api.Component)
	if !ok {
		return nil, fmt.Errorf("%s is no component", in.Ref)
	}
	return c, nil
}

// owned reports whether the manifest looks after n.
func (m *maker) owned(n api.Name) bool {
	c := m.bodies[n]
	return c != nil && c.Source.Manifest == m.name
}

// wanted says what is to be done about a component that the manifest asks for.
func (m *maker) wanted(d Desired) (Item, error) {
	i := Item{Name: d.Name, want: &d, current: m.scene.Current(ComponentRef(d.Name))}
	if i.current != nil {
		i.Number = i.current.Seq
	}
	if err := m.strange[d.Name]; err != nil {
		i.Action, i.Note = Blocked, fmt.Sprintf("a newer version of realm has signed it, which this one cannot read (%v): use that", err)
		return i, nil
	}
	body := m.bodies[d.Name]
	if body == nil {
		i.Action = Create
		var err error
		if i.Changes, err = diff.Of(api.Intent{Body: []byte("{}")}, d.Target, &d.Body); err != nil {
			return i, err
		}
		if asked, ok := m.asked(d.Name); ok && i.current != nil && asked.Digest != i.current.Digest {
			i.Note = "removed by hand " + m.by(*i.current)
		}
		return i, nil
	}
	d.Body.Restarted = body.Restarted // somebody's wish of another time, and no drift
	var err error
	if i.Changes, err = diff.Of(i.current.Intent, d.Target, &d.Body); err != nil {
		return i, err
	}
	if i.ByHand = m.byHand(d.Name, *i.current); len(i.ByHand) > 0 {
		i.Note = "changed by hand " + m.by(*i.current)
	}
	switch {
	case body.Source.Manifest != m.name:
		m.foreign(&i, body.Source)
	case len(i.Changes) == 0:
		i.Action = Unchanged
	default:
		i.Action = Update
	}
	return i, nil
}

// foreign says what is to be done about a component of another source.
func (m *maker) foreign(i *Item, s api.Source) {
	i.Action, i.Note = TakeOver, fmt.Sprintf("from %s, %s", s, m.by(*i.current))
	if !m.options.TakeOver {
		i.Action, i.Note = Blocked, fmt.Sprintf("%s looks after it, %s: give --take-over, or another name", s, m.by(*i.current))
	}
}

// unwanted says what is to be done about a component that the manifest had.
func (m *maker) unwanted(n api.Name) Item {
	i := Item{Name: n, Action: Remove, current: m.scene.Current(ComponentRef(n))}
	i.Number = i.current.Seq
	if m.owned(n) {
		i.ByHand = m.byHand(n, *i.current)
		return i
	}
	i.Action = Leave
	if s := m.bodies[n]; s != nil {
		i.Note = fmt.Sprintf("%s looks after it, %s", s.Source, m.by(*i.current))
	}
	return i
}

// others are the components besides those asked for that the manifest looks after, or
// had and lost to another source.
func (m *maker) others(asked map[api.Name]bool) []api.Name {
	var out []api.Name
	for _, r := range m.scene.Refs() {
		if r.Kind != api.KindComponent || asked[r.Name] {
			continue
		}
		_, listed := m.recorded(r.Name)
		if m.owned(r.Name) || listed && (m.bodies[r.Name] != nil || m.strange[r.Name] != nil) {
			out = append(out, r.Name)
		}
	}
	return out
}

// recorded is what the manifest said of n when it was signed last.
func (m *maker) recorded(n api.Name) (api.ManifestComponent, bool) {
	if m.record == nil {
		return api.ManifestComponent{}, false
	}
	return m.record.Component(n)
}

// asked is the version of n that the manifest asked for last; ok is false where it is
// not held any more, too.
func (m *maker) asked(n api.Name) (api.Version, bool) {
	c, ok := m.recorded(n)
	if !ok {
		return api.Version{}, false
	}
	versions := m.scene.Versions(ComponentRef(n))
	at := slices.IndexFunc(versions, func(v api.Version) bool { return v.Digest == c.Intent })
	if at < 0 {
		return api.Version{}, false
	}
	return versions[at], true
}

// byHand is what others have changed since the manifest asked for n.
func (m *maker) byHand(n api.Name, cur intent.Signed) []diff.Change {
	asked, ok := m.asked(n)
	if !ok || asked.Digest == cur.Digest || asked.Tombstone {
		return nil
	}
	return slices.DeleteFunc(diff.Between(asked.Intent, cur.Intent), func(c diff.Change) bool { return c.Field == diff.FieldRestarted })
}

// by says who has signed s, and when.
func (m *maker) by(s intent.Signed) string {
	for _, v := range m.scene.Versions(s.Ref) {
		if v.Digest == s.Digest {
			return fmt.Sprintf("by %s on %s", node.SignerText(v), v.Issued.Local().Format(time.DateTime))
		}
	}
	return "on " + s.Issued.Local().Format(time.DateTime)
}

// Record reads what a manifest says of itself; ok is false where it was removed, or is
// of a newer version of realm.
func Record(s intent.Signed) (m api.Manifest, ok bool) {
	ok = !s.Tombstone && api.Decode(s.Body, api.MaxEnvelope, &m) == nil
	return m, ok
}
