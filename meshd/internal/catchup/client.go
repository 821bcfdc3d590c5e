package catchup

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/local"
	"github.com/realm-mesh/realm/meshd/internal/facts"
	"github.com/realm-mesh/realm/meshd/internal/intents"
	"github.com/realm-mesh/realm/meshd/internal/streams"
)

// Caps of answers, in bytes.
const (
	maxFactsBytes = 8 << 20
	maxPeersBytes = 4 << 20
)

// factTries is how often facts are asked for when gossip overtakes the answer.
const factTries = 3

// Client asks other members. Its fields are set once.
type Client struct {
	HTTP   *http.Client // reaches the sync service (package streams)
	Ledger Ledger
	// Accept takes an intent that p has sent; news says that it was not known.
	Accept func(ctx context.Context, p peer.ID, envelope []byte) (news bool, err error)
	// Merge takes facts that p has given of itself, or returns [facts.ErrStale].
	Merge func(p peer.ID, b *api.FactBatch) error
	// Met takes a member that p is connected to.
	Met func(api.PeerFact)
}

// Intents fetches from p what would be news, and returns how many were.
func (c *Client) Intents(ctx context.Context, p peer.ID) (news int, err error) {
	var summary api.SyncSummary
	if err := c.get(ctx, p, "/intents", &summary, api.MaxSyncBytes); err != nil {
		return 0, err
	}
	var unkept error
	for refs := range slices.Chunk(c.Ledger.Wanted(summary.Entries), api.MaxSyncFetch) {
		got, err := c.fetch(ctx, p, refs)
		news += got
		switch {
		case errors.Is(err, errUnkept):
			unkept = err
		case err != nil:
			return news, err
		}
	}
	return news, unkept
}

// errUnkept marks intents that are the owner's, but could not be kept now.
var errUnkept = errors.New("not kept")

// fetch asks p for some intents and accepts them. One that is not the owner's
// ends it: p does not check what it holds. One that this node cannot keep now does
// not keep it from the others.
func (c *Client) fetch(ctx context.Context, p peer.ID, refs []api.Ref) (news int, err error) {
	var reply api.SyncIntents
	err = local.Call(ctx, c.HTTP, http.MethodPost, streams.URL(p, "/intents"), api.SyncFetch{Refs: refs}, &reply, api.MaxSyncBytes)
	if err != nil {
		return 0, fmt.Errorf("fetch intents of %s: %w", p, err)
	}
	var failed []error
	for _, env := range reply.Envelopes {
		isNews, err := c.Accept(ctx, p, env)
		switch {
		case isNews:
			news++
		case err == nil, errors.Is(err, intents.ErrOlder): // gossip was faster
		case errors.Is(err, intent.ErrSignature), errors.Is(err, intent.ErrRealm):
			return news, fmt.Errorf("fetch intents of %s: %w", p, err)
		default:
			failed = append(failed, err)
		}
	}
	if len(failed) > 0 {
		return news, fmt.Errorf("%d intents of %s: %w: %w", len(failed), p, errUnkept, failed[0])
	}
	return news, nil
}

// Facts fetches what p says of itself.
func (c *Client) Facts(ctx context.Context, p peer.ID) error {
	for try := 1; ; try++ {
		var b api.FactBatch
		if err := c.get(ctx, p, "/facts", &b, maxFactsBytes); err != nil {
			return err
		}
		err := c.Merge(p, &b)
		if !errors.Is(err, facts.ErrStale) {
			return err
		}
		if try == factTries {
			return nil // gossip is there, and repeats itself
		}
	}
}

// Peers fetches whom p is connected to.
func (c *Client) Peers(ctx context.Context, p peer.ID) error {
	var list api.PeerList
	if err := c.get(ctx, p, "/peers", &list, maxPeersBytes); err != nil {
		return err
	}
	for _, f := range list.Peers {
		c.Met(f)
	}
	return nil
}

func (c *Client) get(ctx context.Context, p peer.ID, path string, out api.Validator, limit int) error {
	if err := local.Call(ctx, c.HTTP, http.MethodGet, streams.URL(p, path), nil, out, limit); err != nil {
		return fmt.Errorf("ask %s for %s: %w", p, path, err)
	}
	return nil
}
