package invite

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/ledger"
	"github.com/realm-mesh/realm/internal/kit/trust"
)

// Token is an invite and what a node needs to use it.
type Token struct {
	Realm     api.RealmID
	Owner     keys.Public        // the key that speaks for the realm: it has signed Invite
	Key       ed25519.PrivateKey // the invite's
	Invite    []byte             // envelope of the KindInvite intent
	Rotations [][]byte           // envelopes that lead from the realm's first key to Owner; they may be missing
	Addrs     []string           // multiaddrs with /p2p of members; none where they are found on the local network
}

// Limits of a token.
const (
	MaxAddrs = 16
	maxAddr  = 256 // bytes
)

// Pin is whom a node follows that uses t.
func (t Token) Pin() trust.Pin { return trust.Pin{Realm: t.Realm, Owner: t.Owner} }

// Limits is what the owner has signed of the invite.
func (t Token) Limits() (api.Invite, error) {
	s, err := intent.Read(t.Invite)
	if err != nil {
		return api.Invite{}, err
	}
	var limits api.Invite
	return limits, json.Unmarshal(s.Body, &limits)
}

// Join is what the node with this key shows to members until one of them has
// countersigned it. It bears the time of the invite, since the clock of a new node
// may say anything, and is the same however often the node tries.
func (t Token) Join(node keys.Public) (intent.Signed, error) {
	in, err := intent.Read(t.Invite)
	if err != nil {
		return intent.Signed{}, fmt.Errorf("join: %w", err)
	}
	join, err := intent.Sign(api.Intent{
		Realm: t.Realm, Ref: api.Ref{Kind: api.KindMember, Name: api.KeyName(node.Key())},
		Seq: 1, Issued: in.Issued, Body: json.RawMessage("{}"),
	}, t.Key)
	if err != nil {
		return intent.Signed{}, fmt.Errorf("join: %w", err)
	}
	return join.WithGrant(t.Invite)
}

// Proof is what the node of join shows in the handshake.
func (t Token) Proof(join intent.Signed) api.Proof {
	return api.Proof{Realm: t.Realm, Intents: append(append([][]byte{}, t.Rotations...), join.Envelope)}
}

// check reports what does not fit together in t, and fills in what follows from
// the invite.
func (t *Token) check() error {
	s, err := intent.Read(t.Invite)
	switch {
	case err != nil:
		return err
	case s.Kind != api.KindInvite:
		return fmt.Errorf("it holds a %s, and no invite", s.Kind)
	case s.Tombstone:
		return errors.New("it holds what revokes an invite")
	case s.By() == s.Name:
		return errors.New("the invite was signed with its own key")
	case s.Name != api.KeyName(keys.PublicOf(t.Key).Key()):
		return errors.New("its key is not that of the invite")
	case len(t.Addrs) > MaxAddrs:
		return fmt.Errorf("%d addresses, at most %d", len(t.Addrs), MaxAddrs)
	}
	for _, a := range t.Addrs {
		if err := checkAddr(a); err != nil {
			return err
		}
	}
	t.Realm, t.Owner = s.Realm, s.Signer
	return t.checkOwner(s)
}

// checkOwner makes sure that rotations lead to the signer of the invite, as far as
// they are there.
func (t *Token) checkOwner(invite intent.Signed) error {
	if len(t.Rotations) > api.MaxProofIntents {
		return fmt.Errorf("%d rotations, at most %d", len(t.Rotations), api.MaxProofIntents)
	}
	all := []intent.Signed{invite}
	for _, raw := range t.Rotations {
		r, err := intent.Read(raw)
		if err != nil {
			return err
		}
		if r.Kind != api.KindRotate {
			return fmt.Errorf("it holds a %s where a rotation was expected", r.Kind)
		}
		all = append(all, r)
	}
	l := ledger.New(t.Pin())
	_, errs := l.AddAll(all, invite.Issued)
	return errors.Join(errs...)
}

// checkAddr checks the form alone: a multiaddr with a peer id. Who dials reads it.
func checkAddr(a string) error {
	base, peer, ok := cutPeer(a)
	if !ok || !strings.HasPrefix(base, "/") || len(a) > maxAddr || strings.ContainsFunc(a, func(r rune) bool { return r <= ' ' || r == ',' || r >= 0x7f }) {
		return fmt.Errorf("address %.80q: want a multiaddr that ends in /p2p/PEER", a)
	}
	_, err := api.ParsePeerID(peer)
	return err
}

func cutPeer(a string) (base, peer string, ok bool) {
	i := strings.LastIndex(a, "/p2p/")
	if i <= 0 {
		return "", "", false
	}
	return a[:i], a[i+len("/p2p/"):], true
}
