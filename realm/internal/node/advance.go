package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/ledger"
	"github.com/realm-mesh/realm/internal/kit/trust"
	"github.com/realm-mesh/realm/realm/internal/owner"
)

// maxRaces is how often a step that is forced is signed anew because somebody else
// was quicker.
const maxRaces = 8

// Step is one change of one program: from what a command saw of it at its start to
// the version that it signs. Whatever was signed in between, the command's person
// has not seen, so that the step fails unless it is forced.
type Step struct {
	node   *Node
	pin    trust.Pin
	signer owner.Signer
	ref    api.Ref
	change owner.Change
	force  bool

	seen  view
	first intent.Signed // signed when the command began, and good while nothing has changed
}

// Begin looks at ref, and makes sure that nodes will take the change from s, by
// signing it. Where there is nothing to sign the error is [owner.ErrUnchanged] or
// [owner.ErrUnknown]. With force, what others sign meanwhile does not matter.
func (n *Node) Begin(ctx context.Context, pin trust.Pin, s owner.Signer, ref api.Ref, change owner.Change, force bool) (*Step, error) {
	st := &Step{node: n, pin: pin, signer: s, ref: ref, change: change, force: force}
	var err error
	if st.seen, err = n.view(ctx, pin, ref); err == nil {
		st.first, err = st.sign(st.seen)
	}
	return st, err
}

// Current is the version that the step has seen; nil for none.
func (st *Step) Current() *intent.Signed { return st.seen.current }

// Submit hands the new version to the node, which has it on its disk when this
// returns. Errors: [*StaleError], those of [Node.Begin], and refusals of the node.
func (st *Step) Submit(ctx context.Context) (intent.Signed, error) {
	next := st.first
	now, err := st.node.view(ctx, st.pin, st.ref)
	for try := 1; err == nil; try++ {
		if now.place != st.seen.place {
			if !st.force || try > maxRaces {
				return intent.Signed{}, st.stale(now)
			}
			st.seen = now
			if next, err = st.sign(now); err != nil {
				return next, err
			}
		}
		_, err = st.node.Submit(ctx, next.Envelope)
		if err == nil {
			return next, nil
		}
		err = fmt.Errorf("submit %s: %w", st.ref, err)
		if !Refused(err) {
			return intent.Signed{}, err
		}
		refusal := err
		if now, err = st.node.view(ctx, st.pin, st.ref); err != nil {
			return intent.Signed{}, err
		}
		switch {
		case now.has(next.Digest):
			return next, nil // an answer was lost, and it was replaced since
		case now.place == st.seen.place:
			return intent.Signed{}, refusal
		}
	}
	return intent.Signed{}, err
}

// sign signs the version after what v shows.
func (st *Step) sign(v view) (intent.Signed, error) {
	next, err := st.signer.Next(st.ref, v.place, v.current, st.change, time.Now())
	if err != nil {
		return intent.Signed{}, err
	}
	return next, st.signer.Check(v.ledger, next, st.node.Now())
}

// view is how a Ref stands on the node.
type view struct {
	ledger   *ledger.Ledger
	current  *intent.Signed // nil: nothing is wanted
	versions []api.Version  // as meshd tells, the newest first
	place    owner.Place    // of the next version
}

// Between its log and the bucket meshd takes some milliseconds.
const (
	viewTries = 60
	viewEvery = 50 * time.Millisecond
)

// errBehind says that meshd and the node's bus tell different things.
var errBehind = errors.New("meshd of this node says that another version counts than the one on its bus: see realm ps, and try realm restart meshd")

// view reads how ref stands. The numbers are meshd's, which knows also what does not
// count yet; what counts is checked here.
func (n *Node) view(ctx context.Context, pin trust.Pin, ref api.Ref) (view, error) {
	for range viewTries {
		l, err := n.Ledger(ctx, pin, ref)
		if err != nil {
			return view{}, fmt.Errorf("read %s: %w", ref, err)
		}
		v, err := n.viewIn(ctx, l, ref)
		if err != nil || v.same() {
			return v, err
		}
		select {
		case <-ctx.Done():
			return view{}, fmt.Errorf("read %s: %w", ref, context.Cause(ctx))
		case <-time.After(viewEvery):
		}
	}
	return view{}, fmt.Errorf("read %s: %w", ref, errBehind)
}

// viewIn is how ref stands by a ledger and by what meshd answers.
func (n *Node) viewIn(ctx context.Context, l *ledger.Ledger, ref api.Ref) (v view, err error) {
	v.ledger = l
	if v.versions, err = n.History(ctx, ref); err != nil {
		return v, fmt.Errorf("read %s: %w", ref, err)
	}
	if s, ok := l.Current(ref, n.Now()); ok {
		v.current = &s
	}
	v.place.Seq, v.place.Prev = l.Next(ref, n.Now())
	if len(v.versions) > 0 && v.versions[0].Seq >= v.place.Seq {
		v.place.Seq = v.versions[0].Seq + 1
		if v.current == nil {
			v.place.Prev = v.versions[0].Digest
		}
	}
	return v, nil
}

// same reports whether the bus shows what meshd says that counts.
func (v view) same() bool {
	var counts, told api.Digest
	if v.current != nil {
		counts = v.current.Digest
	}
	for _, w := range v.versions {
		if w.State == api.VersionCurrent {
			told = w.Digest
		}
	}
	return counts == told
}

func (v view) has(d api.Digest) bool {
	return slices.ContainsFunc(v.versions, func(w api.Version) bool { return w.Digest == d })
}

// StaleError says that somebody has signed versions of a program since a command
// looked at it.
type StaleError struct {
	Ref  api.Ref
	News []api.Version // the newest first
}

func (e *StaleError) Error() string {
	return e.what() + fmt.Sprintf("\nNothing was signed. See realm history %s; to sign on top of it, repeat the command with --force.", e.Ref)
}

// what lists the versions that the command has not seen.
func (e *StaleError) what() string {
	text := fmt.Sprintf("%s has changed since this command began", e.Ref)
	for _, v := range e.News {
		text += fmt.Sprintf("\n  number %d, signed by %s at %s: %s", v.Seq, SignerText(v), v.Issued.Local().Format(time.DateTime), owner.What(v.Intent))
	}
	return text
}

// SignerText names who has signed v, for people.
func SignerText(v api.Version) string {
	pub, err := api.ParseKeyName(v.Signer)
	if err != nil || v.By == "owner" {
		return v.By
	}
	key := keys.Public(pub).String()
	if v.By == "" || v.By == key || v.By == string(v.Signer) {
		return key
	}
	return fmt.Sprintf("%s (%s)", v.By, key)
}

func (st *Step) stale(now view) error {
	e := &StaleError{Ref: st.ref}
	for _, v := range now.versions {
		if !st.seen.has(v.Digest) {
			e.News = append(e.News, v)
		}
	}
	return e
}
