package invite

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/trust"
)

// New makes a fresh key, has the owner's key sign limits for it, and returns the
// token, without addresses, and the signed invite, which members list once one of
// them has heard of it. rotations are those that led to the owner's key.
func New(owner crypto.Signer, pin trust.Pin, limits api.Invite, rotations [][]byte, now time.Time) (Token, intent.Signed, error) {
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return Token{}, intent.Signed{}, fmt.Errorf("make invite: %w", err)
	}
	body, err := json.Marshal(limits)
	if err != nil {
		return Token{}, intent.Signed{}, fmt.Errorf("make invite: %w", err)
	}
	s, err := intent.Sign(api.Intent{
		Realm: pin.Realm, Ref: api.Ref{Kind: api.KindInvite, Name: api.KeyName(pub)},
		Seq: 1, Issued: now.UTC().Truncate(time.Second), Body: body,
	}, owner)
	if err != nil {
		return Token{}, intent.Signed{}, fmt.Errorf("make invite: %w", err)
	}
	t := Token{Key: key, Invite: s.Envelope, Rotations: rotations}
	if err := t.check(); err != nil {
		return Token{}, intent.Signed{}, fmt.Errorf("make invite: %w", err)
	}
	return t, s, nil
}
