package ledger

import (
	"errors"
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
	ErrRealm = errors.New("made for another realm")
	// ErrFull: the set, or the share of it that its signer has, is at its limit.
	ErrFull = errors.New("too many intents")
	// ErrClient: a membership for a time is shown in the handshake, and kept by nobody.
	ErrClient = errors.New("the membership of a client is not kept")
)

// Limits of a set.
const (
	// Keep is how many versions of one signer about one Ref are held: the newest.
	Keep = 8
	// MaxAhead is how far in the future an intent may have been issued, by the node's
	// clock; later ones are held and passed on, but do not count before their time.
	// Those about keys count at once.
	MaxAhead = 5 * time.Minute
	// MaxGrantedSeq is the highest number that keys other than the owner's may use:
	// there is always one after it for the owner.
	MaxGrantedSeq = api.MaxSeq / 2
)

// Slot is the place of what one key has signed about one Ref.
type Slot = intent.Slot

// Ledger is a set of intents. It is safe for use by several goroutines. Times that
// are handed to its methods are the node's (package clock), and never go back.
type Ledger struct {
	mu sync.Mutex
	state
}

// state is what a Ledger holds. Its methods expect the lock. Between calls of
// exported methods
//   - whatever is not frozen passes check (apart from having expired since),
//   - count is of all that is not frozen, and parts are too where they have not changed,
//   - the roster is what follows from the rest, and events is empty.
type state struct {
	pin trust.Pin

	slots    map[Slot][]intent.Signed // the newest first; never empty
	byRef    map[api.Ref][]keys.Public
	bySigner map[keys.Public]map[api.Ref]struct{}
	byDigest map[api.Digest]intent.Signed
	byPart   [api.SyncBuckets]map[api.Digest]struct{} // of byDigest
	shares   map[keys.Public]share                    // of the set, that each signer has
	parts    [api.SyncBuckets]api.Digest              // what others compare
	changed  [api.SyncBuckets]bool                    // parts that must be made anew
	count    int                                      // of what they compare
	events   []intent.Signed                          // what came in or went, and was not told to the caller yet
	revision uint64                                   // grows whenever something comes in or goes

	bodies  map[api.Digest]any  // what was asked for of them: grants, invites, and the blobs of others
	chief   keys.Public         // the owner's key
	path    []intent.Signed     // rotations that are known, in their order
	retired map[keys.Public]int // the keys that path leads from, numbered from 0
	settled int                 // what retired keys before this one have signed is void

	roster roster
}

// New makes the empty set of the realm that pin names. The owner is pin's until
// rotations are known that lead on from there.
func New(pin trust.Pin) *Ledger {
	return &Ledger{state: state{
		pin: pin, chief: pin.Owner, bodies: map[api.Digest]any{}, slots: map[Slot][]intent.Signed{}, byRef: map[api.Ref][]keys.Public{}, bySigner: map[keys.Public]map[api.Ref]struct{}{},
		byDigest: map[api.Digest]intent.Signed{}, shares: map[keys.Public]share{}, retired: map[keys.Public]int{}, roster: newRoster(),
	}}
}

// Become makes l hold what o does and nothing else, for who has added what could
// then not be kept. o must not be used any more.
func (l *Ledger) Become(o *Ledger) {
	l.mu.Lock()
	defer l.mu.Unlock()
	o.mu.Lock()
	defer o.mu.Unlock()
	revision := max(l.revision, o.revision) + 1
	l.state = o.state
	l.revision = revision
}

// Len is how many intents are held and passed on.
func (l *Ledger) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.count
}

// Held is the intent with this digest, if it is held.
func (l *Ledger) Held(d api.Digest) (intent.Signed, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s, ok := l.byDigest[d]
	return s, ok
}
