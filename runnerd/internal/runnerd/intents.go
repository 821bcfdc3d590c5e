package runnerd

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/bus"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
	"github.com/realm-mesh/realm/internal/kit/trust"
	"github.com/realm-mesh/realm/runnerd/internal/workload"
)

// retryEvery is how long runnerd waits before it looks again at an intent that it
// could not accept because of this node: a full disk, an owner not pinned yet.
const retryEvery = 2 * time.Second

// intents follows the bucket of accepted intents, and believes none of it: each is
// checked with the pinned key, and against marks that only rise.
type intents struct {
	bucket  *bus.Bucket
	pinFile string
	marks   *trust.Marks
	self    api.PeerID
	roles   []string
	apply   func(context.Context, workload.Want) error
	log     *slog.Logger
	known   chan struct{} // closed when all that the bucket held has been seen

	once sync.Once // closes known

	mu      sync.Mutex
	pin     *trust.Pin        // read when it is first needed
	delayed map[string][]byte // by key of the bucket
	refs    map[api.Ref]bool  // that were accepted
}

func newIntents(b *bus.Bucket, pinFile string, marks *trust.Marks, self api.PeerID, roles []string, log *slog.Logger) *intents {
	return &intents{bucket: b, pinFile: pinFile, marks: marks, self: self, roles: roles, log: log,
		known: make(chan struct{}), delayed: map[string][]byte{}, refs: map[api.Ref]bool{}}
}

// count is how many workloads have an intent that was accepted.
func (in *intents) count() int {
	in.mu.Lock()
	defer in.mu.Unlock()
	return len(in.refs)
}

// watch follows the bucket until ctx ends.
func (in *intents) watch(ctx context.Context) error {
	return in.bucket.Watch(ctx, ">", func(ev bus.Event) error {
		switch ev.Kind {
		case bus.Put:
			in.take(ctx, ev.Key, ev.Value)
		case bus.Synced:
			in.once.Do(func() { close(in.known) })
		case bus.Deleted:
			// Only a tombstone removes a workload; a key that is gone says nothing.
			in.log.Warn("an intent is gone from the bus; its workload stays as it is", "key", ev.Key)
		case bus.Reset:
		}
		return nil
	})
}

// take accepts an intent, or keeps it for later if this node is in the way.
func (in *intents) take(ctx context.Context, key string, envelope []byte) {
	err := in.accept(ctx, key, envelope)
	in.mu.Lock()
	defer in.mu.Unlock()
	if err == nil || ctx.Err() != nil {
		delete(in.delayed, key)
		return
	}
	if _, again := in.delayed[key]; !again {
		in.log.Error("an intent has to wait", "key", key, telemetry.Error(err))
	}
	in.delayed[key] = envelope
}

// retry looks again at intents that had to wait.
func (in *intents) retry(ctx context.Context) error {
	tick := time.NewTicker(retryEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		for key, envelope := range in.waiting() {
			in.take(ctx, key, envelope)
		}
	}
}

func (in *intents) waiting() map[string][]byte {
	in.mu.Lock()
	defer in.mu.Unlock()
	out := make(map[string][]byte, len(in.delayed))
	for key, envelope := range in.delayed {
		out[key] = envelope
	}
	return out
}

// accept checks an intent and hands it on. It returns an error only if looking
// again may help; what is wrong with the intent itself is logged.
func (in *intents) accept(ctx context.Context, key string, envelope []byte) error {
	if _, err := in.owner(); err != nil {
		return err
	}
	s, err := in.open(envelope) //nolint:contextcheck // opening intents waits for nothing
	if err != nil {
		in.log.Warn("refused an intent", "key", key, telemetry.Error(err))
		return nil
	}
	log := in.log.With(telemetry.KeyWorkload, s.String(), telemetry.KeySeq, s.Seq)
	if api.KeyIntent(s.Ref) != key {
		log.Warn("refused an intent that lies under the key of another", "key", key)
		return nil
	}
	mark := in.marks.At(s.Ref)
	if mark.Newer(s.Version()) {
		log.Warn("refused an intent that is older than one accepted before", "mark", mark.Seq)
		return nil
	}
	if err := in.marks.Advance(s.Ref, s.Version()); err != nil {
		return err
	}
	in.mu.Lock()
	in.refs[s.Ref] = true
	in.mu.Unlock()
	return in.apply(ctx, workload.Want{Signed: s, Here: s.Target.Matches(in.self, in.roles), News: s.Version().Newer(mark)})
}

// open checks an envelope against the pinned key.
func (in *intents) open(envelope []byte) (intent.Signed, error) {
	pin, err := in.owner()
	if err != nil {
		return intent.Signed{}, err
	}
	return intent.Open(envelope, pin.Realm, pin.Owner)
}

// owner is the pin. A node that gets one after it has come up need not start again.
func (in *intents) owner() (trust.Pin, error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.pin == nil {
		p, err := trust.ReadPin(in.pinFile)
		if err != nil {
			return trust.Pin{}, err
		}
		in.pin = &p
	}
	return *in.pin, nil
}
