package owner

import (
	"slices"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
)

func comp(name string) api.Ref { return api.Ref{Kind: api.KindComponent, Name: api.Name(name)} }

func manifestRef(name string) api.Ref {
	return api.Ref{Kind: api.KindManifest, Name: api.Name(name)}
}

// apply has s sign components, and a manifest that names them.
func (r *realm) apply(s Signer, manifest string, components ...string) {
	r.t.Helper()
	m := api.Manifest{Version: 1}
	for _, c := range components {
		in := r.act(s, Act{comp(c), Set(target, &api.Component{Module: prog, Source: api.Source{Manifest: api.Name(manifest), Version: 1}})})
		m.Components = append(m.Components, api.ManifestComponent{Name: in.Name, Intent: in.Digest})
	}
	r.act(s, Act{manifestRef(manifest), Say(&m)})
}

// names are the components that a manifest names, those first whose version counts.
func (r *realm) names(manifest string, at time.Time) (current, other []api.Name) {
	r.t.Helper()
	s, ok := r.l.Current(manifestRef(manifest), at)
	var m api.Manifest
	if !ok || api.Decode(s.Body, len(s.Body), &m) != nil {
		r.t.Fatalf("no manifest %s", manifest)
	}
	for _, c := range m.Components {
		if cur, ok := r.l.Current(comp(string(c.Name)), at); ok && cur.Digest == c.Intent {
			current = append(current, c.Name)
		} else {
			other = append(other, c.Name)
		}
	}
	return current, other
}

// stage signs, by what is held now, those of acts that can be signed together, and
// returns the others.
func (r *realm) stage(acts []Act) []Act {
	r.t.Helper()
	n := Together(acts)
	var signed []intent.Signed
	for _, a := range acts[:n] {
		in, err := r.s.Act(r.l, a, later, later)
		if err != nil {
			r.t.Fatal(err)
		}
		signed = append(signed, in)
	}
	for _, in := range signed {
		r.add(in, nil)
	}
	return acts[n:]
}

// Settings of nodes and manifests outlive the owner's key, and a manifest goes on to
// name the versions that it asked for; what was changed beside it stays so.
func TestRotateCarriesManifests(t *testing.T) {
	r := newRealm(t)
	r.apply(r.s, "shop", "api", "db", "web")
	r.act(r.s, Act{comp("db"), Set(api.Target{}, &api.Component{Module: prog, Replicas: 2})}) // pushed beside it
	r.apply(r.s, "gone", "old")
	r.act(r.s, Act{manifestRef("gone"), Remove()})
	ci := r.granted(api.Grant{May: []api.Right{api.RightPush}, Since: now.UTC()})
	r.apply(ci, "ci", "ci-web")
	node := api.Ref{Kind: api.KindNode, Name: api.KeyName(public(1).Key())}
	r.act(r.s, Act{node, Say(&api.NodeSettings{Drain: true, Roles: []string{}})})
	for range 2 {
		r.s = r.rotate()
		stages := 0
		for {
			left, err := Left(r.l, later)
			if err != nil {
				t.Fatal(err)
			}
			if len(left) == 0 {
				break
			}
			stages++
			r.stage(left)
		}
		if stages != 2 {
			t.Errorf("%d stages, want 2", stages)
		}
		r.act(r.s, Settle(r.l))
		current, other := r.names("shop", later)
		if !slices.Equal(current, []api.Name{"api", "web"}) || !slices.Equal(other, []api.Name{"db"}) {
			t.Errorf("shop names the versions that count of %v, others of %v", current, other)
		}
		if current, other = r.names("ci", later); len(current) != 1 || len(other) != 0 {
			t.Errorf("ci names %v and %v", current, other)
		}
		if s, ok := r.l.Current(manifestRef("gone"), later); !ok || !s.Tombstone || s.Signer != r.s.Key.Public() {
			t.Errorf("a removed manifest: %+v, %v", s.Intent, ok)
		}
		if got, ok := r.l.NodeSettings(public(1), later); !ok || !got.Drain || got.Roles == nil || len(got.Roles) != 0 {
			t.Errorf("settings: %+v, %v", got, ok)
		}
	}
}

// The manifests of a key that is revoked go on with what they name.
func TestAdoptManifests(t *testing.T) {
	r := newRealm(t)
	ci := r.granted(api.Grant{May: []api.Right{api.RightPush}, Since: now.UTC()})
	r.apply(ci, "a-shop", "web", "zz")
	revoke := Revoke(GrantRef(ci.Key.Public()))
	in, err := r.s.Act(r.l, revoke, now, now)
	if err != nil {
		t.Fatal(err)
	}
	loss := LossBy(r.pin(), r.l, []intent.Signed{in}, now)
	if len(loss.Programs) != 3 || loss.Programs[2].Kind != api.KindManifest {
		t.Fatalf("%v would be lost", loss.Programs)
	}
	for done := 0; done < len(loss.Programs); {
		acts, err := loss.Adopt(r.l, later)
		if err != nil {
			t.Fatal(err)
		}
		done = len(acts) - len(r.stage(acts[done:]))
	}
	r.act(r.s, revoke)
	if current, other := r.names("a-shop", later); len(current) != 2 || len(other) != 0 {
		t.Errorf("it names the versions that count of %v, others of %v", current, other)
	}
	if s, _ := r.l.Current(manifestRef("a-shop"), later); s.Signer != r.s.Key.Public() {
		t.Error("it is not the owner's")
	}
}

func TestWhatOfDesiredState(t *testing.T) {
	r := newRealm(t)
	r.apply(r.s, "shop", "api", "web")
	shop, _ := r.l.Current(manifestRef("shop"), now)
	node := func(v api.NodeSettings) api.Intent {
		return r.act(r.s, Act{api.Ref{Kind: api.KindNode, Name: api.KeyName(public(1).Key())}, Say(&v)}).Intent
	}
	gone := shop.Intent
	gone.Tombstone = true
	for want, in := range map[string]api.Intent{
		"version 1, components: 2":    shop.Intent,
		"removed":                     gone,
		"drained":                     node(api.NodeSettings{Drain: true}),
		"drained, roles edge gpu":     node(api.NodeSettings{Drain: true, Roles: []string{"edge", "gpu"}}),
		"no roles":                    node(api.NodeSettings{Roles: []string{}}),
		"as it is by itself":          node(api.NodeSettings{}),
		"manifest":                    {Ref: shop.Ref, Body: []byte(`{"version":0}`)},
		"sha256 " + prog.Blob.Short(): r.act(r.s, Act{fn("f"), Set(target, &api.Function{Module: prog})}).Intent,
	} {
		if got := What(in); got != want {
			t.Errorf("%s: %q, want %q", in.Ref, got, want)
		}
	}
}
