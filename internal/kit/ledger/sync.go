package ledger

import (
	"crypto/sha256"
	"errors"
	"slices"
	"strings"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/keys"
)

// Digests says what is held, for another member to compare; Now is left to the caller.
func (l *Ledger) Digests() api.SyncDigests {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sum()
	parts := l.parts
	return api.SyncDigests{Count: l.count, Buckets: parts[:]}
}

// Differing are the parts in which another member holds other intents.
func (l *Ledger) Differing(theirs api.SyncDigests) (parts []int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sum()
	for i, d := range theirs.Buckets[:min(len(theirs.Buckets), len(l.parts))] {
		if l.parts[i] != d {
			parts = append(parts, i)
		}
	}
	return parts
}

// sum makes the parts anew that have changed. It hashes the digests in their order: an
// exclusive or would be cheaper to keep, but who may sign a few hundred intents can
// choose them so that it stays the same.
func (l *state) sum() {
	for i := range l.parts {
		if l.changed[i] {
			l.parts[i], l.changed[i] = l.sumPart(i), false
		}
	}
}

func (l *state) sumPart(i int) (d api.Digest) {
	var all []api.Digest
	for d := range l.byPart[i] {
		if !l.frozen(l.byDigest[d]) {
			all = append(all, d)
		}
	}
	if len(all) == 0 {
		return d
	}
	slices.SortFunc(all, api.Digest.Compare)
	h := sha256.New()
	for _, d := range all {
		h.Write(d[:])
	}
	return api.Digest(h.Sum(nil))
}

// Entries names what is held in some parts, in no order.
func (l *Ledger) Entries(parts []int) []api.SyncEntry {
	l.mu.Lock()
	defer l.mu.Unlock()
	out, done := []api.SyncEntry{}, [api.SyncBuckets]bool{}
	for _, p := range parts {
		if p < 0 || p >= len(done) || done[p] {
			continue
		}
		done[p] = true
		for d := range l.byPart[p] {
			if s := l.byDigest[d]; !l.frozen(s) {
				out = append(out, api.SyncEntry{Ref: s.Ref, Signer: s.By(), Seq: s.Seq, Digest: d})
			}
		}
	}
	return out
}

// Envelope is the envelope of the intent with this digest, if it is held and passed on.
func (l *Ledger) Envelope(d api.Digest) ([]byte, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s, ok := l.byDigest[d]
	if !ok || l.frozen(s) {
		return nil, false
	}
	return s.Envelope, true
}

// Wants reports whether an intent that another member holds may be news: whether it
// is can be told only when it has been read.
func (l *Ledger) Wants(e api.SyncEntry) bool {
	signer := keyOf(api.Ref{Name: e.Signer})
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, held := l.byDigest[e.Digest]; held || signer.IsZero() {
		return false
	}
	if _, retired := l.retired[signer]; retired {
		return false
	}
	versions := l.slots[Slot{Ref: e.Ref, Signer: signer}]
	if len(versions) >= Keep && !(intent.Version{Seq: e.Seq, Digest: e.Digest}).Newer(versions[Keep-1].Version()) {
		return false
	}
	return e.Kind == api.KindRotate || signer == l.owner() || l.maySay(e, signer)
}

// maySay reports whether signer, who is not the owner, may have signed e, or may have
// been given a say that is not known here yet.
func (l *state) maySay(e api.SyncEntry, signer keys.Public) bool {
	if e.Kind == api.KindMember {
		_, err := l.inviteOf(signer)
		return !errors.Is(err, ErrRevoked)
	}
	g, err := l.grantOf(signer)
	if err != nil || e.Kind.Trust() {
		return !errors.Is(err, ErrRevoked)
	}
	return e.Seq <= MaxGrantedSeq && e.Kind.Right() != "" && strings.HasPrefix(string(e.Name), g.Prefix)
}
