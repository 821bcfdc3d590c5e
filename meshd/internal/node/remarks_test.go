package node

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/local"
	"github.com/realm-mesh/realm/meshd/internal/intents"
	"github.com/realm-mesh/realm/meshd/internal/meshtest"
	"github.com/realm-mesh/realm/meshd/internal/neighbours"
)

// TestTwins runs two nodes with one key, as a copied disk would. Members show it, and
// each of the two is told.
func TestTwins(t *testing.T) {
	r := meshtest.NewRealm(t)
	all := mesh(t, r, 2)
	one := newPlace(t, r)
	two := &place{key: one.key, pin: one.pin, proof: one.proof, dir: t.TempDir(), daemons: one.daemons}
	a := one.start(t, all[0])
	waitMesh(t, all[0], all[1], a)
	b := two.start(t, all[0])
	limit := neighbours.Timeout + 4*neighbours.Interval + 20*time.Second
	for i, m := range all {
		v := watchTable(m)
		took := until(t, limit, "the conflict is shown at a member", func() bool { return len(v.peer(t, a.self).Conflict) == 2 })
		t.Logf("member %d shows it after %v more", i, took)
		if got := v.peer(t, all[1-i].self).Conflict; got != nil {
			t.Errorf("an honest member is shown in conflict: %v", got)
		}
	}
	for name, m := range map[string]*member{"first": a, "second": b} {
		v := watchTable(m)
		took := until(t, limit+neighbours.Interval, "the "+name+" is told", func() bool {
			return slices.ContainsFunc(m.Status().Warnings, func(s string) bool { return strings.Contains(s, "key of this node") }) && len(v.peer(t, m.self).Conflict) == 2
		})
		t.Logf("the %s knows after %v more", name, took)
	}
	v := watchTable(all[0])
	all[0].table.MarkAll()
	if len(v.peer(t, a.self).Conflict) != 2 {
		t.Error("the conflict is shown no more")
	}
	all[0].conflict(a.host.ID(), nil) // as package neighbours tells when one of them is gone
	if len(v.peer(t, a.self).Conflict) != 0 {
		t.Error("the conflict is shown for ever")
	}
	a.hearOfTwins([]string{"/ip4/192.0.2.1/tcp/1", "/ip4/192.0.2.2/tcp/1"}, time.Now().Add(-twinsFor-time.Second))
	if got := a.ownTwins(time.Now()); got != nil {
		t.Errorf("what was told long ago counts: %v", got)
	}
}

// TestHeaderOfTwins reads what members may say.
func TestHeaderOfTwins(t *testing.T) {
	const a, b = "/ip4/192.0.2.1/udp/1/quic-v1", "/ip6/2001:db8::1/tcp/1"
	for header, want := range map[string][]string{
		"":                                    nil,
		a + "," + b:                           {a, b},
		a:                                     {a},
		"hello," + b:                          nil,
		a + ",," + b:                          nil,
		strings.Repeat(a+",", maxTwins) + b:   nil,
		strings.Repeat(a+",", maxTwins-1) + b: append(slices.Repeat([]string{a}, maxTwins-1), b),
	} {
		if got := parseTwins(header); !slices.Equal(got, want) {
			t.Errorf("%q is read as %v", header, got)
		}
	}
	r := meshtest.NewRealm(t)
	m := newPlace(t, r).start(t)
	other := meshtest.Key(t)
	r.Admit(t, other)
	m.conflict(meshtest.Peer(t, other), slices.Repeat([]string{a}, 3*maxTwins))
	for caller, want := range map[api.PeerID]int{meshtest.ID(other): maxTwins, meshtest.ID(meshtest.Key(t)): 0} {
		req, w := httptest.NewRequest(http.MethodGet, "/intents", nil), httptest.NewRecorder()
		req.Header.Set(local.HeaderPeer, string(caller))
		m.tellTwins(http.NotFoundHandler()).ServeHTTP(w, req)
		if got := len(parseTwins(w.Header().Get(api.HeaderConflict))); got != want {
			t.Errorf("a caller is told of %d addresses; want %d", got, want)
		}
	}
	m.hearOfTwins([]string{a}, time.Now())
	if m.ownTwins(time.Now()) != nil {
		t.Error("one address is no conflict")
	}
}

// TestClockThatIsOff is shown on both sides.
func TestClockThatIsOff(t *testing.T) {
	r := meshtest.NewRealm(t)
	all := mesh(t, r, 2)
	p := newPlace(t, r)
	p.clock.Store(int64(2 * time.Hour))
	ahead := p.start(t, all[0])
	waitMesh(t, all[0], all[1], ahead)
	v := watchTable(all[0])
	until(t, patience, "the member's clock is shown", func() bool {
		return time.Duration(v.peer(t, ahead.self).Skew).Round(time.Minute) == 2*time.Hour
	})
	clocks := func(m *member) bool {
		return slices.ContainsFunc(m.Status().Warnings, func(s string) bool { return strings.Contains(s, "clock of this node is 2h0m0s ahead of that") })
	}
	until(t, patience, "it is warned", func() bool { return clocks(ahead) })
	if clocks(all[0]) || clocks(all[1]) {
		t.Error("others are warned of their own clock")
	}
}

// TestQuarantine warns of intents from the future.
func TestQuarantine(t *testing.T) {
	r := meshtest.NewRealm(t)
	m := newPlace(t, r).start(t)
	early := r.Sign(t, r.Key, api.Intent{Ref: ref("web"), Seq: 1, Issued: time.Now().Add(time.Hour)}, api.Component{Module: api.Program{Blob: api.Sum(nil), Size: 1}})
	m.submit(t, early)
	w := m.Status().Warnings
	if len(w) != 1 || !strings.Contains(w[0], "component/web number 1") || !strings.Contains(w[0], "quarantine") {
		t.Errorf("warnings are %q", w)
	}
	h := m.History(ref("web")).Versions
	if len(h) != 1 || h[0].State != api.VersionQuarantine || h[0].By != "owner" {
		t.Errorf("history is %+v", h)
	}
	m.place.clock.Store(int64(2 * time.Hour))
	if w := m.Status().Warnings; len(w) != 0 {
		t.Errorf("when its time has come: %q", w)
	}
}

// TestRolesOfTheOwner hold over those of the settings, from one moment to the next.
func TestRolesOfTheOwner(t *testing.T) {
	r := meshtest.NewRealm(t)
	all := mesh(t, r, 2)
	v := watchTable(all[1])
	is := func(want ...string) func() bool {
		return func() bool {
			return slices.Equal(all[0].Table().Me().Roles, want) && slices.Equal(v.peer(t, all[0].self).Roles, want)
		}
	}
	until(t, patience, "the settings count", is("edge"))
	all[1].learns(t, r.Admit(t, all[0].place.key, "vault", "lab"))
	until(t, patience, "the owner's word counts", is("vault", "lab"))
	all[1].learns(t, r.Admit(t, all[0].place.key))
	until(t, patience, "the settings count again", is("edge"))
}

// TestClockThatIsBehind lets a node in all the same.
func TestClockThatIsBehind(t *testing.T) {
	r := meshtest.NewRealm(t)
	m := newPlace(t, r).start(t)
	p := newPlace(t, r)
	p.clock.Store(int64(-24 * time.Hour))
	behind := p.start(t, m)
	waitMesh(t, m, behind)
	until(t, patience, "it is warned", func() bool {
		return slices.ContainsFunc(behind.Status().Warnings, func(s string) bool { return strings.Contains(s, "24h0m0s behind that of other members") })
	})
}

// TestAlone has the first member of a realm know that there is nobody else.
func TestAlone(t *testing.T) {
	r := meshtest.NewRealm(t)
	m := newPlace(t, r).start(t)
	if s := m.Status(); s.Standing != api.StandingMember || s.Note != "" || !s.Synced || len(s.Warnings) != 0 {
		t.Errorf("it says %+v", s)
	}
	// There is somebody, who is away.
	if _, errs := m.keeper.Accept([]intent.Signed{r.Admit(t, meshtest.Key(t))}, intents.BySync); errs[0] != nil {
		t.Fatal(errs[0])
	}
	if s := m.Status(); s.Synced || !strings.Contains(s.Note, "connected to no member") {
		t.Errorf("it says %+v", s)
	}
}
