package node

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/bus"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/ledger"
	"github.com/realm-mesh/realm/internal/kit/trust"
)

// sayKinds are the kinds that tell who may sign what.
func sayKinds() []api.Kind { return []api.Kind{api.KindRotate, api.KindSettle, api.KindGrant} }

// Ledger reads what the node holds about refs, and who has a say in them, into a
// ledger that believes pin alone.
func (n *Node) Ledger(ctx context.Context, pin trust.Pin, refs ...api.Ref) (*ledger.Ledger, error) {
	var patterns []string
	for _, k := range sayKinds() {
		patterns = append(patterns, allOf(k))
	}
	for _, r := range refs {
		patterns = append(patterns, api.KeyIntent(r)+".*")
	}
	return n.readLedger(ctx, pin, patterns)
}

// WholeLedger is [Node.Ledger] about everything.
func (n *Node) WholeLedger(ctx context.Context, pin trust.Pin) (*ledger.Ledger, error) {
	return n.readLedger(ctx, pin, []string{">"})
}

// allOf matches the keys of the intents bucket that are of one kind.
func allOf(k api.Kind) string { return string(k) + ".>" }

func (n *Node) readLedger(ctx context.Context, pin trust.Pin, patterns []string) (*ledger.Ledger, error) {
	var raw [][]byte
	for _, p := range patterns {
		var found []bus.Entry
		err := again(ctx, func() error {
			b, err := n.bus.Bucket(ctx, api.BucketIntents)
			if err != nil {
				return err
			}
			found, err = b.All(ctx, p)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("read the node's intents: %w", err)
		}
		for _, e := range found {
			raw = append(raw, e.Value)
		}
	}
	l := ledger.New(pin)
	l.Restore(readIntents(raw), n.Now()) //nolint:contextcheck // waits for nothing; what has no say in the realm is left out
	return l, nil
}

// readIntents reads envelopes, on all cores. Those that cannot be read are left out:
// meshd, which has written them, logs it.
func readIntents(raw [][]byte) []intent.Signed {
	read := make([]intent.Signed, len(raw))
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	const piece = 64 // envelopes: some milliseconds
	for from := 0; from < len(raw); from += piece {
		g.Go(func() error {
			for i := from; i < min(from+piece, len(raw)); i++ {
				if s, err := intent.Read(raw[i]); err == nil {
					read[i] = s
				}
			}
			return nil
		})
	}
	_ = g.Wait() // there are no errors
	out := read[:0]
	for _, s := range read {
		if s.Seq != 0 {
			out = append(out, s)
		}
	}
	return out
}

// Now is the time by which the node judges what has ended and what is early.
func (n *Node) Now() time.Time { return n.clock.Now() }

// History asks for the versions of ref that the node holds, the newest first. They
// are as meshd says: what counts of them is in [Node.Ledger].
func (n *Node) History(ctx context.Context, ref api.Ref) ([]api.Version, error) {
	var r api.HistoryReply
	err := n.bus.RequestRetry(ctx, api.SubjectHistory, api.HistoryRequest{Ref: ref}, &r)
	return r.Versions, explain(err, "meshd")
}

// maxPages bounds the pages of [Node.Members]: more members than a node holds intents.
const maxPages = api.MaxSync / api.MaxMembers

// Members asks for all members, those that were, and those that wait; with the
// invites and grants.
func (n *Node) Members(ctx context.Context) (api.MembersReply, error) {
	var all api.MembersReply
	var after api.PeerID
	for range maxPages {
		var page api.MembersReply
		if err := n.bus.RequestRetry(ctx, api.SubjectMembers, api.MembersRequest{After: after}, &page); err != nil {
			return all, explain(err, "meshd")
		}
		if after == "" {
			all.Invites, all.Grants = page.Invites, page.Grants
		}
		all.Members = append(all.Members, page.Members...)
		if !page.More || len(page.Members) == 0 {
			return all, nil
		}
		after = page.Members[len(page.Members)-1].Peer
	}
	return all, nil
}
