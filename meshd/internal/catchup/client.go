package catchup

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/ledger"
	"github.com/realm-mesh/realm/internal/kit/local"
	"github.com/realm-mesh/realm/meshd/internal/conduct"
	"github.com/realm-mesh/realm/meshd/internal/facts"
	"github.com/realm-mesh/realm/meshd/internal/streams"
)

// Caps of answers, in bytes.
const (
	maxDigestsBytes = 64 << 10
	maxFactsBytes   = 8 << 20
	maxPeersBytes   = 4 << 20
)

// factTries is how often facts are asked for when gossip overtakes the answer.
const factTries = 3

// errGarbage marks answers that cannot be read, and what is not what it should be.
var errGarbage = errors.New("it answers with garbage")

// Client asks other members. Its fields are set once; it may be used by several goroutines.
type Client struct {
	HTTP    *http.Client // reaches the sync service (package streams)
	Ledger  *ledger.Ledger
	Conduct *conduct.Book
	Now     func() time.Time // the node's clock

	// Accept takes intents that p has sent: see [intents.Keeper.Accept].
	Accept func(p peer.ID, all []intent.Signed) (ledger.Change, []error)
	// Merge takes facts that p has given of itself, or returns [facts.ErrStale].
	Merge func(p peer.ID, b *api.FactBatch) error
	// Met takes a member that p is connected to.
	Met func(api.PeerFact)
	// More asks p for what is none of the above; nil: nothing.
	More func(ctx context.Context, p peer.ID) error
	// Skew is told the clock of p minus this node's.
	Skew func(p peer.ID, d time.Duration)

	refused refused
}

// TrustChanged has what was refused before asked for again: somebody may have a say
// now who had none.
func (c *Client) TrustChanged() { c.refused.clear() }

// Facts fetches what p says of itself.
func (c *Client) Facts(ctx context.Context, p peer.ID) error {
	for try := 1; ; try++ {
		var b api.FactBatch
		if err := c.call(ctx, p, api.RouteSyncFacts, nil, &b, maxFactsBytes); err != nil {
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
	if err := c.call(ctx, p, api.RouteSyncPeers, nil, &list, maxPeersBytes); err != nil {
		return err
	}
	for _, f := range list.Peers {
		c.Met(f)
	}
	return nil
}

func (c *Client) more(ctx context.Context, p peer.ID) error {
	if c.More == nil {
		return nil
	}
	return c.More(ctx, p)
}

// Records asks p for records of jobs.
func (c *Client) Records(ctx context.Context, p peer.ID, q *api.RecordParts) (b api.RecordBatch, err error) {
	return b, c.call(ctx, p, api.RouteSyncRecords, q, &b, api.MaxMessage)
}

// digests asks p what it holds, and what time it is there.
func (c *Client) digests(ctx context.Context, p peer.ID) (d api.SyncDigests, err error) {
	asked := c.Now()
	if err := c.call(ctx, p, api.RouteSyncDigests, nil, &d, maxDigestsBytes); err != nil {
		return d, err
	}
	if !d.Now.IsZero() {
		c.Skew(p, d.Now.Sub(asked)-c.Now().Sub(asked)/2)
	}
	return d, nil
}

// call sends a request by a route of the sync service and decodes the answer. What
// cannot be decoded is held against p.
func (c *Client) call(ctx context.Context, p peer.ID, route string, in any, out api.Validator, limit int) error {
	err := c.do(ctx, p, route, in, out, limit)
	if errors.Is(err, errGarbage) {
		c.Conduct.Note(p, conduct.Garbage)
	}
	if err != nil {
		return fmt.Errorf("ask %s: %s: %w", p, route, err)
	}
	return nil
}

func (c *Client) do(ctx context.Context, p peer.ID, route string, in any, out api.Validator, limit int) error {
	method, path, _ := bytes.Cut([]byte(route), []byte{' '})
	var body bytes.Buffer
	if in != nil {
		if err := json.NewEncoder(&body).Encode(in); err != nil {
			return err
		}
	}
	req, err := http.NewRequestWithContext(ctx, string(method), streams.URL(p, string(path)), &body)
	if err != nil {
		return err
	}
	resp, err := c.HTTP.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if err := local.CheckStatus(resp); err != nil {
		return err
	}
	raw, err := api.ReadAll(resp.Body, int64(limit))
	if errors.Is(err, api.ErrTooLarge) {
		return fmt.Errorf("%w: %w", errGarbage, err)
	}
	if err != nil {
		return err
	}
	decode := api.Decode
	if route == api.RouteSyncFacts || route == api.RouteSyncPeers {
		decode = api.DecodeFact
	}
	if err := decode(raw, limit, out); err != nil {
		return fmt.Errorf("%w: %w", errGarbage, err)
	}
	return nil
}
