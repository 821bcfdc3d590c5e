package plan

import (
	"container/heap"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/schedule"
	"github.com/realm-mesh/realm/runnerd/internal/jobs/book"
)

// jobPlan is what is worked out of a job once.
type jobPlan struct {
	book.Job
	need     Room
	revision int    // of the roster by which fits was worked out
	fits     []bool // by place in the roster

	schedule schedule.Schedule
	broken   string // why there is no schedule
	cursor   time.Time
	at       time.Time // next instant
	heaped   int       // place in timers + 1
}

// keptInstants is so many of the newest instants of a job as have records: of older ones
// they may be gone.
const keptInstants = 50

// setJob takes in that a job has come, gone or been changed.
func (p *Planner) setJob(root api.Digest, now time.Time) {
	j, known := p.book.Job(root)
	old := p.jobs[root]
	if !known {
		if old != nil {
			p.timers.remove(old)
			delete(p.jobs, root)
		}
		return
	}
	e := old
	if e == nil {
		e = &jobPlan{}
		p.jobs[root] = e
	}
	e.Job, e.need, e.revision = j, needOf(j.Body), -1
	if j.Body.Type != api.JobRecurring {
		return
	}
	if p.timers.remove(e); j.Cancelled {
		e.at = time.Time{}
		return
	}
	if old == nil {
		var err error
		if e.schedule, err = schedule.Parse(j.Body.Schedule.Cron, j.Body.Schedule.TimeZone); err != nil {
			e.broken = err.Error()
			return
		}
		e.cursor = p.floor(e, now)
	}
	if e.broken == "" {
		p.tick(e, now)
	}
}

// needOf is what an execution of j takes of its member's room.
func needOf(j *api.Job) Room {
	r := Room{j.Resources.CPUMilli, j.Resources.MemoryMB}
	if r.CPUMilli == 0 {
		r.CPUMilli = api.DefaultCPUMilli
	}
	if r.MemoryMB == 0 && j.Runtime.Type == api.RuntimeWasm {
		if r.MemoryMB = int64(j.Runtime.Limits.MemoryMaxMB); r.MemoryMB == 0 {
			r.MemoryMB = api.DefaultMemoryMB
		}
	}
	return r
}

// floor is after which instant those are looked at that may have been missed while this
// node was not there. Older instants that have no record were let go, or their records are
// not kept any more.
func (p *Planner) floor(e *jobPlan, now time.Time) time.Time {
	var known []time.Time
	for _, r := range p.book.Runs(e.Root) {
		if at := r.Run.Instant(); r.Last != nil && (len(known) == 0 || !at.Equal(known[len(known)-1])) {
			known = append(known, at)
		}
	}
	fresh := now.Add(-Grace - 1)
	from := e.Issued
	switch {
	case e.Body.Schedule.Missed == api.MissedSkip:
		from = fresh
	case len(known) == 0:
	case e.Body.Schedule.Missed == api.MissedLast:
		from = known[len(known)-1]
		if from.After(fresh) { // one before it may be on its way
			from = fresh
		}
	case len(known) >= keptInstants:
		from = known[0]
	}
	if from.Before(e.Issued) {
		from = e.Issued
	}
	return from
}

// tick has the runs of all instants up to now be expected.
func (p *Planner) tick(e *jobPlan, now time.Time) {
	var due []time.Time
	due, _, e.at = schedule.Due(e.schedule, e.cursor, now, e.Body.Schedule.Missed, Grace, api.MaxMissed)
	if now.After(e.cursor) {
		e.cursor = now
	}
	for _, t := range due {
		for i := range e.Body.Runs() {
			if p.book.Unended(e.Root) >= maxWaiting {
				break
			}
			p.book.Expect(book.ID{Root: e.Root, Run: api.NewRunKey(t, i)})
		}
	}
	if !e.at.IsZero() {
		heap.Push(&p.timers, e)
	}
}

// Next implements [book.Outlook].
func (p *Planner) Next(root api.Digest) time.Time {
	if e := p.jobs[root]; e != nil {
		return e.at
	}
	return time.Time{}
}

// fit works out who can execute runs of e.
func (p *Planner) fit(e *jobPlan) {
	if e.revision == p.revision && e.fits != nil {
		return
	}
	e.revision, e.fits = p.revision, make([]bool, p.roster.Len())
	for i := range e.fits {
		m, _ := p.member(p.roster.Member(i).Peer)
		e.fits[i] = unfit(e, m) == ""
	}
}

// unfit is why m, whether it is up or not, cannot execute runs of e; empty: it can.
func unfit(e *jobPlan, m *Member) string {
	room := RoomOf(m.Capacity)
	switch {
	case len(e.Target.Peers) > 0 && !slices.Contains(e.Target.Peers, m.Peer):
		return "its node_ids name other members"
	case !e.Target.Matches(m.Peer, m.Roles):
		return "it has no tag " + strings.Join(e.Target.Tags, " or ")
	case e.Body.Platform != "" && m.Platform != e.Body.Platform:
		return fmt.Sprintf("it is %s, the job wants %s", m.Platform, e.Body.Platform)
	case room.CPUMilli < e.need.CPUMilli:
		return fmt.Sprintf("it has %d processors, the job wants %.3g", room.CPUMilli/1000, float64(e.need.CPUMilli)/1000)
	case room.MemoryMB > 0 && room.MemoryMB < e.need.MemoryMB:
		return fmt.Sprintf("it gives %d MiB, the job wants %d", room.MemoryMB, e.need.MemoryMB)
	}
	if why := unable(e.Body, m); why != "" {
		return why
	}
	if m.Drained {
		return "it is drained"
	}
	return ""
}

// unable is why m's policy, or what is installed there, does not let it execute j.
func unable(j *api.Job, m *Member) string {
	switch j.Runtime.Type {
	case api.RuntimeNative:
		if !m.Powers.Native {
			return "its policy does not allow native execution (realm policy set --allow-native=true there)"
		}
	case api.RuntimeQEMU:
		_, arch, _ := strings.Cut(j.Runtime.TargetPlatform, "/")
		system, _, _ := strings.Cut(m.Platform, "/")
		if system != "linux" {
			return "it is " + m.Platform + ": emulation is for linux"
		}
		if !slices.Contains(m.Powers.Emulates, arch) {
			return "it does not emulate " + arch + " (realm policy set --allow-emulation=true there, and the package qemu-user-static)"
		}
	}
	return ""
}

// order ranks the members for a run, whether they are up or not.
func (p *Planner) order(r *runPlan) []api.PeerID {
	if p.fit(r.job); r.order == nil || r.revision != p.revision || r.ranked != r.job.Seq {
		fits := r.job.fits
		r.order = p.roster.Rank("job/"+r.id.Root.String()+"/"+string(r.id.Run), func(i int) bool { return fits[i] })
		r.revision, r.ranked = p.revision, r.job.Seq
	}
	return r.order
}
