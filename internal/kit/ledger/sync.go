package ledger

import (
	"errors"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/keys"
)

// Len is how many intents are held and passed on.
func (l *Ledger) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.count
}

// Digests says what is held, for another member to compare; Now is left to the caller.
func (l *Ledger) Digests() api.SyncDigests {
	l.mu.Lock()
	defer l.mu.Unlock()
	parts := l.parts
	return api.SyncDigests{Count: l.count, Buckets: parts[:]}
}

// Differing are the parts in which another member holds other intents.
func (l *Ledger) Differing(theirs api.SyncDigests) (parts []int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, d := range theirs.Buckets {
		if l.parts[i] != d {
			parts = append(parts, i)
		}
	}
	return parts
}

// Entries names what is held in some parts, in no order.
func (l *Ledger) Entries(parts []int) []api.SyncEntry {
	var wanted [api.SyncBuckets]bool
	for _, p := range parts {
		wanted[p] = true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	out := []api.SyncEntry{}
	for d, s := range l.byDigest {
		if wanted[d[0]] && !l.frozen(s) {
			out = append(out, api.SyncEntry{Ref: s.Ref, Signer: s.By(), Seq: s.Seq, Digest: d})
		}
	}
	return out
}

// Envelope is the envelope of the intent with this payload, if it is held and passed on.
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
	k, err := api.ParseKeyName(e.Signer)
	if err != nil {
		return false
	}
	signer := keys.Public(k)
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, held := l.byDigest[e.Digest]; held {
		return false
	}
	if e.Kind == api.KindRotate {
		return true
	}
	_, grantErr := l.grantOf(signer)
	_, inviteErr := l.inviteOf(signer)
	if l.retired[signer] || errors.Is(grantErr, ErrRevoked) || errors.Is(inviteErr, ErrRevoked) {
		return false
	}
	versions := l.slots[Slot{Ref: e.Ref, Signer: signer}]
	return len(versions) < Keep || (intent.Version{Seq: e.Seq, Digest: e.Digest}).Newer(versions[Keep-1].Version())
}
