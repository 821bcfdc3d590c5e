package plan_test

import (
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/schedule"
	"github.com/realm-mesh/realm/runnerd/internal/jobs/book"
)

func recurring(cron, zone string, missed api.MissedRuns, c api.JobConcurrency) api.Job {
	return api.Job{Type: api.JobRecurring, Retries: 10, Schedule: &api.JobSchedule{Cron: cron, TimeZone: zone, Missed: missed, Concurrency: c}}
}

// instants checks that each instant of a job up to a time has one run, which ended in one
// of these states, and that there are no others.
func (s *sim) instants(root api.Digest, upTo time.Time, states map[api.JobState]int) {
	j := s.jobs[0]
	for _, c := range s.jobs {
		if c.Root == root {
			j = c
		}
	}
	sched, err := schedule.Parse(j.Body.Schedule.Cron, j.Body.Schedule.TimeZone)
	if err != nil {
		s.t.Fatal(err)
	}
	want, _ := sched.Between(j.Issued, upTo, 10_000)
	for _, n := range s.nodes {
		known := map[api.RunKey]bool{}
		for _, v := range n.book.Runs(root) {
			known[v.Run] = true
			if at := v.Run.Instant(); !sched.Next(at.Add(-time.Second)).Equal(at) {
				s.fail(v.ID, "%s is no instant", at)
			}
		}
		for _, at := range want {
			id := book.ID{Root: root, Run: api.NewRunKey(at, 0)}
			v := n.book.Run(root, id.Run)
			if !known[id.Run] || !v.State.Ended() {
				s.fail(id, "%c: it is %q: %s", n.id[10], v.State, v.Reason)
			}
			if _, fine := states[v.State]; !fine {
				s.fail(id, "it is %s", v.State)
			}
			states[v.State]++
		}
	}
}

// TestClockChange: runs at fixed times are run once on days on which the clock changes,
// those by the hour follow the clock.
func TestClockChange(t *testing.T) {
	for _, day := range []time.Time{time.Date(2026, 10, 24, 23, 0, 0, 0, time.UTC), time.Date(2027, 3, 27, 23, 0, 0, 0, time.UTC)} {
		for seed := range uint64(5) {
			s := newSimAt(t, seed, 3, 4, day)
			s.run(15 * time.Second)
			var roots []api.Digest
			for _, cron := range []string{"30 2 * * *", "*/20 * * * *", "0 2,3 * * *"} {
				roots = append(roots, s.submit(0, cron, recurring(cron, "Europe/Berlin", api.MissedSkip, api.ConcurrencyAllow)))
			}
			s.run(4 * time.Hour)
			for _, root := range roots {
				s.instants(root, s.now.Add(-2*time.Minute), map[api.JobState]int{api.JobSucceeded: 0})
			}
			for id, n := range s.started {
				if n != 1 {
					s.fail(id, "it was executed %d times", n)
				}
			}
			if s.failed {
				return
			}
		}
	}
}

// TestRecurringMayhem: no instant is lost or has two results, whichever members die.
func TestRecurringMayhem(t *testing.T) {
	for seed := range uint64(seeds) {
		s := newSim(t, seed, 5, 8)
		s.run(15 * time.Second)
		root := s.submit(0, "each", recurring("*/7 * * * * *", "", api.MissedSkip, api.ConcurrencyAllow))
		s.run(3 * time.Second)
		for range 6 {
			n := s.nodes[s.rng.IntN(len(s.nodes))]
			if n.up {
				n.crash(s.rng.IntN(2) == 0)
				s.after(time.Duration(1+s.rng.IntN(30))*time.Second, func() { s.back(n) })
			}
			s.run(time.Duration(10+s.rng.IntN(20)) * time.Second)
		}
		s.calm(3 * time.Minute)
		s.instants(root, s.now.Add(-90*time.Second), map[api.JobState]int{api.JobSucceeded: 0})
		if s.failed {
			return
		}
	}
}

// TestAlone: with forbid and replace no two instants are executed at a time.
func TestAlone(t *testing.T) {
	for _, c := range []api.JobConcurrency{api.ConcurrencyForbid, api.ConcurrencyReplace} {
		for seed := range uint64(30) {
			s := newSim(t, seed, 4, 4)
			s.length = func(book.ID) time.Duration { return time.Duration(s.rng.IntN(25)) * time.Second }
			s.run(15 * time.Second)
			s.alone = true
			root := s.submit(0, "each", recurring("*/10 * * * * *", "", api.MissedSkip, c))
			s.run(3 * time.Minute)
			s.cancel(0, root)
			s.run(time.Minute)
			other := api.JobSkipped
			if c == api.ConcurrencyReplace {
				other = api.JobCancelled
			}
			states := map[api.JobState]int{api.JobSucceeded: 0, api.JobCancelled: 0, other: 0}
			s.instants(root, s.now.Add(-70*time.Second), states)
			if s.failed || states[api.JobSucceeded] == 0 || states[other] == 0 {
				t.Fatalf("%s: %v", c, states)
			}
		}
	}
}

// TestMissed: what becomes of the instants at which all nodes were down.
func TestMissed(t *testing.T) {
	for policy, want := range map[api.MissedRuns]int{api.MissedSkip: 0, api.MissedLast: 1, api.MissedAll: 10} {
		for seed := range uint64(10) {
			s := newSimAt(t, seed, 3, 8, time.Date(2026, 11, 23, 1, 0, 30, 0, time.UTC))
			s.run(15 * time.Second)
			root := s.submit(0, "each", recurring("* * * * *", "", policy, api.ConcurrencyAllow))
			s.run(3 * time.Minute)
			for _, n := range s.nodes {
				n.crash(false)
			}
			down := s.now
			s.run(11*time.Minute + 10*time.Second) // the instant before the last is fresh
			for _, n := range s.nodes {
				s.back(n)
			}
			up := s.now
			s.run(3 * time.Minute)
			late := 0
			for _, v := range s.nodes[0].book.Runs(root) {
				if at := v.Run.Instant(); at.After(down) && at.Before(up.Add(-time.Minute)) && v.State == api.JobSucceeded {
					late++
				}
			}
			if late != want {
				t.Errorf("seed %d, %q: %d of the missed instants were run, want %d", seed, policy, late, want)
			}
		}
	}
}
