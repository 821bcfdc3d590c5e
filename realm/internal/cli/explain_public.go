package cli

import (
	"context"
	"slices"
	"strings"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/ingress"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/trust"
	"github.com/realm-mesh/realm/realm/internal/node"
)

// publicView is where everybody finds a component, in JSON.
type publicView struct {
	Name  string    `json:"name"`            // the path that is its name, /NAME/
	Route string    `json:"route,omitempty"` // HOST/PATH/; left out where it has none
	Taken api.Name  `json:"taken,omitempty"` // the component that has the same route, and is served there in its place
	Edges []someone `json:"edges"`           // members with the role edge that are connected
}

// public finds out where everybody finds the component of in, which members say that
// they have which roles.
func (v *explainView) public(ctx context.Context, n *node.Node, pin trust.Pin, in intent.Signed, members map[api.PeerID]api.PeerRecord) error {
	c, ok := publicOf(in)
	if !ok {
		return nil
	}
	s, err := n.Look(ctx, node.Scope{Intents: &pin})
	if err != nil {
		return err
	}
	var all []ingress.Component
	for _, other := range s.Intents {
		if o, ok := publicOf(other); ok {
			all = append(all, o)
		}
	}
	p := &publicView{Name: "/" + string(c.Name) + "/", Edges: []someone{}}
	if c.Route != (api.Route{}) {
		p.Route = ingress.CanonicalHost(c.Route.Host) + strings.TrimRight(c.Route.Path, "/") + "/"
	}
	p.Taken, _ = ingress.New(all).Taken(c.Name)
	for _, m := range members {
		if slices.Contains(m.Roles, ingress.RoleEdge) && (m.Self || m.Connected) {
			p.Edges = append(p.Edges, someone{m.Peer, m.Host})
		}
	}
	slices.SortFunc(p.Edges, func(a, b someone) int { return strings.Compare(string(a.Peer), string(b.Peer)) })
	v.Public = p
	return nil
}

func publicOf(in intent.Signed) (c ingress.Component, ok bool) {
	w, err := in.Workload()
	if body, is := w.(*api.Component); err == nil && is {
		return ingress.Of(in.Name, body)
	}
	return c, false
}

func (p *publicView) rows() [][2]string {
	at := p.Name
	if p.Route != "" && p.Taken == "" {
		at = p.Route + " and " + at
	}
	var by []string
	for _, e := range p.Edges {
		by = append(by, peerText(clip(oneLine(e.Host), maxHost), e.Peer))
	}
	rows := [][2]string{{"public", at + ", by " + orElse(strings.Join(by, ", "), "nobody: no member has the role "+ingress.RoleEdge)}}
	if p.Taken != "" {
		rows = append(rows, [2]string{"route", p.Route + " is that of component/" + string(p.Taken) + ", too, whose name comes first: it is served there"})
	}
	return rows
}

// edges says what keeps everybody from finding it.
func (n *nextSteps) edges() {
	if n.Public == nil {
		return
	}
	if len(n.Public.Edges) == 0 {
		n.add("realm node set PEER --role %s   # has a member serve what is public; name its other roles, too", ingress.RoleEdge)
	}
	if n.Public.Taken != "" {
		n.add("realm push %s --route …   # gives it another route than component/%s has", "--name "+string(n.Name), n.Public.Taken)
	}
}
