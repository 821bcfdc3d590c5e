package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/ledger"
	"github.com/realm-mesh/realm/internal/kit/trust"
	"github.com/realm-mesh/realm/realm/internal/owner"
)

// NewJob is a job to submit: Base is what its id begins with.
type NewJob struct {
	Base   api.Name
	Change owner.Change
}

// SubmitJobs gives jobs ids that nobody has, signs them, and with them acts about others,
// and hands all of it to the node: it is on its disk when this returns. The acts of
// which there is nothing to sign are left out. What others submit at the same time takes
// numbers; then the next ones are tried. Where some members do not answer, who may be
// signing jobs of their own, the ids have the mark of this node.
func (n *Node) SubmitJobs(ctx context.Context, pin trust.Pin, s owner.Signer, jobs []NewJob, acts []owner.Act) ([]intent.Signed, error) {
	taken := map[api.Name]bool{} // ids that the bus did not show
	done := []intent.Signed{}
	mark, err := n.mark(ctx)
	if err != nil {
		return done, err
	}
	for range maxRaces {
		l, err := n.readLedger(ctx, pin, append([]string{allOf(api.KindJob)}, sayPatterns()...))
		if err != nil {
			return done, err
		}
		next, err := n.signJobs(l, s, jobs[min(len(done), len(jobs)):], acts, taken, mark)
		if err != nil {
			return done, err
		}
		count, err := n.SubmitAll(ctx, next)
		done = append(done, next[:count]...)
		if err == nil {
			return done[:len(jobs)], nil
		}
		if !Refused(err) || !n.taken(ctx, next[count:], taken) {
			return done, fmt.Errorf("submit jobs: %w", err)
		}
	}
	return done, errors.New("submit jobs: others have taken each number that was tried: try again")
}

// signJobs signs jobs under the next numbers, and after them acts.
func (n *Node) signJobs(l *ledger.Ledger, s owner.Signer, jobs []NewJob, acts []owner.Act, taken map[api.Name]bool, mark api.PeerID) ([]intent.Signed, error) {
	highest := map[api.Name]int{}
	note := func(id api.Name) {
		if base, number, ok := api.SplitJobID(id); ok {
			highest[base] = max(highest[base], number)
		}
	}
	for _, r := range l.Refs() {
		if r.Kind == api.KindJob {
			note(r.Name)
		}
	}
	for id := range taken {
		note(id)
	}
	var out []intent.Signed
	now := time.Now()
	for _, j := range jobs {
		highest[j.Base]++
		id := api.JobID(j.Base, highest[j.Base])
		if mark != "" {
			id = api.MarkedJobID(j.Base, highest[j.Base], mark)
		}
		in, err := s.Next(owner.JobRef(id), owner.Place{Seq: 1}, nil, j.Change, now)
		if err == nil {
			err = s.Check(l, in, n.Now())
		}
		if err != nil {
			return nil, fmt.Errorf("submit %s: %w", j.Base, err)
		}
		out = append(out, in)
	}
	for _, a := range acts {
		in, err := s.Act(l, a, n.Now(), now)
		if errors.Is(err, owner.ErrUnchanged) || errors.Is(err, owner.ErrUnknown) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, in)
	}
	return out, nil
}

// taken notes those of all that meshd has under other digests, and reports whether there are any.
func (n *Node) taken(ctx context.Context, all []intent.Signed, ids map[api.Name]bool) (any bool) {
	for _, in := range all[:min(len(all), api.MaxSubmitBatch)] {
		if in.Seq != 1 {
			continue
		}
		versions, err := n.History(ctx, in.Ref)
		if err == nil && len(versions) > 0 && versions[0].Digest != in.Digest {
			ids[in.Name], any = true, true
		}
	}
	return any
}
