package intents

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
	"github.com/realm-mesh/realm/internal/kit/trust"
)

// ErrOlder says that an intent has been overtaken.
var ErrOlder = errors.New("a newer intent has been accepted already")

const putTries = 3 // at a store that somebody else writes, too

// Config says what a Ledger works with.
type Config struct {
	Pin   trust.Pin
	Store Store
	Marks Marks
	// Room returns an error if n bytes should not be written now: the disk is full.
	Room func(n int64) error
	Log  *slog.Logger
}

// Ledger holds the current intents of a realm. It is safe for use by several goroutines.
type Ledger struct {
	cfg Config

	write sync.Mutex // one acceptance at a time

	mu   sync.RWMutex
	held map[api.Ref]intent.Version // what is in the store and as new as its mark
}

// Open reads the store and reconciles it with the marks: what is newer in the
// store raises them; what is older, or not the owner's, does not count.
func Open(ctx context.Context, cfg Config) (*Ledger, error) {
	l := &Ledger{cfg: cfg, held: map[api.Ref]intent.Version{}}
	all, err := cfg.Store.All(ctx)
	if err != nil {
		return nil, fmt.Errorf("open intents: %w", err)
	}
	for _, st := range all {
		s, err := l.open(st.Envelope) //nolint:contextcheck // see open
		if err == nil && s.Ref != st.Ref {
			err = fmt.Errorf("it is about %s", s.Ref)
		}
		if err != nil {
			cfg.Log.Warn("stored intent is left aside", telemetry.KeyWorkload, st.Ref.String(), telemetry.Error(err))
			continue
		}
		if err := l.reconcile(s); err != nil {
			return nil, fmt.Errorf("open intents: %w", err)
		}
	}
	return l, nil
}

// open checks an envelope. It computes and waits for nothing, hence no context.
func (l *Ledger) open(envelope []byte) (intent.Signed, error) {
	return intent.Open(envelope, l.cfg.Pin.Realm, l.cfg.Pin.Owner)
}

// reconcile counts s, which is in the store, if no mark is above it.
func (l *Ledger) reconcile(s intent.Signed) error {
	at, v := l.cfg.Marks.At(s.Ref), s.Version()
	if at.Newer(v) {
		return nil // sync brings the newer one
	}
	if err := l.cfg.Marks.Advance(s.Ref, v); err != nil {
		return err
	}
	l.hold(s.Ref, v)
	return nil
}

func (l *Ledger) hold(r api.Ref, v intent.Version) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held[r] = v
}

// holds reports whether the store holds version v of r.
func (l *Ledger) holds(r api.Ref, v intent.Version) bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.held[r] == v
}

// wanted reports whether version v of r would be news here.
func (l *Ledger) wanted(r api.Ref, v intent.Version) bool {
	at := l.cfg.Marks.At(r)
	return v.Newer(at) || v == at && v.Seq != 0 && !l.holds(r, v)
}

// Look checks an envelope without accepting it: an error if it is not one of the
// owner's intents, else whether it would be news.
func (l *Ledger) Look(envelope []byte) (s intent.Signed, news bool, err error) {
	s, err = l.open(envelope)
	if err != nil {
		return intent.Signed{}, false, err
	}
	return s, l.wanted(s.Ref, s.Version()), nil
}

// Accept checks an envelope and keeps it. news is false when exactly this intent
// is kept already, which is no error; one that has been overtaken is [ErrOlder].
// When Accept returns nil, the intent survives a crash.
func (l *Ledger) Accept(ctx context.Context, envelope []byte) (s intent.Signed, news bool, err error) {
	s, err = l.open(envelope) //nolint:contextcheck // see open
	if err != nil {
		return intent.Signed{}, false, err
	}
	l.write.Lock()
	defer l.write.Unlock()
	v := s.Version()
	if !l.wanted(s.Ref, v) {
		if l.holds(s.Ref, v) {
			return s, false, nil
		}
		return intent.Signed{}, false, l.older(s)
	}
	if err := l.cfg.Room(int64(len(envelope))); err != nil {
		return intent.Signed{}, false, fmt.Errorf("accept %s: %w", s.Ref, err)
	}
	if err := l.put(ctx, s); err != nil {
		return intent.Signed{}, false, fmt.Errorf("accept %s: %w", s.Ref, err)
	}
	if err := l.cfg.Marks.Advance(s.Ref, v); err != nil {
		return intent.Signed{}, false, fmt.Errorf("accept %s: %w", s.Ref, err)
	}
	l.hold(s.Ref, v)
	return s, true, nil
}

func (l *Ledger) older(s intent.Signed) error {
	at := l.cfg.Marks.At(s.Ref)
	return fmt.Errorf("%w: %s is at number %d (%s) on this node, and this one is number %d (%s): look at its state with realm status, and give the command again",
		ErrOlder, s.Ref, at.Seq, at.Digest.Short(), s.Seq, s.Digest.Short())
}

// put stores s over whatever older there is. This node has one writer, but the
// store is not its own: what is found there may be newer than all it knows.
func (l *Ledger) put(ctx context.Context, s intent.Signed) error {
	for range putTries {
		var revision uint64
		switch st, err := l.cfg.Store.Get(ctx, s.Ref); {
		case errors.Is(err, ErrNotFound):
		case err != nil:
			return err
		default:
			revision = st.Revision
			there, err := l.open(st.Envelope) //nolint:contextcheck // see open
			switch {
			case err != nil || there.Ref != s.Ref: // not the owner's: overwrite it
			case there.Digest == s.Digest:
				return nil
			case there.Version().Newer(s.Version()):
				if err := l.reconcile(there); err != nil {
					return err
				}
				return l.older(s)
			}
		}
		err := l.cfg.Store.Put(ctx, s.Ref, s.Envelope, revision)
		if !errors.Is(err, ErrConflict) {
			return err
		}
	}
	return ErrConflict
}

// Count is how many intents are held.
func (l *Ledger) Count() int {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return len(l.held)
}

// Summary lists what is held, for other members, in the order of names.
func (l *Ledger) Summary() []api.SyncEntry {
	l.mu.RLock()
	out := make([]api.SyncEntry, 0, len(l.held))
	for r, v := range l.held {
		out = append(out, api.SyncEntry{Ref: r, Seq: v.Seq, Digest: v.Digest})
	}
	l.mu.RUnlock()
	slices.SortFunc(out, func(a, b api.SyncEntry) int { return strings.Compare(api.KeyIntent(a.Ref), api.KeyIntent(b.Ref)) })
	return out[:min(len(out), api.MaxSync)]
}

// Wanted picks from another member's summary what would be news here.
func (l *Ledger) Wanted(summary []api.SyncEntry) []api.Ref {
	var out []api.Ref
	for _, e := range summary {
		if l.wanted(e.Ref, intent.Version{Seq: e.Seq, Digest: e.Digest}) {
			out = append(out, e.Ref)
		}
	}
	return out
}

// Envelope returns the envelope of ref that is held, or [ErrNotFound].
func (l *Ledger) Envelope(ctx context.Context, ref api.Ref) ([]byte, error) {
	l.mu.RLock()
	v, ok := l.held[ref]
	l.mu.RUnlock()
	if !ok {
		return nil, ErrNotFound
	}
	st, err := l.cfg.Store.Get(ctx, ref)
	if errors.Is(err, ErrNotFound) {
		l.lost(ref, v)
	}
	if err != nil {
		return nil, fmt.Errorf("read intent %s: %w", ref, err)
	}
	return st.Envelope, nil
}

// lost forgets that v is held, so that it is fetched again.
func (l *Ledger) lost(r api.Ref, v intent.Version) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held[r] == v {
		delete(l.held, r)
	}
}
