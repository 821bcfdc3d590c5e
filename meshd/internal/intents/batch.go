package intents

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/ledger"
)

// SubmitAll is [Keeper.Submit] for several intents in their order, of which each
// follows what is known together with those before it: all of them are taken, with one
// wait for the disk, or none. Submitting the same ones again is no error as long as
// nobody has replaced them. It returns them all, and those that were news; a grant that
// came with one is among these.
func (k *Keeper) SubmitAll(ctx context.Context, envelopes [][]byte) (all, news []intent.Signed, err error) {
	all, errs := Read(envelopes) //nolint:contextcheck // it computes, and waits for nothing
	for i, err := range errs {
		if err == nil {
			err = all[i].Validate()
		}
		if err != nil {
			return nil, nil, fmt.Errorf("submit %s: %w", nth(i, all), err)
		}
	}
	if err := k.AwaitReady(ctx); err != nil {
		return nil, nil, fmt.Errorf("submit %d intents: %w", len(all), err)
	}
	r := &request{by: BySubmit, items: all, whole: true}
	k.commit(r) //nolint:contextcheck // it waits for the disk alone
	for i, err := range r.errs {
		if err != nil {
			return nil, nil, fmt.Errorf("submit %s: %w; nothing was taken", nth(i, all), err)
		}
	}
	k.show.await(ctx, projectWithin)
	return all, r.change.Added, nil
}

// nth names one of several intents.
func nth(i int, all []intent.Signed) string {
	return fmt.Sprintf("intent %d of %d", i+1, len(all))
}

// takeWhole adds all items of r to the set in memory, or none: it tries them on a copy.
// The first one that is not taken has an error.
func (k *Keeper) takeWhole(r *request, now time.Time) {
	trial := k.ledger.Clone()
	for i, s := range r.items {
		c, err := takeNew(trial, s, r.by, now)
		if err != nil && replacedWithin(trial, r.items[i:]) {
			continue // the same batch once more
		}
		if err != nil {
			r.errs[i], r.change = err, ledger.Change{}
			return
		}
		r.note(c)
	}
	k.ledger.Become(trial)
}

// head is the line of the log before the lines of a batch: they are all there, or they
// do not count.
type head struct {
	Together int `json:"together"` // lines that follow
}

// maxTogether is how many lines a batch may have: a grant may come with each intent.
const maxTogether = 2 * api.MaxSubmitBatch

// Validate implements [api.Validator].
func (h *head) Validate() error {
	if h.Together < 1 || h.Together > maxTogether {
		return fmt.Errorf("a batch of %d", h.Together)
	}
	return nil
}

// headOf is the head of a batch of n lines; nothing for none.
func headOf(n int) []byte {
	if n == 0 {
		return nil
	}
	return fmt.Appendf(nil, "{\"together\":%d}\n", n)
}

// batchHead reads a line that may be a head.
func batchHead(line []byte) (n int, ok bool) {
	var h head
	if !bytes.HasPrefix(line, []byte(`{"together":`)) || api.Decode(line, maxHead, &h) != nil {
		return 0, false
	}
	return h.Together, true
}

const maxHead = 64 // bytes

// replacedWithin reports whether the first of items is held, and was replaced by one of
// those after it.
func replacedWithin(l *ledger.Ledger, items []intent.Signed) bool {
	s := items[0]
	_, held := l.Held(s.Digest)
	return held && slices.ContainsFunc(items[1:], func(o intent.Signed) bool { return o.Ref == s.Ref && o.Prev == s.Digest })
}
