package catchup

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/ledger"
	"github.com/realm-mesh/realm/meshd/internal/conduct"
	"github.com/realm-mesh/realm/meshd/internal/intents"
)

// errUnkept marks intents that could not be kept now.
var errUnkept = errors.New("not kept")

// Intents fetches from p what would be news, and returns how many were. One that is
// not good does not keep this node from the others; an error says that p has sent
// such, or that something could not be kept.
func (c *Client) Intents(ctx context.Context, p peer.ID) (news int, err error) {
	digests, err := c.digests(ctx, p)
	if err != nil {
		return 0, err
	}
	parts := c.Ledger.Differing(digests)
	if len(parts) == 0 {
		return 0, nil
	}
	var list api.SyncEntries
	if err := c.call(ctx, p, api.RouteSyncEntries, api.SyncParts{Buckets: parts}, &list, api.MaxSyncBytes); err != nil {
		return 0, err
	}
	r := &round{client: c, peer: p}
	err = r.run(ctx, r.wanted(list.Entries))
	return r.news, err
}

// round is one fetching from one peer.
type round struct {
	client *Client
	peer   peer.ID

	news    int
	waiting []intent.Signed // nobody has a say in them yet
	bad     int             // envelopes that are not what they should be
}

// wanted picks what would be news: first what says who may do what, so that the
// rest is understood when it comes.
func (r *round) wanted(entries []api.SyncEntry) []api.Digest {
	seen := make(map[api.Digest]struct{}, len(entries))
	var picked []api.SyncEntry
	for _, e := range entries {
		if _, twice := seen[e.Digest]; twice || !r.client.Ledger.Wants(e) || r.client.refused.has(r.peer, e.Digest) {
			continue
		}
		seen[e.Digest] = struct{}{}
		picked = append(picked, e)
	}
	slices.SortStableFunc(picked, func(a, b api.SyncEntry) int { return ledger.Rank(a.Kind) - ledger.Rank(b.Kind) })
	out := make([]api.Digest, 0, len(picked))
	for _, e := range picked {
		out = append(out, e.Digest)
	}
	return out
}

// run fetches and takes wanted, batch by batch: one is taken while the next is on
// its way.
func (r *round) run(ctx context.Context, wanted []api.Digest) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	batches := make(chan []intent.Signed)
	fetched := make(chan error, 1)
	go func() {
		defer close(batches)
		fetched <- r.fetchAll(ctx, wanted, batches)
	}()
	var unkept error
	for b := range batches {
		if unkept == nil {
			if unkept = r.take(b); unkept != nil {
				cancel()
			}
		}
	}
	err := <-fetched
	if unkept == nil && len(r.waiting) > 0 {
		unkept = r.takeWaiting()
	}
	if unkept != nil {
		return unkept
	}
	if r.bad > 0 && err == nil {
		err = fmt.Errorf("%d intents of %s: %w", r.bad, r.peer, errGarbage)
	}
	return err
}

// fetchAll asks for wanted and hands over what is well formed.
func (r *round) fetchAll(ctx context.Context, wanted []api.Digest, to chan<- []intent.Signed) error {
	for len(wanted) > 0 {
		ask := wanted[:min(len(wanted), api.MaxSyncFetch)]
		var reply api.SyncIntents
		if err := r.client.call(ctx, r.peer, api.RouteSyncFetch, api.SyncFetch{Digests: ask}, &reply, api.MaxFetchBytes); err != nil {
			return err
		}
		got, missing, cut := r.read(ask, reply) //nolint:contextcheck // it computes, and waits for nothing
		wanted = wanted[len(ask):]
		if cut {
			wanted = append(missing, wanted...)
		}
		select {
		case to <- got:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// read checks an answer: got is what was asked for. Where the answer is cut, what
// is missing can be asked for again.
func (r *round) read(ask []api.Digest, reply api.SyncIntents) (got []intent.Signed, missing []api.Digest, cut bool) {
	asked := make(map[api.Digest]struct{}, len(ask))
	for _, d := range ask {
		asked[d] = struct{}{}
	}
	envelopes := make([][]byte, 0, len(reply.Envelopes))
	size := 0
	for _, e := range reply.Envelopes {
		envelopes = append(envelopes, e)
		size += len(e)
	}
	read, errs := intents.Read(envelopes)
	rejected, garbage := 0, 0
	for i, s := range read {
		d := s.Digest
		if errs[i] != nil {
			d, _ = intent.Peek(envelopes[i])
		}
		_, mine := asked[d]
		delete(asked, d)
		switch {
		case errors.Is(errs[i], intent.ErrContent) && mine:
			r.client.refused.add(r.peer, d) // of a newer version; nobody is to blame
		case errors.Is(errs[i], intent.ErrSignature):
			rejected++
		case errs[i] != nil, !mine:
			garbage++
		default:
			got = append(got, s)
		}
	}
	if len(ask) >= suspicious && len(reply.Envelopes) == 0 {
		garbage++ // it lists what it has not got
	}
	r.client.Conduct.NoteMany(r.peer, conduct.Rejected, rejected)
	r.client.Conduct.NoteMany(r.peer, conduct.Garbage, garbage)
	r.bad += rejected + garbage
	for _, d := range ask {
		if _, ok := asked[d]; ok {
			missing = append(missing, d)
		}
	}
	return got, missing, size > api.MaxFetchBytes/2 && len(got) > 0
}

// suspicious is how many intents do not vanish between a list and a fetch.
const suspicious = 16

// take accepts a batch. The error says that something could not be kept.
func (r *round) take(batch []intent.Signed) error {
	if len(batch) == 0 {
		return nil
	}
	c, errs := r.client.Accept(r.peer, batch)
	r.news += len(c.Added)
	var full error
	for i, err := range errs {
		switch {
		case err == nil, errors.Is(err, ledger.ErrOlder): // gossip was faster
		case errors.Is(err, ledger.ErrUnauthorized):
			r.waiting = append(r.waiting, batch[i])
		case errors.Is(err, ledger.ErrFull):
			full = err // the share of one signer may be
		case !ledger.Refused(err):
			return fmt.Errorf("intents of %s: %w: %w", r.peer, errUnkept, err)
		default:
			r.client.refused.add(r.peer, batch[i].Digest)
		}
	}
	if full != nil && len(c.Added) == 0 {
		return fmt.Errorf("intents of %s: %w: %w", r.peer, errUnkept, full)
	}
	return nil
}

// takeWaiting offers again what had to wait for others of the same round.
func (r *round) takeWaiting() error {
	again := r.waiting
	r.waiting = nil
	err := r.take(again)
	for _, s := range r.waiting {
		r.client.refused.add(r.peer, s.Digest)
	}
	return err
}
