package node

import (
	"context"
	"fmt"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
)

// SubmitAll hands signed intents to the node, as many at once as one message holds.
// done is how many are on the node's disk when it returns: with an error these are
// the first ones. A refusal is a [*bus.RemoteError], and of a message that was
// refused nothing was taken.
func (n *Node) SubmitAll(ctx context.Context, all []intent.Signed) (done int, err error) {
	for done < len(all) {
		part := batchOf(all[done:])
		var reply api.SubmitBatchReply
		if err := n.bus.RequestRetry(ctx, api.SubjectBatch, part, &reply); err != nil {
			return done, explain(err, "meshd")
		}
		if len(reply.Digests) != len(part.Envelopes) {
			return done, fmt.Errorf("meshd of this node took %d intents of %d", len(reply.Digests), len(part.Envelopes))
		}
		done += len(part.Envelopes)
	}
	return done, nil
}

// batchOf is as much of all as one message holds, from its beginning.
func batchOf(all []intent.Signed) api.SubmitBatch {
	var b api.SubmitBatch
	size := 0
	for _, s := range all {
		if size += len(s.Envelope); len(b.Envelopes) > 0 && (size > api.MaxSubmitBatchBytes || len(b.Envelopes) == api.MaxSubmitBatch) {
			break
		}
		b.Envelopes = append(b.Envelopes, s.Envelope)
	}
	return b
}
