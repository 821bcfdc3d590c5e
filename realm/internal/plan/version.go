package plan

import (
	"fmt"
	"slices"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/realm/internal/diff"
)

// last is the highest version of the manifest that anything tells of.
func (m *maker) last() uint64 {
	var last uint64
	if m.record != nil {
		last = m.record.Version
	}
	for n, c := range m.bodies {
		if m.owned(n) {
			last = max(last, c.Source.Version)
		}
	}
	return last
}

// version is the one that the manifest has when p has been carried out.
func (m *maker) version(p Plan, desired []Desired) (uint64, error) {
	switch v := m.options.Version; {
	case v > api.MaxSeq || v == 0 && p.Last >= api.MaxSeq:
		return 0, fmt.Errorf("version: at most %d", uint64(api.MaxSeq))
	case v > p.Last:
		return v, nil
	case v == 0 && m.record != nil && m.record.Version == p.Last && !p.signs():
		return p.Last, nil
	case v == 0:
		return p.Last + 1, nil
	case v < p.Last:
		return 0, fmt.Errorf("version %d of manifest %s is older than the one that was applied last, %d: nothing was signed. Give the file a higher version; to go back to what an older one asked for: realm rollback manifest/%s --to %d",
			v, m.name, p.Last, m.name, v)
	}
	if what := m.differs(desired); what != "" {
		return 0, fmt.Errorf("version %d of manifest %s has been applied already, and was something else (%s): nothing was signed. Give the file a higher version", p.Last, m.name, what)
	}
	return p.Last, nil
}

// differs says what in the last version was not as it is desired; "" for nothing.
func (m *maker) differs(desired []Desired) string {
	last := m.last()
	whole := m.record != nil && m.record.Version == last
	asked := map[api.Name]bool{}
	for _, d := range desired {
		asked[d.Name] = true
		if what := m.differsIn(d, whole, last); what != "" {
			return what
		}
	}
	if !whole {
		return ""
	}
	for _, c := range m.record.Components {
		if !asked[c.Name] {
			return string(c.Name) + " was in it"
		}
	}
	return ""
}

// differsIn is [maker.differs] for one component. Where the manifest has not been
// signed with that version, its components alone tell what it asked for. What is not
// held any more is taken for what counts now.
func (m *maker) differsIn(d Desired, whole bool, last uint64) string {
	if _, listed := m.recorded(d.Name); whole && !listed {
		return string(d.Name) + " was not in it"
	}
	asked, ok := m.asked(d.Name)
	if !whole {
		asked, ok = m.firstOf(d.Name, last)
		if !ok {
			return ""
		}
	}
	if !ok {
		cur := m.scene.Current(ComponentRef(d.Name))
		if cur == nil || cur.Tombstone {
			return string(d.Name) + ": what it was is not known any more"
		}
		asked = api.Version{Intent: cur.Intent}
	}
	return difference(asked.Intent, d)
}

// difference says what of a component is not as it was; "" for nothing.
func difference(was api.Intent, d Desired) string {
	c, err := component(was)
	if err != nil {
		return fmt.Sprintf("%s: %v", d.Name, err)
	}
	d.Body.Restarted = c.Restarted
	found, err := diff.Of(was, d.Target, &d.Body)
	switch {
	case err != nil:
		return fmt.Sprintf("%s: %v", d.Name, err)
	case len(found) > 0:
		return fmt.Sprintf("%s: %s", d.Name, found[0])
	}
	return ""
}

// firstOf is the version of n that the manifest signed first with one of its versions:
// those after it, with the same source, are by hand.
func (m *maker) firstOf(n api.Name, version uint64) (first api.Version, ok bool) {
	for _, v := range slices.Backward(m.scene.Versions(ComponentRef(n))) {
		if v.Tombstone {
			continue
		}
		if c, err := component(v.Intent); err == nil && c.Source == (api.Source{Manifest: m.name, Version: version}) {
			return v, true
		}
	}
	return first, false
}
