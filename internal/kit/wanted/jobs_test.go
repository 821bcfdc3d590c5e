package wanted

import (
	"maps"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
)

var build = api.Ref{Kind: api.KindJob, Name: "build-1"}

// job is the body of a one-shot job.
func job(cancelled bool) *api.Job {
	return &api.Job{Type: api.JobOneShot, Cancelled: cancelled,
		Runtime: api.JobRuntime{Type: api.RuntimeNative, Program: api.BlobInfo{SHA256: api.Sum([]byte("tool")), Size: 4}}}
}

func inAnHour(in *api.Intent) { in.Expires = t0.Add(time.Hour) }

// jobIs checks what the Book has said of the job with that root: head, or nothing.
func (n *node) jobIs(step string, root, head intent.Signed) {
	n.Helper()
	j, told := n.jobs[root.Digest]
	switch {
	case head.Seq == 0 && told && j.Head != nil:
		n.Errorf("%s: number %d of %s is wanted", step, j.Head.Seq, j.Name)
	case head.Seq != 0 && (!told || j.Head == nil || j.Head.Digest != head.Digest):
		n.Errorf("%s: number %d is not wanted", step, head.Seq)
	}
}

func TestJobs(t *testing.T) {
	n := newNode(t)
	first := n.sign(owner, build, 1, job(false), inAnHour)
	n.show(first)
	n.jobIs("submitted", first, first)
	if len(n.wants) != 0 {
		t.Errorf("a job is wanted to run as a workload: %v", n.wants)
	}
	before := maps.Clone(n.bucket)
	cancelled := n.sign(owner, build, 2, job(true), inAnHour)
	n.show(cancelled)
	n.jobIs("cancelled", first, cancelled)
	n.show(first)
	n.jobIs("replayed", first, cancelled)
	n.show(cancelled) // the bucket of the test has it again
	n.restart()
	n.jobIs("after a restart", first, cancelled)
	now := n.bucket
	n.bucket = before
	n.restart()
	n.jobIs("with an old copy of the bus", first, intent.Signed{})
	n.bucket = now
	n.show(cancelled)
	n.jobIs("when the newer one is back", first, cancelled)

	gone := n.sign(owner, build, 3, nil)
	n.show(gone)
	n.jobIs("removed", first, intent.Signed{})
	n.bucket = before
	n.restart()
	n.jobIs("removed, with an old copy of the bus", first, intent.Signed{})
}

func TestJobsOfGrants(t *testing.T) {
	n := newNode(t)
	ci := key(5)
	first := n.sign(ci, build, 1, job(false), inAnHour)
	n.show(first, n.sign(owner, grantFor(ci), 1, grant("")))
	n.jobIs("with the right to push alone", first, intent.Signed{})
	g := grant("build-")
	g.May = []api.Right{api.RightJob}
	n.show(n.sign(owner, grantFor(ci), 2, g))
	n.jobIs("with the right", first, first)
	n.show(n.sign(owner, grantFor(ci), 3, nil))
	n.jobIs("revoked", first, intent.Signed{})
}

func TestJobsExpire(t *testing.T) {
	n := newNode(t)
	first := n.sign(owner, build, 1, job(false), inAnHour)
	n.show(first)
	next, ok := n.book.Next()
	if !ok || !next.Equal(t0.Add(time.Hour)) {
		t.Fatalf("it looks again at %s (%v)", next, ok)
	}
	n.now = next
	n.hear(n.book.Look())
	n.jobIs("expired", first, intent.Signed{})
	n.show(first)
	n.jobIs("shown again", first, intent.Signed{})
	n.restart()
	n.jobIs("after a restart", first, intent.Signed{})
	if at, ok := n.book.Next(); ok {
		t.Errorf("it looks again at %s for nothing", at)
	}
}

// TestTwoJobsOfOneName: two people have taken one id at the same moment. One job has it,
// the same on every node.
func TestTwoJobsOfOneName(t *testing.T) {
	n := newNode(t)
	a := n.sign(owner, build, 1, job(false), inAnHour)
	b := n.sign(owner, build, 1, job(false), inAnHour, func(in *api.Intent) { in.Target.Tags = []string{"edge"} })
	if a.Version().Newer(b.Version()) {
		a, b = b, a
	}
	n.show(a)
	n.jobIs("alone", a, a)
	n.show(b)
	n.jobIs("that has lost", a, intent.Signed{})
	n.jobIs("that has won", b, b)
	n.show(a)
	n.jobIs("that is shown again", a, intent.Signed{})
	n.jobIs("that stays", b, b)
}
