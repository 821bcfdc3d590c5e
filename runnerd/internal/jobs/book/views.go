package book

import (
	"cmp"
	"slices"
	"time"

	"github.com/realm-mesh/realm/api"
)

// Open are the runs of a job that have not ended, the oldest first.
func (b *Book) Open(root api.Digest) []ID {
	e := b.jobs[root]
	if e == nil {
		return nil
	}
	out := make([]ID, 0, len(e.open))
	for _, r := range sorted(e.open) {
		out = append(out, r.id())
	}
	return out
}

// OpenSpan is the first and the last run of a job of those that have not ended; "": there is none.
// It costs less than [Book.Open].
func (b *Book) OpenSpan(root api.Digest) (first, last api.RunKey) {
	e := b.jobs[root]
	if e == nil || len(e.open) == 0 {
		return "", ""
	}
	var low, high *run
	for _, r := range e.open {
		if low == nil || r.before(low) < 0 {
			low = r
		}
		if high == nil || r.before(high) > 0 {
			high = r
		}
	}
	return low.key, high.key
}

// Runs are all runs of a job, the oldest first.
func (b *Book) Runs(root api.Digest) []RunView {
	e := b.jobs[root]
	if e == nil {
		return nil
	}
	out := make([]RunView, 0, len(e.runs))
	for _, r := range sorted(e.runs) {
		out = append(out, r.view)
	}
	return out
}

// Unended reports how many runs of a job have not ended.
func (b *Book) Unended(root api.Digest) int {
	if e := b.jobs[root]; e != nil {
		return len(e.open)
	}
	return 0
}

func sorted(runs map[api.RunKey]*run) []*run {
	out := make([]*run, 0, len(runs))
	for _, r := range runs {
		out = append(out, r)
	}
	slices.SortFunc(out, (*run).before)
	return out
}

// before orders runs of a job, the oldest first.
func (r *run) before(o *run) int { return cmp.Or(r.at.Compare(o.at), cmp.Compare(r.index, o.index)) }

// Summary is a job as lists show it.
func (b *Book) Summary(root api.Digest) (api.JobSummary, bool) {
	e := b.jobs[root]
	if e == nil || !e.known {
		return api.JobSummary{}, false
	}
	return b.summary(e), true
}

func (b *Book) summary(e *job) api.JobSummary {
	s := api.JobSummary{Job: e.Name, Root: e.Root, Type: e.Body.Type, Runtime: e.Body.Runtime.Type,
		Issued: e.Issued, Retries: e.retries, Runs: e.counts}
	s.State, s.Reason = b.state(e)
	s.Runs.Succeeded, s.Runs.Failed, s.Runs.Running = e.states[api.JobSucceeded], e.states[api.JobFailed], e.states[api.JobRunning]
	if e.last != nil {
		s.Peer = e.last.Peer
	}
	for _, r := range e.runs {
		for _, x := range r.execs {
			if !x.Started.IsZero() && (s.Started.IsZero() || x.Started.Before(s.Started)) {
				s.Started = x.Started
			}
			if s.State.Ended() && x.Ended.After(s.Ended) {
				s.Ended = x.Ended
			}
		}
	}
	if b.outlook != nil && e.Body.Type == api.JobRecurring && !e.Cancelled {
		s.Next = b.outlook.Next(e.Root)
	}
	return s
}

// state is how e stands, and why.
func (b *Book) state(e *job) (api.JobState, string) {
	state := e.stands()
	if state == api.JobSucceeded || state == api.JobScheduled {
		return state, ""
	}
	runs := e.open
	if state.Ended() {
		runs = e.runs
	}
	var first *run
	for _, r := range runs {
		if r.view.State == state && (first == nil || r.before(first) < 0) {
			first = r
		}
	}
	if first == nil {
		return state, ""
	}
	return b.waits(&first.view)
}

// waits completes how a run stands by what the book cannot know.
func (b *Book) waits(v *RunView) (api.JobState, string) {
	if b.outlook != nil && (v.State == api.JobQueued || v.State == api.JobBackoff || v.State == api.JobRunning && v.Away) {
		if state, why := b.outlook.Outlook(v.ID); state != "" {
			return state, cmp.Or(why, v.Reason)
		}
	}
	return v.State, v.Reason
}

// Status is all that is known of a job, as it stands at now.
func (b *Book) Status(root api.Digest, now time.Time) (api.JobStatus, bool) {
	b.Advance(now)
	e := b.jobs[root]
	if e == nil || !e.known {
		return api.JobStatus{}, false
	}
	s := api.JobStatus{JobSummary: b.summary(e), Seq: e.Seq, Intent: e.Intent, Expires: e.Expires, Target: e.Target, Body: *e.Body}
	runs := sorted(e.runs)
	slices.Reverse(runs)
	for _, r := range runs[:min(len(runs), api.MaxJobRuns)] {
		s.RunList = append(s.RunList, b.show(r))
	}
	return s, true
}

func (b *Book) show(r *run) api.JobRun {
	out := api.JobRun{Run: r.key, Instant: r.at, Accepted: r.view.Accepted, Executions: make([]api.JobExec, 0, len(r.execs))}
	out.State, out.Reason = b.waits(&r.view)
	for _, x := range r.execs {
		out.Executions = append(out.Executions, api.JobExec{JobRecord: *x, Superseded: r.supersedes(x)})
	}
	return out
}
