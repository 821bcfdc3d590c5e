package ledger

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
)

// FuzzJudge shows bytes to a set. Whatever they are, they change nothing; nobody gets
// in but by what is in the seeds, which were signed; and what is learned can be added.
func FuzzJudge(f *testing.F) {
	first, inv, node := key(3), key(4), key(20)
	l := New(thePin)
	mustAdd(f, l, admit(f, owner, first, 1), invite(f, owner, inv, 1, api.Invite{}), tombstone(f, owner, about(api.KindMember, key(5)), 1))
	member := witnessed(f, join(f, inv, node), first, t0)
	for _, seed := range [][]byte{
		nil, []byte("garbage"), proof(f), proof(f, join(f, inv, node)), proof(f, member), proof(f, admit(f, owner, node, 1)),
		proof(f, client(f, owner, node, t0.Add(time.Hour))), proof(f, rotation(f, owner, key(2), 1), admit(f, key(2), node, 1)),
		proof(f, admit(f, key(99), node, 1)), pack(f, make([]byte, 1<<20)), proof(f, with(f, join(f, inv, node), invite(f, owner, inv, 1, api.Invite{}))),
	} {
		f.Add(seed, false)
		if p, err := DecodeProof(seed); err == nil {
			raw, err := json.Marshal(p)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(raw, true)
		}
	}
	before := l.Digests()
	f.Fuzz(func(t *testing.T, b []byte, unpacked bool) {
		if unpacked {
			b = pack(t, b)
		}
		v := l.Judge(pub(node), b, t0)
		if l.Digests().Count != before.Count || len(l.Differing(before)) > 0 {
			t.Fatal("it has changed the set")
		}
		switch v.Standing {
		case api.StandingMember, api.StandingClient, api.StandingJoining:
		case api.StandingPending, api.StandingRevoked, "":
			if v.Err == nil {
				t.Fatalf("%q without a reason", v.Standing)
			}
			return
		default:
			t.Fatalf("standing %q", v.Standing)
		}
		if len(b) > api.MaxProof {
			t.Fatalf("%q by %d bytes", v.Standing, len(b))
		}
		again := New(thePin)
		_, _ = again.AddAll(append(flat(l), v.Learned...), t0)
		if (v.Standing == api.StandingMember) != again.roster.member(pub(node)) {
			t.Fatalf("%q, and with what was learned it is not", v.Standing)
		}
	})
}

// FuzzProof decodes bytes; what it takes has its limits, and survives the way back.
func FuzzProof(f *testing.F) {
	for _, seed := range [][]byte{nil, proof(f), proof(f, admit(f, owner, key(3), 1)), pack(f, []byte("{}")), pack(f, bytes.Repeat([]byte(" "), maxInflated+1))} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := DecodeProof(b)
		if err != nil {
			return
		}
		if len(p.Intents) > api.MaxProofIntents || p.Validate() != nil {
			t.Fatalf("%+v", p)
		}
		raw, err := EncodeProof(p)
		if err != nil {
			return // it was packed better
		}
		again, err := DecodeProof(raw)
		if err != nil || len(again.Intents) != len(p.Intents) || again.Realm != p.Realm {
			t.Fatalf("%+v became %+v, %v", p, again, err)
		}
	})
}

// FuzzSync shows what another member may say to a set: digests of parts, and entries.
// What is asked for is never held, and nothing that is said changes the set.
func FuzzSync(f *testing.F) {
	ci := key(2)
	l := New(thePin)
	mustAdd(f, l, grant(f, owner, ci, 1, api.Grant{Prefix: "ci-"}), component(f, owner, "a", 1), component(f, ci, "ci-a", 1))
	for n := range uint64(Keep) {
		mustAdd(f, l, component(f, owner, "full", 10+n))
	}
	for _, s := range []intent.Signed{component(f, owner, "a", 1), component(f, owner, "a", 2), component(f, owner, "full", 2), component(f, ci, "x", 1), component(f, key(9), "x", 1)} {
		b, err := json.Marshal(api.SyncEntries{Entries: []api.SyncEntry{entry(s)}})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	digests, err := json.Marshal(l.Digests())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(digests)
	f.Add([]byte(`{"count":0,"buckets":[]}`))
	before := l.Digests()
	f.Fuzz(func(t *testing.T, b []byte) {
		var theirs api.SyncDigests
		if api.Decode(b, len(b), &theirs) == nil {
			for _, p := range l.Differing(theirs) {
				if theirs.Buckets[p] == before.Buckets[p] {
					t.Fatalf("part %d is the same", p)
				}
			}
		}
		var entries api.SyncEntries
		if api.Decode(b, len(b), &entries) == nil {
			for _, e := range entries.Entries {
				if _, held := l.Held(e.Digest); held && l.Wants(e) {
					t.Fatalf("%+v is held, and wanted", e)
				}
			}
		}
		if len(l.Differing(before)) > 0 {
			t.Fatal("it has changed the set")
		}
	})
}

// FuzzOrder adds the intents of a random world in an order that the bytes say, and
// holds the set to what it must keep up to date.
func FuzzOrder(f *testing.F) {
	f.Add(uint64(1), []byte{0, 1, 2, 3, 250, 9})
	f.Add(uint64(92), []byte{5, 4, 3, 2, 1, 0, 255})
	f.Fuzz(func(t *testing.T, seed uint64, order []byte) {
		w := newWorld(t, seed%1000)
		r := &replica{Ledger: New(thePin), t: t}
		for i := 0; i < len(order); i += 4 {
			var batch []intent.Signed
			for _, b := range order[i:min(i+4, len(order))] {
				batch = append(batch, w.all[int(b)%len(w.all)])
			}
			r.add(batch, t0)
		}
		verify(t, r.Ledger)
		w.restart(r)
	})
}
