package runnerd

import (
	"context"
	"runtime"
	"slices"
	"sync"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/bus"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/placement"
	"github.com/realm-mesh/realm/internal/kit/policy"
	"github.com/realm-mesh/realm/internal/kit/task"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
	"github.com/realm-mesh/realm/internal/kit/trust"
	"github.com/realm-mesh/realm/internal/kit/wanted"
	"github.com/realm-mesh/realm/runnerd/internal/admit"
	"github.com/realm-mesh/realm/runnerd/internal/jobs"
	"github.com/realm-mesh/realm/runnerd/internal/jobs/book"
	"github.com/realm-mesh/realm/runnerd/internal/jobs/execute"
	"github.com/realm-mesh/realm/runnerd/internal/jobs/over"
	"github.com/realm-mesh/realm/runnerd/internal/jobs/plan"
	"github.com/realm-mesh/realm/runnerd/internal/jobs/votes"
)

// jobber brings to the manager of jobs what the bus shows: jobs, records, members.
type jobber struct {
	*jobs.Manager
	d       *Daemon
	book    *wanted.Book
	bucket  *bus.Bucket
	records *records
	votes   *votes.Table

	once                     sync.Once
	peersKnown, recordsKnown chan struct{} // closed when all that there was has been told

	mu      sync.Mutex
	members map[api.PeerID]api.PeerRecord
	told    []plan.Member
}

// newJobber wires what does jobs.
func newJobber(d *Daemon, b *wanted.Book, bucket *bus.Bucket, loader execute.Loader, node *admit.Node, ended func(*api.JobRecord)) (*jobber, error) {
	home := d.env.Home
	v, err := votes.Open(home.JobVotes())
	if err != nil {
		return nil, err
	}
	past, err := over.Open(home.JobsOver())
	if err != nil {
		return nil, err
	}
	store := jobBlobs{&blobs{client: d.env.Client}}
	x, err := execute.New(execute.Config{
		Folder: home.Jobs(), Tails: home.JobTails(), Blobs: store, Loader: loader, Admit: node,
		Policy:  func() (policy.Policy, error) { return policy.Read(home.Policy()) },
		Private: private(home), Log: d.env.Log,
	})
	if err != nil {
		return nil, err
	}
	j := &jobber{d: d, book: b, bucket: bucket, votes: v, records: newRecords(bucket, d.env.Log), members: map[api.PeerID]api.PeerRecord{},
		peersKnown: make(chan struct{}), recordsKnown: make(chan struct{})}
	room := plan.RoomOf(d.env.Config.Capacity())
	j.Manager = jobs.New(jobs.Config{
		Self: d.self,
		Sign: func(rec api.JobRecord) ([]byte, error) { return intent.SignRecord(rec, d.key) },
		Read: intent.ReadRecord, Write: j.records.Put,
		Realm: func() (api.RealmID, error) {
			pin, err := trust.ReadPin(home.Pin())
			return pin.Realm, err
		},
		Peers: &jobPeers{client: d.env.Client}, Executor: x, Output: x, Blobs: store, Votes: v, Over: past,
		Room: func() plan.Room { return room }, Now: d.clock.Now, Confined: x.Confined, Leaving: j.leaving, Ended: ended, Log: d.env.Log,
	})
	return j, nil
}

// leaving asks the launcher whether the whole node goes down.
func (j *jobber) leaving(ctx context.Context) bool {
	var ps api.PSReply
	err := j.d.env.Bus.Request(ctx, api.SubjectPS, api.Empty{}, &ps)
	return err == nil && ps.Stopping
}

// run looks after jobs until ctx ends; known is closed when all intents are known.
func (j *jobber) run(ctx context.Context, known <-chan struct{}) error {
	defer j.votes.Close()
	for _, c := range []<-chan struct{}{known, j.peersKnown, j.recordsKnown} {
		select {
		case <-c:
		case <-ctx.Done():
			return nil
		}
	}
	writing, written := context.WithCancel(context.WithoutCancel(ctx)) // what is said last has to be told, too
	defer written()
	return task.Run(ctx, func(context.Context) error { return j.records.write(writing) }, func(ctx context.Context) error {
		defer written()
		return j.Run(ctx)
	})
}

// wanted takes in what intents say.
func (j *jobber) wanted(c wanted.Change) {
	for _, w := range c.Jobs {
		if w.Head == nil {
			j.DropJob(w.Root)
			continue
		}
		body, err := w.Head.Job()
		if err != nil {
			j.d.env.Log.Warn("a job cannot be read", telemetry.KeyWorkload, w.Head.String(), telemetry.Error(err))
			continue
		}
		j.SetJob(book.Job{Root: w.Root, Name: w.Name, Body: body, Target: w.Head.Target, Issued: w.Head.Issued, Expires: w.Head.Expires,
			Cancelled: body.Cancelled, Seq: w.Head.Seq, Intent: w.Head.Digest})
	}
	if c.Members {
		j.tellMembers()
	}
}

// watchRecords follows what members say of jobs until ctx ends.
func (j *jobber) watchRecords(ctx context.Context) error {
	once := sync.OnceFunc(func() { close(j.recordsKnown) })
	seen := map[string]bool{}                                  // nil: all that there were have been seen
	return j.bucket.Watch(ctx, ">", func(ev bus.Event) error { //nolint:contextcheck // checking a signature waits for nothing
		switch ev.Kind {
		case bus.Put:
			if seen != nil {
				seen[ev.Key] = true
			}
			rec, err := intent.ReadRecord(ev.Value)
			if err != nil || api.KeyRecord(rec.Exec()) != ev.Key {
				j.d.env.Log.Warn("passed over what a member says of a job", "key", ev.Key, telemetry.Error(err))
				return nil
			}
			j.Record(rec, ev.Value)
		case bus.Deleted:
			j.Forget(ev.Key)
		case bus.Synced:
			j.Only(seen)
			seen = nil
			once()
		case bus.Reset:
			seen = map[string]bool{}
		}
		return nil
	})
}

// record takes in what is known of a member.
func (j *jobber) record(rec api.PeerRecord) {
	j.mu.Lock()
	j.members[rec.Peer] = rec
	j.mu.Unlock()
	j.tellMembers()
}

// peersTold takes in that all members that there were have been told.
func (j *jobber) peersTold() {
	j.tellMembers()
	j.once.Do(func() { close(j.peersKnown) })
}

// recordGone takes in that nothing is known of a member any more.
func (j *jobber) recordGone(p api.PeerID) {
	j.mu.Lock()
	if rec, ok := j.members[p]; ok {
		rec.Live = false
		j.members[p] = rec
	}
	j.mu.Unlock()
	j.tellMembers()
}

// tellMembers tells the manager who the members are, when that has changed.
func (j *jobber) tellMembers() {
	j.mu.Lock()
	defer j.mu.Unlock()
	var list []plan.Member
	ids := append(j.book.Members(), j.d.self)
	slices.Sort(ids)
	for _, p := range slices.Compact(ids) {
		rec, known := j.members[p]
		if p == j.d.self {
			list = append(list, j.me(rec))
		} else if known && !rec.Client {
			list = append(list, j.member(rec.PeerFact, rec.Live))
		}
	}
	if slices.EqualFunc(list, j.told, sameMember) {
		return
	}
	j.told = list
	j.Members(list)
}

func sameMember(a, b plan.Member) bool {
	return a.Peer == b.Peer && a.Host == b.Host && a.Platform == b.Platform && a.Live == b.Live && a.Capacity == b.Capacity &&
		a.Drained == b.Drained && a.RunnerDown == b.RunnerDown && slices.Equal(a.Roles, b.Roles) &&
		a.Powers.Native == b.Powers.Native && slices.Equal(a.Powers.Emulates, b.Powers.Emulates)
}

// me is this node, whatever the bus says of it.
func (j *jobber) me(rec api.PeerRecord) plan.Member {
	f := rec.PeerFact
	f.Peer, f.Roles, f.Capacity, f.Down = j.d.self, j.d.env.Config.Roles, j.d.env.Config.Capacity(), nil
	f.Platform = runtime.GOOS + "/" + runtime.GOARCH
	if p, err := policy.Read(j.d.env.Home.Policy()); err == nil {
		f.Powers = p.Powers()
	}
	return j.member(f, true)
}

func (j *jobber) member(f api.PeerFact, live bool) plan.Member {
	roles, drained := j.book.Terms(f.Peer, f.Roles)
	return plan.Member{Member: placement.Member{Peer: f.Peer, Roles: roles, Capacity: f.Capacity, Drained: drained, RunnerDown: f.IsDown(api.Runnerd)},
		Host: f.Host, Platform: f.Platform, Powers: f.Powers, Live: live}
}
