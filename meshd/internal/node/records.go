package node

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/ledger"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
	"github.com/realm-mesh/realm/meshd/internal/gossip"
	"github.com/realm-mesh/realm/meshd/internal/p2p"
	"github.com/realm-mesh/realm/meshd/internal/records"
)

const (
	// gatherRecords is how long records wait for others to go into the same message.
	gatherRecords = 25 * time.Millisecond
	// pruneEach is how often records are looked at that are not to be kept any more.
	pruneEach = 30 * time.Second
)

// signedRecord is a record whose signature is good.
type signedRecord struct {
	api.JobRecord
	raw []byte
}

// checkRecords judges gossip of records: by what each has signed, whoever passes it on.
func (n *Node) checkRecords(m gossip.Message) (gossip.Verdict, any) {
	var b api.RecordBatch
	if err := api.Decode(m.Data, api.MaxMessage, &b); err != nil {
		return gossip.Garbage, nil
	}
	news, err := n.readRecords(b.Records)
	switch {
	case errors.Is(err, intent.ErrSignature):
		return gossip.Reject, nil
	case err != nil:
		return gossip.Garbage, nil
	case len(news) == 0:
		return gossip.Ignore, nil
	}
	return gossip.Accept, news
}

// readRecords are those that this node does not have. One that is not good spoils all.
func (n *Node) readRecords(raw [][]byte) (news []signedRecord, err error) {
	for _, r := range raw {
		rec, err := intent.ReadRecord(r)
		if err != nil {
			return nil, err
		}
		if rec.Realm != n.cfg.Pin.Realm {
			return nil, fmt.Errorf("%w: a record of another realm", intent.ErrContent)
		}
		if !n.wasMember(rec.Peer) || n.cfg.Records.Knows(&rec) {
			continue // whose membership is not known here may be one all the same
		}
		if rec.Run.Instant().After(n.cfg.Now().Add(ledger.MaxAhead)) {
			continue // nobody has executed what has not come; it would count as the newest for long
		}
		news = append(news, signedRecord{rec, r})
	}
	return news, nil
}

// wasMember reports whether p is a member, or was one.
func (n *Node) wasMember(p api.PeerID) bool {
	if pub, err := keys.OfPeer(p); err == nil {
		if _, known := n.ledger().Member(pub, n.cfg.Now()); known {
			return true
		}
	}
	t, member := n.terms(p)
	return member && !t.Client || p == n.self
}

// ofMember reports whether a request comes from a member that is no client.
func (n *Node) ofMember(r *http.Request) bool {
	p, err := peer.Decode(r.RemoteAddr)
	if err != nil {
		return false
	}
	id, err := p2p.ID(p)
	if err != nil {
		return false
	}
	t, member := n.terms(id)
	return member && !t.Client
}

func (n *Node) deliverRecords(_ context.Context, _ peer.ID, checked any) {
	n.addRecords(checked.([]signedRecord))
}

func (n *Node) addRecords(all []signedRecord) {
	before := n.cfg.Records.Revision()
	for _, r := range all {
		n.cfg.Records.Add(r.JobRecord, r.raw, records.Members) // our own too: the bucket may have been lost
	}
	if n.cfg.Records.Revision() != before {
		n.needed.wake(false)
	}
}

// RecordsChanged has those look again who wait for other blobs to be needed.
func (n *Node) RecordsChanged() { n.needed.wake(false) }

// gossipRecords tells others what this node's executions come to, until ctx ends.
func (n *Node) gossipRecords(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-n.cfg.Records.Gossip():
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(gatherRecords):
		}
		b := n.cfg.Records.TakeGossip()
		if len(b.Records) == 0 {
			continue
		}
		raw, err := json.Marshal(b)
		if err == nil {
			err = n.gossip.Publish(ctx, api.TopicJob(n.cfg.Pin.Realm), raw)
		}
		if err != nil && ctx.Err() == nil {
			n.cfg.Log.Warn("records of jobs are not gossiped; sync will spread them", telemetry.Error(err))
		}
	}
}

// pruneRecords removes what is not to be kept, until ctx ends.
func (n *Node) pruneRecords(ctx context.Context) error {
	t := time.NewTicker(pruneEach)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
		if !n.knows() {
			continue // which jobs there are is not known yet
		}
		held := n.ledger().Jobs(n.cfg.Now())
		types := make(map[api.Digest]api.JobType, len(held))
		for root, h := range held {
			if j, err := h.Job(); err == nil {
				types[root] = j.Type
			} else {
				types[root] = api.JobOneShot // of a newer version: it is not ours to judge
			}
		}
		before := n.cfg.Records.Revision()
		n.cfg.Records.Prune(n.cfg.Now(), func(root api.Digest) (api.JobType, bool) {
			t, ok := types[root]
			return t, ok
		})
		if n.cfg.Records.Revision() != before {
			n.needed.wake(false)
		}
	}
}

// syncRecords asks p for records that this node lacks.
func (n *Node) syncRecords(ctx context.Context, p peer.ID) error {
	q := api.RecordParts{Digests: n.cfg.Records.Digests()}
	for range maxRecordPages {
		b, err := n.client.Records(ctx, p, &q)
		if err != nil {
			return err
		}
		news, err := n.readRecords(b.Records) //nolint:contextcheck // it waits for nothing
		if err != nil {
			return fmt.Errorf("records of %s: %w", p, err)
		}
		n.addRecords(news)
		if !b.More || len(b.Records) == 0 {
			return nil
		}
		last, err := intent.ReadRecord(b.Records[len(b.Records)-1]) //nolint:contextcheck // likewise
		if err != nil {
			return err
		}
		key := api.KeyRecord(last.Exec())
		if !records.Follows(key, q.After) {
			return fmt.Errorf("records of %s: it tells the same again", p)
		}
		q.After = key
	}
	return nil
}

// maxRecordPages bounds one round with one member.
const maxRecordPages = 1000

// withRecords adds to the references what executions have left, as far as their jobs are
// held.
func (n *Node) withRecords(out []api.Reference, now time.Time) []api.Reference {
	copies := n.ledger().Copies(now)
	for _, b := range n.cfg.Records.Blobs(api.MaxReferences - len(out)) {
		out = append(out, api.Reference{Blob: b.SHA256, Size: b.Size, Ref: api.Ref{Kind: api.KindJob, Name: b.Job}, Current: true, Copies: copies[b.Root]})
	}
	slices.SortFunc(out, func(a, b api.Reference) int {
		return cmp.Or(a.Compare(&b), cmp.Compare(a.Size, b.Size), cmp.Compare(a.Copies, b.Copies))
	})
	return slices.Compact(out)
}
