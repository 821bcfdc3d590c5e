package gatewayd

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/gatewayd/internal/feed"
	"github.com/realm-mesh/realm/gatewayd/internal/route"
	"github.com/realm-mesh/realm/internal/kit/bus"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
)

// watch keeps the table, and the news, up to date with the bus.
type watch struct {
	bus  *bus.Conn
	book *route.Book
	live *route.Live
	log  *slog.Logger
	news *feed.Feed
	back func() // called when the bus is there again, after it was away

	mu     sync.Mutex
	begun  map[string]int // how often each bucket has been read from the beginning
	begins int            // the most of these

	changed  chan struct{} // holds one token while the book is ahead of the table
	complete chan struct{} // closed with the first table that knows all
}

func newWatch(b *bus.Conn, book *route.Book, live *route.Live, log *slog.Logger, news *feed.Feed, back func()) *watch {
	return &watch{bus: b, book: book, live: live, log: log, news: news, back: back, begun: map[string]int{}, changed: make(chan struct{}, 1), complete: make(chan struct{})}
}

// wait returns true when the table knows all that the bus holds, false when ctx
// ends before.
func (w *watch) wait(ctx context.Context) bool {
	select {
	case <-w.complete:
		return true
	case <-ctx.Done():
		return false
	}
}

// bind makes a new table after every change, or burst of changes.
func (w *watch) bind(ctx context.Context) error {
	var once sync.Once
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-w.changed:
			t := w.book.Table(time.Now())
			w.live.Set(t)
			if t.Complete() {
				once.Do(func() { close(w.complete) })
			}
		}
	}
}

func (w *watch) touch() {
	select {
	case w.changed <- struct{}{}:
	default:
	}
}

// reset notes that a bucket is read from its beginning: if it is not the first time, the bus
// was away, and who listens is told so before anything that is found then.
func (w *watch) reset(bucket string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.begun[bucket]++
	if w.begun[bucket] <= w.begins {
		return // by another bucket it is known
	}
	w.begins = w.begun[bucket]
	if w.begins > 1 {
		w.back()
	}
}

// facts follows how the members stand with their workloads.
func (w *watch) facts(ctx context.Context) error {
	return w.follow(ctx, api.BucketWorkloads, func(ev bus.Event) {
		switch ev.Kind {
		case bus.Reset:
			w.reset(api.BucketWorkloads)
			w.book.ResetFacts()
		case bus.Synced:
			w.book.SyncedFacts()
		case bus.Put, bus.Deleted:
			w.fact(ev)
		}
	})
}

func (w *watch) fact(ev bus.Event) {
	ref, peer, ok := api.ParseKeyWorkload(ev.Key)
	if !ok {
		w.log.Warn("a key of the workloads bucket is none", "key", ev.Key)
		return
	}
	var f api.WorkloadFact
	if ev.Kind == bus.Put {
		err := api.DecodeFact(ev.Value, api.MaxMessage, &f)
		if err == nil && f.Ref == ref && f.Peer == peer {
			w.book.PutFact(f)
			return
		}
		w.log.Warn("a fact cannot be read", "key", ev.Key, telemetry.Error(err))
	}
	w.book.DeleteFact(ref, peer)
}

// programs follows what runnerd tells of programs on this node.
func (w *watch) programs(ctx context.Context) error {
	cancel, err := w.bus.Subscribe(api.SubjectEvents(api.Runnerd), w.news.Workload)
	if err != nil {
		if ctx.Err() != nil {
			return nil // it is to stop already
		}
		return err
	}
	defer cancel()
	<-ctx.Done()
	return nil
}

// peers follows which members are connected.
func (w *watch) peers(ctx context.Context) error {
	return w.follow(ctx, api.BucketPeers, func(ev bus.Event) {
		switch ev.Kind {
		case bus.Reset:
			w.reset(api.BucketPeers)
			w.book.ResetPeers()
			w.news.ResetPeers()
		case bus.Synced:
			w.book.SyncedPeers()
			w.news.SyncedPeers()
		case bus.Put, bus.Deleted:
			w.peer(ev)
		}
	})
}

func (w *watch) peer(ev bus.Event) {
	id, err := api.ParsePeerID(ev.Key)
	if err != nil {
		w.log.Warn("a key of the peers bucket is none", "key", ev.Key)
		return
	}
	var r api.PeerRecord
	if ev.Kind == bus.Put {
		err := api.DecodeFact(ev.Value, api.MaxMessage, &r)
		if err == nil && r.Peer == id {
			w.book.PutPeer(r)
			w.news.PutPeer(&r)
			return
		}
		w.log.Warn("a record of a peer cannot be read", "key", ev.Key, telemetry.Error(err))
	}
	w.book.DeletePeer(id)
	w.news.DeletePeer(id)
}

// records follows which services are ready where.
func (w *watch) records(ctx context.Context) error {
	b, err := w.bus.Bucket(ctx, api.BucketJobs)
	if err != nil {
		return err
	}
	return b.Watch(ctx, ">", func(ev bus.Event) error { //nolint:contextcheck // reading waits for nothing
		if w.record(ev) {
			w.touch()
		}
		return nil
	})
}

func (w *watch) record(ev bus.Event) (news bool) {
	switch ev.Kind {
	case bus.Reset:
		w.reset(api.BucketJobs)
		w.book.ResetRecords()
		w.news.ResetRecords()
	case bus.Synced:
		w.book.SyncedRecords()
		w.news.SyncedRecords()
		return true
	case bus.Deleted:
		w.news.DeleteRecord(ev.Key)
		return w.book.DeleteRecord(ev.Key)
	case bus.Put:
		rec, err := intent.ReadRecord(ev.Value)
		if err != nil || api.KeyRecord(rec.Exec()) != ev.Key {
			w.log.Warn("a record of a job cannot be read", "key", ev.Key, telemetry.Error(err))
			return w.book.DeleteRecord(ev.Key)
		}
		w.news.PutRecord(ev.Key, &rec)
		return w.book.PutRecord(ev.Key, &rec)
	}
	return false
}

func (w *watch) follow(ctx context.Context, bucket string, see func(bus.Event)) error {
	b, err := w.bus.Bucket(ctx, bucket)
	if err != nil {
		return err
	}
	return b.Watch(ctx, ">", func(ev bus.Event) error {
		see(ev)
		w.touch()
		return nil
	})
}
