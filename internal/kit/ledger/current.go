package ledger

import (
	"slices"
	"strings"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
)

// Current is what is wanted of ref at now; false where nothing is.
//
// The owner's newest version counts. Where there is none, or it is a tombstone that
// a granted key has signed a later number after, that key's newest version does, and
// so on through the granted keys by age. Nobody overwrites the name of a signer
// before them that way.
func (l *Ledger) Current(ref api.Ref, now time.Time) (intent.Signed, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.current(ref, now)
}

func (l *state) current(ref api.Ref, now time.Time) (best intent.Signed, ok bool) {
	for _, s := range l.say(ref, now) {
		if ok && !s.Version().Newer(best.Version()) {
			continue
		}
		best, ok = s, true
		if !s.Tombstone {
			break
		}
	}
	return best, ok
}

// Next is the number of the version of ref that comes after all that are held, and
// the digest of the one that it replaces.
func (l *Ledger) Next(ref api.Ref, now time.Time) (seq uint64, prev api.Digest) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var newest intent.Signed
	for _, k := range l.byRef[ref] {
		if s := l.slots[Slot{Ref: ref, Signer: k}][0]; s.Version().Newer(newest.Version()) {
			newest = s
		}
	}
	prev = newest.Digest
	if cur, ok := l.current(ref, now); ok {
		prev = cur.Digest
	}
	return newest.Seq + 1, prev
}

// Refs lists everything that intents are held about, in the order of their keys.
func (l *Ledger) Refs() []api.Ref {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]api.Ref, 0, len(l.byRef))
	for r := range l.byRef {
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b api.Ref) int { return strings.Compare(api.KeyIntent(a), api.KeyIntent(b)) })
	return out
}

// Tops lists the newest version that counts of every slot: what the node's other
// daemons need to know.
func (l *Ledger) Tops(now time.Time) map[Slot]intent.Signed {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make(map[Slot]intent.Signed, len(l.slots))
	for slot := range l.slots {
		if s, ok := l.top(slot, now); ok {
			out[slot] = s
		}
	}
	return out
}

// Top is the newest version that counts of one slot.
func (l *Ledger) Top(slot Slot, now time.Time) (intent.Signed, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.top(slot, now)
}

// Early lists the versions that do not count yet, those that will first before
// others: they were issued in the future.
func (l *Ledger) Early(now time.Time) (out []intent.Signed) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.byDigest {
		if early(s, now) {
			out = append(out, s)
		}
	}
	slices.SortFunc(out, func(a, b intent.Signed) int { return a.Issued.Compare(b.Issued) })
	return out
}

// Expire removes commands whose time is over.
func (l *Ledger) Expire(now time.Time) (dropped []intent.Signed) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.byDigest {
		if !s.Expires.IsZero() && !now.Before(s.Expires) {
			l.remove(s)
		}
	}
	return l.change().Dropped
}
