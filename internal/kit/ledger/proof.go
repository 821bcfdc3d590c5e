package ledger

import (
	"bytes"
	"compress/flate"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/keys"
)

const (
	// maxInflated caps a proof once it is inflated, in bytes.
	maxInflated = 64 << 10
	// turnsFirst is how many rotations a proof has before the members that others most
	// likely know: who was away for long knows those, and not the owner's new key.
	turnsFirst = 4
)

// EncodeProof packs a proof for the handshake: JSON, deflated (RFC 1951).
func EncodeProof(p api.Proof) ([]byte, error) {
	raw, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("encode proof: %w", err)
	}
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestCompression)
	if err != nil {
		return nil, fmt.Errorf("encode proof: %w", err)
	}
	_, err = w.Write(raw)
	if err := errors.Join(err, w.Close()); err != nil {
		return nil, fmt.Errorf("encode proof: %w", err)
	}
	if b.Len() > api.MaxProof {
		return nil, fmt.Errorf("encode proof: %w: %d bytes", api.ErrTooLarge, b.Len())
	}
	return b.Bytes(), nil
}

// DecodeProof is the inverse of [EncodeProof], for what a stranger may have written.
func DecodeProof(b []byte) (p api.Proof, err error) {
	if len(b) > api.MaxProof {
		return p, fmt.Errorf("decode proof: %w", api.ErrTooLarge)
	}
	packed := bytes.NewReader(b)
	raw, err := api.ReadAll(flate.NewReader(packed), maxInflated)
	if err != nil {
		return p, fmt.Errorf("decode proof: %w", err)
	}
	if packed.Len() > 0 {
		return p, errors.New("decode proof: bytes after it")
	}
	return p, api.Decode(raw, maxInflated, &p)
}

// Proof is what makes the node with this key a member, for those who do not know it
// yet. Where that is more than fits, what others most likely know is left out. For a
// node that is no member it names the realm alone.
func (l *Ledger) Proof(node keys.Public, _ time.Time) api.Proof {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := api.Proof{Realm: l.pin.Realm}
	for _, s := range l.reasons(node) {
		more := p
		more.Intents = append([][]byte{s.Envelope}, p.Intents...) // after what it depends on
		if len(more.Intents) > api.MaxProofIntents {
			break
		}
		if _, err := EncodeProof(more); err != nil {
			break
		}
		p = more
	}
	return p
}

// reasons is what makes node a member, the most needed first.
func (l *state) reasons(node keys.Public) []intent.Signed {
	var chain []intent.Signed
	for seen := map[keys.Public]bool{}; l.roster.member(node) && !seen[node]; {
		seen[node] = true
		s, ok := l.evidence(node)
		if !ok {
			break
		}
		chain = append(chain, s)
		if s.Witness == nil {
			break
		}
		node = s.Witness.By
	}
	if len(chain) == 0 {
		return nil
	}
	turns := slices.Clone(l.path)
	slices.Reverse(turns)
	n := min(len(turns), turnsFirst)
	return slices.Concat(chain[:1], turns[:n], chain[1:], turns[n:])
}

// evidence is the intent that makes node a member, with the invite that it rests on.
func (l *state) evidence(node keys.Public) (intent.Signed, bool) {
	if s, ok := l.word(refMember(node)); ok {
		return s, true
	}
	s, ok := l.join(refMember(node))
	if !ok {
		return s, false
	}
	invite, ok := l.word(api.Ref{Kind: api.KindInvite, Name: s.By()})
	if !ok {
		return s, false
	}
	with, err := s.WithGrant(invite.Envelope)
	if err != nil {
		return s, true // too large: others have to know the invite
	}
	return with, true
}
