package book

import (
	"cmp"
	"slices"
	"time"

	"github.com/realm-mesh/realm/api"
)

// Job is a job as its newest intent has it.
type Job struct {
	Root      api.Digest // of its first intent
	Name      api.Name   // as it is addressed: its id, with ~ and digits of the root for a lesser fork
	Body      *api.Job   // is not changed any more
	Target    api.Target
	Issued    time.Time // of its first intent
	Expires   time.Time // zero: never
	Cancelled bool
	Seq       uint64
	Intent    api.Digest // that counts now
}

// ID names a run of a job.
type ID struct {
	Root api.Digest
	Run  api.RunKey
}

// Compare orders ids: any order, the same everywhere.
func (i ID) Compare(o ID) int { return cmp.Or(i.Root.Compare(o.Root), cmp.Compare(i.Run, o.Run)) }

// Outlook says of runs that are not under way what the book cannot know.
type Outlook interface {
	// Outlook is how a run stands that waits: [api.JobWaiting], [api.JobPending] or
	// [api.JobQueued], and why; "" when there is nothing to say.
	Outlook(ID) (api.JobState, string)
	// Next is the next instant of a recurring job; zero: there is none.
	Next(root api.Digest) time.Time
}

// Book is jobs and records.
type Book struct {
	self    api.PeerID
	outlook Outlook
	jobs    map[api.Digest]*job
	names   map[api.Name]*job
	listed  []*job // those that are known, newest first
	up      map[api.PeerID]bool
	upKnown bool
	going   map[api.PeerID]map[api.Exec]*run // not ended, by member
	needers map[api.Name]map[*job]bool
	expiry  []*job // that may expire, the earliest first
	changed map[ID]bool
	touched map[api.Digest]bool
}

// New returns an empty book of the node self.
func New(self api.PeerID) *Book {
	return &Book{self: self, jobs: map[api.Digest]*job{}, names: map[api.Name]*job{}, going: map[api.PeerID]map[api.Exec]*run{},
		needers: map[api.Name]map[*job]bool{}, changed: map[ID]bool{}, touched: map[api.Digest]bool{}}
}

// SetOutlook has views of waiting runs be completed by o.
func (b *Book) SetOutlook(o Outlook) { b.outlook = o }

// SetJob puts j in, in the place of what was known of the same root.
func (b *Book) SetJob(j Job) {
	e := b.job(j.Root)
	b.unlist(e)
	e.Job, e.known, e.expired = j, true, false
	e.replace = j.Body.Schedule != nil && j.Body.Schedule.Concurrency == api.ConcurrencyReplace
	b.list(e)
	b.dropForeign(e)
	if j.Body.Type != api.JobRecurring {
		for i := range j.Body.Runs() {
			e.run(api.NewRunKey(time.Time{}, i))
		}
	}
	for _, r := range e.runs {
		b.derive(r)
	}
	b.settle(e)
	b.touched[j.Root] = true
}

// DropJob forgets the job; its records stay until they are dropped, too.
func (b *Book) DropJob(root api.Digest) {
	e := b.jobs[root]
	if e == nil || !e.known {
		return
	}
	b.unlist(e)
	e.known, e.expired, e.Job = false, false, Job{Root: root, Name: e.Name}
	for key, r := range e.runs {
		b.changed[r.id()] = true
		if len(r.execs) == 0 {
			e.forget(r)
			delete(e.runs, key)
		}
	}
	for _, r := range e.runs {
		r.let = nil
		b.derive(r)
	}
	b.touched[root] = true
	b.tidy(e)
}

// Job returns the job with that root.
func (b *Book) Job(root api.Digest) (Job, bool) {
	if e := b.jobs[root]; e != nil && e.known {
		return e.Job, true
	}
	return Job{}, false
}

// Known reports whether the intent of the job is there, so that its records mean something.
func (b *Book) Known(root api.Digest) bool {
	e := b.jobs[root]
	return e != nil && e.known
}

// Put takes a record in, unless one is there that counts in its place, or it is of a run
// that its job does not have. Records of jobs that are not known are kept for when they are.
func (b *Book) Put(rec api.JobRecord) (changed bool) {
	e := b.job(rec.Root)
	if e.known && !e.has(rec.Run) {
		return false
	}
	r := e.run(rec.Run)
	at, found := slices.BinarySearchFunc(r.execs, rec.Exec(), func(x *api.JobRecord, e api.Exec) int { return x.Exec().Compare(e) })
	if found && !rec.Newer(r.execs[at]) {
		return false
	}
	r.returned(rec.Exec())
	held := rec
	if found {
		old := r.execs[at]
		if r.execs[at] = &held; e.last == old && !old.Claimed.Equal(held.Claimed) {
			e.newest()
		} else if e.last == old {
			e.last = &held
		}
	} else {
		r.execs = slices.Insert(r.execs, at, &held)
	}
	b.track(r, &held)
	e.claimed(&held)
	b.derive(r)
	b.replaced(r)
	b.settle(e)
	return true
}

// Drop forgets a record.
func (b *Book) Drop(x api.Exec) {
	e := b.jobs[x.Root]
	if e == nil {
		return
	}
	r := e.runs[x.Run]
	if r == nil {
		return
	}
	n := len(r.execs)
	r.execs = slices.DeleteFunc(r.execs, func(rec *api.JobRecord) bool { return rec.Exec() == x })
	if len(r.execs) == n {
		return
	}
	r.dropped(x, r.view)
	b.untrack(x)
	if e.last != nil && e.last.Exec() == x {
		e.newest()
	}
	b.derive(r)
	if len(r.execs) == 0 && (!e.known || e.Body.Type == api.JobRecurring) {
		e.forget(r)
		delete(e.runs, x.Run)
	}
	b.settle(e)
	b.tidy(e)
}

// Record returns what is known of an execution.
func (b *Book) Record(x api.Exec) (api.JobRecord, bool) {
	if e := b.jobs[x.Root]; e != nil && e.runs[x.Run] != nil {
		for _, rec := range e.runs[x.Run].execs {
			if rec.Exec() == x {
				return *rec, true
			}
		}
	}
	return api.JobRecord{}, false
}

// Expect has a run of a recurring job be there although nobody has begun it.
func (b *Book) Expect(id ID) {
	e := b.jobs[id.Root]
	if e == nil || !e.known || e.runs[id.Run] != nil {
		return
	}
	r := e.run(id.Run)
	b.derive(r)
	b.replaced(r)
	b.settle(e)
}

// Unexpect forgets a run that nobody has begun.
func (b *Book) Unexpect(id ID) {
	e := b.jobs[id.Root]
	if e == nil || e.runs[id.Run] == nil || len(e.runs[id.Run].execs) > 0 || e.known && e.Body.Type != api.JobRecurring {
		return
	}
	e.forget(e.runs[id.Run])
	delete(e.runs, id.Run)
	b.changed[id] = true
	b.settle(e)
}

// SetUp says which members are up: live, with their runnerd. Before it is called all are.
func (b *Book) SetUp(peers []api.PeerID) {
	up := make(map[api.PeerID]bool, len(peers)+1)
	for _, p := range peers {
		up[p] = true
	}
	up[b.self] = true
	old, known := b.up, b.upKnown
	b.up, b.upKnown = up, true
	for p, runs := range b.going {
		if was := !known || old[p]; was == up[p] {
			continue
		}
		for _, r := range runs {
			b.derive(r)
			b.settle(r.job)
		}
	}
}

func (b *Book) isUp(p api.PeerID) bool { return !b.upKnown || b.up[p] }

// Advance tells the time, so that what has expired does.
func (b *Book) Advance(now time.Time) {
	for len(b.expiry) > 0 && !b.expiry[0].Expires.After(now) {
		e := b.expiry[0]
		b.expiry = b.expiry[1:]
		e.expired = true
		for _, r := range e.runs {
			b.derive(r)
		}
		b.settle(e)
	}
}

// Expiry is when the next job expires; zero: none does.
func (b *Book) Expiry() time.Time {
	if len(b.expiry) == 0 {
		return time.Time{}
	}
	return b.expiry[0].Expires
}

// Changed returns the runs that may stand otherwise than when it was last called, in
// order, and the jobs that have come, gone or been changed.
func (b *Book) Changed() ([]ID, []api.Digest) {
	if len(b.changed) == 0 && len(b.touched) == 0 {
		return nil, nil
	}
	runs := make([]ID, 0, len(b.changed))
	for id := range b.changed {
		runs = append(runs, id)
	}
	jobs := make([]api.Digest, 0, len(b.touched))
	for root := range b.touched {
		jobs = append(jobs, root)
	}
	b.changed, b.touched = map[ID]bool{}, map[api.Digest]bool{} // clearing them costs what they once held
	slices.SortFunc(runs, ID.Compare)
	slices.SortFunc(jobs, api.Digest.Compare)
	return runs, jobs
}

// Roots are all jobs whose intents are there, the newest first.
func (b *Book) Roots() []api.Digest {
	out := make([]api.Digest, 0, len(b.listed))
	for _, e := range b.listed {
		out = append(out, e.Root)
	}
	return out
}

// Going are the executions of a member that have not ended, in order.
func (b *Book) Going(p api.PeerID) []api.Exec {
	out := make([]api.Exec, 0, len(b.going[p]))
	for x := range b.going[p] {
		out = append(out, x)
	}
	slices.SortFunc(out, func(x, y api.Exec) int { return cmp.Or(ID{x.Root, x.Run}.Compare(ID{y.Root, y.Run}), x.Compare(y)) })
	return out
}

// track keeps the index of what goes on.
func (b *Book) track(r *run, rec *api.JobRecord) {
	x := rec.Exec()
	if rec.State.Ended() {
		b.untrack(x)
		return
	}
	if b.going[x.Peer] == nil {
		b.going[x.Peer] = map[api.Exec]*run{}
	}
	b.going[x.Peer][x] = r
}

func (b *Book) untrack(x api.Exec) {
	delete(b.going[x.Peer], x)
	if len(b.going[x.Peer]) == 0 {
		delete(b.going, x.Peer)
	}
}
