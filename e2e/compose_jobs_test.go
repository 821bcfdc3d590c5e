//go:build unix

package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/e2e/internal/node"
)

// jobsIn lists the jobs as they are seen in one container.
func (c containers) jobsIn(ctx context.Context, service string) ([]api.JobSummary, error) {
	text, err := c.realm(ctx, service, "job", "list", "--all", "--json")
	if err != nil {
		return nil, err
	}
	var list api.JobsReply
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return nil, node.Final(err)
	}
	return list.Jobs, nil
}

// accepted is whose result of a job counts, as it is seen in one container.
func (c containers) accepted(service, job string) (x api.Exec) {
	c.t.Helper()
	until(c.t, fmt.Sprintf("the result of %s in %s", job, service), func(ctx context.Context) error {
		text, err := c.realm(ctx, service, "job", "status", job, "--json")
		if err != nil {
			return err
		}
		var st api.JobStatus
		if err := json.Unmarshal([]byte(text), &st); err != nil {
			return node.Final(err)
		}
		if len(st.RunList) != 1 || st.RunList[0].Accepted == nil {
			return fmt.Errorf("%s: %s", st.State, st.Reason)
		}
		x = *st.RunList[0].Accepted
		return nil
	})
	return x
}

// TestJobsInContainers has jobs claimed while a machine dies and another is cut off: each
// has one accepted result, which all agree on, and none is lost.
func TestJobsInContainers(t *testing.T) {
	c := startContainers(t)
	c.learn()
	const many = 40
	dir := filepath.Join("..", "dist", "mesh") // node1 sees it as /owner
	args := []string{"job", "submit", "--wait=false"}
	for i := range many {
		name := fmt.Sprintf("job-%02d.toml", i)
		text := fmt.Sprintf("name = \"spread-%02d\"\nresources = {cpus = 0.25}\n[runtime]\ntype = \"wasm\"\nsource = \"/samples/wasm-job.wasm\"\nargs = [\"8s\", \"%d\"]\n", i, i)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.Remove(filepath.Join(dir, name)) })
		args = append(args, "/owner/"+name)
	}
	if _, err := c.realm(testContext(t), "node1", args...); err != nil {
		t.Fatal(err)
	}
	until(t, "some to run", func(ctx context.Context) error {
		all, err := c.jobsIn(ctx, "node1")
		if err != nil {
			return err
		}
		for _, j := range all {
			if j.State == api.JobRunning {
				return nil
			}
		}
		return fmt.Errorf("none of %d runs", len(all))
	})
	c.docker("kill", c.id("node3"))
	c.network("disconnect", "far", "node6")
	begun := time.Now()
	ended := func(service string) {
		t.Helper()
		until(t, "all to have succeeded, seen in "+service, func(ctx context.Context) error {
			all, err := c.jobsIn(ctx, service)
			if err != nil {
				return err
			}
			n := 0
			for _, j := range all {
				if j.State.Ended() && j.State != api.JobSucceeded {
					return node.Final(fmt.Errorf("%s is %s: %s", j.Job, j.State, j.Reason))
				}
				if j.State == api.JobSucceeded {
					n++
				}
			}
			if n != many {
				return fmt.Errorf("%d of %d have", n, len(all))
			}
			return nil
		})
	}
	ended("node1")
	t.Logf("all have a result %v after a machine died and another was cut off", time.Since(begun).Round(100*time.Millisecond))
	c.network("connect", "far", "node6")
	if _, err := c.run(testContext(t), "start", "node3"); err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"node3", "node6", "node1"} {
		ended(s)
	}
	var executed, superseded, retries int
	until(t, "all to agree", func(ctx context.Context) error {
		executed, superseded, retries = 0, 0, 0
		sums := map[string]string{}
		for _, s := range []string{"node1", "node3", "node6"} {
			all, err := c.jobsIn(ctx, s)
			if err != nil {
				return err
			}
			for _, j := range all {
				text := fmt.Sprintf("%s %+v", j.Peer, j.Runs)
				if was, ok := sums[string(j.Job)]; ok && was != text {
					return fmt.Errorf("%s is %q in one place and %q in %s", j.Job, was, text, s)
				}
				sums[string(j.Job)] = text
				if s == "node1" {
					executed, superseded, retries = executed+j.Runs.Executions, superseded+j.Runs.Superseded, retries+j.Retries
				}
			}
		}
		return nil
	})
	for i := range 4 { // each look into a container takes its time
		id := fmt.Sprintf("spread-%02d-1", i)
		if a, b := c.accepted("node1", id), c.accepted("node6", id); a != b {
			t.Errorf("%s: node1 accepts %v, node6 %v", id, a, b)
		}
	}
	t.Logf("%d jobs: %d executions, %d superseded, %d retries", many, executed, superseded, retries)
}
