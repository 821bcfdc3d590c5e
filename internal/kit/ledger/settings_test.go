package ledger

import (
	"crypto/ed25519"
	"reflect"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
)

// settings is what the owner wants of a node.
func settings(t testing.TB, by, node ed25519.PrivateKey, seq uint64, v api.NodeSettings) intent.Signed {
	t.Helper()
	return sign(t, by, api.Intent{Ref: about(api.KindNode, node), Seq: seq}, v)
}

func TestNodeSettings(t *testing.T) {
	l, node := New(thePin), key(20)
	raw := func(seq uint64, body map[string]any) intent.Signed {
		return sign(t, owner, api.Intent{Ref: about(api.KindNode, node), Seq: seq}, body)
	}
	for _, c := range []struct {
		name string
		add  intent.Signed
		want api.NodeSettings
		ok   bool
	}{
		{"nothing", component(t, owner, "web", 1), api.NodeSettings{}, false},
		{"of another node", settings(t, owner, key(21), 1, api.NodeSettings{Drain: true}), api.NodeSettings{}, false},
		{"drained", settings(t, owner, node, 1, api.NodeSettings{Drain: true}), api.NodeSettings{Drain: true}, true},
		{"roles", settings(t, owner, node, 2, api.NodeSettings{Roles: []string{"edge"}}), api.NodeSettings{Roles: []string{"edge"}}, true},
		{"taken back", tombstone(t, owner, about(api.KindNode, node), 3), api.NodeSettings{}, false},
		{"no roles", settings(t, owner, node, 4, api.NodeSettings{Roles: []string{}}), api.NodeSettings{Roles: []string{}}, true},
		{"by a newer version, which says more", raw(5, map[string]any{"drain": true, "zone": "a"}), api.NodeSettings{Drain: true}, true},
		{"by a newer version, in other words", raw(6, map[string]any{"drain": "soon"}), api.NodeSettings{}, false},
		{"by a newer version, with other roles", raw(7, map[string]any{"roles": []string{"any thing"}}), api.NodeSettings{}, false},
		{"no roles again", settings(t, owner, node, 8, api.NodeSettings{Roles: []string{}}), api.NodeSettings{Roles: []string{}}, true},
		{"later", sign(t, owner, api.Intent{Ref: about(api.KindNode, node), Seq: 9, Issued: t0.Add(time.Hour)}, api.NodeSettings{Drain: true}),
			api.NodeSettings{Roles: []string{}}, true},
	} {
		mustAdd(t, l, c.add)
		if got, ok := l.NodeSettings(pub(node), t0); ok != c.ok || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, %v; want %+v, %v", c.name, got, ok, c.want, c.ok)
		}
	}
	if got, ok := l.NodeSettings(pub(node), t0.Add(time.Hour)); !ok || !got.Drain {
		t.Errorf("when it has come: %+v, %v", got, ok)
	}
}

// What the owner has said under a key that was replaced holds until it is settled.
func TestNodeSettingsAfterRotation(t *testing.T) {
	l, node, next := New(thePin), key(20), key(2)
	mustAdd(t, l, settings(t, owner, node, 1, api.NodeSettings{Drain: true}), rotation(t, owner, next, 1))
	if got, ok := l.NodeSettings(pub(node), t0); !ok || !got.Drain {
		t.Errorf("before it is settled: %+v, %v", got, ok)
	}
	mustAdd(t, l, settings(t, next, node, 2, api.NodeSettings{}))
	if got, ok := l.NodeSettings(pub(node), t0); !ok || got.Drain {
		t.Errorf("signed anew: %+v, %v", got, ok)
	}
}

func TestRoles(t *testing.T) {
	inv, node, guest, stranger := key(10), key(20), key(21), key(22)
	own := []string{"own"}
	l := New(thePin)
	mustAdd(t, l, admit(t, owner, node, 1, "edge"), invite(t, owner, inv, 1, api.Invite{Roles: []string{"lab"}}))
	mustAdd(t, l, witnessed(t, join(t, inv, guest), node, t0))
	expect := func(when string, k ed25519.PrivateKey, want ...string) {
		t.Helper()
		if got := l.Roles(pub(k), own, t0); len(got) != len(want) || len(got) > 0 && !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, want %v", when, got, want)
		}
	}
	expect("by the owner's word", node, "edge")
	expect("by the invite", guest, "lab")
	expect("of a stranger", stranger, "own")

	mustAdd(t, l, settings(t, owner, node, 1, api.NodeSettings{Drain: true}), settings(t, owner, guest, 1, api.NodeSettings{Roles: []string{}}),
		settings(t, owner, stranger, 1, api.NodeSettings{Roles: []string{"gpu"}}))
	expect("settings that do not speak of them", node, "edge")
	expect("settings that take them all", guest)
	expect("settings of a node that is not there yet", stranger, "gpu")

	mustAdd(t, l, settings(t, owner, node, 2, api.NodeSettings{Roles: []string{"vault", "gpu"}}), tombstone(t, owner, about(api.KindNode, guest), 2))
	expect("settings over the membership", node, "vault", "gpu")
	expect("settings that were taken back", guest, "lab")

	mustAdd(t, l, admit(t, owner, node, 2), tombstone(t, owner, about(api.KindNode, node), 3))
	expect("a membership without roles", node, "own")
	mustAdd(t, l, admit(t, owner, node, 3, "edge"), tombstone(t, owner, about(api.KindMember, node), 4))
	expect("of one that was revoked", node, "own")
}
