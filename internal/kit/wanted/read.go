package wanted

import (
	"errors"
	"runtime"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/ledger"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
)

// named is an intent and the key that it was found under.
type named struct {
	key string
	intent.Signed
}

func signed(all []named) []intent.Signed {
	out := make([]intent.Signed, len(all))
	for i, n := range all {
		out[i] = n.Signed
	}
	return out
}

// read returns the intents of a batch that are to be looked at. Whoever watches the
// bucket is shown everything again when the bus comes back: what has been looked at
// costs no second check of its signature.
func (b *Book) read(batch []Shown) []named {
	var fresh []Shown
	for _, s := range batch {
		kind, _, _ := strings.Cut(s.Key, ".")
		sum := api.Sum(s.Envelope)
		switch {
		case s.Gone:
			// Only signed intents take something back; a key that is gone says nothing.
			delete(b.seen, s.Key)
			delete(b.waiting, s.Key)
		case !api.Kind(kind).Known(), b.seen[s.Key] == sum:
		default:
			b.seen[s.Key] = sum
			fresh = append(fresh, s)
		}
	}
	read, errs := openAll(fresh)
	out := make([]named, 0, len(fresh))
	for i, s := range fresh {
		if err := errs[i]; err != nil {
			b.cfg.Log.Warn("refused an intent", "key", s.Key, telemetry.Error(err))
			delete(b.waiting, s.Key)
			continue
		}
		out = append(out, named{s.Key, read[i]})
	}
	return b.current(out)
}

// openAll checks signatures, which takes most of the time that an intent costs.
func openAll(batch []Shown) (out []intent.Signed, errs []error) {
	out, errs = make([]intent.Signed, len(batch)), make([]error, len(batch))
	if len(batch) == 1 {
		out[0], errs[0] = open(batch[0])
		return out, errs
	}
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, s := range batch {
		g.Go(func() error {
			out[i], errs[i] = open(s)
			return nil
		})
	}
	_ = g.Wait() // each has its own error
	return out, errs
}

var errKey = errors.New("it lies under the key of another")

func open(s Shown) (intent.Signed, error) {
	in, err := intent.Read(s.Envelope)
	if err == nil && in.Slot().Key() != s.Key {
		err = errKey
	}
	return in, err
}

// current leaves replays out.
func (b *Book) current(all []named) []named {
	out := all[:0]
	for _, n := range all {
		if mark := b.cfg.Marks.At(n.Slot()); mark.Newer(n.Version()) {
			b.cfg.Log.Warn("refused an intent that is older than one accepted before",
				telemetry.KeyWorkload, n.String(), telemetry.KeySeq, n.Seq, "mark", mark.Seq)
			delete(b.waiting, n.key)
			continue
		}
		out = append(out, n)
	}
	return out
}

// isMark reports whether s is the version that its slot's mark names.
func (b *Book) isMark(s intent.Signed) bool { return b.cfg.Marks.At(s.Slot()) == s.Version() }

// sort drops from what waits all that was taken, or never will be. What its signer
// may not say yet may have come before a grant that allows it.
func (b *Book) sort(all []named, errs []error, fresh bool) {
	for i, n := range all {
		err := errs[i]
		if err != nil && fresh && !errors.Is(err, ledger.ErrUnauthorized) {
			b.cfg.Log.Warn("refused an intent", "key", n.key, telemetry.Error(err))
		}
		if errors.Is(err, ledger.ErrUnauthorized) || errors.Is(err, ledger.ErrForbidden) || errors.Is(err, ledger.ErrRevoked) || errors.Is(err, ledger.ErrFull) {
			continue
		}
		if b.waiting[n.key].Digest == n.Digest {
			delete(b.waiting, n.key)
		}
	}
}
