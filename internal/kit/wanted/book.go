package wanted

import (
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/ledger"
	"github.com/realm-mesh/realm/internal/kit/trust"
)

// Marks are what [trust.Marks] does for a Book.
type Marks interface {
	At(intent.Slot) intent.Version
	// AdvanceAll returns once all are on disk, or none.
	AdvanceAll(map[intent.Slot]intent.Version) error
}

// Config says what a Book works with.
type Config struct {
	// Pin is the realm and owner that this node trusts; an error while there is none.
	Pin   func() (trust.Pin, error)
	Marks Marks
	Now   func() time.Time // the node's clock, which never goes back
	Log   *slog.Logger
}

// Want is what is wanted of a workload in the realm: a version, or nothing any more.
type Want struct {
	intent.Signed
	News bool   // this node sees it for the first time, not again after a start
	Lost string // why the version, which was wanted before, is not any more; empty: it is
}

// Same reports whether w and o ask for the same.
func (w Want) Same(o Want) bool { return w.Digest == o.Digest && w.Lost == o.Lost }

// Change is what follows from what a Book was shown.
type Change struct {
	Wants   []Want
	Jobs    []Job
	Members bool // who is a member, or what the owner wants of one, may be otherwise
	Volumes bool // what was decided of some volume may be otherwise: see [Book.Volume]
	Secrets bool // some secret may have another version, or be gone
	Taken   int  // how many intents were accepted that this node had not seen before
}

// Job is what is wanted of a job.
type Job struct {
	Root api.Digest // of its first version
	Name api.Name
	// Head is its newest version; nil: it is not wanted any more.
	Head *intent.Signed
}

// Shown is an envelope as it was found under a key of the intents bucket.
type Shown struct {
	Key      string // [api.KeySlot]
	Envelope []byte
	Gone     bool // there is none under the key any more
}

// Book keeps what is wanted here. [Book.Take] and [Book.Look] are for one goroutine,
// the other methods for any.
type Book struct {
	cfg     Config
	seen    map[string]api.Digest    // of the envelope that was last looked at, by key
	waiting map[string]intent.Signed // read, and of no use yet, by key

	unmarked map[intent.Slot]intent.Version // taken, their marks not on disk
	news     map[api.Digest]bool            // taken, and newer than its mark was
	touched  map[api.Ref]bool               // to be compared with what is wanted; true: something about it was dropped
	shown    map[api.Ref]Want               // returned last
	jobs     map[api.Ref]Job                // returned last
	expires  time.Time                      // when the next intent ends by its time; zero: none does
	members  bool                           // to be told: see Change
	volumes  bool                           // likewise
	secrets  bool                           // likewise
	taken    int                            // likewise

	mu     sync.RWMutex
	set    *ledger.Ledger // nil until there is a pin
	former map[keys.Public]bool
	wanted int
	// versions of the manifests that stand, by name
	manifests map[api.Name]uint64
}

// New returns a Book that has been shown nothing.
func New(cfg Config) *Book {
	return &Book{cfg: cfg, seen: map[string]api.Digest{}, waiting: map[string]intent.Signed{},
		unmarked: map[intent.Slot]intent.Version{}, news: map[api.Digest]bool{}, touched: map[api.Ref]bool{},
		shown: map[api.Ref]Want{}, former: map[keys.Public]bool{}, jobs: map[api.Ref]Job{}, manifests: map[api.Name]uint64{}}
}

// Take takes in what was shown and returns what is otherwise for it. Where
// more follows of what there is at the start, it draws no conclusions yet. An error
// is about this node (it has no owner, its disk is full): nothing was lost, and
// [Book.Look] tries again.
func (b *Book) Take(batch []Shown, more bool) (Change, error) {
	news := b.read(batch)
	for _, n := range news {
		if old, ok := b.waiting[n.key]; !ok || n.Version().Newer(old.Version()) {
			b.waiting[n.key] = n.Signed
		}
	}
	if more {
		return Change{}, nil
	}
	if err := b.add(news); err != nil {
		return Change{}, err
	}
	return b.settle()
}

// Look returns what is otherwise since time has passed, or what an error has held up
// before.
func (b *Book) Look() (Change, error) {
	if err := b.add(nil); err != nil {
		return Change{}, err
	}
	b.expire()
	b.all()
	return b.settle()
}

// Next is when to call [Book.Look]: a version has come whose time has not. It is
// false where there is none.
func (b *Book) Next() (time.Time, bool) {
	if b.set == nil {
		return time.Time{}, false
	}
	next := b.expires
	if early := b.set.Early(b.cfg.Now()); len(early) > 0 {
		if begins := early[0].Issued.Add(-ledger.MaxAhead); next.IsZero() || begins.Before(next) {
			next = begins
		}
	}
	return next, !next.IsZero()
}

// expire removes what has ended by its time.
func (b *Book) expire() {
	if now := b.cfg.Now(); b.set == nil || b.expires.IsZero() || now.Before(b.expires) {
		return
	}
	for _, s := range b.set.Expire(b.cfg.Now()) {
		b.due(s.Ref, true)
	}
	b.expires = b.set.Expires()
}

// Count is how many workloads there are in the realm, as far as is known.
func (b *Book) Count() int {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.wanted
}

// add takes news, which waits, into the set, with those that have waited for more to
// be known.
func (b *Book) add(news []named) error {
	if b.set == nil {
		return b.begin()
	}
	begun := 0
	for i, n := range news {
		if n.Kind == api.KindRotate { // what came before it was signed before it
			b.join(news[begun:i], true)
			begun = i
		}
	}
	b.join(news[begun:], true)
	if slices.ContainsFunc(news, func(n named) bool { return n.Kind.Trust() }) {
		b.join(b.waited(), false)
	}
	return nil
}

// join adds to the set what of all it takes.
func (b *Book) join(all []named, fresh bool) {
	c, errs := b.set.AddAll(signed(all), b.cfg.Now())
	b.note(c)
	b.sort(all, errs, fresh)
}

// begin makes the set of all that was shown until now.
func (b *Book) begin() error {
	pin, err := b.cfg.Pin()
	if err != nil {
		return err
	}
	all := b.waited()
	set, c, errs := restore(pin, signed(all), b.isMark, b.cfg.Now())
	b.mu.Lock()
	b.set = set
	b.mu.Unlock()
	b.note(c)
	b.sort(all, errs, true)
	return nil
}

// note remembers what follows from a change of the set.
func (b *Book) note(c ledger.Change) {
	for _, s := range c.Added {
		slot, v := s.Slot(), s.Version()
		if v.Newer(b.cfg.Marks.At(slot)) {
			b.news[s.Digest] = true
			b.taken++
			if v.Newer(b.unmarked[slot]) {
				b.unmarked[slot] = v
			}
		}
		if s.Kind == api.KindRotate {
			b.mu.Lock()
			b.former[s.Signer] = true
			b.mu.Unlock()
		}
		b.due(s.Ref, false)
		if !s.Expires.IsZero() && (b.expires.IsZero() || s.Expires.Before(b.expires)) {
			b.expires = s.Expires
		}
	}
	for _, s := range c.Dropped {
		b.due(s.Ref, true)
	}
	if c.Trust {
		b.all()
	}
}

// all has everything compared.
func (b *Book) all() {
	if b.set == nil {
		return
	}
	b.members, b.volumes, b.secrets = true, true, true
	for _, ref := range b.set.Refs() {
		b.due(ref, false)
	}
	for ref := range b.shown {
		b.due(ref, false)
	}
	for ref := range b.jobs {
		b.due(ref, false)
	}
}

func (b *Book) due(ref api.Ref, dropped bool) {
	switch {
	case ref.Kind == api.KindNode:
		b.members = true
	case ref.Kind == api.KindVolume:
		b.volumes = true
	case ref.Kind == api.KindSecret:
		b.secrets = true
	case ref.Kind == api.KindManifest, ref.Kind == api.KindJob, ref.Kind.Workload():
		b.touched[ref] = b.touched[ref] || dropped
	}
}

// waited lists all that waits, in no order.
func (b *Book) waited() []named {
	out := make([]named, 0, len(b.waiting))
	for key, s := range b.waiting {
		out = append(out, named{key, s})
	}
	return out
}
