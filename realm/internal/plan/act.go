package plan

import (
	"slices"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/realm/internal/node"
	"github.com/realm-mesh/realm/realm/internal/owner"
)

// Change is what is to be signed: the components that change, then the manifest.
func (p Plan) Change() node.Together {
	var acts []owner.Act
	mine := api.Source{Manifest: p.Manifest, Version: p.Version}
	for _, i := range p.Items {
		switch i.Action {
		case Create, Update, TakeOver:
			body := i.want.Body
			body.Source = mine
			acts = append(acts, owner.Act{Ref: ComponentRef(i.Name), Change: owner.From(mine, i.Action == TakeOver, owner.Set(i.want.Target, &body))})
		case Remove:
			acts = append(acts, owner.Act{Ref: ComponentRef(i.Name), Change: owner.From(mine, false, owner.Remove())})
		case Unchanged, Leave, Blocked:
		}
	}
	return node.Together{Acts: acts, Last: func(signed []intent.Signed) owner.Act {
		m := p.manifest(signed)
		return owner.Act{Ref: Ref(p.Manifest), Change: owner.Say(&m)}
	}}
}

// manifest is the body of the manifest's own intent, where signed are the versions of
// what has changed.
func (p Plan) manifest(signed []intent.Signed) api.Manifest {
	m := api.Manifest{Version: p.Version, Components: []api.ManifestComponent{}}
	for _, i := range p.Items {
		if i.want == nil {
			continue
		}
		c := api.ManifestComponent{Name: i.Name}
		if i.current != nil {
			c.Intent = i.current.Digest
		}
		if at := slices.IndexFunc(signed, func(s intent.Signed) bool { return s.Ref == ComponentRef(i.Name) }); at >= 0 {
			c.Intent = signed[at].Digest
		}
		m.Components = append(m.Components, c)
	}
	return m
}

// Choose picks what a plan about a manifest is made of.
func Choose(name api.Name, desired []api.Name) node.Choose {
	return func(current func(api.Ref) *intent.Signed, all []api.Ref) []api.Ref {
		refs := []api.Ref{Ref(name)}
		mine := map[api.Name]bool{}
		for _, n := range desired {
			mine[n] = true
		}
		if s := current(Ref(name)); s != nil {
			m, _ := Record(*s) // what cannot be read is told by Make
			for _, c := range m.Components {
				mine[c.Name] = true
			}
		}
		for _, r := range all {
			if r.Kind != api.KindComponent || mine[r.Name] {
				continue
			}
			if s := current(r); s != nil && !s.Tombstone {
				if c, err := component(s.Intent); err == nil && c.Source.Manifest == name {
					mine[r.Name] = true
				}
			}
		}
		for n := range mine {
			refs = append(refs, ComponentRef(n))
		}
		return refs
	}
}
