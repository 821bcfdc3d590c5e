package book

import (
	"fmt"
	"time"

	"github.com/realm-mesh/realm/api"
)

// RunView is how a run stands.
type RunView struct {
	ID
	// State is [api.JobQueued] of a run that is not under way, whatever it waits for, and
	// [api.JobBackoff] of one that is to be tried again.
	State  api.JobState
	Reason string // in words, for people

	Epoch    int       // the highest of any record; 0: nobody has begun it
	Accepted *api.Exec // whose result counts
	// Current is the highest execution that has not ended, of the highest epoch; its
	// member may be away. Nil: there is none.
	Current *api.Exec
	Away    bool // no member that is up executes it, but Current is there

	Failed     int // executions that count against its retries
	Losses     int // that were lost, Current not counted
	Moves      int
	Executions int // all but those moved, skipped or only said to have failed
	Superseded int
	Last       *api.JobRecord // the highest; nil: there is none. It is not to be changed
}

// run is one of a job, with what was derived of it.
type run struct {
	job   *job
	key   api.RunKey
	at    time.Time // instant
	index int
	execs []*api.JobRecord
	view  RunView
	known bool // view was counted
	let   *letGo
}

func (r *run) id() ID { return ID{r.job.Root, r.key} }

// Run returns how a run stands; of one that is not known, State is "".
func (b *Book) Run(root api.Digest, key api.RunKey) RunView {
	if r := b.find(ID{root, key}); r != nil {
		return r.view
	}
	return RunView{ID: ID{root, key}}
}

func (b *Book) find(id ID) *run {
	if e := b.jobs[id.Root]; e != nil {
		return e.runs[id.Run]
	}
	return nil
}

// Executions are all records of a run, by (Epoch, Peer). They are not to be changed.
func (b *Book) Executions(id ID) []*api.JobRecord {
	if r := b.find(id); r != nil {
		return r.execs
	}
	return nil
}

// Fenced reports whether an execution that goes on is to be stopped, and how its member
// is to record that: in favour of another, or because nobody wants it any more.
func (b *Book) Fenced(x api.Exec) (as api.ExecState, why string, fenced bool) {
	r := b.find(ID{x.Root, x.Run})
	if r == nil || !r.job.known {
		return "", "", false
	}
	for i := len(r.execs) - 1; i >= 0; i-- {
		o := r.execs[i]
		if o.Exec().Compare(x) <= 0 {
			break
		}
		if o.Epoch > x.Epoch || !o.State.Ended() || o.State == api.ExecSucceeded {
			return api.ExecLost, fmt.Sprintf("superseded by epoch %d on %s", o.Epoch, o.Peer.Short()), true
		}
	}
	if why := r.cancelled(); why != "" {
		return api.ExecCancelled, why, true
	}
	return "", "", false
}

// cancelled is why nobody wants the run any more; empty: somebody does.
func (r *run) cancelled() string {
	switch {
	case r.job.Cancelled:
		return "cancelled by the owner"
	case r.job.replace && r.at.Before(r.job.latest):
		return "replaced by the run of " + r.job.latest.UTC().Format(time.RFC3339)
	}
	return ""
}

// tally is what executions of a run amount to.
type tally struct {
	success, failure, current, verdict, skipped *api.JobRecord
	above                                       bool // something goes on, higher than success
	going                                       bool // anything does, at a member that is up
}

// derive works the view out, and tells of the run.
func (b *Book) derive(r *run) {
	r.job.uncount(r)
	v := RunView{ID: r.id()}
	var t tally
	for _, x := range r.execs {
		v.Epoch = max(v.Epoch, x.Epoch)
	}
	for _, x := range r.execs {
		b.add(&v, &t, x)
	}
	if n := len(r.execs); n > 0 {
		v.Last = r.execs[n-1]
	}
	if t.current != nil {
		x := t.current.Exec()
		v.Current, v.Away = &x, !t.going
	}
	r.view = v
	if r.job.known {
		r.conclude(&r.view, &t)
		r.stay(&r.view)
	}
	r.view.Superseded = r.superseded()
	r.job.count(r)
	b.changed[r.id()] = true
}

// add counts x, where those below it have been.
func (b *Book) add(v *RunView, t *tally, x *api.JobRecord) {
	switch {
	case x.State == api.ExecMoved:
		v.Moves++
		return
	case x.State == api.ExecSkipped:
		t.skipped = x
		return
	case x.Cause == api.CauseVerdict && x.State == api.ExecFailed:
		t.verdict, t.failure = x, x
		return
	}
	v.Executions++
	switch {
	case x.State == api.ExecSucceeded:
		t.success, t.above = x, false
	case x.State == api.ExecFailed:
		v.Failed++
		t.failure = x
	case x.State == api.ExecLost:
		v.Losses++
	case !x.State.Ended():
		if x.Epoch < v.Epoch {
			v.Losses++
		} else {
			t.current = x
		}
		if b.isUp(x.Peer) {
			t.going, t.above = true, true
		}
	}
}

// conclude says how a run of a known job stands.
func (r *run) conclude(v *RunView, t *tally) {
	body, service := r.job.Body, r.job.Body.Type == api.JobService
	accept := func(x *api.JobRecord) {
		if x != nil {
			e := x.Exec()
			v.Accepted, v.Reason = &e, x.Reason
		}
	}
	why := r.cancelled()
	switch {
	case t.success != nil && !t.above && !service:
		v.State = api.JobSucceeded
		accept(t.success)
	case t.going:
		v.State = api.JobRunning
	case t.verdict != nil && t.verdict.Epoch == v.Epoch:
		v.State = api.JobFailed
		accept(t.verdict)
	case t.skipped != nil:
		v.State, v.Reason = api.JobSkipped, t.skipped.Reason
	case t.current == nil && !service && v.Failed > body.Retries:
		v.State = api.JobFailed
		accept(t.failure)
	case t.current == nil && !service && v.Losses > body.Retries+api.MaxLosses:
		v.State = api.JobFailed
		if accept(t.failure); v.Accepted == nil {
			v.Reason = fmt.Sprintf("%d of its executions were lost", v.Losses)
		}
	case why != "":
		v.State, v.Reason = api.JobCancelled, why
	default:
		r.wait(v, t)
	}
}

// wait says how a run stands of which nothing is under way, and that has not ended as it
// ran, unless its time is over or its execution was cancelled.
func (r *run) wait(v *RunView, t *tally) {
	switch {
	case v.Last == nil && r.job.expired && r.job.Body.Type == api.JobOneShot:
		v.State, v.Reason = api.JobExpired, "nobody began it before "+r.job.Expires.UTC().Format(time.RFC3339)
	case v.Last == nil:
		v.State = api.JobQueued
	case t.current != nil: // its member is away
		v.State, v.Reason = api.JobRunning, t.current.Peer.Short()+" executes it, and is not there"
	case v.Last.State == api.ExecCancelled:
		v.State, v.Reason = api.JobCancelled, v.Last.Reason
	case v.Last.State == api.ExecMoved:
		v.State, v.Reason = api.JobQueued, v.Last.Reason
	default:
		v.State, v.Reason = api.JobBackoff, v.Last.Reason
	}
}

// superseded counts results that are not the accepted one.
func (r *run) superseded() (n int) {
	for _, x := range r.execs {
		if r.supersedes(x) {
			n++
		}
	}
	return n
}

// supersedes reports whether x is a result in whose place another counts: beside a
// success every other result does, beside a failure those of the same epoch.
func (r *run) supersedes(x *api.JobRecord) bool {
	a := r.view.Accepted
	if a == nil || *a == x.Exec() || x.Cause == api.CauseVerdict {
		return false
	}
	if r.view.State == api.JobSucceeded {
		return x.State == api.ExecSucceeded || x.State == api.ExecFailed && x.Exec().Compare(*a) > 0
	}
	return x.State == api.ExecFailed && x.Epoch == a.Epoch
}
