package cli

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/local"
	"github.com/realm-mesh/realm/realm/internal/nodetest"
)

// runner plays the part of runnerd, which only nodes with executors have: it answers what
// the contract in package api says about jobs that were submitted.
type runner struct {
	m  *mesh
	mu sync.Mutex
	// end is how jobs end, by their base name.
	end map[api.Name]api.JobState
	all map[string]*api.JobStatus
	// pages of the list that were asked for.
	pages int
}

func newRunner(m *mesh) *runner {
	r := &runner{m: m, end: map[api.Name]api.JobState{}, all: map[string]*api.JobStatus{}}
	m.seq.After = r.hear
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, req *http.Request, fn func(api.JobStatus)) {
		r.mu.Lock()
		defer r.mu.Unlock()
		name := req.PathValue("job")
		st, ok := r.all[name]
		if !ok {
			st, ok = r.all[name+"-1"]
		}
		if !ok {
			local.WriteError(w, http.StatusNotFound, errors.New("no such job"))
			return
		}
		fn(*st)
	}
	mux.HandleFunc(api.RouteJobs, func(w http.ResponseWriter, req *http.Request) {
		r.mu.Lock()
		defer r.mu.Unlock()
		reply := api.JobsReply{Jobs: []api.JobSummary{}}
		for _, st := range r.all {
			if state := req.URL.Query().Get("state"); state == "" || state == string(st.State) {
				reply.Jobs = append(reply.Jobs, st.JobSummary)
			}
		}
		slices.SortFunc(reply.Jobs, func(a, b api.JobSummary) int { return b.Issued.Compare(a.Issued) })
		r.pages++
		at := 1 + slices.IndexFunc(reply.Jobs, func(s api.JobSummary) bool { return string(s.Job) == req.URL.Query().Get("after") })
		if reply.Jobs = reply.Jobs[at:]; len(reply.Jobs) > api.MaxJobsPage {
			reply.Jobs = reply.Jobs[:api.MaxJobsPage]
			reply.Next = string(reply.Jobs[api.MaxJobsPage-1].Job)
		}
		local.WriteJSON(w, http.StatusOK, reply)
	})
	mux.HandleFunc(api.RouteJob, func(w http.ResponseWriter, req *http.Request) {
		answer(w, req, func(st api.JobStatus) { local.WriteJSON(w, http.StatusOK, st) })
	})
	mux.HandleFunc(api.RouteJobExplain, func(w http.ResponseWriter, req *http.Request) {
		answer(w, req, func(st api.JobStatus) {
			local.WriteJSON(w, http.StatusOK, api.JobExplain{Job: st.Job, State: st.State, Members: []api.JobMember{{Peer: peerB, Host: "beta", Live: true, Why: "it has no tag nowhere"}}})
		})
	})
	mux.HandleFunc(api.RouteJobLogs, func(w http.ResponseWriter, req *http.Request) {
		answer(w, req, func(st api.JobStatus) {
			if g := req.URL.Query().Get(api.QueryGrep); g != "" && g != "try" {
				return
			}
			_ = json.NewEncoder(w).Encode(api.JobLogLine{Run: "0", Epoch: 1, Peer: peerA, LogLine: api.LogLine{Time: time.Now(), Stream: "stdout", Line: "trying \x1b[2J"}})
		})
	})
	nodetest.HTTP(m.t, m.home, api.Runnerd, mux)
	return r
}

// hear executes what was submitted, at once.
func (r *runner) hear(in intent.Signed) {
	if in.Kind != api.KindJob {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if in.Tombstone {
		delete(r.all, string(in.Name))
		return
	}
	body, err := in.Job()
	if err != nil {
		r.m.t.Error(err)
		return
	}
	base := strings.TrimSuffix(string(in.Name), "-1")
	state := r.end[api.Name(base)]
	code := map[api.JobState]int{api.JobFailed: 7}[state]
	if body.Cancelled {
		state = api.JobCancelled
	}
	st := &api.JobStatus{JobSummary: api.JobSummary{Job: in.Name, Root: in.Digest, Type: body.Type, Runtime: body.Runtime.Type, State: state, Issued: in.Issued, Runs: api.JobCounts{Total: 1}}, Body: *body, Intent: in.Digest}
	if state.Ended() {
		st.Ended = time.Now()
		d := r.m.store.Add([]byte("made"), api.BlobRecord{})
		e := api.JobExec{JobRecord: api.JobRecord{Realm: r.m.owner.Realm, Root: in.Digest, Job: in.Name, Run: "0", Epoch: 1, Peer: peerA, Seq: 1, State: api.ExecState(state), Exit: &code, Claimed: in.Issued,
			Artifacts: []api.JobOutput{{Name: "app", Blob: api.BlobInfo{SHA256: d, Size: 4}}, {Name: "gone", Missing: "there was no such file"}}}}
		x := e.Exec()
		st.RunList = []api.JobRun{{Run: "0", State: state, Accepted: &x, Executions: []api.JobExec{e}}}
	}
	r.all[string(in.Name)] = st
}

func jobFile(t *testing.T, name, more string) string {
	t.Helper()
	dir := t.TempDir()
	for file, text := range map[string]string{"run.sh": "#!/bin/sh\necho hello\n", "job.toml": "name = \"" + name + "\"\n" + more + "\n[runtime]\ntype = \"native\"\nbinary = \"run.sh\"\n"} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "job.toml")
}

// Somebody else takes the number while a job is on its way.
func TestJobNumberIsTaken(t *testing.T) {
	m := newMesh(t)
	newRunner(m)
	file := jobFile(t, "race", "")
	m.seq.Before = func() { m.want(0, []string{"race-1 is submitted"}, "job", "submit", file) }
	m.want(0, []string{"race-2 is submitted"}, "job", "submit", file)
}

func TestJobIsMisused(t *testing.T) {
	m := newMesh(t)
	newRunner(m)
	file := jobFile(t, "a", "")
	cron := jobFile(t, "cron", "schedule = '0 2 * * *'")
	m.want(0, []string{"a, a one-shot job, native", "members whose policy allows it"}, "job", "validate", file)
	m.want(0, []string{"recurring", "next  ", ":00:00 "}, "job", "validate", cron)
	other := jobFile(t, "a", "")
	f, err := os.OpenFile(other, os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteString("sha256_hex = '" + api.Sum(nil).String() + "'\n")
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	m.want(1, []string{"job.toml:5:10: run.sh is another file than sha256_hex says"}, "job", "validate", other)
	m.want(1, []string{"job.toml:2:11:"}, "job", "validate", jobFile(t, "a", "retries = 'x'"))
	for want, args := range map[string][]string{
		"FILE is missing":                                  {"submit"},
		"--name and --follow are for one":                  {"submit", file, file, "--name", "x"},
		"want PATH, or NAME=PATH":                          {"submit", file, "--asset", ""},
		"want JOB:NAME":                                    {"submit", file, "--use-artifact", "x"},
		"which does not end by itself":                     {"submit", cron, "--wait"},
		"which does not expire":                            {"submit", cron, "--expires", "1d"},
		"--expires: \"soon\": want":                        {"submit", file, "--expires", "soon"},
		"is no job: want an id":                            {"status", "../x"},
		"want an index such as 0, or a time":               {"logs", "a-1@x"},
		"--tail -2: want 0":                                {"logs", "a-1", "--tail", "-2"},
		"--grep: error parsing regexp":                     {"logs", "a-1", "--grep", "("},
		"--since: ":                                        {"logs", "a-1", "--since", "x"},
		"leave @ and the run out":                          {"cancel", "a-1@0"},
		"it shares its id with another job":                {"rm", "a-1~123456"},
		"standard output is for one artifact:":             {"download", "a-1", "-o", "-"},
		"--state \"done\": want one of scheduled, waiting": {"list", "--state", "done"},
	} {
		m.want(2, []string{want}, append([]string{"job"}, args...)...)
	}
}

func TestParseJob(t *testing.T) {
	for in, want := range map[string]jobArg{
		"build": {"build", ""}, "build-1": {"build-1", ""}, "build-1@0": {"build-1", "0"}, "build-1~12ab34": {"build-1~12ab34", ""},
		"n-3@2026-11-23T02:00Z": {"n-3", "20261123T020000Z-0"}, "n-3@2026-11-23T02:00:05+01:00#4": {"n-3", "20261123T010005Z-4"}, "n-3@20261123T020000Z-1": {"n-3", "20261123T020000Z-1"},
	} {
		got, err := parseJob(in)
		if err != nil || got != want {
			t.Errorf("%s: %+v %v", in, got, err)
		}
		if again, err := parseJob(got.job + "@" + runText(got.run)); got.run != "" && (err != nil || again != got) {
			t.Errorf("%s: %s is read as %+v %v", in, runText(got.run), again, err)
		}
	}
}
