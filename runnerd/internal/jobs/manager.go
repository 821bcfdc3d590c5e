package jobs

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/task"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
	"github.com/realm-mesh/realm/runnerd/internal/jobs/book"
	"github.com/realm-mesh/realm/runnerd/internal/jobs/plan"
)

// Manager does this node's part in the jobs of its realm.
type Manager struct {
	cfg  Config
	wake chan struct{}

	mu      sync.Mutex
	book    *book.Book
	planner *plan.Planner
	own     map[api.Exec]*own
	change  chan struct{}       // closed, and replaced, when something may have changed
	keys    map[string]api.Exec // of records, by their keys on the bus
	raw     map[api.Exec][]byte // records as they were signed, to be shown to others

	dropping map[api.Digest]bool // jobs that go when their last run has ended
	left     bool                // the node goes down: nothing is begun

	ctx  context.Context //nolint:containedctx // of Run: tasks that a plan asks for end with it
	work sync.WaitGroup
}

// own is an execution of this node's that goes on.
type own struct {
	rec       api.JobRecord
	execution Execution
}

// New returns a Manager that knows nothing yet.
func New(cfg Config) *Manager {
	b := book.New(cfg.Self)
	return &Manager{cfg: cfg, wake: make(chan struct{}, 1), book: b, planner: plan.New(cfg.Self, b), own: map[api.Exec]*own{}, change: make(chan struct{}), raw: map[api.Exec][]byte{}, keys: map[string]api.Exec{}, dropping: map[api.Digest]bool{}}
}

// SetJob takes in a job as its newest intent has it.
func (m *Manager) SetJob(j book.Job) {
	m.mu.Lock()
	delete(m.dropping, j.Root)
	m.book.SetJob(j)
	for _, r := range m.cfg.Over.Of(j.Root) {
		m.book.SetOver(book.ID{Root: r.Root, Run: r.Run}, r.State, r.Epoch)
	}
	m.mu.Unlock()
	m.rouse()
}

// DropJob forgets a job: its intent is gone. One that has expired goes once all of its
// runs have ended that were begun in time; of any other, executions here are stopped.
func (m *Manager) DropJob(root api.Digest) {
	m.mu.Lock()
	j, _ := m.book.Job(root)
	var stop []Execution
	if !j.Expires.IsZero() && !j.Expires.After(m.cfg.Now()) && m.book.Unended(root) > 0 {
		m.dropping[root] = true
	} else {
		m.book.DropJob(root)
		stop = m.ofJob(root)
	}
	m.mu.Unlock()
	for _, e := range stop {
		e.Stop(api.ExecCancelled, removedText)
	}
	m.rouse()
}

// removedText is why executions of a job end that was removed.
const removedText = "the job was removed"

// ofJob is what carries out executions of a job here; m.mu is held.
func (m *Manager) ofJob(root api.Digest) (out []Execution) {
	for x, o := range m.own {
		if x.Root == root && o.execution != nil {
			out = append(out, o.execution)
		}
	}
	return out
}

// Members says who the members are, this node among them.
func (m *Manager) Members(members []plan.Member) {
	m.mu.Lock()
	m.planner.SetMembers(members, m.cfg.Now())
	m.mu.Unlock()
	m.rouse()
}

func (m *Manager) rouse() {
	select {
	case m.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// Run plans and acts until ctx ends. Jobs, records and members that there were must have
// been told before. Executions that outlive this process go on when it ends, unless the
// node goes down.
func (m *Manager) Run(ctx context.Context) error {
	tasks, end := context.WithCancel(ctx)
	defer end()
	m.ctx = tasks
	if err := m.recover(); err != nil {
		end()
		m.work.Wait()
		return err
	}
	m.spawn(m.sweepVotes)
	again := time.NewTimer(0)
	defer again.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-m.wake:
			again.Stop()
			m.step(again)
		case <-again.C:
			m.step(again)
		}
	}
	m.leave(context.WithoutCancel(ctx))
	end()
	m.work.Wait()
	return nil
}

// step makes a plan, and begins to carry it out. again is set for the next one.
func (m *Manager) step(again *time.Timer) {
	m.mu.Lock()
	close(m.change)
	m.change = make(chan struct{})
	now := m.cfg.Now()
	p := m.planner.Plan(now, m.cfg.Room())
	for root := range m.dropping {
		if m.book.Unended(root) == 0 {
			delete(m.dropping, root)
			m.book.DropJob(root)
			m.rouse()
		}
	}
	var asks []plan.Claim
	for _, c := range p.Claims {
		if len(c.Ask) == 0 && len(c.Electors) == 0 {
			m.begin(c, now)
			continue
		}
		asks = append(asks, c)
	}
	for _, v := range p.Verdicts {
		m.verdict(v, now)
	}
	stops := make([]Execution, len(p.Stops))
	for i, s := range p.Stops {
		stops[i] = m.stopped(s, now)
	}
	m.mu.Unlock()
	for i, s := range p.Stops {
		if stops[i] != nil {
			stops[i].Stop(s.As, s.Why)
		}
	}
	m.ask(asks)
	for _, t := range p.Takes {
		m.spawn(func(ctx context.Context) { m.take(ctx, t) })
	}
	for _, r := range p.Release {
		m.spawn(func(ctx context.Context) { m.poll(ctx, r.Exec, r.Electors, r.Round, true) })
	}
	if !p.Wake.IsZero() {
		again.Reset(max(p.Wake.Sub(now), 0))
	}
}

// spawn runs a task that Run waits for.
func (m *Manager) spawn(do func(context.Context)) {
	m.work.Add(1)
	go func() {
		defer m.work.Done()
		if err := task.Guard(m.ctx, func(ctx context.Context) error { do(ctx); return nil }); err != nil {
			m.cfg.Log.Error("look after jobs", telemetry.Error(err))
		}
	}()
}

// put has rec stand in the book, and on the bus, and reports whether it does; m.mu is held.
func (m *Manager) put(rec api.JobRecord) bool {
	raw, err := m.cfg.Sign(rec)
	if err != nil && rec.State.Ended() { // an end that is not told would never be one
		rec.Said, rec.Artifacts, rec.Reason = "", nil, clip("its artifacts cannot be told: "+err.Error()+": "+rec.Reason)
		raw, err = m.cfg.Sign(rec)
	}
	if err != nil {
		m.cfg.Log.Error("sign a record", telemetry.KeyWorkload, string(rec.Job), telemetry.Error(err))
		return false
	}
	m.book.Put(rec)
	m.raw[rec.Exec()], m.keys[api.KeyRecord(rec.Exec())] = raw, rec.Exec()
	m.cfg.Write(rec.Exec(), raw)
	return true
}

// blank is a record of an execution of this node's that begins at now; m.mu is held.
func (m *Manager) blank(x api.Exec, state api.ExecState, now time.Time) (api.JobRecord, bool) {
	realm, err := m.cfg.Realm()
	job, known := m.book.Job(x.Root)
	switch {
	case err != nil:
		m.cfg.Log.Warn("a run cannot be recorded", "run", string(x.Run), telemetry.Error(err))
		return api.JobRecord{}, false
	case !known:
		return api.JobRecord{}, false // it has gone since it was planned
	}
	return api.JobRecord{Realm: realm, Root: x.Root, Job: idOf(job.Name), Run: x.Run, Epoch: x.Epoch, Peer: x.Peer,
		Seq: 1, State: state, Claimed: now.UTC()}, true
}

// idOf is the id in the intent of a job that is addressed so: a lesser fork has more.
func idOf(n api.Name) api.Name {
	id, _, _ := strings.Cut(string(n), "~")
	return api.Name(id)
}

// verdict records how a run has ended that is not executed; m.mu is held.
func (m *Manager) verdict(v plan.Verdict, now time.Time) {
	rec, ok := m.blank(v.Exec, v.State, now)
	if !ok {
		return
	}
	rec.Cause, rec.Reason, rec.Ended = v.Cause, v.Why, rec.Claimed
	m.put(rec)
}

// log is the logger of what concerns one execution.
func (m *Manager) log(rec *api.JobRecord) *slog.Logger {
	return m.cfg.Log.With(telemetry.KeyWorkload, string(rec.Job), "run", string(rec.Run), "epoch", rec.Epoch)
}
