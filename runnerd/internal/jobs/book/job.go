package book

import (
	"cmp"
	"slices"
	"time"

	"github.com/realm-mesh/realm/api"
)

// job is a job with its runs, and what they add up to.
type job struct {
	Job
	known   bool // its intent is there; else there are records of it only
	expired bool
	replace bool
	runs    map[api.RunKey]*run
	open    map[api.RunKey]*run // that have not ended
	latest  time.Time           // newest instant that is known and was not skipped
	last    *api.JobRecord      // claimed last

	states  map[api.JobState]int
	counts  api.JobCounts
	retries int
	state   api.JobState // as those that need it were told last
}

// job returns the entry of root, a new one if need be.
func (b *Book) job(root api.Digest) *job {
	e := b.jobs[root]
	if e == nil {
		e = &job{Job: Job{Root: root}, runs: map[api.RunKey]*run{}, open: map[api.RunKey]*run{}, states: map[api.JobState]int{}}
		b.jobs[root] = e
	}
	return e
}

func (e *job) run(key api.RunKey) *run {
	r := e.runs[key]
	if r == nil {
		r = &run{job: e, key: key, at: key.Instant(), index: key.Index()}
		e.runs[key] = r
	}
	return r
}

// has reports whether a known job has such a run: a member that is sick may speak of others.
func (e *job) has(key api.RunKey) bool {
	return key.Instant().IsZero() == (e.Body.Type != api.JobRecurring) && key.Index() < e.Body.Runs()
}

// dropForeign forgets the runs that a job, which is known now, does not have.
func (b *Book) dropForeign(e *job) {
	n := len(e.runs)
	for key, r := range e.runs {
		if e.has(key) {
			continue
		}
		for _, x := range r.execs {
			b.untrack(x.Exec())
		}
		e.forget(r)
		delete(e.runs, key)
		b.changed[r.id()] = true
	}
	if len(e.runs) == n {
		return
	}
	e.newest()
	e.latest = time.Time{}
	for _, r := range e.runs {
		if r.at.After(e.latest) {
			e.latest = r.at
		}
	}
}

// tidy forgets an entry of which nothing is left.
func (b *Book) tidy(e *job) {
	if !e.known && len(e.runs) == 0 {
		delete(b.jobs, e.Root)
	}
}

func (e *job) forget(r *run) {
	e.uncount(r)
	delete(e.open, r.key)
}

func (e *job) uncount(r *run) {
	if r.known {
		e.add(r, -1)
		r.known = false
	}
}

func (e *job) count(r *run) {
	e.add(r, 1)
	r.known = true
	if r.view.State.Ended() {
		delete(e.open, r.key)
	} else {
		e.open[r.key] = r
	}
}

func (e *job) add(r *run, n int) {
	v := &r.view
	e.states[v.State] += n
	e.counts.Total += n
	e.counts.Executions += n * v.Executions
	e.counts.Superseded += n * v.Superseded
	e.retries += n * max(0, v.Executions-1)
}

// newest finds the record that was claimed last.
func (e *job) newest() {
	e.last = nil
	for _, r := range e.runs {
		for _, x := range r.execs {
			e.claimed(x)
		}
	}
}

// claimed notes x if it was claimed last.
func (e *job) claimed(x *api.JobRecord) {
	if e.last == nil || cmp.Or(x.Claimed.Compare(e.last.Claimed), cmp.Compare(x.Run, e.last.Run), x.Exec().Compare(e.last.Exec())) > 0 {
		e.last = x
	}
}

// replaced has the runs before r be looked at, where r's coming ends them.
func (b *Book) replaced(r *run) {
	e := r.job
	if !r.at.After(e.latest) || r.view.State == api.JobSkipped {
		return
	}
	e.latest = r.at
	if !e.replace {
		return
	}
	for _, o := range e.open {
		if o.at.Before(r.at) {
			b.derive(o)
		}
	}
}

// stands is how the job stands by its runs.
func (e *job) stands() api.JobState {
	if e.Body == nil {
		return ""
	}
	for _, s := range []api.JobState{api.JobRunning, api.JobBackoff, api.JobQueued} {
		if e.states[s] > 0 {
			return s
		}
	}
	switch {
	case e.Body.Type == api.JobRecurring && e.Cancelled:
		return api.JobCancelled
	case e.Body.Type == api.JobRecurring:
		return api.JobScheduled
	}
	for _, s := range []api.JobState{api.JobFailed, api.JobExpired, api.JobCancelled} {
		if e.states[s] > 0 {
			return s
		}
	}
	return api.JobSucceeded
}

// settle tells the runs that wait for e, when it stands otherwise.
func (b *Book) settle(e *job) {
	state := e.stands()
	if ready := e.known && e.Body.Type != api.JobOneShot; state == e.state && !ready {
		return
	}
	e.state = state
	b.wakeNeeders(e.Name)
}

func (b *Book) wakeNeeders(n api.Name) {
	for needer := range b.needers[n] {
		for _, r := range needer.open {
			if len(r.execs) == 0 {
				b.changed[r.id()] = true
			}
		}
	}
}

// list makes e findable.
func (b *Book) list(e *job) {
	at, _ := slices.BinarySearchFunc(b.listed, e, newestFirst)
	b.listed = slices.Insert(b.listed, at, e)
	b.names[e.Name] = e
	for _, n := range e.Body.Needed() {
		if b.needers[n] == nil {
			b.needers[n] = map[*job]bool{}
		}
		b.needers[n][e] = true
	}
	if !e.Expires.IsZero() && e.Body.Type == api.JobOneShot {
		at, _ := slices.BinarySearchFunc(b.expiry, e, earliest)
		b.expiry = slices.Insert(b.expiry, at, e)
	}
	b.wakeNeeders(e.Name)
}

func (b *Book) unlist(e *job) {
	if !e.known {
		return
	}
	if at, found := slices.BinarySearchFunc(b.listed, e, newestFirst); found {
		b.listed = slices.Delete(b.listed, at, at+1)
	}
	if b.names[e.Name] == e {
		delete(b.names, e.Name)
	}
	for _, n := range e.Body.Needed() {
		if delete(b.needers[n], e); len(b.needers[n]) == 0 {
			delete(b.needers, n)
		}
	}
	if at, found := slices.BinarySearchFunc(b.expiry, e, earliest); found {
		b.expiry = slices.Delete(b.expiry, at, at+1)
	}
	b.wakeNeeders(e.Name)
}

func newestFirst(x, y *job) int {
	return cmp.Or(y.Issued.Compare(x.Issued), y.Root.Compare(x.Root))
}

func earliest(x, y *job) int {
	return cmp.Or(x.Expires.Compare(y.Expires), x.Root.Compare(y.Root))
}
