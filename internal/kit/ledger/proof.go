package ledger

import (
	"bytes"
	"compress/flate"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/keys"
)

// maxInflated caps a proof once it is inflated, in bytes.
const maxInflated = 64 << 10

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
	if _, err := w.Write(raw); err != nil {
		return nil, fmt.Errorf("encode proof: %w", err)
	}
	if err := w.Close(); err != nil {
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
	raw, err := api.ReadAll(flate.NewReader(bytes.NewReader(b)), maxInflated)
	if err != nil && !errors.Is(err, io.EOF) {
		return p, fmt.Errorf("decode proof: %w", err)
	}
	return p, api.Decode(raw, maxInflated, &p)
}

// Proof is what makes the node with this key a member, for those who do not know it
// yet. Where that is more than fits, what others most likely know is left out. For a
// node that is no member it names the realm alone.
func (l *Ledger) Proof(node keys.Public, now time.Time) api.Proof {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refresh(now)
	var evidence []intent.Signed // what depends on others first
	for seen := map[keys.Public]bool{}; !seen[node]; {
		seen[node] = true
		m, ok := l.roster.all[node]
		if !ok || m.Standing != api.StandingMember {
			break
		}
		s, witness, ok := l.evidence(node, now)
		if !ok {
			break
		}
		evidence = append(evidence, s)
		node = witness
	}
	for _, r := range slices.Backward(l.path) {
		evidence = append(evidence, r)
	}
	p := api.Proof{Realm: l.pin.Realm}
	for _, s := range evidence[:min(len(evidence), api.MaxProofIntents)] {
		more := p
		more.Intents = append([][]byte{s.Envelope}, p.Intents...)
		if _, err := EncodeProof(more); err != nil {
			break
		}
		p = more
	}
	return p
}

// evidence is the intent that makes node a member, and who has countersigned it
// (zero: the owner has signed it).
func (l *Ledger) evidence(node keys.Public, now time.Time) (s intent.Signed, witness keys.Public, ok bool) {
	ref := api.Ref{Kind: api.KindMember, Name: api.KeyName(node.Key())}
	if slot, ok := l.ownerSlot(ref); ok {
		s, ok := l.top(slot, now)
		return s, keys.Public{}, ok
	}
	for _, k := range l.byRef[ref] {
		for _, s := range l.slots[Slot{Ref: ref, Signer: k}] {
			if s.Witness == nil {
				continue
			}
			if w := l.roster.all[s.Witness.By]; w.Standing == api.StandingMember {
				return s, s.Witness.By, true
			}
		}
	}
	return intent.Signed{}, keys.Public{}, false
}

// Verdict is what a node is that wants to connect.
type Verdict struct {
	Standing api.Standing // "" for a stranger
	Until    time.Time    // of a client; zero: no end
	Learned  []intent.Signed
	Err      error // why it is neither member nor client
}

// Judge says what the node with this key is, by what is held and by the proof that
// it shows. Learned is what of the proof is news and can be added.
func (l *Ledger) Judge(node keys.Public, proof []byte, now time.Time) Verdict {
	l.mu.Lock()
	m, known := l.member(node, now)
	l.mu.Unlock()
	if known && m.Standing == api.StandingMember {
		return Verdict{Standing: api.StandingMember}
	}
	p, err := DecodeProof(proof)
	switch {
	case err != nil:
		return Verdict{Err: err}
	case p.Realm != l.pin.Realm:
		return Verdict{Err: fmt.Errorf("%w: %s", ErrRealm, p.Realm)}
	}
	shown, err := readAll(p.Intents)
	if err != nil {
		return Verdict{Err: err}
	}
	v := l.judge(node, shown, now)
	if v.Standing == "" && known {
		v.Standing = api.StandingRevoked
	}
	if v.Standing == "" && len(shown) == 0 {
		v.Standing, v.Err = api.StandingPending, errors.New("it waits to be admitted")
	}
	return v
}

func readAll(envelopes [][]byte) (out []intent.Signed, err error) {
	for _, e := range envelopes {
		s, err := intent.Read(e)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

func (l *Ledger) judge(node keys.Public, shown []intent.Signed, now time.Time) Verdict {
	scratch := l.trustOnly(now)
	c, errs := scratch.AddAll(shown, now)
	m, ok := scratch.Member(node, now)
	if ok && m.Standing == api.StandingMember {
		return Verdict{Standing: api.StandingMember, Learned: c.Added}
	}
	v := Verdict{Err: errors.Join(errs...)}
	if ok {
		v.Err = fmt.Errorf("%w: the owner has revoked its membership", ErrRevoked)
		return v
	}
	if v.Err == nil {
		v.Err = errors.New("nothing that it shows makes it a member")
	}
	for _, s := range shown {
		if s.Kind != api.KindMember || s.Name != api.KeyName(node.Key()) || s.Tombstone || s.Realm != l.pin.Realm {
			continue
		}
		if until, err := scratch.client(s, now); err == nil {
			return Verdict{Standing: api.StandingClient, Until: until}
		}
		if err := scratch.Joining(s); err == nil {
			return Verdict{Standing: api.StandingJoining}
		}
	}
	return v
}

// trustOnly is a copy of what says who may do what.
func (l *Ledger) trustOnly(now time.Time) *Ledger {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []intent.Signed
	for slot, versions := range l.slots {
		if slot.Kind.Trust() && !l.retired[slot.Signer] || slot.Kind == api.KindRotate {
			all = append(all, versions...)
		}
	}
	scratch := New(l.pin)
	scratch.AddAll(all, now)
	return scratch
}

// client reports until when s makes its node a client.
func (l *Ledger) client(s intent.Signed, now time.Time) (until time.Time, err error) {
	var m api.Membership
	if err := json.Unmarshal(s.Body, &m); err != nil {
		return until, err
	}
	until = m.Expires
	switch {
	case until.IsZero():
		return until, errors.New("it is no client's")
	case !now.Before(until), until.After(now.Add(api.MaxClient + MaxAhead)):
		return until, fmt.Errorf("%w: it is good until %s", ErrExpired, until.Format(time.RFC3339))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.Signer == l.owner() {
		return until, nil
	}
	if s.Grant != nil {
		if _, err := l.addGrant(s, now); err != nil {
			return until, err
		}
	}
	g, err := l.grantOf(s.Signer)
	if err != nil {
		return until, err
	}
	if !g.Expires.IsZero() && g.Expires.Before(until) {
		until = g.Expires
	}
	if !now.Before(until) {
		return until, fmt.Errorf("%w: the grant ended at %s", ErrExpired, until.Format(time.RFC3339))
	}
	return until, nil
}

// Joining reports why s, which nobody may have countersigned yet, does not show a
// good invite for its node. The invite's time and uses are not asked: see
// [Ledger.Admit].
func (l *Ledger) Joining(s intent.Signed) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.joining(s)
}

func (l *Ledger) joining(s intent.Signed) error {
	if _, err := l.inviteOf(s.Signer); err != nil {
		return err
	}
	var m api.Membership
	switch err := json.Unmarshal(s.Body, &m); {
	case err != nil:
		return err
	case s.Kind != api.KindMember, s.Tombstone, s.Seq != 1, len(m.Roles) > 0, !m.Expires.IsZero():
		return fmt.Errorf("%w: an invite lets nodes in, and nothing else", ErrForbidden)
	}
	return nil
}
