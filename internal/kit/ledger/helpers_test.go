package ledger

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/trust"
)

var t0 = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func key(n int) ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	binary.BigEndian.PutUint32(seed, uint32(n))
	return ed25519.NewKeyFromSeed(seed)
}

func pub(k ed25519.PrivateKey) keys.Public { return keys.PublicOf(k) }

func name(k ed25519.PrivateKey) api.Name { return api.KeyName(pub(k).Key()) }

func peer(k ed25519.PrivateKey) api.PeerID { return keys.Peer(pub(k).Key()) }

var (
	owner   = key(1)
	thePin  = trust.NewPin(pub(owner))
	program = api.Program{Blob: api.Sum([]byte("program")), Size: 7}
)

func web(n string) api.Ref                              { return api.Ref{Kind: api.KindComponent, Name: api.Name(n)} }
func about(kind api.Kind, k ed25519.PrivateKey) api.Ref { return api.Ref{Kind: kind, Name: name(k)} }

// sign fills in what an intent needs, and reads it back as others will.
func sign(t testing.TB, k ed25519.PrivateKey, in api.Intent, body any) intent.Signed {
	t.Helper()
	if in.Realm == "" {
		in.Realm = thePin.Realm
	}
	if in.Issued.IsZero() {
		in.Issued = t0
	}
	if in.Seq == 0 {
		in.Seq = 1
	}
	if in.Seq > 1 && in.Prev.IsZero() {
		in.Prev = api.Sum([]byte("before"))
	}
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		in.Body = b
	}
	s, err := intent.Sign(in, k)
	if err != nil {
		// A kind that this version does not know: only others sign it.
		s, err = intent.Read(sealed(k, in))
	}
	if err != nil {
		t.Fatal(err)
	}
	return read(t, s.Envelope)
}

// sealed signs anything at all.
func sealed(k ed25519.PrivateKey, in api.Intent) []byte {
	payload, _ := json.Marshal(in) // plain data
	pae := fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(api.PayloadIntent), api.PayloadIntent, len(payload), payload)
	env, _ := json.Marshal(map[string]any{"payloadType": api.PayloadIntent, "payload": payload,
		"signatures": []any{map[string]any{"keyid": pub(k).String(), "sig": ed25519.Sign(k, pae)}}})
	return env
}

// seen are the envelopes that tests have read: checking signatures takes most of
// their time.
var seen sync.Map

func read(t testing.TB, envelope []byte) intent.Signed {
	t.Helper()
	if s, ok := seen.Load(string(envelope)); ok {
		return s.(intent.Signed)
	}
	s, err := intent.Read(envelope)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(s.Envelope, envelope) {
		t.Fatalf("%s is kept in another form than its own", s.Ref)
	}
	seen.Store(string(envelope), s)
	return s
}

func component(t testing.TB, k ed25519.PrivateKey, n string, seq uint64) intent.Signed {
	t.Helper()
	return sign(t, k, api.Intent{Ref: web(n), Seq: seq}, api.Component{Module: program})
}

func tombstone(t testing.TB, k ed25519.PrivateKey, ref api.Ref, seq uint64) intent.Signed {
	t.Helper()
	return sign(t, k, api.Intent{Ref: ref, Seq: seq, Tombstone: true}, nil)
}

func grant(t testing.TB, by, to ed25519.PrivateKey, seq uint64, g api.Grant) intent.Signed {
	t.Helper()
	if g.May == nil {
		g.May = []api.Right{api.RightPush}
	}
	if g.Since.IsZero() {
		g.Since = t0
	}
	return sign(t, by, api.Intent{Ref: about(api.KindGrant, to), Seq: seq}, g)
}

func invite(t testing.TB, by, k ed25519.PrivateKey, seq uint64, i api.Invite) intent.Signed {
	t.Helper()
	if i.Expires.IsZero() {
		i.Expires = t0.Add(time.Hour)
	}
	return sign(t, by, api.Intent{Ref: about(api.KindInvite, k), Seq: seq}, i)
}

func admit(t testing.TB, by, node ed25519.PrivateKey, seq uint64, roles ...string) intent.Signed {
	t.Helper()
	return sign(t, by, api.Intent{Ref: about(api.KindMember, node), Seq: seq}, api.Membership{Roles: roles})
}

// join is what a node with an invite shows.
func join(t testing.TB, inv, node ed25519.PrivateKey) intent.Signed {
	t.Helper()
	return sign(t, inv, api.Intent{Ref: about(api.KindMember, node)}, api.Membership{})
}

func witnessed(t testing.TB, s intent.Signed, by ed25519.PrivateKey, at time.Time) intent.Signed {
	t.Helper()
	w, err := intent.Countersign(s, by, at)
	if err != nil {
		t.Fatal(err)
	}
	if s, err = s.WithWitness(w); err != nil {
		t.Fatal(err)
	}
	return read(t, s.Envelope)
}

func with(t testing.TB, s, grant intent.Signed) intent.Signed {
	t.Helper()
	s, err := s.WithGrant(grant.Envelope)
	if err != nil {
		t.Fatal(err)
	}
	return read(t, s.Envelope)
}

// rotation hands the realm over; before is the rotation before it, if there was one.
func rotation(t testing.TB, from, to ed25519.PrivateKey, seq uint64, before ...intent.Signed) intent.Signed {
	t.Helper()
	in := api.Intent{Ref: api.Ref{Kind: api.KindRotate, Name: api.NameOwner}, Seq: seq}
	for _, b := range before {
		in.Prev = b.Digest
	}
	return sign(t, from, in, api.Rotation{Key: name(to), Proof: ed25519.Sign(to, api.RotationProof(thePin.Realm, seq, pub(from).Key()))})
}

func settle(t testing.TB, by ed25519.PrivateKey, seq uint64, names int) intent.Signed {
	t.Helper()
	return sign(t, by, api.Intent{Ref: refSettle, Seq: seq}, api.Settled{Names: names})
}

// mustAdd adds all, each by itself, in this order.
func mustAdd(t testing.TB, l *Ledger, all ...intent.Signed) {
	t.Helper()
	for _, s := range all {
		if _, err := l.Add(s, t0); err != nil {
			t.Fatal(err)
		}
	}
	verify(t, l)
}

func holds(l *Ledger, s intent.Signed) bool {
	_, ok := l.Held(s.Digest)
	return ok
}

// verify recomputes what l keeps up to date.
func verify(t testing.TB, l *Ledger) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	again := New(l.pin)
	again.chief, again.path, again.retired, again.settled = l.chief, l.path, l.retired, l.settled
	if n := len(l.path); n == 0 && l.chief != l.pin.Owner || n > 0 && l.chief != newKey(l.path[n-1]) {
		t.Errorf("the owner is %s", l.chief)
	}
	versions := 0
	for slot, all := range l.slots {
		versions += len(all)
		if len(all) == 0 || len(all) > Keep {
			t.Errorf("%s: %d versions", slot.Ref, len(all))
		}
		for i, s := range all {
			if s.Slot() != slot || i > 0 && !all[i-1].Version().Newer(s.Version()) {
				t.Errorf("%s: version %d is out of order", slot.Ref, i)
			}
			again.insert(s)
		}
	}
	again.roster.stale = true
	again.refresh()
	if versions != len(l.byDigest) || len(again.byDigest) != len(l.byDigest) {
		t.Errorf("%d versions, %d digests; without unfounded memberships %d", versions, len(l.byDigest), len(again.byDigest))
	}
	again.sum()
	l.sum()
	if again.parts != l.parts || again.count != l.count {
		t.Errorf("what others compare: %d intents, counted anew %d; parts equal %v", l.count, again.count, again.parts == l.parts)
	}
	if !reflect.DeepEqual(again.roster.all, l.roster.all) {
		t.Errorf("roster %v, made anew %v", l.roster.all, again.roster.all)
	}
	if !reflect.DeepEqual(again.shares, l.shares) || !reflect.DeepEqual(again.bySigner, l.bySigner) || len(again.byRef) != len(l.byRef) {
		t.Errorf("shares %v, made anew %v", l.shares, again.shares)
	}
	if len(l.events) != 0 {
		t.Errorf("%d events were told to nobody", len(l.events))
	}
	for _, s := range l.byDigest {
		_, retired := l.retired[s.Signer]
		if retired && s.Kind != api.KindRotate && l.retired[s.Signer] < l.settled {
			t.Errorf("%s of a key that is void", s.Ref)
		}
		if err := l.allowed(s); err != nil && s.Kind != api.KindRotate {
			t.Errorf("%s number %d is held: %v", s.Ref, s.Seq, err)
		}
		if got := read(t, s.Envelope); got.Digest != s.Digest {
			t.Errorf("%s number %d: its envelope is another intent", s.Ref, s.Seq)
		}
	}
}

// shuffled is a copy of s in another order.
func shuffled[T any](s []T, swap func(n int, swap func(i, j int))) []T {
	s = slices.Clone(s)
	swap(len(s), func(i, j int) { s[i], s[j] = s[j], s[i] })
	return s
}
