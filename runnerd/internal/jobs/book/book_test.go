package book_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/runnerd/internal/jobs/book"
)

var now = time.Date(2026, 11, 23, 1, 0, 0, 0, time.UTC)

func job(name string, body api.Job) book.Job {
	if body.Type == "" {
		body.Type = api.JobOneShot
	}
	return book.Job{Root: api.Sum([]byte(name)), Name: api.Name(name), Body: &body, Issued: now, Seq: 1}
}

// record reads "EPOCH PEER STATE [CAUSE]".
func record(t *testing.T, root api.Digest, run api.RunKey, text string) api.JobRecord {
	t.Helper()
	r := api.JobRecord{Root: root, Run: run, Seq: 1, Claimed: now, Reason: text}
	var state, cause string
	if n, err := fmt.Sscan(text, &r.Epoch, &r.Peer, &state, &cause); n < 3 {
		t.Fatal(err)
	}
	if r.State, r.Cause = api.ExecState(state), api.ExecCause(cause); r.State.Ended() {
		r.Ended = now
	}
	return r
}

// TestRun is how a run stands by its executions; a, b and c are up, x is not.
func TestRun(t *testing.T) {
	for _, c := range []struct {
		name     string
		retries  int
		records  []string
		state    api.JobState
		accepted string
		super    int
		current  string
	}{
		{"nothing", 0, nil, api.JobQueued, "", 0, ""},
		{"claimed", 0, []string{"1 a claimed"}, api.JobRunning, "", 0, "1 a"},
		{"done", 0, []string{"1 a succeeded"}, api.JobSucceeded, "1 a", 0, ""},
		{"failed", 0, []string{"1 a failed"}, api.JobFailed, "1 a", 0, ""},
		{"to be retried", 1, []string{"1 a failed"}, api.JobBackoff, "", 0, ""},
		{"retried", 1, []string{"1 a failed", "2 a running"}, api.JobRunning, "", 0, "2 a"},
		{"retried in vain", 1, []string{"1 a failed", "2 a failed"}, api.JobFailed, "2 a", 0, ""},
		{"a failure that was made good is not superseded", 1, []string{"1 a failed", "2 a succeeded"}, api.JobSucceeded, "2 a", 0, ""},
		{"its member is away", 0, []string{"1 x running"}, api.JobRunning, "", 0, "1 x"},
		{"taken over", 0, []string{"1 x running", "2 a running"}, api.JobRunning, "", 0, "2 a"},
		{"two successes", 0, []string{"1 b succeeded", "2 a succeeded"}, api.JobSucceeded, "2 a", 1, ""},
		{"two successes of one epoch", 0, []string{"1 b succeeded", "1 a succeeded"}, api.JobSucceeded, "1 b", 1, ""},
		{"the lower of one epoch is done first", 0, []string{"1 a succeeded", "1 b running"}, api.JobRunning, "", 0, "1 b"},
		{"the higher of one epoch is done first", 0, []string{"1 a running", "1 b succeeded"}, api.JobSucceeded, "1 b", 0, "1 a"},
		{"success before one that goes on", 0, []string{"1 a succeeded", "2 b running"}, api.JobRunning, "", 0, "2 b"},
		{"success before one whose member is away", 0, []string{"1 a succeeded", "2 x running"}, api.JobSucceeded, "1 a", 0, "2 x"},
		{"success before a failure", 0, []string{"1 a succeeded", "2 b failed"}, api.JobSucceeded, "1 a", 1, ""},
		{"lost", 0, []string{"1 a lost"}, api.JobBackoff, "", 0, ""},
		{"lost too often", 0, []string{"1 x running", "2 x running", "3 a lost", "4 a lost"}, api.JobFailed, "", 0, ""},
		{"moved", 0, []string{"1 a moved"}, api.JobQueued, "", 0, ""},
		{"moved, then done", 0, []string{"1 a moved", "2 b succeeded"}, api.JobSucceeded, "2 b", 0, ""},
		{"skipped", 0, []string{"1 a skipped"}, api.JobSkipped, "", 0, ""},
		{"never begun", 5, []string{"1 a failed verdict"}, api.JobFailed, "1 a", 0, ""},
		{"cancelled", 5, []string{"1 a cancelled"}, api.JobCancelled, "", 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			j := job("j-1", api.Job{Retries: c.retries})
			for seed := range uint64(6) {
				b := book.New("a")
				b.SetUp([]api.PeerID{"a", "b", "c"})
				r := rand.New(rand.NewPCG(seed, 1))
				if r.IntN(2) == 0 {
					b.SetJob(j)
				}
				for _, i := range r.Perm(len(c.records)) {
					b.Put(record(t, j.Root, "0", c.records[i]))
				}
				b.SetJob(j)
				v := b.Run(j.Root, "0")
				if v.State != c.state || name(v.Accepted) != c.accepted || v.Superseded != c.super || name(v.Current) != c.current {
					t.Errorf("seed %d: %s, accepted %q, %d superseded, current %q", seed, v.State, name(v.Accepted), v.Superseded, name(v.Current))
				}
			}
		})
	}
}

func name(x *api.Exec) string {
	if x == nil {
		return ""
	}
	return fmt.Sprint(x.Epoch, " ", x.Peer)
}

// TestOrder: whatever order records, jobs and members come in, and whatever was there and
// went, the book says the same in the end as one that was told at once.
func TestOrder(t *testing.T) {
	states := []api.ExecState{api.ExecClaimed, api.ExecRunning, api.ExecSucceeded, api.ExecFailed, api.ExecCancelled, api.ExecLost, api.ExecMoved}
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 2))
		var jobs []book.Job
		var recs []api.JobRecord
		for i := range 4 {
			j := job(fmt.Sprintf("j-%d", i), api.Job{Retries: r.IntN(3), Parallelism: 1 + r.IntN(3)})
			j.Cancelled = r.IntN(4) == 0
			jobs = append(jobs, j)
			for range r.IntN(8) {
				rec := record(t, j.Root, api.NewRunKey(time.Time{}, r.IntN(j.Body.Runs())), "1 a claimed")
				rec.Epoch, rec.Peer, rec.Seq = 1+r.IntN(3), api.PeerID("abx"[r.IntN(3):][:1]), uint64(1+r.IntN(3))
				rec.State = states[r.IntN(len(states))]
				rec.Claimed = now.Add(time.Duration(len(recs)) * time.Second)
				if !hasBoth(recs, &rec) {
					recs = append(recs, rec)
				}
			}
		}
		plain, mixed := book.New("a"), book.New("a")
		plain.SetUp([]api.PeerID{"b"})
		for _, j := range jobs {
			plain.SetJob(j)
		}
		for _, rec := range recs {
			plain.Put(rec)
		}
		for range 3 {
			for _, i := range r.Perm(len(jobs)) {
				if mixed.SetJob(jobs[i]); r.IntN(2) == 0 {
					mixed.DropJob(jobs[i].Root)
				}
			}
			for _, i := range r.Perm(len(recs)) {
				if mixed.Put(recs[i]); r.IntN(3) == 0 {
					mixed.Drop(recs[i].Exec())
				}
				mixed.SetUp([]api.PeerID{"b", "x"}[r.IntN(2):])
			}
		}
		for _, rec := range recs {
			mixed.Put(rec)
		}
		for _, j := range jobs {
			mixed.SetJob(j)
		}
		mixed.SetUp([]api.PeerID{"b"})
		for _, j := range jobs {
			want, _ := plain.Status(j.Root, now)
			got, _ := mixed.Status(j.Root, now)
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("seed %d: %+v\nwant %+v", seed, got, want)
			}
		}
	}
}

// hasBoth reports whether recs have one about the same execution that neither replaces.
func hasBoth(recs []api.JobRecord, rec *api.JobRecord) bool {
	for i := range recs {
		if recs[i].Exec() == rec.Exec() && !rec.Newer(&recs[i]) && !recs[i].Newer(rec) {
			return true
		}
	}
	return false
}

// TestList pages through jobs, the newest first, and finds them by name and state.
func TestList(t *testing.T) {
	b := book.New("a")
	for i := range 25 {
		j := job(fmt.Sprintf("%s-%d", []string{"build", "test-it"}[i%2], i+1), api.Job{})
		j.Issued = now.Add(time.Duration(i/2) * time.Second)
		b.SetJob(j)
		if i%5 == 0 {
			b.Put(record(t, j.Root, "0", "1 a succeeded"))
		}
	}
	count := func(q book.Query) (n int) {
		t.Helper()
		last := time.Time{}
		for {
			page, err := b.List(q, now)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range page.Jobs {
				if n++; n > 1 && s.Issued.After(last) {
					t.Errorf("%s comes late", s.Job)
				}
				last = s.Issued
			}
			if q.After = page.Next; page.Next == "" {
				return n
			}
		}
	}
	for want, q := range map[int]book.Query{25: {Limit: 4}, 13: {Name: "build", Limit: 1}, 12: {Name: "test-it"},
		5: {States: []api.JobState{api.JobSucceeded}, Limit: 2}, 1: {Name: "build-3"}, 0: {Name: "it"}} {
		if got := count(q); got != want {
			t.Errorf("%+v: %d jobs, want %d", q, got, want)
		}
	}
	if _, err := b.List(book.Query{After: "nonsense"}, now); !errors.Is(err, book.ErrAfter) {
		t.Errorf("after nonsense: %v", err)
	}
}

// TestResolve finds jobs and runs as people name them.
func TestResolve(t *testing.T) {
	b := book.New("a")
	one, two, fork := job("build-1", api.Job{}), job("build-2", api.Job{Parallelism: 2}), job("build-1", api.Job{})
	two.Issued = now.Add(time.Second)
	fork.Root = api.Sum([]byte("another"))
	fork.Name = api.Name("build-1~" + fork.Root.String()[:6])
	cron := job("nightly-3", api.Job{Type: api.JobRecurring, Schedule: &api.JobSchedule{Cron: "0 2 * * *"}})
	for _, j := range []book.Job{one, two, fork, cron} {
		b.SetJob(j)
	}
	at := api.NewRunKey(now, 0)
	b.Expect(book.ID{Root: cron.Root, Run: at})
	for text, want := range map[string]book.ID{
		"build-1": {Root: one.Root}, "build": {Root: two.Root}, string(fork.Name): {Root: fork.Root}, "~" + fork.Root.String()[:8]: {Root: fork.Root},
		"build@1": {Root: two.Root, Run: "1"}, "nightly@2026-11-23T01:00Z": {Root: cron.Root, Run: at}, "nightly-3@" + string(at): {Root: cron.Root, Run: at},
	} {
		root, run, err := b.Resolve(text)
		if err != nil || root != want.Root || run != want.Run {
			t.Errorf("%s: %s %q, %v", text, root.Short(), run, err)
		}
	}
	for _, text := range []string{"", "@", "buil", "build-3", "build@2", "build@x", "~zz", "~", "nightly@2026-11-24T01:00Z"} {
		if _, _, err := b.Resolve(text); err == nil {
			t.Errorf("%q is found", text)
		}
	}
}

func FuzzResolve(f *testing.F) {
	f.Add("build@1", "a.b")
	b := book.New("a")
	b.SetJob(job("build-1", api.Job{}))
	f.Fuzz(func(_ *testing.T, text, after string) {
		_, _, _ = b.Resolve(text)
		_, _ = b.List(book.Query{After: after}, now)
		_ = book.BaseName(api.Name(strings.ToLower(text)))
	})
}

// TestForeignRuns: what a member says of runs that a job does not have makes none, whether
// the job was known before or not.
func TestForeignRuns(t *testing.T) {
	cron := &api.JobSchedule{Cron: "@hourly", Concurrency: api.ConcurrencyReplace}
	for _, c := range []struct {
		body    api.Job
		foreign []api.RunKey
		own     api.RunKey
	}{
		{api.Job{Parallelism: 2}, []api.RunKey{"2", "999", "20261123T010000Z-0"}, "1"},
		{api.Job{Type: api.JobService}, []api.RunKey{"1", "20261123T010000Z-0"}, "0"},
		{api.Job{Type: api.JobRecurring, Schedule: cron}, []api.RunKey{"0", "20991123T010000Z-1"}, "20261123T010000Z-0"},
	} {
		for _, before := range []bool{true, false} {
			b, j := book.New("a"), job("j-1", c.body)
			if before {
				b.SetJob(j)
			}
			for _, key := range c.foreign {
				b.Put(record(t, j.Root, key, "1 a running"))
			}
			b.Put(record(t, j.Root, c.own, "1 a running"))
			b.SetJob(j)
			for _, key := range c.foreign {
				if v := b.Run(j.Root, key); v.State != "" || len(b.Executions(v.ID)) > 0 {
					t.Errorf("%s has a run %s, known before: %v", j.Body.Type, key, before)
				}
			}
			if s, _ := b.Summary(j.Root); s.Runs.Total != j.Body.Runs() || s.Runs.Running != 1 || len(b.Going("a")) != 1 {
				t.Fatalf("%s: %+v, known before: %v", j.Body.Type, s.Runs, before)
			}
			if _, why, fenced := b.Fenced(b.Going("a")[0]); fenced {
				t.Errorf("%s: its own run is to stop: %s", j.Body.Type, why)
			}
		}
	}
}
