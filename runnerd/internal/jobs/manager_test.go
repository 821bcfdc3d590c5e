package jobs

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/realm-mesh/realm/api"
)

// TestOnce: all runs are executed, each by one member, once.
func TestOnce(t *testing.T) {
	inRealm(t, 3, func(t *testing.T, r *realm) {
		root := r.submit("all-1", api.Job{Parallelism: 30})
		time.Sleep(8 * time.Second)
		if st := r.state(root); st.State != api.JobSucceeded || st.Runs.Executions != 30 || len(r.begun) != 30 {
			t.Errorf("%s, %+v: %d begun", st.State, st.Runs, len(r.begun))
		}
		for _, m := range r.nodes {
			if n := len(m.executor.kept); n == 0 {
				t.Errorf("%s has executed none, or keeps what it needs no more", m.id.Short())
			}
		}
	})
}

// TestTakeover: a run whose member dies goes on elsewhere; what it wrote is still there,
// and the member that comes back gives it up.
func TestTakeover(t *testing.T) {
	inRealm(t, 4, func(t *testing.T, r *realm) {
		r.program = func(x *execution) Change {
			x.say("epoch begins")
			return x.sleep(time.Minute)
		}
		root := r.submit("long-1", api.Job{})
		time.Sleep(5 * time.Second)
		dead := r.executing(root)
		first := api.Exec{Root: root, Run: "0", Epoch: 1, Peer: dead.id}
		dead.die()
		time.Sleep(20 * time.Second)
		heir := r.executing(root)
		if heir == nil || r.begun[api.Exec{Root: root, Run: "0", Epoch: 2, Peer: heir.id}] != 1 {
			t.Fatalf("nobody has taken over: %v", r.begun)
		}
		got := r.logs(heir, Selection{Job: "long-1", Epoch: 1, Lines: Lines{Tail: -1}})
		if len(got) != 1 || got[0].Peer != dead.id {
			t.Errorf("of the lost one there is %+v", got)
		}
		stopped := make(chan Change, 1)
		dead.boot(Found{Exec: first, Resume: func(report func(Change)) Execution {
			r.program = func(x *execution) Change {
				c := x.sleep(time.Hour)
				stopped <- c
				return c
			}
			return dead.run(first, Order{}, report)
		}})
		r.seen()
		if c := <-stopped; c.State != api.ExecLost || !strings.Contains(c.Reason, "superseded") {
			t.Errorf("it came back, and %+v", c)
		}
		time.Sleep(time.Minute)
		if st := r.state(root); st.State != api.JobSucceeded || st.RunList[0].Accepted == nil || st.RunList[0].Accepted.Peer != heir.id {
			t.Errorf("%+v", st.JobSummary)
		}
	})
}

func TestCancel(t *testing.T) {
	inRealm(t, 2, func(t *testing.T, r *realm) {
		r.program = func(x *execution) Change { return x.sleep(time.Hour) }
		root := r.submit("c-1", api.Job{})
		time.Sleep(time.Second)
		j := r.jobs[0]
		j.Cancelled, j.Seq = true, 2
		r.set(j)
		time.Sleep(time.Second)
		if st := r.state(root); st.State != api.JobCancelled || st.RunList[0].Executions[0].State != api.ExecCancelled {
			t.Errorf("%+v", st)
		}
	})
}

// TestVerdict: what needs a job that has failed fails, and is never begun.
func TestVerdict(t *testing.T) {
	inRealm(t, 2, func(t *testing.T, r *realm) {
		r.program = func(*execution) Change { return Change{State: api.ExecFailed, Reason: "no"} }
		r.submit("a-1", api.Job{})
		root := r.submit("b-1", api.Job{Needs: []api.Name{"a-1"}})
		time.Sleep(20 * time.Second)
		if st := r.state(root); st.State != api.JobFailed || len(r.begun) != 1 || !strings.Contains(st.Reason, "a-1") {
			t.Errorf("%+v", st.JobSummary)
		}
	})
}

// TestStrict: no majority, no execution; a lost member blocks the run until it is back.
func TestStrict(t *testing.T) {
	inRealm(t, 3, func(t *testing.T, r *realm) {
		r.program = func(x *execution) Change { return x.sleep(time.Minute) }
		var electors []api.PeerID
		for _, m := range r.nodes {
			electors = append(electors, m.id)
		}
		root := r.submit("s-1", api.Job{Once: api.OnceStrict, Electors: electors})
		time.Sleep(10 * time.Second)
		dead := r.executing(root)
		if dead == nil {
			t.Fatalf("it is not begun: %+v", r.state(root).JobSummary)
		}
		if n := dead.votes.Len(); n != 1 {
			t.Errorf("%d votes", n)
		}
		dead.die()
		time.Sleep(time.Minute)
		if len(r.begun) != 1 {
			t.Errorf("another has begun it: %v", r.begun)
		}
		dead.boot()
		r.seen()
		time.Sleep(2 * time.Minute)
		if st := r.state(root); st.State != api.JobSucceeded || len(r.begun) != 2 {
			t.Errorf("%+v: %v", st.JobSummary, r.begun)
		}
	})
}

// TestRecover: a new process records what has become of what an earlier one has begun.
func TestRecover(t *testing.T) {
	for name, c := range map[string]struct {
		found func(*node, api.Exec) []Found
		want  api.ExecState
	}{
		"no trace": {func(*node, api.Exec) []Found { return nil }, api.ExecLost},
		"a result": {func(_ *node, x api.Exec) []Found { return []Found{{Exec: x, Last: Change{State: api.ExecSucceeded}}} }, api.ExecSucceeded},
		"it runs": {func(m *node, x api.Exec) []Found {
			return []Found{{Exec: x, Resume: func(report func(Change)) Execution { return m.run(x, Order{}, report) }}}
		}, api.ExecSucceeded},
	} {
		t.Run(name, func(t *testing.T) {
			inRealm(t, 1, func(t *testing.T, r *realm) {
				r.program = func(x *execution) Change { return x.sleep(10 * time.Second) }
				root := r.submit("r-1", api.Job{})
				time.Sleep(time.Second)
				m := r.nodes[0]
				x := api.Exec{Root: root, Run: "0", Epoch: 1, Peer: m.id}
				unknown := Found{Exec: api.Exec{Root: api.Sum(nil), Run: "0", Epoch: 1, Peer: m.id}}
				m.end()
				m.boot(append(c.found(m, x), unknown)...)
				r.seen()
				time.Sleep(time.Minute)
				list := r.state(root).RunList[0].Executions
				at := slices.IndexFunc(list, func(e api.JobExec) bool { return e.Exec() == x })
				if at < 0 || list[at].State != c.want {
					t.Errorf("%+v", list)
				}
				if !slices.Contains(m.forgotten, unknown.Exec) {
					t.Error("what is not known is kept")
				}
			})
		})
	}
}

// TestLeave: executions end with their node, and go on while the daemon alone restarts.
func TestLeave(t *testing.T) {
	for _, down := range []bool{false, true} {
		inRealm(t, 2, func(t *testing.T, r *realm) {
			stopped := false
			r.program = func(x *execution) Change {
				c := x.sleep(time.Hour)
				stopped = c.Reason == nodeDown
				return c
			}
			root := r.submit("l-1", api.Job{})
			time.Sleep(time.Second)
			m := r.executing(root)
			m.down = down
			m.stop()
			<-m.ended
			synctest.Wait()
			if stopped != down {
				t.Errorf("node down %v: stopped %v", down, stopped)
			}
			r.program = func(x *execution) Change { return x.sleep(0) }
		})
	}
}

// TestFault: a fault here costs one execution.
func TestFault(t *testing.T) {
	inRealm(t, 1, func(t *testing.T, r *realm) {
		r.nodes[0].panics = true
		root := r.submit("p-1", api.Job{})
		time.Sleep(10 * time.Second)
		if st := r.state(root); st.State != api.JobFailed || !strings.Contains(st.RunList[0].Executions[0].Reason, "a fault of Realm") {
			t.Errorf("%+v", st.JobSummary)
		}
	})
}

// TestTooMuchToTell: an end that does not fit into a record is told all the same.
func TestTooMuchToTell(t *testing.T) {
	inRealm(t, 1, func(t *testing.T, r *realm) {
		r.program = func(*execution) Change {
			return Change{State: api.ExecSucceeded, Artifacts: []api.JobOutput{{Name: "a", Missing: strings.Repeat("x", api.MaxRecord)}}}
		}
		root := r.submit("m-1", api.Job{})
		time.Sleep(10 * time.Second)
		if st := r.state(root); st.State != api.JobSucceeded || !strings.Contains(st.RunList[0].Executions[0].Reason, "artifacts") {
			t.Errorf("%+v", st)
		}
	})
}

// TestExpired: a job that has expired stays while it is executed.
func TestExpired(t *testing.T) {
	inRealm(t, 1, func(t *testing.T, r *realm) {
		r.program = func(x *execution) Change { return x.sleep(2 * time.Hour) }
		root := r.submit("e-1", api.Job{})
		time.Sleep(time.Hour + time.Minute)
		m := r.nodes[0]
		m.DropJob(root)
		time.Sleep(time.Minute)
		if !m.knows(root) || r.executing(root) == nil {
			t.Error("it is gone while it goes on")
		}
		time.Sleep(time.Hour)
		if m.knows(root) || r.executing(root) != nil {
			t.Error("it stays although it has ended")
		}
		for key := range m.bucket {
			m.Manager.Forget(key)
		}
		if len(m.raw)+len(m.keys)+len(m.own) != 0 || len(m.forgotten) != 1 {
			t.Errorf("of it are left %d records, %d keys, %v", len(m.raw), len(m.keys), m.forgotten)
		}
	})
}

// TestRemoved: what goes on of a job that is removed before its time is stopped.
func TestRemoved(t *testing.T) {
	inRealm(t, 1, func(t *testing.T, r *realm) {
		r.program = func(x *execution) Change { return x.sleep(time.Hour) }
		root := r.submit("r-1", api.Job{})
		time.Sleep(time.Second)
		m := r.nodes[0]
		if r.executing(root) == nil {
			t.Fatal("it was not begun")
		}
		m.DropJob(root)
		time.Sleep(time.Second)
		if m.knows(root) || r.executing(root) != nil {
			t.Error("it goes on")
		}
	})
}

// TestSweep: votes go when their job was not known twice.
func TestSweep(t *testing.T) {
	inRealm(t, 1, func(t *testing.T, r *realm) {
		m := r.nodes[0]
		root := r.submit("v-1", api.Job{})
		for _, d := range []api.Digest{root, api.Sum([]byte("gone"))} {
			v := api.JobVote{JobClaim: api.JobClaim{Root: d, Run: "0", Epoch: 1}, Round: 1}
			if _, err := m.votes.Vote(v, m.id); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(sweepEvery + time.Minute)
		if n := m.votes.Len(); n != 2 {
			t.Errorf("%d votes: the intent may be on its way", n)
		}
		time.Sleep(sweepEvery)
		if n := m.votes.Len(); n != 1 {
			t.Errorf("%d votes", n)
		}
	})
}

// TestObjection: who has begun a run tells others that would begin it.
func TestObjection(t *testing.T) {
	inRealm(t, 2, func(t *testing.T, r *realm) {
		r.program = func(x *execution) Change { return x.sleep(time.Minute) }
		root := r.submit("o-1", api.Job{})
		time.Sleep(time.Second)
		m := r.executing(root)
		a := m.Claims(r.other(m).id, &api.JobClaims{Claims: []api.JobClaim{{Root: root, Run: "0", Epoch: 1}}})
		if len(a.Answers) != 1 || len(a.Answers[0].Records) != 1 {
			t.Errorf("%+v", a)
		}
	})
}
