package node

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/trust"
	"github.com/realm-mesh/realm/realm/internal/owner"
)

// Batch is a change of several programs that belong together, from what a command has
// surveyed to the versions that it signs. Whatever was signed of them in between, the
// command's person has not seen, so that the batch fails unless it is forced, and
// nothing of it is signed then.
type Batch struct {
	node   *Node
	pin    trust.Pin
	signer owner.Signer
	change Together
	force  bool

	again func(context.Context) (*Survey, error)
	seen  *Survey
	first []intent.Signed
}

// Together is what a batch changes: the Acts, in this order, and after them Last,
// which is made of what was signed for them.
type Together struct {
	Acts []owner.Act
	Last func(signed []intent.Signed) owner.Act
}

// BeginAll makes sure that nodes will take a change from s, by signing it, on top of
// what seen shows. again repeats the survey, with the same choice.
func (n *Node) BeginAll(pin trust.Pin, s owner.Signer, seen *Survey, again func(context.Context) (*Survey, error), change Together, force bool) (*Batch, error) {
	b := &Batch{node: n, pin: pin, signer: s, change: change, force: force, again: again, seen: seen}
	var err error
	b.first, err = b.sign(seen)
	return b, err
}

// sign signs the versions after what v shows.
func (b *Batch) sign(v *Survey) ([]intent.Signed, error) {
	var all []intent.Signed
	for _, a := range b.change.Acts {
		s, err := b.signOne(v, a)
		if errors.Is(err, owner.ErrUnchanged) {
			continue // somebody else has done it meanwhile
		}
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	last, err := b.signOne(v, b.change.Last(all))
	if err != nil {
		return nil, err
	}
	return append(all, last), nil
}

func (b *Batch) signOne(v *Survey, a owner.Act) (intent.Signed, error) {
	at, ok := v.views[a.Ref]
	if !ok {
		return intent.Signed{}, fmt.Errorf("sign %s: nobody has looked how it stands", a.Ref)
	}
	s, err := b.signer.Next(a.Ref, at.place, at.current, a.Change, time.Now())
	if err != nil {
		return s, fmt.Errorf("%s: %w", a.Ref, err)
	}
	return s, b.signer.Check(v.ledger, s, b.node.Now())
}

// Submit hands the new versions to the node, which has them on its disk when this
// returns, in the order of the batch. Errors: [*StaleError] if others were quicker,
// and refusals of the node.
func (b *Batch) Submit(ctx context.Context) ([]intent.Signed, error) {
	next := b.first
	now, err := b.again(ctx)
	for try := 1; err == nil; try++ {
		if stale := b.stale(now, next); len(stale) > 0 {
			if !b.force || try > maxRaces {
				return nil, staleAll(stale, held(now, next))
			}
			b.seen = now
			if next, err = b.sign(now); err != nil {
				return nil, err
			}
		}
		_, err = b.node.SubmitAll(ctx, next)
		if err == nil {
			return next, nil
		}
		err = fmt.Errorf("submit %d versions: %w", len(next), err)
		if !Refused(err) {
			return nil, err
		}
		refusal := err
		if now, err = b.again(ctx); err != nil {
			return nil, err
		}
		switch {
		case held(now, next) == len(next):
			return next, nil // an answer was lost
		case len(b.stale(now, next)) == 0:
			return nil, refusal
		}
	}
	return nil, err
}

// stale are those of which somebody else has signed versions since the survey. Of
// what is held of next already, that is nobody else's.
func (b *Batch) stale(now *Survey, next []intent.Signed) []*StaleError {
	var out []*StaleError
	for _, s := range next {
		was, is := b.seen.views[s.Ref], now.views[s.Ref]
		if was.place == is.place || is.has(s.Digest) {
			continue
		}
		e := &StaleError{Ref: s.Ref}
		for _, v := range is.versions {
			if !was.has(v.Digest) {
				e.News = append(e.News, v)
			}
		}
		out = append(out, e)
	}
	return out
}

// held counts those of all that the node has.
func held(now *Survey, all []intent.Signed) int {
	count := 0
	for _, s := range all {
		if now.views[s.Ref].has(s.Digest) {
			count++
		}
	}
	return count
}

// maxStale is how many Refs a person is told of.
const maxStale = 5

// staleAll is the error of a batch that others were quicker than. taken is how many of
// its versions the node had accepted before that.
func staleAll(stale []*StaleError, taken int) error {
	var b strings.Builder
	for i, e := range stale {
		if i == maxStale {
			fmt.Fprintf(&b, "\nand %d more", len(stale)-maxStale)
			break
		}
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(e.what())
	}
	if taken == 0 {
		b.WriteString("\nNothing was signed.")
	} else {
		fmt.Fprintf(&b, "\n%d versions were accepted before that.", taken)
	}
	b.WriteString(" Repeat the command to see what is to be changed now, or give --force to sign on top of it.")
	return &staleErrors{b.String(), stale}
}

// staleErrors are several [StaleError]s in one text.
type staleErrors struct {
	text  string
	stale []*StaleError
}

func (e *staleErrors) Error() string { return e.text }

func (e *staleErrors) Unwrap() []error {
	var out []error
	for _, s := range e.stale {
		out = append(out, s)
	}
	return out
}

// Stale reports whether err says that others were quicker.
func Stale(err error) bool {
	var one *StaleError
	return errors.As(err, &one)
}

// Version finds the version of r with this digest among those that the node holds.
func (s *Survey) Version(r api.Ref, d api.Digest) (api.Version, bool) {
	for _, v := range s.Versions(r) {
		if v.Digest == d {
			return v, true
		}
	}
	return api.Version{}, false
}
