package book

import (
	"fmt"

	"github.com/realm-mesh/realm/api"
)

// Needs says whether the jobs that one needs let it begin, and if not, why. failed: they
// never will. A service counts as soon as all of its runs are ready, a recurring job
// when all runs of its newest instant have succeeded.
func (b *Book) Needs(root api.Digest) (met bool, why string, failed bool) {
	e := b.jobs[root]
	if e == nil || !e.known {
		return false, "it is not known here", false
	}
	met = true
	for _, name := range e.Body.Needed() {
		n := b.names[name]
		if n == nil {
			met, why = false, fmt.Sprintf("it needs %s, which is not known here: it was removed, or is on its way", name)
			continue
		}
		switch n.stands() {
		case api.JobFailed, api.JobCancelled, api.JobExpired:
			return false, fmt.Sprintf("it needs %s, which %s", name, ended[n.stands()]), true
		case api.JobSucceeded:
		default:
			if !n.serves() {
				met, why = false, fmt.Sprintf("it needs %s, which is %s", name, n.stands())
			}
		}
	}
	return met, why, false
}

// ended are the ways in which a job ends without what others need, in words.
var ended = map[api.JobState]string{api.JobFailed: "has failed", api.JobCancelled: "was cancelled", api.JobExpired: "has expired"}

// serves reports whether a job that does not end has got as far as others need it.
func (e *job) serves() bool {
	switch e.Body.Type {
	case api.JobService:
		for _, r := range e.runs {
			if l := r.view.Last; l == nil || l.State.Ended() || !l.Ready {
				return false
			}
		}
		return true
	case api.JobRecurring:
		found := false
		for _, r := range e.runs {
			if r.at.Equal(e.latest) && !e.latest.IsZero() {
				if found = r.view.State == api.JobSucceeded; !found {
					return false
				}
			}
		}
		return found
	}
	return false
}

// NeedsOf lists the jobs that one needs, with how they stand.
func (b *Book) NeedsOf(root api.Digest) []api.JobNeed {
	e := b.jobs[root]
	if e == nil || !e.known {
		return nil
	}
	var out []api.JobNeed
	for _, name := range e.Body.Needed() {
		need := api.JobNeed{Job: name}
		if n := b.names[name]; n != nil {
			need.State = n.stands()
		}
		out = append(out, need)
	}
	return out
}
