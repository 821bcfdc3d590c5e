package ledger

import (
	"slices"
	"testing"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
)

func entry(s intent.Signed) api.SyncEntry {
	return api.SyncEntry{Ref: s.Ref, Signer: s.By(), Seq: s.Seq, Digest: s.Digest}
}

func TestWants(t *testing.T) {
	ci, old, inv, shut, second := key(2), key(3), key(4), key(5), key(6)
	l := New(thePin)
	mustAdd(t, l, component(t, owner, "a", 1), rotation(t, owner, second, 1))
	mustAdd(t, l, grant(t, second, ci, 1, api.Grant{Prefix: "ci-"}), grant(t, second, old, 1, api.Grant{}), tombstone(t, second, about(api.KindGrant, old), 2),
		invite(t, second, inv, 1, api.Invite{}), invite(t, second, shut, 1, api.Invite{}), tombstone(t, second, about(api.KindInvite, shut), 2))
	for n := range uint64(Keep) {
		mustAdd(t, l, component(t, second, "full", n+10))
	}
	held := component(t, second, "full", 12)
	badKey := entry(component(t, second, "z", 1))
	badKey.Signer = "nobody"
	for _, tt := range []struct {
		name string
		e    api.SyncEntry
		want bool
	}{
		{"held", entry(held), false},
		{"new", entry(component(t, second, "z", 1)), true},
		{"a newer version", entry(component(t, second, "full", 18)), true},
		{"a version of eight, that is not held", api.SyncEntry{Ref: web("full"), Signer: name(second), Seq: 12, Digest: api.Sum(nil)}, true},
		{"one before the eight", entry(component(t, second, "full", 9)), false},
		{"of a key that was replaced", entry(component(t, owner, "a", 2)), false},
		{"frozen", entry(component(t, owner, "a", 1)), false},
		{"a rotation by a key that was replaced", entry(rotation(t, owner, key(9), 1)), false},
		{"a rotation", entry(rotation(t, second, key(9), 2, rotation(t, owner, second, 1))), true},
		{"a rotation by who knows", entry(rotation(t, key(8), key(9), 2, rotation(t, owner, second, 1))), true},
		{"a granted key's", entry(component(t, ci, "ci-a", 1)), true},
		{"outside its prefix", entry(component(t, ci, "a", 1)), false},
		{"without the right", entry(sign(t, ci, api.Intent{Ref: api.Ref{Kind: "lease", Name: "ci-a"}}, "x")), false},
		{"above its numbers", entry(component(t, ci, "ci-a", MaxGrantedSeq+1)), false},
		{"a revoked key's", entry(component(t, old, "a", 1)), false},
		{"of somebody who may have a grant that is on its way", entry(component(t, key(99), "a", 1)), true},
		{"a join", entry(join(t, inv, key(50))), true},
		{"a join by an invite that is no more", entry(join(t, shut, key(50))), false},
		{"a join by an invite that may be on its way", entry(join(t, key(98), key(50))), true},
		{"an unreadable signer", badKey, false},
	} {
		if got := l.Wants(tt.e); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

// What others compare, ask for and get are the same intents.
func TestEntries(t *testing.T) {
	l, second := New(thePin), key(2)
	var all []int
	for i := range api.SyncBuckets {
		all = append(all, i)
	}
	if d := l.Digests(); d.Count != 0 || d.Validate() != nil || len(l.Differing(d)) != 0 || len(l.Entries(all)) != 0 {
		t.Errorf("empty: %+v", d)
	}
	mustAdd(t, l, component(t, owner, "a", 1), component(t, owner, "a", 2), component(t, owner, "b", 1))
	d := l.Digests()
	if d.Count != 3 || len(l.Differing(d)) != 0 {
		t.Errorf("%d, differs from itself in %v", d.Count, l.Differing(d))
	}
	differing := New(thePin).Differing(d)
	entries := l.Entries(differing)
	if len(entries) != 3 || len(l.Entries(append(all, all...))) != 3 || len(l.Entries(nil)) != 0 || len(l.Entries([]int{-1, api.SyncBuckets})) != 0 {
		t.Errorf("%d entries", len(entries))
	}
	for _, e := range entries {
		env, ok := l.Envelope(e.Digest)
		if s := read(t, env); !ok || entry(s) != e || !slices.Contains(differing, int(e.Digest[0])) {
			t.Errorf("%+v: %s", e, env)
		}
	}
	if err := (&api.SyncEntries{Entries: entries}).Validate(); err != nil {
		t.Error(err)
	}
	// After a rotation what the old key has signed is there, and passed on to nobody.
	mustAdd(t, l, rotation(t, owner, second, 1))
	if got := l.Entries(all); len(got) != 1 || got[0].Kind != api.KindRotate || l.Len() != 1 || l.Digests().Count != 1 {
		t.Errorf("after a rotation: %+v", got)
	}
	if _, ok := l.Envelope(entries[0].Digest); ok {
		t.Error("a frozen intent was given")
	}
	if _, ok := l.Held(entries[0].Digest); !ok {
		t.Error("a frozen intent is gone")
	}
	if _, ok := l.Envelope(api.Sum(nil)); ok {
		t.Error("an unknown intent was given")
	}
	short := api.SyncDigests{Buckets: make([]api.Digest, 3)}
	long := api.SyncDigests{Buckets: make([]api.Digest, 3*api.SyncBuckets)}
	if len(l.Differing(short)) > 3 || len(l.Differing(long)) != 1 {
		t.Error("digests of another length")
	}
}
