//go:build linux

package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/e2e/internal/node"
	"github.com/realm-mesh/realm/e2e/internal/wasm"
	"github.com/realm-mesh/realm/internal/kit/hosttest"
)

// job writes a job file and the files that stand beside it; it returns the path.
func job(t *testing.T, text string, beside map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range beside {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o700); err != nil { //nolint:gosec // scripts
			t.Fatal(err)
		}
	}
	file := filepath.Join(dir, "job.toml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// script writes a job that runs a shell script natively; more is TOML that comes first.
func script(t *testing.T, name, more, text string) string {
	t.Helper()
	return job(t, fmt.Sprintf("name = %q\n%s\n[runtime]\ntype = \"native\"\nbinary = \"run.sh\"\n", name, more),
		map[string]string{"run.sh": "#!/bin/sh\n" + text})
}

// status is what realm job status --json says.
func jobStatus(ctx context.Context, n *node.Node, id string) (api.JobStatus, error) {
	var st api.JobStatus
	err := n.JSON(ctx, &st, "job", "status", id)
	return st, err
}

// awaitJob waits until a job is in a state, as n sees it.
func awaitJob(t *testing.T, n *node.Node, id string, want api.JobState) (st api.JobStatus) {
	t.Helper()
	until(t, fmt.Sprintf("%s to be %s, seen by %s", id, want, n.Name), func(ctx context.Context) (err error) {
		if st, err = jobStatus(ctx, n, id); err == nil && st.State != want {
			err = fmt.Errorf("it is %s: %s", st.State, st.Reason)
			if st.State.Ended() {
				err = node.Final(err)
			}
		}
		return err
	})
	return st
}

// executions are those that ran: given away or left out are none.
func executions(r api.JobRun) (out []api.JobExec) {
	for _, e := range r.Executions {
		if e.State != api.ExecMoved && e.State != api.ExecSkipped {
			out = append(out, e)
		}
	}
	return out
}

// allowNative has the nodes run native jobs, as a person at each of them would.
func allowNative(t *testing.T, nodes ...*node.Node) {
	t.Helper()
	for _, n := range nodes {
		do(t, n, "policy", "set", "--allow-native=true", "--allow-emulation=true")
	}
	until(t, "all members to know who runs native jobs", func(ctx context.Context) error {
		for _, n := range nodes {
			var p struct {
				Peers []struct {
					Peer   string
					Powers api.Powers
				}
			}
			if err := n.JSON(ctx, &p, "peers"); err != nil {
				return err
			}
			allowed := 0
			for _, m := range p.Peers {
				if m.Powers.Native {
					allowed++
				}
			}
			if allowed != len(nodes) {
				return fmt.Errorf("%s knows %d", n.Name, allowed)
			}
		}
		return nil
	})
}

// TestJobs submits jobs on one node of three, and looks for what became of them on the others.
func TestJobs(t *testing.T) {
	t.Parallel()
	nodes := startMesh(t, 3)
	allowNative(t, nodes...)
	here, there := nodes[0], nodes[2]
	on := func(n *node.Node) string { return fmt.Sprintf("[targeting]\nnode_ids = [%q]\n", peerOf(t, n)) }

	t.Run("a result and its artifact are everywhere", func(t *testing.T) {
		data := filepath.Join(t.TempDir(), "words.txt")
		if err := os.WriteFile(data, []byte("some words\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		file := script(t, "count", "[execution]\nartifacts = [{path = \"out/count\", name = \"count\"}]", `
			echo "assets are in $REALM_ASSETS"; echo beside >&2; mkdir out; wc -w < "$REALM_ASSETS/words.txt" > out/count`)
		out := do(t, here, "job", "submit", file, "--asset", data, "--wait")
		if !strings.Contains(out, "count-1") {
			t.Errorf("its id is not told: %s", out)
		}
		for _, n := range nodes {
			st := awaitJob(t, n, "count-1", api.JobSucceeded)
			if len(st.RunList) != 1 || len(st.RunList[0].Executions) != 1 || st.RunList[0].Accepted == nil {
				t.Errorf("%s: %+v", n.Name, st.RunList)
			}
			log := do(t, n, "job", "logs", "count-1")
			if !strings.Contains(log, "assets are in") || !strings.Contains(log, "beside") {
				t.Errorf("%s: its output: %s", n.Name, log)
			}
			dir := t.TempDir()
			do(t, n, "job", "download", "count-1", "count", "-o", filepath.Join(dir, "got"))
			if got, err := os.ReadFile(filepath.Join(dir, "got")); err != nil || strings.TrimSpace(string(got)) != "2" {
				t.Errorf("%s: the artifact: %q, %v", n.Name, got, err)
			}
		}
		if out := do(t, there, "job", "artifacts-json", "count"); !strings.Contains(out, `"count"`) {
			t.Errorf("artifacts-json: %s", out)
		}

		next := script(t, "check", "", `test "$(cat "$REALM_ASSETS/count" | tr -d ' \n')" = 2`)
		do(t, there, "job", "submit", next, "--use-artifact", "count-1:count", "--wait")
		if out := do(t, here, "job", "list-json"); !strings.Contains(out, "check-1") || !strings.Contains(out, "count-1") {
			t.Errorf("list-json: %s", out)
		}
	})

	t.Run("a failure is tried again, and told", func(t *testing.T) {
		file := script(t, "bad", "retries = 2\nbackoff = \"100ms\"\n[execution]\nartifacts = [{path = \"report\", name = \"report\"}]",
			"echo trying; echo epoch $REALM_EPOCH > report; exit 7")
		r := refuse(t, here, []string{"bad-1", "exit code 7"}, "job", "submit", file, "--wait")
		if !strings.Contains(r.Stdout+r.Stderr, "trying") {
			t.Errorf("its last lines are not told: %s", r)
		}
		st := awaitJob(t, there, "bad-1", api.JobFailed)
		if n := len(executions(st.RunList[0])); n != 3 || st.Retries != 2 {
			t.Errorf("%d executions, %d retries", n, st.Retries)
		}
		got := filepath.Join(t.TempDir(), "report")
		do(t, there, "job", "download", "bad-1", "report", "-o", got)
		if b, err := os.ReadFile(got); err != nil || string(b) != "epoch 3\n" {
			t.Errorf("what it left when it failed: %q, %v", b, err)
		}
	})

	t.Run("cancel", func(t *testing.T) {
		file := script(t, "stubborn", on(there), `trap "" TERM; echo up; while :; do sleep 1; done`)
		do(t, here, "job", "submit", file)
		awaitLog(t, here, "stubborn-1", "up")
		begun := time.Now()
		do(t, here, "job", "cancel", "stubborn-1")
		awaitJob(t, nodes[1], "stubborn-1", api.JobCancelled)
		t.Logf("cancelled everywhere after %v, the command line included", time.Since(begun).Round(time.Millisecond))
	})

	t.Run("timeout", func(t *testing.T) {
		file := script(t, "slow", "[execution]\ntimeout_minutes = 0.01", "echo begun; sleep 60")
		refuse(t, here, []string{"timed out"}, "job", "submit", file, "--wait")
		if st := awaitJob(t, there, "slow-1", api.JobFailed); !st.RunList[0].Executions[0].TimedOut {
			t.Errorf("%+v", st.RunList[0])
		}
	})

	t.Run("several at once, each with its index", func(t *testing.T) {
		file := script(t, "many", "parallelism = 6\nresources = {cpus = 0.1}", `echo "index $REALM_INDEX"`)
		do(t, here, "job", "submit", file, "--wait")
		log := do(t, there, "job", "logs", "many-1")
		for i := range 6 {
			if !strings.Contains(log, fmt.Sprintf("index %d", i)) {
				t.Errorf("index %d is missing: %s", i, log)
			}
		}
	})

	t.Run("copies of what it leaves", func(t *testing.T) {
		for name, want := range map[string]int{"one": 1, "two": 2, "all": 3} {
			file := script(t, name, fmt.Sprintf("keep = %d\n[execution]\nartifacts = [{path = \"out\"}]", want), "echo "+name+" > out")
			do(t, here, "job", "submit", file, "--wait")
			made := awaitJob(t, here, name+"-1", api.JobSucceeded).RunList[0].Executions[0].Artifacts[0].Blob.SHA256.String()
			until(t, fmt.Sprintf("%d to keep it", want), func(ctx context.Context) error {
				told := 0
				for _, n := range nodes {
					var v struct{ Members struct{ Want int } }
					if n.JSON(ctx, &v, "storage", "ls", made) != nil {
						continue // it lacks it
					}
					if told++; v.Members.Want != want {
						return fmt.Errorf("%s says %d", n.Name, v.Members.Want)
					}
				}
				if told < want {
					return fmt.Errorf("%d have it", told)
				}
				return nil
			})
			do(t, there, "job", "download", name+"-1", "-o", filepath.Join(t.TempDir(), "got"))
		}
	})

	t.Run("needs", func(t *testing.T) {
		first := script(t, "first", "", "sleep 1; echo done")
		then := script(t, "then", `needs = ["first-1"]`, "echo after")
		do(t, here, "job", "submit", first)
		do(t, there, "job", "submit", then, "--wait")
		a, b := awaitJob(t, here, "first-1", api.JobSucceeded), awaitJob(t, here, "then-1", api.JobSucceeded)
		if b.Started.Before(a.Ended) {
			t.Errorf("it began at %v, what it needs ended at %v", b.Started, a.Ended)
		}
		fails := script(t, "fails", "", "exit 1")
		never := script(t, "never", `needs = ["fails-1"]`, "echo never")
		do(t, here, "job", "submit", fails)
		refuse(t, here, []string{"fails-1"}, "job", "submit", never, "--wait")
	})

	t.Run("nothing fits", func(t *testing.T) {
		file := script(t, "elsewhere", "[targeting]\ntags = [\"nowhere\"]", "echo never")
		do(t, here, "job", "submit", file)
		if st := awaitJob(t, there, "elsewhere-1", api.JobPending); !strings.Contains(st.Reason, "nowhere") {
			t.Errorf("the reason is %q", st.Reason)
		}
		if out := do(t, there, "explain", "elsewhere-1"); !strings.Contains(out, "no tag nowhere") {
			t.Errorf("explain: %s", out)
		}
		do(t, here, "job", "cancel", "elsewhere-1")
		do(t, here, "job", "rm", "elsewhere-1")
		until(t, "it to be forgotten", func(ctx context.Context) error {
			if _, err := jobStatus(ctx, there, "elsewhere-1"); err == nil {
				return fmt.Errorf("it is still known")
			}
			return nil
		})
	})

	t.Run("each second", func(t *testing.T) {
		file := script(t, "tick", "job_type = \"recurring\"\nschedule = \"* * * * * *\"\nresources = {cpus = 0.1}", "echo tick")
		do(t, here, "job", "submit", file)
		var st api.JobStatus
		until(t, "five runs", func(ctx context.Context) (err error) {
			if st, err = jobStatus(ctx, there, "tick-1"); err == nil && st.Runs.Succeeded < 5 {
				err = fmt.Errorf("%+v", st.Runs)
			}
			return err
		})
		do(t, there, "job", "cancel", "tick-1")
		seen := map[api.RunKey]bool{}
		for _, r := range st.RunList {
			if seen[r.Run] || r.Instant.IsZero() || len(executions(r)) > 1 {
				t.Errorf("%+v", r)
			}
			seen[r.Run] = true
		}
	})

	t.Run("a service is started again", func(t *testing.T) {
		file := script(t, "serve", "job_type = \"service\"\nbackoff = \"100ms\"", "echo up $REALM_EPOCH; sleep 2; exit 1")
		do(t, here, "job", "submit", file)
		awaitLog(t, there, "serve-1", "up 2")
		do(t, there, "job", "cancel", "serve-1")
		awaitJob(t, here, "serve-1", api.JobCancelled)
	})

	t.Run("what the machine forbids", func(t *testing.T) {
		do(t, there, "policy", "set", "--allow-native=false")
		until(t, "all to know", func(ctx context.Context) error {
			st, err := jobPowers(ctx, here, peerOf(t, there))
			if err == nil && st.Native {
				err = fmt.Errorf("it is still told to run native jobs")
			}
			return err
		})
		do(t, here, "job", "submit", script(t, "forbidden", on(there), "echo never"))
		if st := awaitJob(t, here, "forbidden-1", api.JobPending); !strings.Contains(st.Reason, "polic") {
			t.Errorf("the reason is %q", st.Reason)
		}
		do(t, there, "policy", "set", "--allow-native=true")
		awaitJob(t, here, "forbidden-1", api.JobSucceeded)
	})
}

func jobPowers(ctx context.Context, n *node.Node, peer string) (api.Powers, error) {
	var p struct {
		Peers []struct {
			Peer   string
			Powers api.Powers
		}
	}
	if err := n.JSON(ctx, &p, "peers"); err != nil {
		return api.Powers{}, err
	}
	for _, m := range p.Peers {
		if m.Peer == peer {
			return m.Powers, nil
		}
	}
	return api.Powers{}, fmt.Errorf("%s is not known", peer)
}

// awaitLog waits until a job has said words, as n hears.
func awaitLog(t *testing.T, n *node.Node, id, words string) {
	t.Helper()
	until(t, fmt.Sprintf("%s to say %q", id, words), func(ctx context.Context) error {
		out, err := n.Do(ctx, "job", "logs", id)
		if err == nil && !strings.Contains(out, words) {
			err = fmt.Errorf("it says %q", out)
		}
		return err
	})
}

// TestJobOutlivesItsNode kills the node that executes a job: another takes it over, and
// what it had said last is still to be had.
func TestJobOutlivesItsNode(t *testing.T) {
	t.Parallel()
	nodes := startMesh(t, 4)
	allowNative(t, nodes...)
	here := nodes[0]
	ids := make([]string, 0, 2)
	for _, n := range nodes[1:] {
		ids = append(ids, fmt.Sprintf("%q", peerOf(t, n)))
	}
	file := script(t, "long", "[targeting]\nnode_ids = ["+strings.Join(ids, ", ")+"]", `echo "epoch $REALM_EPOCH begins"; test $REALM_EPOCH = 1 && sleep 300; echo over`)
	do(t, here, "job", "submit", file)
	awaitLog(t, here, "long-1", "epoch 1 begins")
	time.Sleep(time.Second) // its output gets to those that keep it
	first := awaitJob(t, here, "long-1", api.JobRunning).RunList[0].Executions[0].Peer
	victim := byPeer(t, nodes, string(first))
	killed := time.Now()
	killAll(t, victim)
	st := awaitJob(t, here, "long-1", api.JobSucceeded)
	run := st.RunList[0]
	if len(executions(run)) != 2 || run.Accepted == nil || run.Accepted.Peer == first || st.Retries != 1 {
		t.Fatalf("%+v", run)
	}
	took := run.Executions[1].Started.Sub(killed)
	t.Logf("taken over after %v", took.Round(time.Millisecond))
	if took > 20*time.Second {
		t.Errorf("it was taken over after %v, want 20 s at most", took)
	}
	if out := do(t, here, "job", "logs", "long-1", "--epoch", "1"); !strings.Contains(out, "epoch 1 begins") {
		t.Errorf("what the lost one said: %q", out)
	}
}

// killAll kills the launcher and all daemons of a node, as a power cut does to those that
// run there; jobs in sessions of their own may go on.
func killAll(t *testing.T, n *node.Node) {
	t.Helper()
	ps, err := n.PS(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { killHolders(n.Home) })
	_ = syscall.Kill(n.PID(), syscall.SIGKILL)
	for _, d := range ps.Daemons {
		if d.PID > 0 {
			_ = syscall.Kill(d.PID, syscall.SIGKILL)
		}
	}
	<-n.Done()
}

// killHolders kills whoever has a file of a folder open: what jobs of a killed node have
// left, which nobody else ends.
func killHolders(folder string) {
	all, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, fd := range all {
		file, err := os.Readlink(fd)
		if err != nil || !strings.HasPrefix(file, folder+"/") {
			continue
		}
		if pid, err := strconv.Atoi(strings.Split(fd, "/")[2]); err == nil && pid != os.Getpid() {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// TestJobsSurviveCrashes kills runnerd, and then all daemons, under running jobs.
func TestJobsSurviveCrashes(t *testing.T) {
	t.Parallel()
	n := startNode(t, "--mdns=false")
	allowNative(t, n)
	dir := t.TempDir()
	if err := wasm.WriteSleep(filepath.Join(dir, "sleep.wasm")); err != nil {
		t.Fatal(err)
	}
	file := script(t, "native", "resources = {cpus = 0.1}", `for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do echo "line $i"; sleep 0.5; done`)
	do(t, n, "job", "submit", file)
	awaitLog(t, n, "native-1", "line 1")
	pid, err := n.DaemonPID(testContext(t), "runnerd")
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	awaitLog(t, n, "native-1", "line 6")
	killAll(t, n)
	start(t, n, "--mdns=false")
	st := awaitJob(t, n, "native-1", api.JobSucceeded)
	if got := executions(st.RunList[0]); len(got) != 1 {
		t.Errorf("it was executed %d times: %+v", len(got), got)
	}
	log := do(t, n, "job", "logs", "native-1")
	for i := 1; i <= 20; i++ {
		if strings.Count(log, fmt.Sprintf("line %d\n", i)) != 1 {
			t.Errorf("line %d is there %d times", i, strings.Count(log, fmt.Sprintf("line %d\n", i)))
		}
	}

	wasmJob := job(t, "name = \"sleeper\"\n[runtime]\ntype = \"wasm\"\nsource = \""+filepath.Join(dir, "sleep.wasm")+"\"\n", nil)
	do(t, n, "job", "submit", wasmJob)
	awaitJob(t, n, "sleeper-1", api.JobRunning)
	if pid, err = n.DaemonPID(testContext(t), "runnerd"); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	until(t, "it to be executed again", func(ctx context.Context) error {
		st, err := jobStatus(ctx, n, "sleeper-1")
		if err == nil && (len(st.RunList) != 1 || len(st.RunList[0].Executions) != 2 || st.RunList[0].Executions[0].State != api.ExecLost || st.State != api.JobRunning) {
			err = fmt.Errorf("%+v", st.RunList)
		}
		return err
	})
	do(t, n, "job", "cancel", "sleeper-1")
}

// TestFiveHundredJobs submits 500 jobs on five nodes: each has one accepted result, and
// was executed once.
func TestFiveHundredJobs(t *testing.T) {
	const many = 500
	nodes := startMesh(t, 5)
	dir := t.TempDir()
	files := make([]string, 0, many)
	for i := range many {
		file := filepath.Join(dir, fmt.Sprintf("job-%03d.toml", i))
		text := fmt.Sprintf("name = \"work-%03d\"\n[runtime]\ntype = \"wasm\"\nsource = %q\nargs = [%q]\n", i, filepath.Join(samplesDir, "wasm-job.wasm"), fmt.Sprint(i))
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	begun := time.Now()
	do(t, nodes[0], append([]string{"job", "submit"}, files...)...)
	submitted := time.Since(begun)
	var list api.JobsReply
	until(t, "all to have ended", func(ctx context.Context) error {
		if err := nodes[4].JSON(ctx, &list, "job", "list", "--all"); err != nil {
			return err
		}
		ended := 0
		for _, j := range list.Jobs {
			if j.State.Ended() {
				ended++
			}
		}
		if ended < many {
			return fmt.Errorf("%d of %d", ended, len(list.Jobs))
		}
		return nil
	})
	t.Logf("%d jobs submitted in %v, ended after %v", many, submitted.Round(time.Millisecond), time.Since(begun).Round(time.Millisecond))
	share, executed := map[api.PeerID]int{}, 0
	for _, j := range list.Jobs {
		if j.State != api.JobSucceeded || j.Runs.Total != 1 || j.Runs.Succeeded != 1 {
			t.Errorf("%s: %s, %+v: %s", j.Job, j.State, j.Runs, j.Reason)
		}
		executed += j.Runs.Executions
		share[j.Peer]++
	}
	if executed != many {
		t.Errorf("%d jobs were executed %d times", many, executed)
	}
	t.Logf("executed %d times; by member: %v", executed, share)
	if len(share) != len(nodes) {
		t.Errorf("only %d members have executed any", len(share))
	}
}

// TestHostileJobs has native jobs try what they must not: the node stays well, and what
// is not theirs stays unread.
func TestHostileJobs(t *testing.T) {
	n := startNode(t, "--mdns=false")
	allowNative(t, n)
	home := n.Home
	secret, err := os.ReadFile(filepath.Join(home, "keys", "token"))
	if err != nil {
		t.Fatal(err)
	}
	sockets, err := filepath.Glob(filepath.Join(home, "run", "*.sock"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, more, text string }{
		{"reads", "", `cat ` + home + `/keys/token ` + home + `/config.toml ` + n.OwnerKey + ` && echo GOT; ls -la ` + home + ` ` + home + `/keys && echo GOT; exit 0`},
		{"writes", "", `for d in / /etc /usr ` + home + ` ` + filepath.Dir(home) + `; do echo x > $d/owned && echo GOT $d; done; exit 0`},
		{"environ", "", `cat /proc/*/environ | tr '\0' '\n' | grep REALM_HOME && echo GOT; exit 0`},
		{"sockets", "", `for s in ` + strings.Join(sockets, " ") + `; do curl -s --max-time 2 --unix-socket $s http://x/metrics | grep realm_ && echo GOT; done; exit 0`},
		{"kills", "", fmt.Sprintf(`kill -9 %d && echo GOT; kill -9 -1; exit 0`, n.PID())},
		{"bomb", "[execution]\ntimeout_minutes = 0.05", `bomb() { bomb | bomb & }; bomb; sleep 60`},
		{"memory", "resources = {memory_mb = 64}\n[execution]\ntimeout_minutes = 0.2", `head -c 2000000000 /dev/zero | tail -c 1900000000 | wc -c`},
		{"disk", "resources = {disk_mb = 20}\n[execution]\ntimeout_minutes = 0.2", `dd if=/dev/zero of=big bs=1M count=2000; ls -l big`},
		{"talks", "[execution]\ntimeout_minutes = 1", `head -c 1000000000 /dev/zero | tr '\0' 'x' | fold -w 1000; echo end`},
		{"daemon", "", `(setsid sh -c 'sleep 1000; echo GOT' &) ; (sleep 1001 &); exit 0`},
		{"deaf", "[execution]\ntimeout_minutes = 0.02", `trap "" TERM INT HUP; while :; do sleep 1; done`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			// Whether it succeeds is its own affair.
			r := n.CLI(testContext(t), "job", "submit", script(t, tt.name, tt.more, tt.text), "--wait", "--timeout", "80s")
			if !strings.Contains(r.Stdout+r.Stderr, tt.name+"-1") {
				t.Fatalf("%s", r)
			}
			log := do(t, n, "job", "logs", tt.name+"-1", "--tail", "200")
			if strings.Contains(log, "GOT") || strings.Contains(log, string(secret)) {
				t.Errorf("it got what it must not have: %s", log)
			}
			do(t, n, "fn", "list") // the node answers
		})
	}
	ps, err := n.PS(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range ps.Daemons {
		if d.State != "ready" || d.Restarts != 0 {
			t.Errorf("%s is %s, restarted %d times", d.Daemon, d.State, d.Restarts)
		}
	}
	if left := processes(t, "sleep 1000", "sleep 1001", "sleep 60"); len(left) > 0 {
		t.Errorf("processes of jobs are left: %v", left)
	}
	if entries, err := os.ReadDir("/tmp/assets"); err == nil && len(entries) > 0 {
		t.Errorf("/tmp/assets is there outside of jobs: %v", entries)
	}
}

// processes lists command lines that are one of these.
func processes(t *testing.T, want ...string) (out []string) {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		b, err := os.ReadFile(p)
		if err != nil {
			continue // it has ended
		}
		if line := strings.TrimSpace(strings.ReplaceAll(string(b), "\x00", " ")); slices.Contains(want, line) {
			out = append(out, p+": "+line)
		}
	}
	return out
}

// TestEmulatedJob runs a program of another processor.
func TestEmulatedJob(t *testing.T) {
	t.Parallel()
	hosttest.Need(t, hosttest.Emulator)
	n := startNode(t, "--mdns=false")
	allowNative(t, n)
	file := filepath.Join(samplesDir, "..", "jobs", "arm64-job.toml")
	out := do(t, n, "job", "submit", file, "--wait", "--follow")
	if !strings.Contains(out, "arm64") {
		t.Errorf("it says %s", out)
	}
	var list json.RawMessage
	if err := n.JSON(testContext(t), &list, "job", "list"); err != nil {
		t.Error(err)
	}
}

// TestStrictJob has a job that nobody executes whom a majority has not let, and that
// nobody takes over unless its own member says that it has ended.
func TestStrictJob(t *testing.T) {
	t.Parallel()
	nodes := startMesh(t, 3)
	allowNative(t, nodes...)
	here := nodes[0]
	ids := make([]string, 0, len(nodes))
	for _, n := range nodes {
		ids = append(ids, fmt.Sprintf("%q", peerOf(t, n)))
	}
	strict := func(name, where, text string) string {
		return script(t, name, "once = \"strict\"\nelectors = ["+strings.Join(ids, ", ")+"]\n"+where, text)
	}
	do(t, here, "job", "submit", strict("once", "", "echo executed"), "--wait")
	if st := awaitJob(t, nodes[2], "once-1", api.JobSucceeded); len(st.RunList[0].Executions) != 1 {
		t.Errorf("%+v", st.RunList[0])
	}

	on := "[targeting]\nnode_ids = [" + strings.Join(ids[1:], ", ") + "]\n"
	do(t, here, "job", "submit", strict("held", on, "echo epoch $REALM_EPOCH; test $REALM_EPOCH = 1 && sleep 300; exit 0"))
	awaitLog(t, here, "held-1", "epoch 1")
	first := byPeer(t, nodes, string(awaitJob(t, here, "held-1", api.JobRunning).RunList[0].Executions[0].Peer))
	killAll(t, first)
	st := awaitJob(t, here, "held-1", api.JobPending)
	if !strings.Contains(st.Reason, "strict") || len(st.RunList[0].Executions) != 1 {
		t.Errorf("it is held up by %q: %+v", st.Reason, st.RunList[0])
	}
	other := nodes[1]
	if other == first {
		other = nodes[2]
	}
	if err := other.Stop(); err != nil {
		t.Fatal(err)
	}
	do(t, here, "job", "submit", strict("minority", "", "echo executed"))
	time.Sleep(5 * time.Second) // long enough for one that does not ask
	if st, err := jobStatus(testContext(t), here, "minority"); err != nil || len(executions(st.RunList[0])) > 0 || st.State.Ended() {
		t.Errorf("one of three lets it run: %+v, %v", st.RunList, err)
	}
	start(t, other, "--mdns=false", "--bootstrap", mustAddr(t, here))
	awaitJob(t, here, "minority", api.JobSucceeded)
	do(t, here, "job", "cancel", "held-1", "--wait=false")
}

func mustAddr(t *testing.T, n *node.Node) string {
	t.Helper()
	addr, err := n.Addr(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	return addr
}
