package wanted

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/trust"
)

func peer(n byte) api.PeerID { return keys.Peer(keys.PublicOf(key(n)).Key()) }

func settings(n byte) api.Ref { return api.Ref{Kind: api.KindNode, Name: nameOf(key(n))} }

// said returns what the Book has said since the last time, beside what is wanted.
func (n *node) since() (members bool, taken int) {
	members, taken = n.said.Members, n.said.Taken
	n.said = Change{}
	return members, taken
}

// TestMembers follows who is a member, and what the owner wants of them.
func TestMembers(t *testing.T) {
	n := newNode(t)
	is := func(step string, tells bool, want ...api.PeerID) {
		t.Helper()
		if got := n.book.Members(); !slices.Equal(got, slices.Sorted(slices.Values(want))) {
			t.Errorf("%s: members are %v", step, got)
		}
		if told, _ := n.since(); told != tells {
			t.Errorf("%s: told of members: %v", step, told)
		}
	}
	terms := func(step string, p byte, drained bool, roles ...string) {
		t.Helper()
		got, d := n.book.Terms(peer(p), []string{"own"})
		if d != drained || !slices.Equal(got, roles) {
			t.Errorf("%s: %v, drained: %v", step, got, d)
		}
	}
	is("nothing is known", false)
	terms("nothing is known", 3, false, "own")
	n.show(n.sign(owner, double, 1, function(1)))
	is("a program", false)
	n.show(n.sign(owner, member(key(3)), 1, api.Membership{}), n.sign(owner, member(key(4)), 1, api.Membership{Roles: []string{"gpu"}}))
	is("two members", true, peer(3), peer(4))
	terms("a member that says itself", 3, false, "own")
	terms("a member that is told", 4, false, "gpu")
	n.show(n.sign(owner, settings(4), 1, api.NodeSettings{Drain: true, Roles: []string{}}))
	is("settings", true, peer(3), peer(4))
	terms("drained, and without roles", 4, true)
	n.show(n.sign(key(3), settings(3), 1, api.NodeSettings{Drain: true}))
	terms("settings by the node itself", 3, false, "own")
	n.since()
	n.show(n.sign(owner, settings(4), 2, nil))
	is("settings are taken back", true, peer(3), peer(4))
	terms("settings are taken back", 4, false, "gpu")
	n.show(n.sign(owner, member(key(3)), 2, nil))
	is("revoked", true, peer(4))
	n.restart()
	is("after a start", true, peer(4))
}

// TestSettingsOfTheFuture has settings count when their time has come.
func TestSettingsOfTheFuture(t *testing.T) {
	n := newNode(t)
	later := func(in *api.Intent) { in.Issued = t0.Add(time.Hour) }
	n.show(n.sign(owner, settings(3), 1, api.NodeSettings{Drain: true}, later))
	if _, drained := n.book.Terms(peer(3), nil); drained {
		t.Error("they count before their time")
	}
	n.since()
	next, ok := n.book.Next()
	if !ok {
		t.Fatal("there is nothing to wait for")
	}
	n.now = next
	n.hear(n.book.Look())
	if _, drained := n.book.Terms(peer(3), nil); !drained {
		t.Error("they do not count")
	}
	if told, _ := n.since(); !told {
		t.Error("nobody is told")
	}
}

// TestTaken counts what is new to this node, once.
func TestTaken(t *testing.T) {
	n := newNode(t)
	first, ci := n.sign(owner, double, 1, function(1)), n.sign(key(5), triple, 1, function(1))
	want := func(step string, taken int) {
		t.Helper()
		if _, got := n.since(); got != taken {
			t.Errorf("%s: %d are taken, want %d", step, got, taken)
		}
	}
	n.show(first, ci)
	want("one, and one of a stranger", 1)
	n.show(first)
	want("the same again", 0)
	n.show(n.sign(owner, grantFor(key(5)), 1, grant("")))
	want("a grant, and what has waited for it", 2)
	n.restart()
	want("after a start", 0)
	n.marks.err = errDisk
	second := n.sign(owner, double, 2, function(2))
	if _, err := n.book.Take([]Shown{{Key: second.Slot().Key(), Envelope: second.Envelope}}, false); err == nil {
		t.Error("a full disk is no error")
	}
	n.marks.err = nil
	n.hear(n.book.Look())
	want("after the disk was full", 1)
}

func TestManifests(t *testing.T) {
	n := newNode(t)
	ref := api.Ref{Kind: api.KindManifest, Name: "shop"}
	is := func(step string, want map[api.Name]uint64) {
		t.Helper()
		if got := n.book.Manifests(); !maps.Equal(got, want) {
			t.Errorf("%s: %v", step, got)
		}
	}
	manifest := func(v uint64) *api.Manifest {
		return &api.Manifest{Version: v, Components: []api.ManifestComponent{{Name: "web", Intent: api.Sum([]byte("x"))}}}
	}
	is("none", map[api.Name]uint64{})
	n.show(n.sign(owner, ref, 1, manifest(4)))
	n.show(n.sign(owner, ref, 2, manifest(7)))
	is("two versions", map[api.Name]uint64{"shop": 7})
	n.restart()
	is("after a start", map[api.Name]uint64{"shop": 7})
	n.show(n.sign(owner, ref, 3, nil))
	is("removed", map[api.Name]uint64{})
	if len(n.wants) != 0 {
		t.Errorf("a manifest is wanted to run: %v", n.wants)
	}
}

func TestVersion(t *testing.T) {
	n := newNode(t)
	first := n.sign(owner, double, 1, function(1))
	second, fork := n.sign(owner, double, 2, function(2)), n.sign(owner, double, 2, function(3))
	if fork.Version().Newer(second.Version()) {
		second, fork = fork, second
	}
	gone := n.sign(owner, double, 3, nil)
	last := n.sign(owner, double, 4, function(4))
	n.show(first)
	n.show(fork)
	n.show(second)
	n.show(gone)
	n.show(last)
	for seq, want := range map[uint64]intent.Signed{1: first, 2: second, 3: {}, 4: last, 5: {}} {
		got, ok := n.book.Version(double, seq)
		if ok != (want.Seq != 0) || got.Digest != want.Digest {
			t.Errorf("number %d: %v %s", seq, ok, got.Digest.Short())
		}
	}
	n.show(n.sign(key(5), triple, 1, function(1))) // by a stranger
	if _, ok := n.book.Version(triple, 1); ok {
		t.Error("a stranger's version is shown")
	}
	n.pin = trust.Pin{}
	n.start()
	if _, ok := n.book.Version(double, 1); ok || n.book.Members() != nil || len(n.book.Manifests()) != 0 {
		t.Error("a node without an owner knows something")
	}
}
