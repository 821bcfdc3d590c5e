package plan

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/realm/internal/diff"
)

// Desired is a component as a manifest wants it.
type Desired struct {
	Name   api.Name
	Target api.Target
	Body   api.Component // without its Source
}

// Scene is how components and the manifest stand.
type Scene interface {
	Current(api.Ref) *intent.Signed // what counts; nil for nothing
	Versions(api.Ref) []api.Version // that are held, the newest first
	Refs() []api.Ref                // of the manifest, what it asks for, and what it looks after
}

// Action is what is to be done about a component.
type Action string

// The actions.
const (
	Create    Action = "create"
	Update    Action = "update"
	TakeOver  Action = "take over" // from another source
	Remove    Action = "remove"
	Unchanged Action = "unchanged"
	Leave     Action = "leave"   // another source has taken it over, and the manifest does not ask for it any more
	Blocked   Action = "blocked" // another source looks after it
)

// Item is what is to be done about one component, and why.
type Item struct {
	Name    api.Name      `json:"name"`
	Action  Action        `json:"action"`
	Number  uint64        `json:"number,omitempty"`  // of the version that counts now; 0: none
	Changes []diff.Change `json:"changes,omitempty"` // from that version; where there is none, what is not the default
	ByHand  []diff.Change `json:"by_hand,omitempty"` // what others have changed since the manifest did
	Note    string        `json:"note,omitempty"`    // for people

	want    *Desired
	current *intent.Signed
}

// Wanted is the component as the manifest wants it; ok is false where it does not.
func (i Item) Wanted() (d Desired, ok bool) {
	if i.want == nil {
		return Desired{}, false
	}
	return *i.want, true
}

// Current is the version that counts now; nil for none.
func (i Item) Current() *intent.Signed { return i.current }

// Plan is what an apply would do.
type Plan struct {
	Manifest api.Name `json:"manifest"`
	Last     uint64   `json:"last"`    // highest version known; 0: none
	Version  uint64   `json:"version"` // when the plan has been carried out
	Items    []Item   `json:"components"`

	record *api.Manifest // as it was signed last; nil: never
}

// Options say how a plan is made.
type Options struct {
	Version  uint64 // of the manifest; 0: the one after the last, if anything changes
	TakeOver bool   // components of other sources
}

// ComponentRef is what intents about a component are about.
func ComponentRef(n api.Name) api.Ref { return api.Ref{Kind: api.KindComponent, Name: n} }

// Ref is what intents about a manifest are about.
func Ref(n api.Name) api.Ref { return api.Ref{Kind: api.KindManifest, Name: n} }

// Was is what a version of a component asked for.
func Was(in api.Intent) (Desired, error) {
	c, err := component(in)
	if err != nil {
		return Desired{}, err
	}
	c.Source = api.Source{}
	return Desired{Name: in.Name, Target: in.Target, Body: *c}, nil
}

// Make compares what is desired of a manifest with how it stands.
func Make(name api.Name, desired []Desired, scene Scene, o Options) (Plan, error) {
	m := maker{name: name, scene: scene, options: o}
	if err := m.read(); err != nil {
		return Plan{}, err
	}
	p := Plan{Manifest: name, Last: m.last(), Items: []Item{}, record: m.record}
	asked := map[api.Name]bool{}
	for _, d := range desired {
		asked[d.Name] = true
		item, err := m.wanted(d)
		if err != nil {
			return Plan{}, err
		}
		p.Items = append(p.Items, item)
	}
	for _, n := range m.others(asked) {
		p.Items = append(p.Items, m.unwanted(n))
	}
	slices.SortFunc(p.Items, func(a, b Item) int { return cmp.Compare(a.Name, b.Name) })
	if len(desired) > api.MaxComponents {
		return Plan{}, fmt.Errorf("%d components, at most %d", len(desired), api.MaxComponents)
	}
	var err error
	p.Version, err = m.version(p, desired)
	return p, err
}

// Pending reports whether anything is to be signed.
func (p Plan) Pending() bool {
	return p.signs() || p.record == nil || p.record.Version != p.Version
}

// Differs reports whether anything is not as the manifest says, also what it may not
// change.
func (p Plan) Differs() bool { return p.Pending() || p.Count(Blocked) > 0 }

// signs reports whether anything is to be signed but the manifest itself.
func (p Plan) signs() bool {
	return p.Count(Create)+p.Count(Update)+p.Count(TakeOver)+p.Count(Remove) > 0 || p.relisted()
}

// relisted reports whether the manifest lists other components than it did.
func (p Plan) relisted() bool {
	listed := 0
	for _, i := range p.Items {
		if i.want == nil {
			continue
		}
		listed++
		if p.record != nil {
			if _, ok := p.record.Component(i.Name); !ok {
				return true
			}
		}
	}
	return p.record != nil && listed != len(p.record.Components)
}

// Count is how many components an action is planned for.
func (p Plan) Count(a Action) int {
	n := 0
	for _, i := range p.Items {
		if i.Action == a {
			n++
		}
	}
	return n
}

// NewBlobs reports whether the component is to run another program than it does, or to
// show other files.
func (i Item) NewBlobs() bool {
	if i.want == nil || i.Action == Unchanged {
		return false
	}
	if i.current == nil || i.current.Tombstone {
		return true
	}
	c, err := component(i.current.Intent)
	return err != nil || !slices.Equal(c.Blobs(), i.want.Body.Blobs())
}
