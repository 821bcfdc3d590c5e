package intents

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/ledger"
)

// projectWithin is how long a submission waits to be seen by the node's other
// daemons. The bus that it is answered on is the one that is waited for.
const projectWithin = 2 * time.Second

// Submit takes an intent that was made on this node. What is not about keys must
// have the number and the predecessor that come next ([ledger.Ledger.Next]), else
// it is [ErrOvertaken]. news is false when exactly this intent is held already
// and has not been replaced, which is no error. When Submit returns nil, the intent survives a crash.
func (k *Keeper) Submit(ctx context.Context, envelope []byte) (s intent.Signed, news bool, err error) {
	if s, err = intent.Read(envelope); err != nil { //nolint:contextcheck // it computes, and waits for nothing
		return s, false, err
	}
	if err := s.Validate(); err != nil {
		return s, false, fmt.Errorf("submit %s: %w", s.Ref, err)
	}
	if err := k.AwaitReady(ctx); err != nil {
		return s, false, fmt.Errorf("submit %s: %w", s.Ref, err)
	}
	r := &request{by: BySubmit, items: []intent.Signed{s}}
	k.commit(r) //nolint:contextcheck // it waits for the disk alone
	if err := r.errs[0]; err != nil {
		return s, false, err
	}
	k.show.await(ctx, projectWithin)
	return s, r.change.News(), nil
}

// Accept takes intents that were read ([intent.Read], [Read]) from elsewhere, in
// whatever order they depend on each other, with one wait for the disk. It returns
// what that has changed and the error of each that was not taken (nil for the
// others, and for what is held already). When the disk fails, that is its error.
//
// What came by gossip was signed just now, as far as anybody can tell: grants that
// have ended are no good for it.
func (k *Keeper) Accept(all []intent.Signed, by Source) (ledger.Change, []error) {
	if len(all) == 0 {
		return ledger.Change{}, nil
	}
	r := &request{by: by, items: all}
	k.commit(r)
	return r.change, r.errs
}

// request is what one caller adds.
type request struct {
	by     Source
	items  []intent.Signed
	whole  bool // all of it or nothing
	done   bool
	change ledger.Change
	errs   []error // one each
}

// commit returns when r is done. Whoever comes first does it for all who wait.
func (k *Keeper) commit(r *request) {
	k.mu.Lock()
	k.queue = append(k.queue, r)
	k.mu.Unlock()
	k.commits.Lock()
	defer k.commits.Unlock()
	if r.done {
		return
	}
	k.mu.Lock()
	batch := k.queue
	k.queue = nil
	k.mu.Unlock()
	k.flush(batch)
}

// flush adds what is asked for to the set, then to the log.
func (k *Keeper) flush(batch []*request) {
	now := k.cfg.Now()
	var lines bytes.Buffer
	for _, r := range batch {
		r.done = true
		k.take(r, now)
		if r.whole {
			lines.Write(headOf(len(r.change.Added)))
		}
		for _, s := range r.change.Added {
			lines.Write(s.Envelope)
			lines.WriteByte('\n')
		}
	}
	if lines.Len() == 0 {
		return
	}
	if err := k.keep(lines.Bytes()); err != nil {
		k.undo(batch, err)
		return
	}
	for _, r := range batch {
		k.track(r.change)
		k.tell(r.by, r.change)
	}
	k.compactIfLong()
}

// keep writes lines to the log.
func (k *Keeper) keep(lines []byte) error {
	if err := k.cfg.Room(int64(len(lines))); err != nil {
		return err
	}
	return k.journal.append(lines)
}

// undo takes back what could not be kept: the set is again what the log says.
func (k *Keeper) undo(batch []*request, why error) {
	if err := k.reload(); err != nil {
		why = errors.Join(why, err)
	}
	for _, r := range batch {
		r.change = ledger.Change{}
		for i, s := range r.items {
			if _, held := k.ledger.Held(s.Digest); !held && r.errs[i] == nil {
				r.errs[i] = fmt.Errorf("keep %s number %d: %w", s.Ref, s.Seq, why)
			}
		}
	}
}

// tell passes on what has changed and is on disk.
func (k *Keeper) tell(by Source, c ledger.Change) {
	if len(c.Added)+len(c.Dropped) == 0 && !c.Trust {
		return
	}
	k.show.mark(c)
	select {
	case k.timer <- struct{}{}:
	default: // it will look at everything
	}
	k.cfg.Changed(by, c)
}

// take adds the items of r to the set in memory.
func (k *Keeper) take(r *request, now time.Time) {
	if r.by != BySubmit && r.by != ByGossip {
		r.change, r.errs = k.ledger.AddAll(r.items, now)
		return
	}
	r.errs = make([]error, len(r.items))
	if r.whole {
		k.takeWhole(r, now)
		return
	}
	for i, s := range r.items {
		c, err := takeNew(k.ledger, s, r.by, now)
		r.note(c)
		r.errs[i] = err
	}
}

// note adds to what r has changed.
func (r *request) note(c ledger.Change) {
	r.change.Added = append(r.change.Added, c.Added...)
	r.change.Dropped = append(r.change.Dropped, c.Dropped...)
	r.change.Trust = r.change.Trust || c.Trust
}

// takeNew adds s, which somebody has signed just now, to l.
func takeNew(l *ledger.Ledger, s intent.Signed, by Source, now time.Time) (ledger.Change, error) {
	held, err := l.Check(s, now)
	if held && by == BySubmit && !s.Kind.Trust() {
		return ledger.Change{}, stands(l, s, now)
	}
	if held {
		return ledger.Change{}, nil
	}
	if s.Grant != nil && ledger.MayGrant(err) {
		err = nil // Add tells
	}
	if err == nil {
		err = l.Fresh(s, now)
	}
	if err == nil && by == BySubmit && !s.Kind.Trust() {
		err = follows(l, s, now)
	}
	if err != nil {
		return ledger.Change{}, err
	}
	return l.Add(s, now)
}

// grantOf is the grant that came with s.
func grantOf(s intent.Signed) (intent.Signed, bool) {
	if s.Grant == nil {
		return intent.Signed{}, false
	}
	g, err := intent.Read(s.Grant)
	return g, err == nil && (g.Kind == api.KindGrant || g.Kind == api.KindInvite) && g.Name == s.By()
}

// stands reports that s, which is held, has been replaced since.
func stands(l *ledger.Ledger, s intent.Signed, now time.Time) error {
	if seq, _ := l.Next(s.Ref, now); s.Seq+1 == seq {
		return nil
	}
	return follows(l, s, now)
}

// follows reports why s is not the version that comes next.
func follows(l *ledger.Ledger, s intent.Signed, now time.Time) error {
	seq, prev := l.Next(s.Ref, now)
	if s.Seq == seq && s.Prev == prev {
		return nil
	}
	return fmt.Errorf("%w: %s is at number %d on this node, and this one is number %d: look at realm history %s, and give the command again; --force puts it over whatever is there",
		ErrOvertaken, s.Ref, seq-1, s.Seq, historyName(s.Ref))
}

// historyName is what realm history calls r.
func historyName(r api.Ref) string {
	if r.Kind.Workload() {
		return string(r.Name)
	}
	return r.String()
}
