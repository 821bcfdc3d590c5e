package ledger

import (
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
)

// job is a version of a one-shot job that ends an hour after the first moment.
func job(t *testing.T, name api.Name, seq uint64, prev api.Digest, change func(*api.Intent, *api.Job)) intent.Signed {
	t.Helper()
	in := api.Intent{Ref: api.Ref{Kind: api.KindJob, Name: name}, Seq: seq, Prev: prev, Issued: t0, Expires: t0.Add(time.Hour)}
	j := &api.Job{Type: api.JobOneShot, Runtime: api.JobRuntime{Type: api.RuntimeNative, Program: api.BlobInfo{SHA256: program.Blob, Size: 7}}}
	if change != nil {
		change(&in, j)
	}
	if in.Tombstone {
		return sign(t, owner, in, nil)
	}
	return sign(t, owner, in, j)
}

func TestJobs(t *testing.T) {
	l := New(thePin)
	add := func(now time.Time, all ...intent.Signed) (errs []error) {
		_, errs = l.AddAll(all, now)
		return errs
	}
	cancel := func(_ *api.Intent, j *api.Job) { j.Cancelled = true }
	remove := func(in *api.Intent, _ *api.Job) { in.Tombstone, in.Expires = true, time.Time{} }
	one := job(t, "build-1", 1, api.Digest{}, nil)
	two := job(t, "build-1", 2, one.Digest, cancel)
	add(t0, one, job(t, "build-2", 1, api.Digest{}, nil))
	if h, ok := l.Job(one.Ref, t0); !ok || h.Root != one.Digest || h.Digest != one.Digest {
		t.Fatalf("%+v, %v", h, ok)
	}
	add(t0, two)
	if h, ok := l.Job(one.Ref, t0); !ok || h.Root != one.Digest || h.Digest != two.Digest || l.Jobs(t0)[one.Digest].Seq != 2 {
		t.Errorf("cancelled it is %+v, %v", h, ok)
	}
	if n := len(l.Jobs(t0)); n != 2 {
		t.Errorf("%d jobs", n)
	}

	// A member that has heard of the cancelled one alone knows which job it is.
	half := New(thePin)
	half.AddAll([]intent.Signed{two}, t0)
	if h, ok := half.Job(one.Ref, t0); !ok || h.Root != one.Digest {
		t.Errorf("by its second version it is %+v, %v", h, ok)
	}

	// All end by their time at once: what was cancelled does not come back.
	end := t0.Add(time.Hour)
	if at := l.Expires(); !at.Equal(end) {
		t.Errorf("the next ends at %s", at)
	}
	if dropped := l.Expire(end.Add(-1)); len(dropped) != 0 {
		t.Errorf("%d end too early", len(dropped))
	}
	if dropped := l.Expire(end); len(dropped) != 3 || len(l.Jobs(end)) != 0 || !l.Expires().IsZero() {
		t.Errorf("%d ended, %d jobs are left", len(dropped), len(l.Jobs(end)))
	}
	for _, err := range add(end, one, two) {
		if err == nil {
			t.Error("one that has ended was taken again")
		}
	}

	gone := job(t, "build-3", 2, one.Digest, remove)
	add(end, gone)
	if _, ok := l.Job(gone.Ref, end); ok || len(l.Jobs(end)) != 0 {
		t.Error("a job that was removed is there")
	}
	if _, ok := l.Job(api.Ref{Kind: api.KindComponent, Name: "web"}, end); ok {
		t.Error("a component is a job")
	}
}

// TestCopies are those of jobs that are there, and say how many they want.
func TestCopies(t *testing.T) {
	l := New(thePin)
	keep := func(n int) func(*api.Intent, *api.Job) { return func(_ *api.Intent, j *api.Job) { j.Keep = n } }
	five := job(t, "build-1", 1, api.Digest{}, keep(5))
	gone := job(t, "build-3", 1, api.Digest{}, keep(7))
	l.AddAll([]intent.Signed{five, job(t, "build-2", 1, api.Digest{}, nil), gone}, t0)
	l.AddAll([]intent.Signed{job(t, "build-1", 2, five.Digest, func(_ *api.Intent, j *api.Job) { j.Keep, j.Cancelled = 5, true })}, t0)
	l.AddAll([]intent.Signed{job(t, "build-3", 2, gone.Digest, func(in *api.Intent, _ *api.Job) { in.Tombstone, in.Expires = true, time.Time{} })}, t0)
	for range 2 {
		if got := l.Copies(t0); len(got) != 1 || got[five.Digest] != 5 {
			t.Errorf("%v", got)
		}
	}
}
