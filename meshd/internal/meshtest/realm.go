package meshtest

import (
	"crypto"
	"crypto/ed25519"
	"encoding/json"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/invite"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/ledger"
	"github.com/realm-mesh/realm/internal/kit/trust"
)

// Realm is a realm in the hands of a test.
type Realm struct {
	Key ed25519.PrivateKey // the owner's, now
	Pin trust.Pin          // for nodes that begin to follow it now
	// Ledger holds what the owner has signed about keys.
	Ledger *ledger.Ledger
}

// NewRealm makes a realm with a fresh owner.
func NewRealm(t testing.TB) *Realm {
	t.Helper()
	key := Key(t)
	pin := trust.NewPin(keys.PublicOf(key))
	return &Realm{Key: key, Pin: pin, Ledger: ledger.New(pin)}
}

// Key is a fresh private key.
func Key(t testing.TB) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// ID is the peer id of the node with this key.
func ID(key crypto.Signer) api.PeerID { return keys.Peer(keys.PublicOf(key).Key()) }

// Name is the name of intents about a key.
func Name(key crypto.Signer) api.Name { return api.KeyName(keys.PublicOf(key).Key()) }

// Ref is a component.
func Ref(name string) api.Ref { return api.Ref{Kind: api.KindComponent, Name: api.Name(name)} }

// Sign completes in and signs it with key. What is missing of realm, time, number and
// previous version is filled in.
func (r *Realm) Sign(t testing.TB, key crypto.Signer, in api.Intent, body any) intent.Signed {
	t.Helper()
	in.Realm = r.Pin.Realm
	if in.Issued.IsZero() {
		in.Issued = time.Now().UTC().Truncate(time.Second)
	}
	if in.Seq == 0 {
		in.Seq, in.Prev = r.Ledger.Next(in.Ref, time.Now())
	}
	if in.Seq > 1 && in.Prev.IsZero() {
		in.Prev = api.Sum([]byte("the one before"))
	}
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		in.Body = raw
	}
	s, err := intent.Sign(in, key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Component is version seq of a component, signed by the owner.
func (r *Realm) Component(t testing.TB, name string, seq uint64) intent.Signed {
	t.Helper()
	return r.ComponentBy(t, r.Key, name, seq)
}

// ComponentBy is version seq of a component, signed by key.
func (r *Realm) ComponentBy(t testing.TB, key crypto.Signer, name string, seq uint64) intent.Signed {
	t.Helper()
	return r.Sign(t, key, api.Intent{Ref: Ref(name), Seq: seq}, api.Component{Module: api.Program{Blob: api.Sum([]byte(name)), Size: 7}})
}

// Record has the owner's ledger know s.
func (r *Realm) Record(t testing.TB, s intent.Signed) intent.Signed {
	t.Helper()
	if _, err := r.Ledger.Add(s, time.Now()); err != nil {
		t.Fatal(err)
	}
	return s
}

// Admit makes the node with this key a member, by the owner's word.
func (r *Realm) Admit(t testing.TB, node crypto.Signer, roles ...string) intent.Signed {
	t.Helper()
	return r.Record(t, r.Sign(t, r.Key, api.Intent{Ref: api.Ref{Kind: api.KindMember, Name: Name(node)}}, api.Membership{Roles: roles}))
}

// Client makes the key that of a client, for a time. Nobody keeps it.
func (r *Realm) Client(t testing.TB, key crypto.Signer, until time.Time) intent.Signed {
	t.Helper()
	return r.Sign(t, r.Key, api.Intent{Ref: api.Ref{Kind: api.KindMember, Name: Name(key)}}, api.Membership{Expires: until.UTC().Truncate(time.Second)})
}

// Revoke takes back what the owner has said of a key: a member, an invite or a grant.
func (r *Realm) Revoke(t testing.TB, kind api.Kind, key crypto.Signer) intent.Signed {
	t.Helper()
	return r.Record(t, r.Sign(t, r.Key, api.Intent{Ref: api.Ref{Kind: kind, Name: Name(key)}, Tombstone: true}, nil))
}

// Grant lets key sign some intents.
func (r *Realm) Grant(t testing.TB, key crypto.Signer, g api.Grant) intent.Signed {
	t.Helper()
	return r.Record(t, r.Sign(t, r.Key, api.Intent{Ref: api.Ref{Kind: api.KindGrant, Name: Name(key)}}, g))
}

// Invite makes a token.
func (r *Realm) Invite(t testing.TB, limits api.Invite, addrs ...string) invite.Token {
	t.Helper()
	token, s, err := invite.New(r.Key, r.Pin, limits, nil, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	r.Record(t, s)
	token.Addrs = addrs
	return token
}

// Rotate hands the realm over to a fresh key.
func (r *Realm) Rotate(t testing.TB) intent.Signed {
	t.Helper()
	next := Key(t)
	ref := api.Ref{Kind: api.KindRotate, Name: api.NameOwner}
	seq, _ := r.Ledger.Next(ref, time.Now())
	s := r.Record(t, r.Sign(t, r.Key, api.Intent{Ref: ref}, api.Rotation{
		Key: Name(next), Proof: ed25519.Sign(next, api.RotationProof(r.Pin.Realm, seq, keys.PublicOf(r.Key).Key())),
	}))
	r.Key, r.Pin.Owner = next, keys.PublicOf(next)
	return s
}

// Settle completes a rotation: the new key signs what the old one has said of
// members, and then that this is all.
func (r *Realm) Settle(t testing.TB) []intent.Signed {
	t.Helper()
	var out []intent.Signed
	for _, ref := range r.Ledger.Refs() {
		cur, ok := r.Ledger.Current(ref, time.Now())
		if !ok || ref.Kind == api.KindRotate || ref.Kind == api.KindSettle {
			continue
		}
		again := cur.Intent
		again.Seq, again.Prev = r.Ledger.Next(ref, time.Now())
		out = append(out, r.Record(t, r.Sign(t, r.Key, again, nil)))
	}
	return append(out, r.Record(t, r.Sign(t, r.Key, api.Intent{Ref: api.Ref{Kind: api.KindSettle, Name: api.NameOwner}}, api.Settled{})))
}

// Proof is what the member with this key shows, as far as the owner has admitted it.
func (r *Realm) Proof(node crypto.Signer) api.Proof {
	return r.Ledger.Proof(keys.PublicOf(node), time.Now())
}

// Shown is [Realm.Proof] in the form of the handshake.
func (r *Realm) Shown(t testing.TB, node crypto.Signer) []byte {
	t.Helper()
	raw, err := ledger.EncodeProof(r.Proof(node))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
