package ledger

import (
	"crypto/ed25519"
	"errors"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/trust"
)

func TestJoin(t *testing.T) {
	owner, inv, first, second, third := key(1), key(2), key(3), key(4), key(5)
	l := New(trust.NewPin(keys.PublicOf(owner)))
	add := func(s intent.Signed) {
		t.Helper()
		if _, err := l.Add(s, t0); err != nil {
			t.Fatal(err)
		}
	}
	add(sign(t, owner, api.Intent{Ref: api.Ref{Kind: api.KindMember, Name: name(first)}, Seq: 1}, api.Membership{}))
	invite := sign(t, owner, api.Intent{Ref: api.Ref{Kind: api.KindInvite, Name: name(inv)}, Seq: 1}, api.Invite{Expires: t0.Add(time.Hour), Uses: 2})
	join := func(k ed25519.PrivateKey) intent.Signed {
		s, err := sign(t, inv, api.Intent{Ref: api.Ref{Kind: api.KindMember, Name: name(k)}, Seq: 1}, api.Membership{}).WithGrant(invite.Envelope)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	j := join(second)
	proof, err := EncodeProof(api.Proof{Realm: l.pin.Realm, Intents: [][]byte{j.Envelope}})
	if err != nil {
		t.Fatal(err)
	}
	if v := l.Judge(keys.PublicOf(second), proof, t0); v.Standing != api.StandingJoining {
		t.Fatalf("joining: %+v", v)
	}
	if _, err := l.Add(j, t0); !errors.Is(err, ErrUnauthorized) {
		t.Fatalf("not countersigned: %v", err)
	}
	done, err := l.Admit(j, first, t0)
	if err != nil {
		t.Fatal(err)
	}
	add(done)
	done, err = l.Admit(join(third), second, t0)
	if err != nil {
		t.Fatal(err)
	}
	add(done)
	if _, err := l.Admit(join(key(6)), second, t0); !errors.Is(err, ErrForbidden) {
		t.Fatalf("third use of two: %v", err)
	}
	fresh := New(l.pin)
	raw, err := EncodeProof(l.Proof(keys.PublicOf(third), t0))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("proof over two witnesses: %d bytes", len(raw))
	if v := fresh.Judge(keys.PublicOf(third), raw, t0); v.Standing != api.StandingMember || len(v.Learned) < 3 {
		t.Fatalf("by its proof: %+v", v)
	}
	add(sign(t, owner, api.Intent{Ref: api.Ref{Kind: api.KindInvite, Name: name(inv)}, Seq: 2, Tombstone: true}, nil))
	if m, ok := l.Member(keys.PublicOf(third), t0); ok {
		t.Fatalf("after the invite was revoked: %+v", m)
	}
	if _, ok := l.Member(keys.PublicOf(first), t0); !ok {
		t.Fatal("the owner's own node is out")
	}
}
