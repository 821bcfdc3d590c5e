package node

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	ma "github.com/multiformats/go-multiaddr"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/hosttest"
	"github.com/realm-mesh/realm/meshd/internal/facts"
	"github.com/realm-mesh/realm/meshd/internal/meshtest"
	"github.com/realm-mesh/realm/meshd/internal/neighbours"
	"github.com/realm-mesh/realm/meshd/internal/p2p"
)

// view is what a member's buckets would hold.
type view struct {
	m      *member
	values map[facts.Key][]byte
}

func watchTable(m *member) *view { return &view{m, map[facts.Key][]byte{}} }

func (v *view) read(t *testing.T) {
	t.Helper()
	writes, err := v.m.Table().Take()
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range writes {
		v.values[w.Key] = w.Value
	}
}

func (v *view) workload(t *testing.T, r api.Ref, p api.PeerID) (f api.WorkloadFact, ok bool) {
	t.Helper()
	v.read(t)
	raw := v.values[facts.Key{Bucket: api.BucketWorkloads, Key: api.KeyWorkload(r, p)}]
	if raw == nil {
		return f, false
	}
	if err := api.Decode(raw, api.MaxMessage, &f); err != nil {
		t.Fatal(err)
	}
	return f, true
}

func (v *view) peer(t *testing.T, p api.PeerID) (r api.PeerRecord) {
	t.Helper()
	v.read(t)
	if raw := v.values[facts.Key{Bucket: api.BucketPeers, Key: string(p)}]; raw != nil {
		if err := api.Decode(raw, api.MaxMessage, &r); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func TestFactsSpread(t *testing.T) {
	o := meshtest.NewRealm(t)
	all := mesh(t, o, 3)
	speaker := all[1].self
	var views []*view
	for _, m := range all {
		views = append(views, watchTable(m))
	}
	seen := func(s api.State) func() bool {
		return func() bool {
			for i, v := range views {
				if f, ok := v.workload(t, ref("web"), speaker); i != 1 && (!ok || f.State != s) {
					return false
				}
			}
			return true
		}
	}
	f := api.WorkloadFact{Ref: ref("web"), Peer: speaker, Seq: 1, State: api.StateFetching, Since: time.Now()}
	for _, s := range []api.State{api.StateFetching, api.StateRunning} {
		f.State = s
		all[1].Table().SetOwn(f)
		took := until(t, 5*time.Second, "all know the state "+string(s), seen(s))
		t.Logf("%s is known to all after %v", s, took)
	}

	late := newPlace(t, o).start(t, all[0])
	v := watchTable(late)
	until(t, 5*time.Second, "a late joiner knows it", func() bool {
		f, ok := v.workload(t, ref("web"), speaker)
		return ok && f.State == api.StateRunning
	})
	r := v.peer(t, speaker)
	if !r.Connected || r.Version != "v0" || !slices.Equal(r.Roles, []string{"edge"}) || len(r.Addrs) == 0 || r.Platform == "" {
		t.Errorf("the speaker is known as %+v", r)
	}
	until(t, 5*time.Second, "the round-trip time is known", func() bool { return v.peer(t, speaker).RTT > 0 })

	all[1].Table().DropOwn(ref("web"))
	until(t, 5*time.Second, "all know that it is gone", func() bool {
		_, ok := v.workload(t, ref("web"), speaker)
		return !ok
	})
}

func TestRolesInIdentify(t *testing.T) {
	o := meshtest.NewRealm(t)
	all := mesh(t, o, 2)
	id := p2p.RoleProtocol(o.Pin.Realm, "edge")
	got, err := all[0].host.Peerstore().SupportsProtocols(all[1].host.ID(), id)
	if err != nil || len(got) != 1 {
		t.Errorf("SupportsProtocols(%s) = %v, %v", id, got, err)
	}
}

func TestAddressesChange(t *testing.T) {
	o := meshtest.NewRealm(t)
	all := mesh(t, o, 2)
	v := watchTable(all[1])
	before := len(all[0].host.Addrs())
	if err := all[0].host.Network().Listen(ma.StringCast("/ip4/127.0.0.1/tcp/0")); err != nil {
		t.Fatal(err)
	}
	until(t, 15*time.Second, "the other knows the new address", func() bool { return len(v.peer(t, all[0].self).Addrs) == before+1 })
}

func TestKilledMemberIsNoticed(t *testing.T) {
	o := meshtest.NewRealm(t)
	m := newPlace(t, o).start(t)
	dir := newChildDir(t, o)
	id, kill := startChild(t, dir, m)
	until(t, 5*time.Second, "the child is connected", func() bool { return m.watch.IsMember(id) })
	kill()
	took := until(t, neighbours.Interval+neighbours.Timeout+5*time.Second, "it is noticed that the child was killed", func() bool { return !m.watch.IsMember(id) })
	t.Logf("a killed member is noticed after %v", took)

	// It comes back, and m, which remembers it, would also have dialled it.
	again, kill := startChild(t, dir, m)
	if again != id {
		t.Fatalf("the child came back as %s", again)
	}
	until(t, 5*time.Second, "the child is back", func() bool { return m.watch.IsMember(id) })
	kill()

	// Back at once, before anybody has noticed: what it asks for must come, and
	// what is asked of it must not go to the dead one.
	s := o.Component(t, "web", 1)
	m.submit(t, s)
	startChild(t, dir, m)
	until(t, 5*time.Second, "streams reach the new process", func() bool {
		return m.sync.Round(t.Context(), id) == nil
	})
}

// TestKilledMemberIsDead has processes of members killed: within 8 s they are not live,
// and nothing that they ran is left.
func TestKilledMemberIsDead(t *testing.T) {
	o := meshtest.NewRealm(t)
	m := newPlace(t, o).start(t)
	v := watchTable(m)
	for range 3 {
		id, kill := startChild(t, newChildDir(t, o), m)
		child, err := p2p.ID(id)
		if err != nil {
			t.Fatal(err)
		}
		until(t, 5*time.Second, "the child is live, and says what it runs", func() bool {
			_, ok := v.workload(t, ref("web"), child)
			return ok && v.peer(t, child).Live
		})
		kill()
		took := until(t, neighbours.Interval+neighbours.Timeout+5*time.Second, "the child is dead", func() bool { return !v.peer(t, child).Live })
		if _, ok := v.workload(t, ref("web"), child); ok {
			t.Error("what it ran is left")
		}
		if t.Logf("a killed member is dead after %v", took); took > neighbours.Interval+neighbours.Timeout+time.Second {
			t.Errorf("it took longer than %v", neighbours.Interval+neighbours.Timeout)
		}
		// What gossip still brings, and what is asked of others, does not revive it.
		time.Sleep(time.Second)
		if r := v.peer(t, child); r.Live || r.Connected {
			t.Errorf("it is back: %+v", r)
		}
	}
}

// TestHeardAfterARestart has a member come back at once, again and again, and say
// something when its neighbour has brought it what was said a moment ago.
func TestHeardAfterARestart(t *testing.T) {
	o := meshtest.NewRealm(t)
	all := mesh(t, o, 2)
	a, b := all[0], all[1]
	v := watchTable(a)
	for i := range uint64(6) {
		b.stop()
		b = b.place.start(t)
		waitMesh(t, a, b)
		time.Sleep(600 * time.Millisecond) // gossipsub's heartbeat, and what follows from it
		b.Table().SetOwn(api.WorkloadFact{Ref: ref("web"), Peer: b.self, Seq: i + 1, State: api.StateRunning, Since: time.Now()})
		until(t, 3*time.Second, "it is heard", func() bool { f, ok := v.workload(t, ref("web"), b.self); return ok && f.Seq == i+1 })
	}
}

func TestDialsWhoIsBack(t *testing.T) {
	o := meshtest.NewRealm(t)
	a, b := newPlace(t, o), newPlace(t, o)
	ma := a.start(t)
	mb := b.start(t, ma)
	waitMesh(t, ma, mb)
	mb.stop()
	until(t, 5*time.Second, "b is gone", func() bool { return ma.Neighbours() == 0 })
	// b has lost what it knew, and waits to be found.
	if err := os.Remove(filepath.Join(b.dir, "peers.json")); err != nil {
		t.Fatal(err)
	}
	mb = b.start(t)
	took := until(t, 10*time.Second, "a has dialled b", func() bool { return mb.Neighbours() == 1 })
	t.Logf("dialled after %v", took)
}

func TestMulticastDNSFindsMembers(t *testing.T) {
	hosttest.Need(t, hosttest.Multicast)
	o, stranger := meshtest.NewRealm(t), meshtest.NewRealm(t)
	var all []*member
	for _, who := range []*meshtest.Realm{o, stranger, o} {
		p := newPlace(t, who)
		p.mdns = true
		all = append(all, p.start(t))
	}
	took := until(t, 20*time.Second, "two members have found each other", func() bool {
		return all[0].watch.IsMember(all[2].host.ID()) && all[2].watch.IsMember(all[0].host.ID())
	})
	t.Logf("found after %v", took)
	if all[1].Neighbours() != 0 {
		t.Error("a stranger has neighbours")
	}
}
