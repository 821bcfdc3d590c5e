package intent

import (
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/keys"
)

// Witness is the statement of a member that it let a node in.
type Witness struct {
	api.Witness
	By       keys.Public // the member's node key
	Envelope []byte
	payload  []byte
}

// Countersign says that the member with this node key lets the node of join in.
func Countersign(join Signed, key crypto.Signer, at time.Time) (*Witness, error) {
	w := api.Witness{Realm: join.Realm, Member: join.alone, At: at.UTC().Truncate(time.Second)}
	payload, err := json.Marshal(w)
	if err != nil {
		return nil, fmt.Errorf("countersign %s: %w", join.Ref, err)
	}
	env, by, err := seal(api.PayloadWitness, payload, key)
	if err != nil {
		return nil, fmt.Errorf("countersign %s: %w", join.Ref, err)
	}
	raw, err := json.Marshal(env)
	if err != nil {
		return nil, fmt.Errorf("countersign %s: %w", join.Ref, err)
	}
	return &Witness{Witness: w, By: by, Envelope: raw, payload: payload}, nil
}

// countersigned is s with the witness w, which must speak of s; nil takes one away.
func (s Signed) countersigned(w *Witness) (Signed, error) {
	s.Witness, s.Digest = w, s.alone
	switch {
	case w == nil:
		return s, nil
	case s.Kind != api.KindMember:
		return s, fmt.Errorf("a %s has a witness", s.Kind)
	case w.Realm != s.Realm || w.Member != s.alone:
		return s, errors.New("the witness speaks of something else")
	}
	s.Digest = api.WitnessedDigest(s.alone, w.By.Key(), w.payload)
	return s, nil
}

func readWitness(raw []byte) (*Witness, error) {
	env, payload, by, err := unseal(raw, api.PayloadWitness)
	if err != nil {
		return nil, fmt.Errorf("witness: %w", err)
	}
	w := &Witness{By: by, payload: payload}
	if err := api.Decode(payload, maxWitness, &w.Witness); err != nil {
		return nil, fmt.Errorf("witness: %w", err)
	}
	env.Grant, env.Witness = nil, nil
	if w.Envelope, err = json.Marshal(env); err != nil {
		return nil, fmt.Errorf("witness: %w", err)
	}
	return w, nil
}
