package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/ledger"
	"github.com/realm-mesh/realm/internal/kit/trust"
	"github.com/realm-mesh/realm/realm/internal/owner"
)

// together is how many intents are on their way to meshd at once: those that come
// while it waits for the disk are synced as one.
const together = 48

// SignAll signs many intents and hands them to the node, many at a time. signed is
// called for each that the node has on its disk, one call at a time. l is what the
// node holds ([Node.WholeLedger]). After an error some may have been taken: what is
// left to sign can be made out by reading anew.
func (n *Node) SignAll(ctx context.Context, pin trust.Pin, s owner.Signer, l *ledger.Ledger, all []owner.Act, signed func(intent.Signed)) error {
	done := make(chan intent.Signed)
	counted := make(chan struct{})
	go func() {
		defer close(counted)
		for in := range done {
			signed(in)
		}
	}()
	g, each := errgroup.WithContext(ctx)
	g.SetLimit(together)
	for _, act := range all {
		if each.Err() != nil {
			break
		}
		g.Go(func() error {
			in, err := n.signOne(each, pin, s, l, act)
			if err == nil {
				done <- in
			}
			return err
		})
	}
	err := g.Wait()
	close(done)
	<-counted
	if err == nil {
		err = context.Cause(ctx)
	}
	return err
}

// signOne signs act by what l holds. Where meshd counts other numbers, since it has
// heard more or holds what does not count yet, it is asked for them.
func (n *Node) signOne(ctx context.Context, pin trust.Pin, s owner.Signer, l *ledger.Ledger, act owner.Act) (intent.Signed, error) {
	in, err := s.Act(l, act, n.Now(), time.Now())
	if err != nil {
		return in, err
	}
	_, err = n.Submit(ctx, in.Envelope)
	if err == nil {
		return in, nil
	}
	if !Refused(err) || act.Kind.Trust() {
		return in, fmt.Errorf("submit %s: %w", act.Ref, err)
	}
	step, err := n.Begin(ctx, pin, s, act.Ref, act.Change, true)
	if errors.Is(err, owner.ErrUnchanged) {
		return *step.Current(), nil
	}
	if err != nil {
		return in, err
	}
	return step.Submit(ctx)
}

// Do signs one intent about keys and hands it to the node. Their numbers are not
// counted strictly: of two commands at once both are taken, and the later one holds.
func (n *Node) Do(ctx context.Context, s owner.Signer, l *ledger.Ledger, act owner.Act) (intent.Signed, error) {
	in, err := s.Act(l, act, n.Now(), time.Now())
	if err != nil {
		return in, err
	}
	if err := s.Check(l, in, n.Now()); err != nil {
		return in, err
	}
	return in, n.SubmitSigned(ctx, in)
}

// SubmitSigned hands an intent to the node.
func (n *Node) SubmitSigned(ctx context.Context, in intent.Signed) error {
	if _, err := n.Submit(ctx, in.Envelope); err != nil {
		return fmt.Errorf("submit %s: %w", in.Ref, err)
	}
	return nil
}
