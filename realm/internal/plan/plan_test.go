package plan

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/realm/internal/diff"
	"github.com/realm-mesh/realm/realm/internal/owner"
)

// scene holds what was signed of each Ref, the newest last.
type scene map[api.Ref][]api.Intent

func (s scene) Current(r api.Ref) *intent.Signed {
	all := s[r]
	if len(all) == 0 {
		return nil
	}
	return &intent.Signed{Intent: all[len(all)-1], Digest: digest(all[len(all)-1])}
}

func (s scene) Versions(r api.Ref) (out []api.Version) {
	for i, in := range slices.Backward(s[r]) {
		state := api.VersionReplaced
		if i == len(s[r])-1 {
			state = api.VersionCurrent
		}
		out = append(out, api.Version{Intent: in, Digest: digest(in), By: "owner", State: state})
	}
	return out
}

func (s scene) Refs() (out []api.Ref) {
	for r := range s {
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b api.Ref) int { return strings.Compare(a.String(), b.String()) })
	return out
}

func digest(in api.Intent) api.Digest {
	return api.Sum(fmt.Appendf(nil, "%s %d %s", in.Ref, in.Seq, in.Body))
}

func (s scene) sign(r api.Ref, body any) {
	in := api.Intent{Ref: r, Seq: uint64(len(s[r]) + 1), Issued: time.Unix(0, 0), Tombstone: body == nil}
	if body != nil {
		in.Body, _ = json.Marshal(body)
	}
	s[r] = append(s[r], in)
}

// want is a component as a manifest says it.
func want(name api.Name, replicas int) Desired {
	return Desired{Name: name, Body: api.Component{Module: api.Program{Blob: api.Sum([]byte(name)), Size: 1}, Replicas: replicas}}
}

// apply carries a plan out, as the command does.
func (s scene) apply(t *testing.T, p Plan) {
	t.Helper()
	if !p.Pending() {
		return
	}
	change := p.Change()
	var signed []intent.Signed
	for _, a := range append(change.Acts, owner.Act{}) {
		if a.Change == nil {
			a = change.Last(signed)
		}
		w, err := a.Change(s.Current(a.Ref))
		if err != nil {
			t.Fatalf("%s: %v", a.Ref, err)
		}
		s.sign(a.Ref, w.Body)
		signed = append(signed, *s.Current(a.Ref))
	}
}

// byHand changes a component without the manifest.
func (s scene) byHand(t *testing.T, name api.Name, change func(*api.Component)) {
	t.Helper()
	c, err := component(s.Current(ComponentRef(name)).Intent)
	if err != nil {
		t.Fatal(err)
	}
	change(c)
	s.sign(ComponentRef(name), c)
}

func text(p Plan) string {
	var out []string
	for _, i := range p.Items {
		item := fmt.Sprintf("%s %s", i.Action, i.Name)
		for _, c := range i.Changes {
			if i.Action == Create && c.Field == diff.FieldProgram {
				continue
			}
			item += ", " + c.String()
		}
		for _, c := range i.ByHand {
			item += ", by hand " + c.String()
		}
		out = append(out, item)
	}
	return fmt.Sprintf("%d>%d %v: %s", p.Last, p.Version, p.Pending(), strings.Join(out, "; "))
}

func (s scene) plan(t *testing.T, o Options, desired ...Desired) Plan {
	t.Helper()
	p, err := Make("shop", desired, s, o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestMake(t *testing.T) {
	s := scene{}
	step := func(want string, o Options, desired ...Desired) {
		t.Helper()
		p := s.plan(t, o, desired...)
		if got := text(p); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		if p.Count(Blocked) > 0 {
			return
		}
		s.apply(t, p)
		if again := s.plan(t, Options{}, desired...); again.Pending() || again.Version != p.Version {
			t.Errorf("after %s: %s", want, text(again))
		}
	}
	step("0>1 true: create api; create web, replicas every -> 1", Options{}, want("web", 1), want("api", 0))
	step("1>1 false: unchanged api; unchanged web", Options{}, want("web", 1), want("api", 0))
	step("1>2 true: remove api; create db; update web, replicas 1 -> 2", Options{}, want("web", 2), want("db", 0))
	step("2>9 true: unchanged db; unchanged web", Options{Version: 9}, want("web", 2), want("db", 0))
	s.byHand(t, "web", func(c *api.Component) { c.Replicas, c.Restarted = 5, time.Unix(7, 0) })
	step("9>10 true: unchanged db; update web, replicas 5 -> 2, by hand replicas 2 -> 5", Options{}, want("web", 2), want("db", 0))
	// By hand, but to what the file says now.
	s.byHand(t, "web", func(c *api.Component) { c.Replicas = 3 })
	step("10>10 false: unchanged db; unchanged web, by hand replicas 2 -> 3", Options{}, want("web", 3), want("db", 0))
	s.sign(ComponentRef("db"), nil)
	step("10>11 true: create db; unchanged web, by hand replicas 2 -> 3", Options{}, want("web", 3), want("db", 0))
	s.sign(ComponentRef("db"), nil)
	step("11>12 true: unchanged web", Options{}, want("web", 3)) // what is gone already needs no removal
	// Pushed over.
	s.byHand(t, "web", func(c *api.Component) { c.Source = api.Source{} })
	step("12>12 false: blocked web", Options{}, want("web", 3))
	step("12>13 true: take over web", Options{TakeOver: true}, want("web", 3))
	s.byHand(t, "web", func(c *api.Component) { c.Source, c.Replicas = api.Source{Manifest: "theirs", Version: 99}, 1 })
	step("13>14 true: leave web", Options{})
	step("14>15 true: take over web, replicas 1 -> 4", Options{TakeOver: true}, want("web", 4))
	step("15>16 true: remove web", Options{})
}

func TestVersions(t *testing.T) {
	s := scene{}
	s.apply(t, s.plan(t, Options{Version: 5}, want("web", 1), want("api", 0)))
	for name, c := range map[string]struct {
		version uint64
		desired []Desired
		want    string
	}{
		"older":         {4, []Desired{want("web", 1)}, "version 4 of manifest shop is older than the one that was applied last, 5"},
		"another":       {5, []Desired{want("web", 2), want("api", 0)}, "was something else (web: replicas 1 -> 2)"},
		"one less":      {5, []Desired{want("web", 1)}, "was something else (api was in it)"},
		"one more":      {5, []Desired{want("web", 1), want("api", 0), want("db", 0)}, "was something else (db was not in it)"},
		"another place": {5, []Desired{{"web", api.Target{Tags: []string{"edge"}}, want("web", 1).Body}, want("api", 0)}, "target_tags all -> edge"},
		"out of range":  {api.MaxSeq + 1, nil, "version: at most"},
	} {
		if _, err := Make("shop", c.desired, s, Options{Version: c.version}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	s.byHand(t, "web", func(c *api.Component) { c.Replicas = 9 })
	if p := s.plan(t, Options{Version: 5}, want("web", 1), want("api", 0)); p.Version != 5 || p.Count(Update) != 1 {
		t.Errorf("healed: %s", text(p))
	}
	if _, err := Make("shop", []Desired{want("web", 9), want("api", 0)}, s, Options{Version: 5}); err == nil {
		t.Error("what was done by hand is taken for what the version was")
	}
	// What it asked for is not held any more: what counts stands for it.
	s[ComponentRef("web")] = s[ComponentRef("web")][1:]
	if p := s.plan(t, Options{Version: 5}, want("web", 9), want("api", 0)); p.Pending() {
		t.Errorf("forgotten: %s", text(p))
	}
	s.sign(ComponentRef("web"), nil)
	s[ComponentRef("web")] = s[ComponentRef("web")][1:]
	if _, err := Make("shop", []Desired{want("web", 9), want("api", 0)}, s, Options{Version: 5}); err == nil || !strings.Contains(err.Error(), "not known any more") {
		t.Errorf("forgotten and gone: %v", err)
	}
}

// The highest version is known by the components, also where the manifest itself was
// not signed any more.
func TestCutShort(t *testing.T) {
	s := scene{}
	s.apply(t, s.plan(t, Options{}, want("web", 1), want("api", 0)))
	p := s.plan(t, Options{Version: 7}, want("web", 2), want("api", 3))
	act := p.Change().Acts[1]
	w, err := act.Change(s.Current(act.Ref))
	if err != nil {
		t.Fatal(err)
	}
	s.sign(act.Ref, w.Body) // web alone
	if _, err := Make("shop", nil, s, Options{Version: 6}); err == nil || !strings.Contains(err.Error(), "applied last, 7") {
		t.Errorf("older: %v", err)
	}
	if _, err := Make("shop", []Desired{want("web", 4), want("api", 3)}, s, Options{Version: 7}); err == nil || !strings.Contains(err.Error(), "web: replicas 2 -> 4") {
		t.Errorf("another: %v", err)
	}
	s.byHand(t, "web", func(c *api.Component) { c.Stopped = true })
	p = s.plan(t, Options{Version: 7}, want("web", 2), want("api", 3))
	if got := text(p); !strings.HasPrefix(got, "7>7 true: update api, replicas every -> 3; update web, start false -> true") {
		t.Errorf("got %s", got)
	}
	s.apply(t, p)
	if p = s.plan(t, Options{Version: 7}, want("web", 2), want("api", 3)); p.Pending() {
		t.Errorf("completed: %s", text(p))
	}
}

// Where the key was rotated all is signed anew, and the manifest names versions that
// nobody holds: that is no change.
func TestAfterRotation(t *testing.T) {
	s := scene{}
	s.apply(t, s.plan(t, Options{Version: 3}, want("web", 1)))
	for r, all := range s {
		last := all[len(all)-1]
		last.Seq++
		s[r] = []api.Intent{last}
	}
	if p := s.plan(t, Options{Version: 3}, want("web", 1)); p.Pending() {
		t.Errorf("got %s", text(p))
	}
	if p := s.plan(t, Options{}, want("web", 1)); p.Pending() || p.Version != 3 {
		t.Errorf("got %s", text(p))
	}
}

// What a newer version has signed is not touched.
func TestStrange(t *testing.T) {
	s := scene{}
	s.sign(ComponentRef("web"), map[string]any{"from": "the future"})
	if p := s.plan(t, Options{TakeOver: true}, want("web", 1)); p.Count(Blocked) != 1 || !strings.Contains(p.Items[0].Note, "newer version") {
		t.Errorf("got %s", text(p))
	}
	s.sign(Ref("shop"), map[string]any{"from": "the future"})
	if _, err := Make("shop", nil, s, Options{}); err == nil || !strings.Contains(err.Error(), "newer version of realm") {
		t.Errorf("got %v", err)
	}
}

// All components of the largest manifest, with the longest names, fit its intent.
func TestLargest(t *testing.T) {
	s := scene{}
	var desired []Desired
	for i := range api.MaxComponents {
		desired = append(desired, want(api.Name(fmt.Sprintf("%0*d", api.MaxNameLen, i)), 1))
	}
	s.apply(t, s.plan(t, Options{Version: api.MaxSeq - 1}, desired...))
	body := s.Current(Ref("shop")).Body
	// In an envelope it is base64, beside the signature and a grant.
	if size := len(body)*4/3 + 4<<10; size > api.MaxEnvelope {
		t.Errorf("%d bytes, at most %d", size, api.MaxEnvelope)
	}
	if _, err := Make("shop", append(desired, want("x", 1)), s, Options{}); err == nil {
		t.Error("one more than there may be")
	}
}

func TestChoose(t *testing.T) {
	s := scene{}
	s.apply(t, s.plan(t, Options{}, want("web", 1), want("api", 1)))
	s.sign(ComponentRef("pushed"), &api.Component{Module: want("x", 0).Body.Module})
	mine := want("late", 0).Body
	mine.Source = api.Source{Manifest: "shop", Version: 2}
	s.sign(ComponentRef("late"), &mine)
	s.sign(ComponentRef("api"), nil)
	refs := Choose("shop", []api.Name{"new"})(s.Current, s.Refs())
	var names []string
	for _, r := range refs {
		names = append(names, r.String())
	}
	slices.Sort(names)
	if got := strings.Join(names, " "); got != "component/api component/late component/new component/web manifest/shop" {
		t.Errorf("got %s", got)
	}
}
