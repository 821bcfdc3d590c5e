package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/realm/internal/owner"
)

func TestJobs(t *testing.T) {
	m := newMesh(t)
	r := newRunner(m)
	r.end = map[api.Name]api.JobState{"good": api.JobSucceeded, "bad": api.JobFailed, "long": api.JobRunning}
	m.want(0, []string{"run.sh: 21 B, sha256 ", "good-1 is submitted", "succeeded"}, "job", "submit", jobFile(t, "good", "[execution]\nartifacts = [{path = \"app\"}]\n"), "--wait", "--asset", "words="+m.file)
	in, ok := m.seq.Ledger().Current(owner.JobRef("good-1"), time.Now())
	if !ok || in.Seq != 1 || in.Expires.Sub(in.Issued) < 29*24*time.Hour {
		t.Errorf("%v %+v", ok, in.Intent)
	}
	body, err := in.Job()
	if err != nil || body.Runtime.Program.Size != 21 || len(body.Assets) != 1 || body.Assets[0].Name != "words" || body.Runtime.File != "run.sh" {
		t.Errorf("%v %+v", err, body)
	}
	m.want(1, []string{"bad-1 failed", "exit code 7", "  | trying [2J"}, "job", "submit", jobFile(t, "bad", ""), "--wait")
	m.want(1, []string{"trying"}, "job", "submit", jobFile(t, "bad", ""), "--name", "bad", "--follow", "--wait", "--timeout", "3s")
	m.want(0, []string{"good-2 is submitted", "realm job status good-2"}, "job", "submit", jobFile(t, "good", ""), "--use-artifact", "good:app=binary")
	m.want(1, []string{`good-1 leaves no artifact "apple": it leaves app`}, "job", "submit", jobFile(t, "good", ""), "--use-artifact", "good-1:apple")
	m.want(0, []string{"many-1 is submitted", "many-2 is submitted"}, "job", "submit", jobFile(t, "many", ""), jobFile(t, "many", ""))
	m.want(0, []string{"good-1", "bad-1", "failed"}, "job", "list")
	m.want(0, []string{`"job": "good-1"`}, "job", "list-json")
	m.want(0, []string{"good-1  succeeded", "accepted"}, "job", "status", "good@0")
	m.want(0, []string{`"run_list"`}, "job", "status-json", "good")
	m.want(0, []string{"trying [2J"}, "job", "logs", "good-1", "--grep", "try", "--tail", "5")
	m.want(1, []string{"good-1 has no run 4: realm job status good-1 lists them"}, "job", "logs", "good-1@4")
	m.want(1, []string{"good-1 has no run 4"}, "job", "logs", "good-1", "--run", "4")
	m.want(0, []string{"trying"}, "job", "logs", "good-1", "--epoch", "1")
	m.want(1, []string{"good-1 has no execution of epoch 2: realm job status"}, "job", "logs", "good-1", "--epoch", "2")
	m.want(0, []string{"No such jobs: realm job list --all"}, "job", "list", "--state", "skipped")
	m.want(1, []string{`there is no such job: "nothing": realm job list --all`}, "explain", "job/nothing")
	m.want(0, []string{"app", "there was no such file"}, "job", "artifacts", "good-1")
	m.want(0, []string{`"missing": "there was no such file"`}, "job", "artifacts-json", "good-1")
	m.want(0, []string{"it has no tag nowhere", "beta"}, "explain", "good-1")

	dir := t.TempDir()
	m.want(0, []string{"got: 4 B"}, "job", "download", "good-1", "app", "-o", filepath.Join(dir, "got"))
	m.want(0, []string{"app: 4 B"}, "job", "download", "good-1", "-o", filepath.Join(dir, "all"))
	for _, f := range []string{"got", "all/app"} {
		if b, err := os.ReadFile(filepath.Join(dir, f)); err != nil || string(b) != "made" {
			t.Errorf("%s: %q %v", f, b, err)
		}
	}
	m.want(1, []string{"good-1 has no gone: there was no such file"}, "job", "download", "good-1", "gone")
	m.want(1, []string{"it left app, gone"}, "job", "download", "good-1", "nothing")

	m.want(0, []string{"long-1 is submitted"}, "job", "submit", jobFile(t, "long", ""))
	m.want(1, []string{"long-1: not ended yet"}, "job", "rm", "long-1")
	m.want(0, []string{"long-2 is submitted", "long-1 is cancelled"}, "job", "submit", jobFile(t, "long", ""), "--replace")
	m.want(0, []string{"good-1 has ended already"}, "job", "cancel", "good-1")
	m.want(0, []string{"long-2 has ended: it was cancelled"}, "job", "cancel", "long-2")
	m.want(0, []string{"long-2 is removed", "good-1 is removed"}, "job", "rm", "long-2", "good-1")
	m.want(1, []string{"there is no such job: good-1: realm job list --all"}, "job", "status", "good-1")
	m.want(0, []string{"long-3 is submitted"}, "job", "submit", jobFile(t, "long", "")) // ids are not given again
}

// A list that comes in pages is whole, and each page asked for once.
func TestJobListHasPages(t *testing.T) {
	m := newMesh(t)
	r := newRunner(m)
	const jobs, page = 2*api.MaxJobsPage + 1, api.MaxJobsPage
	for i := range jobs {
		name := api.JobID("many", i+1)
		r.all[string(name)] = &api.JobStatus{JobSummary: api.JobSummary{Job: name, Root: api.Sum([]byte(name)), Type: api.JobOneShot, Runtime: api.RuntimeWasm, State: api.JobQueued, Issued: time.Unix(int64(i), 0).UTC()}}
	}
	code, out, _ := m.realm("job", "list", "--json")
	var v jobsView
	if err := json.Unmarshal([]byte(out), &v); err != nil || code != 0 {
		t.Fatal(code, err)
	}
	if len(v.Jobs) != jobs || r.pages != jobs/page+1 {
		t.Fatalf("%d jobs in %d pages, want %d in %d", len(v.Jobs), r.pages, jobs, jobs/page+1)
	}
	for i, s := range v.Jobs {
		if want := api.JobID("many", jobs-i); s.Job != want {
			t.Fatalf("%s, want %s", s.Job, want)
		}
	}
}

// Another node gives the same id to a job of its own, and that is the one which counts.
func TestJobLosesItsID(t *testing.T) {
	m := newMesh(t)
	newRunner(m)
	after := m.seq.After
	m.seq.After = func(in intent.Signed) {
		if in.Name == "race-1" {
			m.seq.Take(m.above(in))
		}
		after(in)
	}
	m.want(0, []string{"another job took race-1 at the same time; this one is race-2\n", "race-2 is submitted"}, "job", "submit", jobFile(t, "race", ""))
	if _, ok := m.seq.Ledger().Current(owner.JobRef("race-3"), time.Now()); ok {
		t.Error("it is submitted once more")
	}
}

// above is another job of the name of in, which counts in the place of that.
func (m *mesh) above(in intent.Signed) intent.Signed {
	m.t.Helper()
	body, err := in.Job()
	if err != nil {
		m.t.Fatal(err)
	}
	for i := range 200 {
		other, err := m.owner.Next(in.Ref, owner.Place{Seq: 1}, nil, owner.SubmitJob(in.Target, body, in.Expires), in.Issued.Add(time.Duration(i+1)))
		if err != nil {
			m.t.Fatal(err)
		}
		if other.Digest.Compare(in.Digest) > 0 {
			return other
		}
	}
	m.t.Fatal("no digest is larger")
	return intent.Signed{}
}

// A member does not answer: it may be giving ids, too.
func TestJobIDIsMarked(t *testing.T) {
	m := newMesh(t)
	newRunner(m)
	m.admit(peerB)
	m.peer(member(peerB, "beta", false, false))
	id := api.MarkedJobID("apart", 1, peerA)
	m.want(0, []string{string(id) + " is submitted"}, "job", "submit", jobFile(t, "apart", ""))
	m.want(0, []string{string(api.MarkedJobID("apart", 2, peerA)) + " is submitted"}, "job", "submit", jobFile(t, "apart", ""))
}
