package jobs

import (
	"context"
	"strings"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/task"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
	"github.com/realm-mesh/realm/runnerd/internal/jobs/book"
	"github.com/realm-mesh/realm/runnerd/internal/jobs/plan"
)

// leaveGrace is how long executions get to end when the node goes down.
const leaveGrace = 5 * time.Second

const nodeDown = "its node was brought down"

// begin claims an execution, and has it carried out; m.mu is held.
func (m *Manager) begin(c plan.Claim, now time.Time) {
	rec, ok := m.blank(c.Exec, api.ExecClaimed, now)
	if !ok {
		return
	}
	job, _ := m.book.Job(c.Exec.Root)
	rec.Cause = c.Cause
	if !m.put(rec) {
		return // nobody would hear of it; the next plan has it tried again
	}
	m.own[c.Exec] = &own{rec: rec}
	order := Order{Job: job.Name, Exec: c.Exec, Body: job.Body, Assets: m.assets(job, c.Exec)}
	m.spawn(func(ctx context.Context) { // its begin may wait for the disk
		var e Execution
		err := task.Guard(ctx, func(context.Context) error {
			e = m.cfg.Executor.Begin(order, func(ch Change) { m.changed(c.Exec, ch) })
			return nil
		})
		if err != nil {
			m.log(&rec).Error("begin an execution", telemetry.Error(err))
			m.changed(c.Exec, Change{State: api.ExecFailed, Reason: "a fault of Realm, told in the log of runnerd there", Ended: m.cfg.Now()})
			return
		}
		m.attach(c.Exec, e)
	})
}

// attach remembers what carries out an execution. One that was to be stopped before it had
// begun is stopped now.
func (m *Manager) attach(x api.Exec, e Execution) {
	m.mu.Lock()
	o := m.own[x]
	if o != nil {
		o.execution = e
	}
	as, why, fenced := m.book.Fenced(x)
	if !m.book.Known(x.Root) {
		as, why, fenced = api.ExecCancelled, removedText, true
	}
	if m.left {
		as, why, fenced = api.ExecLost, nodeDown, true
	}
	m.mu.Unlock()
	if o == nil {
		return // it has ended already
	}
	if fenced {
		e.Stop(as, why)
	}
	m.spawn(func(ctx context.Context) { m.tell(ctx, x, e.Over()) })
}

// assets are those of a job, with what others have made filled in; m.mu is held.
func (m *Manager) assets(j book.Job, x api.Exec) []api.JobAsset {
	out := make([]api.JobAsset, len(j.Body.Assets))
	copy(out, j.Body.Assets)
	for i, a := range out {
		if a.Job != "" {
			out[i].Blob = m.book.Artifact(a.Job, x.Run.Index(), a.From)
		}
	}
	return out
}

// changed takes in what an execution reports.
func (m *Manager) changed(x api.Exec, c Change) {
	m.mu.Lock()
	defer m.rouse()
	defer m.mu.Unlock()
	o := m.own[x]
	if o == nil {
		return // its end was recorded before
	}
	rec := &o.rec
	rec.Seq++
	c.into(rec)
	if rec.State.Ended() {
		delete(m.own, x)
		m.log(rec).Info("an execution has ended", "state", string(rec.State), "reason", rec.Reason)
		if m.cfg.Ended != nil {
			m.cfg.Ended(rec)
		}
	}
	m.put(*rec)
}

// into adds c to what is said of an execution.
func (c Change) into(rec *api.JobRecord) {
	if c.State != "" {
		rec.State, rec.Reason, rec.Ready = c.State, clip(c.Reason), c.Ready
	}
	if !c.Started.IsZero() {
		rec.Started = c.Started.UTC()
	}
	if !c.Ended.IsZero() {
		rec.Ended = c.Ended.UTC()
	}
	if rec.State.Ended() {
		rec.Exit, rec.Signal, rec.TimedOut, rec.Usage = c.Exit, c.Signal, c.TimedOut, c.Usage
		rec.Artifacts, rec.Said, rec.Log = c.Artifacts, c.Said, c.Log
	}
}

// clip cuts a text to what a record takes.
func clip(s string) string {
	if s = strings.ToValidUTF8(s, "?"); len(s) <= api.MaxReason {
		return s
	}
	return strings.ToValidUTF8(s[:api.MaxReason-3], "") + "…"
}

// stopped is what carries out an execution that is to stop; nil where nothing does: its
// end is recorded then. m.mu is held.
func (m *Manager) stopped(s plan.Stop, now time.Time) Execution {
	if o := m.own[s.Exec]; o != nil {
		return o.execution // nil for as long as it begins: see attach
	}
	rec, ok := m.book.Record(s.Exec)
	if ok && !rec.State.Ended() {
		m.end(rec, s.As, s.Why, now)
	}
	return nil
}

// end records an end that nothing here reports; m.mu is held.
func (m *Manager) end(rec api.JobRecord, as api.ExecState, why string, now time.Time) {
	rec.Seq++
	rec.State, rec.Reason, rec.Ended, rec.Ready = as, clip(why), now.UTC(), false
	m.put(rec)
}

// recover goes on with what an earlier process of this daemon has begun. Of what is left
// without a trace the record says that it is lost.
func (m *Manager) recover() error {
	found, err := m.cfg.Executor.Recover()
	if err != nil {
		return err
	}
	for _, f := range found {
		m.resume(f)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.cfg.Now()
	for _, x := range m.book.Going(m.cfg.Self) {
		if rec, _ := m.book.Record(x); m.own[x] == nil && !rec.State.Ended() {
			m.end(rec, api.ExecLost, "runnerd has ended under it", now)
		}
	}
	return nil
}

// resume goes on with one of them.
func (m *Manager) resume(f Found) {
	m.mu.Lock()
	rec, known := m.book.Record(f.Exec)
	wanted := known && !rec.State.Ended() && rec.Peer == m.cfg.Self
	switch {
	case wanted && f.Resume != nil:
		m.own[f.Exec] = &own{rec: rec}
	case wanted:
		rec.Seq++
		f.Last.into(&rec)
		m.put(rec)
	}
	m.mu.Unlock()
	switch {
	case f.Resume == nil && !known:
		m.cfg.Executor.Forget(f.Exec)
	case f.Resume == nil:
	case wanted:
		m.attach(f.Exec, f.Resume(func(c Change) { m.changed(f.Exec, c) }))
	default:
		f.Resume(func(Change) {}).Stop(api.ExecLost, "its record is gone, or says that it has ended")
	}
}

// leave ends all executions when the whole node goes down: others are to take them over.
func (m *Manager) leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, leaveGrace)
	defer cancel()
	m.mu.Lock()
	none := len(m.own) == 0
	m.mu.Unlock()
	if none || !m.cfg.Leaving(ctx) {
		return
	}
	m.mu.Lock()
	m.left = true
	going := make([]Execution, 0, len(m.own))
	for _, o := range m.own {
		if o.execution != nil {
			going = append(going, o.execution)
		}
	}
	m.mu.Unlock()
	for _, e := range going {
		e.Stop(api.ExecLost, nodeDown)
	}
	for _, e := range going {
		select {
		case <-e.Over():
		case <-ctx.Done():
			return
		}
	}
}
