package ledger

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/trust"
)

// Why an intent is not taken. Wrong signatures are found before (package intent).
var (
	// ErrUnauthorized: nothing is known that would give the signer a say. It may be
	// on its way: offer the intent again when more is known.
	ErrUnauthorized = errors.New("its signer has no say in this realm")
	// ErrForbidden: the signer has a say, but not in this.
	ErrForbidden = errors.New("its signer may not do this")
	// ErrRevoked: the signer's key was revoked, or replaced by a rotation.
	ErrRevoked = errors.New("its signer's key counts no more")
	// ErrOlder: so many newer versions by its signer are held that it is of no use.
	ErrOlder = errors.New("newer versions are known")
	// ErrExpired: its time is over.
	ErrExpired = errors.New("it has expired")
	// ErrRealm: it was made for another realm.
	ErrRealm = intent.ErrRealm
	// ErrFull: the set is at its limit.
	ErrFull = errors.New("too many intents: remove programs that are not needed any more")
)

// Limits of a set.
const (
	// Keep is how many versions of one signer about one Ref are held: the newest.
	Keep = 8
	// MaxPerGrant is how many names one granted key may use.
	MaxPerGrant = 10_000
	// MaxAhead is how far in the future an intent may have been issued, by the node's
	// clock; later ones are held and passed on, but do not count before their time.
	MaxAhead = 5 * time.Minute
)

// Slot is the place of what one key has signed about one Ref.
type Slot = intent.Slot

// Ledger is a set of intents. It is safe for use by several goroutines. Times that
// are handed to its methods are the node's (package clock), and never go back.
type Ledger struct {
	pin trust.Pin

	mu       sync.Mutex
	slots    map[Slot][]intent.Signed // the newest first; never empty
	byRef    map[api.Ref][]keys.Public
	bySigner map[keys.Public]map[api.Ref]struct{}
	byDigest map[api.Digest]intent.Signed
	parts    [api.SyncBuckets]api.Digest // what others compare
	count    int                         // of what they compare

	path    []intent.Signed // rotations that are known, in their order
	retired map[keys.Public]bool

	roster roster
}

// New makes the empty set of the realm that pin names. The owner is pin's until
// rotations are known that lead on from there.
func New(pin trust.Pin) *Ledger {
	return &Ledger{
		pin: pin, slots: map[Slot][]intent.Signed{}, byRef: map[api.Ref][]keys.Public{},
		bySigner: map[keys.Public]map[api.Ref]struct{}{}, byDigest: map[api.Digest]intent.Signed{}, retired: map[keys.Public]bool{},
	}
}

// Change is what an addition has brought.
type Change struct {
	Added   []intent.Signed // in this order; a grant that came with an intent before it
	Dropped []intent.Signed // no longer held
	Trust   bool            // somebody's say, or membership, may be another
}

// News reports whether anything was added.
func (c Change) News() bool { return len(c.Added) > 0 }

func (c *Change) merge(d Change) {
	c.Added = append(c.Added, d.Added...)
	c.Dropped = append(c.Dropped, d.Dropped...)
	c.Trust = c.Trust || d.Trust
}

// Add takes s into the set. One that is there already changes nothing, and is no
// error. Beside the errors of this package there are none.
func (l *Ledger) Add(s intent.Signed, now time.Time) (Change, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.add(s, now)
}

// AddAll adds what it can of all, in whatever order they depend on each other, and
// returns the error of each that it could not (nil for the others).
func (l *Ledger) AddAll(all []intent.Signed, now time.Time) (Change, []error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var sum Change
	errs := make([]error, len(all))
	todo := make([]int, 0, len(all))
	for i := range all {
		todo = append(todo, i)
	}
	slices.SortStableFunc(todo, func(a, b int) int { return rank(all[a]) - rank(all[b]) })
	for {
		var again []int
		progress := false
		for _, i := range todo {
			var c Change
			c, errs[i] = l.add(all[i], now)
			sum.merge(c)
			progress = progress || c.News()
			if errors.Is(errs[i], ErrUnauthorized) {
				again = append(again, i)
			}
		}
		if !progress || len(again) == 0 {
			return sum, errs
		}
		todo = again
	}
}

// rank orders intents so that most find there what they depend on.
func rank(s intent.Signed) int {
	switch s.Kind {
	case api.KindRotate:
		return 0
	case api.KindGrant, api.KindInvite:
		return 1
	case api.KindMember:
		return 2
	case api.KindSettle:
		return 4
	}
	return 3
}

func (l *Ledger) add(s intent.Signed, now time.Time) (c Change, err error) {
	if _, held := l.byDigest[s.Digest]; held {
		return c, nil
	}
	err = l.check(s, now)
	if errors.Is(err, ErrUnauthorized) && s.Grant != nil {
		if c, err = l.addGrant(s, now); err == nil {
			err = l.check(s, now)
		}
	}
	if err != nil {
		return c, fmt.Errorf("%s number %d: %w", s.Ref, s.Seq, err)
	}
	versions := l.slots[s.Slot()]
	i, _ := slices.BinarySearchFunc(versions, s, func(a, b intent.Signed) int {
		if a.Version().Newer(b.Version()) {
			return -1
		}
		return 1
	})
	if i >= Keep {
		return c, fmt.Errorf("%s number %d: %w", s.Ref, s.Seq, ErrOlder)
	}
	if len(l.byDigest) >= api.MaxSync {
		return c, ErrFull
	}
	l.insert(s, i)
	c.Added = append(c.Added, s)
	if versions = l.slots[s.Slot()]; len(versions) > Keep {
		c.Dropped = append(c.Dropped, l.remove(versions[Keep]))
	}
	if s.Kind.Trust() {
		c.Trust = true
		l.roster.stale = true
		c.Dropped = append(c.Dropped, l.apply(s, now)...)
	}
	return c, nil
}

// addGrant adds the grant or invite that came with s.
func (l *Ledger) addGrant(s intent.Signed, now time.Time) (Change, error) {
	g, err := intent.Read(s.Grant)
	switch {
	case err != nil:
		return Change{}, fmt.Errorf("%w: the grant that came with it: %w", ErrUnauthorized, err)
	case g.Kind != api.KindGrant && g.Kind != api.KindInvite, g.Name != s.By():
		return Change{}, fmt.Errorf("%w: what came with it is no grant for its signer", ErrUnauthorized)
	}
	c, err := l.add(g, now)
	if err != nil {
		err = fmt.Errorf("%w: the grant that came with it: %w", ErrUnauthorized, err)
	}
	return c, err
}

func (l *Ledger) insert(s intent.Signed, i int) {
	slot := s.Slot()
	if len(l.slots[slot]) == 0 {
		l.byRef[s.Ref] = append(l.byRef[s.Ref], s.Signer)
		if l.bySigner[s.Signer] == nil {
			l.bySigner[s.Signer] = map[api.Ref]struct{}{}
		}
		l.bySigner[s.Signer][s.Ref] = struct{}{}
	}
	l.slots[slot] = slices.Insert(l.slots[slot], i, s)
	l.byDigest[s.Digest] = s
	l.flip(s, 1)
}

// remove forgets s, and returns it.
func (l *Ledger) remove(s intent.Signed) intent.Signed {
	slot := s.Slot()
	l.slots[slot] = slices.DeleteFunc(l.slots[slot], func(o intent.Signed) bool { return o.Digest == s.Digest })
	delete(l.byDigest, s.Digest)
	if !l.frozen(s) {
		l.flip(s, -1)
	}
	if len(l.slots[slot]) > 0 {
		return s
	}
	delete(l.slots, slot)
	if l.byRef[s.Ref] = slices.DeleteFunc(l.byRef[s.Ref], func(k keys.Public) bool { return k == s.Signer }); len(l.byRef[s.Ref]) == 0 {
		delete(l.byRef, s.Ref)
	}
	delete(l.bySigner[s.Signer], s.Ref)
	return s
}

// flip takes s into what others compare, or out of it.
func (l *Ledger) flip(s intent.Signed, n int) {
	part := &l.parts[s.Digest[0]]
	for i, b := range s.Digest {
		part[i] ^= b
	}
	l.count += n
}

// by lists what signer has signed and is held.
func (l *Ledger) by(signer keys.Public) (out []intent.Signed) {
	for ref := range l.bySigner[signer] {
		out = append(out, l.slots[Slot{Ref: ref, Signer: signer}]...)
	}
	return out
}

// top is the newest version in a slot that counts at now; ok is false for none.
func (l *Ledger) top(slot Slot, now time.Time) (s intent.Signed, ok bool) {
	for _, v := range l.slots[slot] {
		if !early(v, now) {
			return v, true
		}
	}
	return intent.Signed{}, false
}

// early reports whether s was issued too far in the future to count yet.
func early(s intent.Signed, now time.Time) bool {
	return s.Kind != api.KindRotate && s.Kind != api.KindSettle && s.Issued.After(now.Add(MaxAhead))
}
