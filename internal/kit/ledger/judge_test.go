package ledger

import (
	"bytes"
	"compress/flate"
	"crypto/ed25519"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/trust"
)

// proof packs what a node shows.
func proof(t testing.TB, all ...intent.Signed) []byte {
	t.Helper()
	p := api.Proof{Realm: thePin.Realm}
	for _, s := range all {
		p.Intents = append(p.Intents, s.Envelope)
	}
	raw, err := EncodeProof(p)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func pack(t testing.TB, raw []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(raw); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func client(t testing.TB, by, node ed25519.PrivateKey, until time.Time) intent.Signed {
	t.Helper()
	return sign(t, by, api.Intent{Ref: about(api.KindMember, node)}, api.Membership{Expires: until})
}

func TestJudge(t *testing.T) {
	var (
		second                           = key(2)
		first, gone, inv, old, ci, shut  = key(3), key(4), key(5), key(6), key(7), key(8)
		node, other                      = key(20), key(21)
		hour                             = t0.Add(time.Hour)
		theInvite, oldInvite, unseen     = invite(t, owner, inv, 1, api.Invite{}), invite(t, owner, old, 1, api.Invite{}), invite(t, owner, key(9), 1, api.Invite{})
		theGrant                         = grant(t, owner, ci, 1, api.Grant{Since: t0.Add(-time.Hour), Expires: t0.Add(30 * time.Minute)})
		turn                             = rotation(t, owner, second, 1)
		toOther                          = witnessed(t, join(t, inv, other), first, t0)
		letIn, letInByOther, letInByGone = witnessed(t, join(t, inv, node), first, t0), witnessed(t, join(t, inv, node), other, t0), witnessed(t, join(t, inv, node), gone, t0)
		byOld, byUnseen, byStranger      = witnessed(t, join(t, old, node), first, t0), witnessed(t, join(t, key(9), node), first, t0), witnessed(t, join(t, inv, node), key(99), t0)
		byItself                         = witnessed(t, join(t, inv, node), node, t0)
		foreign                          = join(t, inv, node).Intent
	)
	foreign.Realm = api.NewRealmID(pub(key(99)).Key())
	l := New(thePin)
	mustAdd(t, l, admit(t, owner, first, 1), tombstone(t, owner, about(api.KindMember, gone), 1), theInvite, theGrant,
		oldInvite, tombstone(t, owner, about(api.KindInvite, old), 2), grant(t, owner, shut, 1, api.Grant{}), tombstone(t, owner, about(api.KindGrant, shut), 2))
	for _, tt := range []struct {
		name    string
		node    ed25519.PrivateKey
		proof   []byte
		want    api.Standing
		until   time.Time
		learned int
		err     error
	}{
		{name: "a member", node: first, want: api.StandingMember},
		{name: "a member that shows garbage", node: first, proof: []byte("garbage"), want: api.StandingMember},
		{name: "nothing to show", node: node, proof: proof(t), want: api.StandingPending},
		{name: "garbage", node: node, proof: []byte("garbage")},
		{name: "no bytes", node: node},
		{name: "admitted since", node: node, proof: proof(t, admit(t, owner, node, 1)), want: api.StandingMember, learned: 1},
		{name: "admitted by a stranger", node: node, proof: proof(t, admit(t, key(99), node, 1)), err: ErrUnauthorized},
		{name: "another was admitted", node: node, proof: proof(t, admit(t, owner, other, 1))},
		{name: "let in", node: node, proof: proof(t, letIn), want: api.StandingMember, learned: 1},
		{name: "let in by one who shows that it was", node: node, proof: proof(t, toOther, letInByOther), want: api.StandingMember, learned: 2},
		{name: "the same backwards", node: node, proof: proof(t, letInByOther, toOther), want: api.StandingMember, learned: 2},
		{name: "let in by one who is not known", node: node, proof: proof(t, letInByOther), want: api.StandingJoining},
		{name: "let in by a stranger", node: node, proof: proof(t, byStranger), want: api.StandingJoining},
		{name: "let in by itself", node: node, proof: proof(t, byItself), want: api.StandingJoining},
		{name: "let in by one who is no member any more", node: node, proof: proof(t, letInByGone), want: api.StandingJoining},
		{name: "by an invite that is no more", node: node, proof: proof(t, byOld), err: ErrRevoked},
		{name: "by an invite that it does not show", node: node, proof: proof(t, byUnseen), err: ErrUnauthorized},
		{name: "with the invite", node: node, proof: proof(t, with(t, byUnseen, unseen)), want: api.StandingMember, learned: 2},
		{name: "with the invite beside it", node: node, proof: proof(t, byUnseen, unseen), want: api.StandingMember, learned: 2},
		{name: "joining", node: node, proof: proof(t, join(t, inv, node)), want: api.StandingJoining},
		{name: "joining with an invite", node: node, proof: proof(t, with(t, join(t, key(9), node), unseen)), want: api.StandingJoining},
		{name: "joining with an invite that is no more", node: node, proof: proof(t, with(t, join(t, old, node), oldInvite)), err: ErrRevoked},
		{name: "joining in another's name", node: other, proof: proof(t, join(t, inv, node))},
		{name: "of another realm", node: node, proof: proof(t, sign(t, inv, foreign, nil)), err: ErrRealm},
		{name: "a program", node: node, proof: proof(t, component(t, owner, "web", 1)), err: ErrForbidden},
		{name: "revoked", node: gone, proof: proof(t), want: api.StandingRevoked},
		{name: "revoked, and shows garbage", node: gone, proof: []byte("x"), want: api.StandingRevoked},
		{name: "revoked, and shows that it was a member", node: gone, proof: proof(t, witnessed(t, join(t, inv, gone), first, t0)), want: api.StandingRevoked, err: ErrRevoked},
		{name: "revoked, and shows an invite", node: gone, proof: proof(t, join(t, inv, gone)), want: api.StandingRevoked, err: ErrRevoked},
		{name: "revoked, and is a client", node: gone, proof: proof(t, client(t, owner, gone, hour)), want: api.StandingRevoked, err: ErrRevoked},
		{name: "revoked, and admitted again", node: gone, proof: proof(t, admit(t, owner, gone, 2)), want: api.StandingMember, learned: 1},
		{name: "shows that it was revoked", node: node, proof: proof(t, letIn, tombstone(t, owner, about(api.KindMember, node), 3)), want: api.StandingRevoked, err: ErrRevoked},
		{name: "by the owner's new key", node: node, proof: proof(t, turn, admit(t, second, node, 1)), want: api.StandingMember, learned: 2},
		{name: "by the owner's new key alone", node: node, proof: proof(t, admit(t, second, node, 1)), err: ErrUnauthorized},
		{name: "a client", node: node, proof: proof(t, client(t, owner, node, hour)), want: api.StandingClient, until: hour},
		{name: "a client whose time is over", node: node, proof: proof(t, client(t, owner, node, t0)), err: ErrExpired},
		{name: "a client for ever", node: node, proof: proof(t, client(t, owner, node, t0.Add(api.MaxClient+MaxAhead+time.Second))), err: ErrForbidden},
		{name: "a client for a day, by a clock that is ahead", node: node, proof: proof(t, client(t, owner, node, t0.Add(api.MaxClient+MaxAhead))), want: api.StandingClient, until: t0.Add(api.MaxClient + MaxAhead)},
		{name: "a client of a granted key", node: node, proof: proof(t, client(t, ci, node, t0.Add(time.Minute))), want: api.StandingClient, until: t0.Add(time.Minute)},
		{name: "a client longer than the grant", node: node, proof: proof(t, client(t, ci, node, hour)), want: api.StandingClient, until: t0.Add(30 * time.Minute)},
		{name: "a client of a grant that it shows", node: node, proof: proof(t, with(t, client(t, key(30), node, hour), grant(t, owner, key(30), 1, api.Grant{}))), want: api.StandingClient, until: hour},
		{name: "a client of a grant that has ended", node: node, proof: proof(t, with(t, client(t, key(30), node, hour), grant(t, owner, key(30), 1, api.Grant{Since: t0.Add(-2), Expires: t0.Add(-1)}))), err: ErrExpired},
		{name: "a client of a grant that is no more", node: node, proof: proof(t, client(t, shut, node, hour)), err: ErrRevoked},
		{name: "a client of a stranger", node: node, proof: proof(t, client(t, key(99), node, hour)), err: ErrUnauthorized},
		{name: "a client of the old key", node: node, proof: proof(t, turn, client(t, owner, node, hour)), err: ErrRevoked},
		{name: "another's client", node: other, proof: proof(t, client(t, owner, node, hour))},
	} {
		before := view(l, t0)
		v := l.Judge(pub(tt.node), tt.proof, t0)
		mustAgree(t, tt.name, before, view(l, t0))
		wants := tt.want == "" || tt.want == api.StandingRevoked || tt.want == api.StandingPending
		if v.Standing != tt.want || !v.Until.Equal(tt.until) || len(v.Learned) != tt.learned || !errors.Is(v.Err, tt.err) && tt.err != nil || (v.Err != nil) != wants && tt.want != api.StandingRevoked {
			t.Errorf("%s: %q until %v, %d learned, %v", tt.name, v.Standing, v.Until, len(v.Learned), v.Err)
		}
		if tt.learned == 0 {
			continue
		}
		again := New(thePin)
		_, _ = again.AddAll(flat(l), t0)
		if _, errs := again.AddAll(v.Learned, t0); errors.Join(errs...) != nil || again.Judge(pub(tt.node), nil, t0).Standing != api.StandingMember {
			t.Errorf("%s: what was learned does not make it a member: %v", tt.name, errs)
		}
	}
}

// flat is all that l holds.
func flat(l *Ledger) (out []intent.Signed) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.byDigest {
		out = append(out, s)
	}
	return out
}

// Whoever has not been told of the newest rotations follows them by any member's proof.
func TestJudgeAfterRotations(t *testing.T) {
	node, first := key(20), key(21)
	keys := []ed25519.PrivateKey{owner, key(2), key(3), key(4)}
	var turns []intent.Signed
	for i := range 3 {
		turns = append(turns, rotation(t, keys[i], keys[i+1], uint64(i+1), turns[max(0, i-1):]...))
	}
	now := New(thePin)
	mustAdd(t, now, turns...)
	mustAdd(t, now, admit(t, keys[3], first, 1), invite(t, keys[3], key(5), 1, api.Invite{}), witnessed(t, join(t, key(5), node), first, t0))
	for i := range keys {
		then := New(thePin)
		mustAdd(t, then, turns[:i]...)
		late := New(trust.Pin{Realm: thePin.Realm, Owner: pub(keys[i])})
		for _, l := range []*Ledger{then, late} {
			raw, err := EncodeProof(now.Proof(pub(node), t0))
			if err != nil {
				t.Fatal(err)
			}
			v := l.Judge(pub(node), raw, t0)
			if v.Standing != api.StandingMember {
				t.Fatalf("after %d rotations: %q, %v", i, v.Standing, v.Err)
			}
			if _, errs := l.AddAll(v.Learned, t0); errors.Join(errs...) != nil || l.Owner() != pub(keys[3]) {
				t.Errorf("after %d rotations: %v", i, errs)
			}
			verify(t, l)
		}
	}
}

func TestDecodeProofRefuses(t *testing.T) {
	good := proof(t, admit(t, owner, key(3), 1))
	for name, tt := range map[string]struct {
		b    []byte
		text string
	}{
		"nothing":        {nil, "EOF"},
		"cut":            {good[:len(good)-4], "EOF"},
		"bytes after":    {append(bytes.Clone(good), 0), "bytes after"},
		"large":          {make([]byte, api.MaxProof+1), "too large"},
		"a bomb":         {pack(t, make([]byte, 8<<20)), "too large"},
		"too much":       {pack(t, []byte(`{"realm":"`+strings.Repeat(" ", maxInflated))), "too large"},
		"no JSON":        {pack(t, []byte("hello")), "invalid"},
		"two":            {pack(t, bytes.Repeat([]byte(`{"realm":"`+string(thePin.Realm)+`"}`), 2)), "bytes after"},
		"no realm":       {pack(t, []byte(`{}`)), "realm id"},
		"unknown field":  {pack(t, []byte(`{"x":1}`)), "unknown field"},
		"17 intents":     {pack(t, []byte(`{"realm":"`+string(thePin.Realm)+`","intents":[`+strings.Repeat(`"",`, 16)+`""]}`)), "17 intents"},
		"not compressed": {[]byte(`{"realm":"` + string(thePin.Realm) + `"}`), ""},
	} {
		if p, err := DecodeProof(tt.b); err == nil || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%s: %v, %v", name, p, err)
		}
	}
}

func TestEncodeProofRefuses(t *testing.T) {
	noise := make([]byte, api.MaxProof)
	for i := range noise {
		noise[i] = byte(i*i*31 + i>>3*17)
	}
	noise = ed25519.Sign(owner, noise)
	var p api.Proof
	for range 400 {
		noise = ed25519.Sign(owner, noise)
		p.Intents = append(p.Intents, noise)
	}
	if _, err := EncodeProof(p); !errors.Is(err, api.ErrTooLarge) {
		t.Errorf("%v", err)
	}
}

// A proof holds what is needed first, and fits.
func TestProof(t *testing.T) {
	l := New(thePin)
	inv, nodes := key(2), []ed25519.PrivateKey{key(100)}
	mustAdd(t, l, admit(t, owner, nodes[0], 1), invite(t, owner, inv, 1, api.Invite{Comment: "for the lab"}))
	for i := range 25 {
		nodes = append(nodes, key(101+i))
		mustAdd(t, l, witnessed(t, join(t, inv, nodes[i+1]), nodes[i], t0))
	}
	if p := l.Proof(pub(key(9)), t0); p.Realm != thePin.Realm || len(p.Intents) != 0 {
		t.Errorf("of a stranger: %+v", p)
	}
	for i, node := range nodes {
		p := l.Proof(pub(node), t0)
		raw, err := EncodeProof(p)
		if err != nil || len(p.Intents) == 0 || len(p.Intents) > api.MaxProofIntents {
			t.Fatalf("node %d: %d intents, %v", i, len(p.Intents), err)
		}
		if got, err := DecodeProof(raw); err != nil || len(got.Intents) != len(p.Intents) {
			t.Errorf("node %d: %v", i, err)
		}
		if last := read(t, p.Intents[len(p.Intents)-1]); last.Ref != refMember(pub(node)) {
			t.Errorf("node %d: the proof ends in %s", i, last.Ref)
		}
		v := New(thePin).Judge(pub(node), raw, t0)
		if whole := i < api.MaxProofIntents-1 && len(raw) < api.MaxProof-600; whole && v.Standing != api.StandingMember {
			t.Errorf("node %d, to one who knows nothing: %q, %v", i, v.Standing, v.Err)
		}
		if i%10 == 0 {
			t.Logf("over %d members: %d intents, %d bytes", i, len(p.Intents), len(raw))
		}
	}
	mustAdd(t, l, tombstone(t, owner, about(api.KindMember, nodes[0]), 2))
	if p := l.Proof(pub(nodes[1]), t0); len(p.Intents) != 0 {
		t.Errorf("of one who is no member any more: %d intents", len(p.Intents))
	}
}

// An invite that is too large to come with a join is left out.
func TestProofWithALargeInvite(t *testing.T) {
	l := New(thePin)
	first, inv, node := key(3), key(2), key(4)
	var roles []string
	for i := range 32 {
		roles = append(roles, strings.Repeat(string(rune('a'+i%26)), 60))
	}
	mustAdd(t, l, admit(t, owner, first, 1), invite(t, owner, inv, 1, api.Invite{Roles: roles, Comment: strings.Repeat("<", api.MaxComment)}), witnessed(t, join(t, inv, node), first, t0))
	p := l.Proof(pub(node), t0)
	if len(p.Intents) != 2 {
		t.Fatalf("%d intents", len(p.Intents))
	}
	if v := New(thePin).Judge(pub(node), proof(t, read(t, p.Intents[0]), read(t, p.Intents[1])), t0); v.Standing != api.StandingMember {
		t.Errorf("%q, %v", v.Standing, v.Err)
	}
}
