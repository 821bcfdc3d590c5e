package owner_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/realm/internal/owner"
)

// current is a version with this body.
func current(t *testing.T, kind api.Kind, body any) *intent.Signed {
	t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return &intent.Signed{Intent: api.Intent{Ref: api.Ref{Kind: kind, Name: "web"}, Target: api.Target{Tags: []string{"edge"}}, Body: b}}
}

var program = api.Program{Blob: api.Sum([]byte("x")), Size: 1}

func TestScaleAndRestart(t *testing.T) {
	at := time.Date(2030, 1, 2, 3, 4, 5, 6, time.UTC)
	web := api.Component{Module: program, Replicas: 2, Source: api.Source{Manifest: "shop", Version: 3}}
	stopped := web
	stopped.Stopped = true
	for name, c := range map[string]struct {
		cur    *intent.Signed
		change owner.Change
		err    error
		want   func(api.Component) bool
	}{
		"up":               {current(t, api.KindComponent, web), owner.Scale(3), nil, func(c api.Component) bool { return c.Replicas == 3 }},
		"to every member":  {current(t, api.KindComponent, web), owner.Scale(0), nil, func(c api.Component) bool { return c.Replicas == 0 }},
		"to what it is":    {current(t, api.KindComponent, web), owner.Scale(2), owner.ErrUnchanged, nil},
		"to too many":      {current(t, api.KindComponent, web), owner.Scale(api.MaxReplicas + 1), errAny, nil},
		"a function":       {current(t, api.KindFunction, api.Function{Module: program}), owner.Scale(2), owner.ErrNoReplicas, nil},
		"what is not":      {nil, owner.Scale(2), owner.ErrUnknown, nil},
		"what was removed": {&intent.Signed{Intent: api.Intent{Ref: api.Ref{Kind: api.KindComponent, Name: "web"}, Tombstone: true}}, owner.Restart(at), owner.ErrUnknown, nil},
		"anew":             {current(t, api.KindComponent, web), owner.Restart(at), nil, func(c api.Component) bool { return c.Restarted.Equal(at.Truncate(time.Millisecond)) }},
		"what is stopped":  {current(t, api.KindComponent, stopped), owner.Restart(at), errAny, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w, err := c.change(c.cur)
			if c.err != nil {
				if err == nil || !errors.Is(c.err, errAny) && !errors.Is(err, c.err) {
					t.Errorf("error %v, want %v", err, c.err)
				}
				return
			}
			got, ok := w.Body.(*api.Component)
			if err != nil || !ok || !c.want(*got) || got.Source != web.Source || len(w.Target.Tags) != 1 {
				t.Errorf("%+v %v", w, err)
			}
		})
	}
}

var errAny = errors.New("any")

func TestSources(t *testing.T) {
	pushed, shop, other := api.Source{}, api.Source{Manifest: "shop", Version: 4}, api.Source{Manifest: "other", Version: 1}
	of := func(s api.Source) *intent.Signed {
		return current(t, api.KindComponent, api.Component{Module: program, Source: s})
	}
	tomb := &intent.Signed{Intent: api.Intent{Ref: api.Ref{Kind: api.KindComponent, Name: "web"}, Tombstone: true}}
	for name, c := range map[string]struct {
		cur      *intent.Signed
		by       api.Source
		takeOver bool
		refused  bool
	}{
		"what is new":                    {nil, shop, false, false},
		"what was removed":               {tomb, shop, false, false},
		"one's own":                      {of(pushed), pushed, false, false},
		"the manifest's own":             {of(api.Source{Manifest: "shop", Version: 3}), shop, false, false},
		"push over a manifest":           {of(shop), pushed, false, true},
		"push over a manifest, meant":    {of(shop), pushed, true, false},
		"a manifest over what is pushed": {of(pushed), shop, false, true},
		"another manifest":               {of(shop), other, false, true},
		"another manifest, meant":        {of(shop), other, true, false},
		"the package's own":              {of(api.Source{Package: "shop"}), api.Source{Package: "shop"}, false, false},
		"push over a package":            {of(api.Source{Package: "shop"}), pushed, false, true},
		"a package over what is pushed":  {of(pushed), api.Source{Package: "shop"}, false, true},
		"a package over its namesake":    {of(shop), api.Source{Package: "shop"}, false, true},
		"another package, meant":         {of(api.Source{Package: "a"}), api.Source{Package: "b"}, true, false},
		"a function":                     {current(t, api.KindFunction, api.Function{Module: program}), pushed, false, false},
	} {
		want := owner.Wanted{Body: "the change"}
		got, err := owner.From(c.by, c.takeOver, func(*intent.Signed) (owner.Wanted, error) { return want, nil })(c.cur)
		var source *owner.SourceError
		if errors.As(err, &source) != c.refused || err == nil && got.Body != want.Body {
			t.Errorf("%s: %v %v", name, got, err)
		}
	}
}

func TestSetNode(t *testing.T) {
	node := keys.Public{7}
	drain := func(s *api.NodeSettings) { s.Drain = true }
	resume := func(s *api.NodeSettings) { s.Drain = false }
	roles := func(r ...string) func(*api.NodeSettings) {
		return func(s *api.NodeSettings) { s.Roles = append([]string{}, r...) }
	}
	reset := func(s *api.NodeSettings) { s.Roles = nil }
	tomb := &intent.Signed{Intent: api.Intent{Tombstone: true}}
	for name, c := range map[string]struct {
		cur    *intent.Signed
		change func(*api.NodeSettings)
		want   string // the body; "-" for a tombstone, "" where there is nothing to sign
	}{
		"drain":              {nil, drain, `{"drain":true}`},
		"drain again":        {current(t, api.KindNode, api.NodeSettings{Drain: true}), drain, ""},
		"drain with roles":   {current(t, api.KindNode, api.NodeSettings{Roles: []string{"edge"}}), drain, `{"drain":true,"roles":["edge"]}`},
		"drain what was set": {tomb, drain, `{"drain":true}`},
		"resume":             {current(t, api.KindNode, api.NodeSettings{Drain: true}), resume, "-"},
		"resume with roles":  {current(t, api.KindNode, api.NodeSettings{Drain: true, Roles: []string{}}), resume, `{"roles":[]}`},
		"resume what is not": {nil, resume, ""},
		"roles":              {nil, roles("a", "b"), `{"roles":["a","b"]}`},
		"no roles":           {nil, roles(), `{"roles":[]}`},
		"no roles again":     {current(t, api.KindNode, api.NodeSettings{Roles: []string{}}), roles(), ""},
		"its own roles":      {current(t, api.KindNode, api.NodeSettings{Roles: []string{"a"}}), reset, "-"},
	} {
		w, err := owner.SetNode(node, c.change).Change(c.cur)
		got := "-"
		if !w.Tombstone {
			b, _ := json.Marshal(w.Body)
			got = string(b)
		}
		if c.want == "" && !errors.Is(err, owner.ErrUnchanged) || c.want != "" && (err != nil || got != c.want) {
			t.Errorf("%s: %s %v, want %s", name, got, err, c.want)
		}
	}
	if _, err := owner.SetNode(node, roles("not a role")).Change(nil); err == nil {
		t.Error("a role with a space passed")
	}
}
