package meshd

import (
	"context"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/bus"
	"github.com/realm-mesh/realm/meshd/internal/intents"
)

// buckets are those that meshd reads and writes.
type buckets struct {
	intents, peers, workloads, jobs *bus.Bucket
}

func (d *Daemon) openBuckets(ctx context.Context) (b buckets, err error) {
	for _, o := range []struct {
		name string
		to   **bus.Bucket
	}{{api.BucketIntents, &b.intents}, {api.BucketPeers, &b.peers}, {api.BucketWorkloads, &b.workloads}, {api.BucketJobs, &b.jobs}} {
		if *o.to, err = d.env.Bus.Bucket(ctx, o.name); err != nil {
			return buckets{}, err
		}
	}
	return b, nil
}

// projection is the intents bucket.
type projection struct{ *bus.Bucket }

var _ intents.Projection = projection{}

// All implements [intents.Projection].
func (p projection) All(ctx context.Context) (map[string][]byte, error) {
	entries, err := p.Bucket.All(ctx, ">")
	if err != nil {
		return nil, err
	}
	out := make(map[string][]byte, len(entries))
	for _, e := range entries {
		out[e.Key] = e.Value
	}
	return out, nil
}
