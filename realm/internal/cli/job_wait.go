package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/realm/internal/node"
)

// jobEvery is how often runnerd is asked how a job stands: nothing on the bus tells the
// command line of executions.
const jobEvery = 250 * time.Millisecond

// awaitJob waits until a job has ended, and tells each change; with follow it prints
// what the job writes, too.
func (a *app) awaitJob(ctx context.Context, j node.Jobs, id api.Name, follow bool) (api.JobStatus, error) {
	written := make(chan error, 1)
	following, stop := context.WithCancel(ctx)
	defer stop()
	if follow {
		go func() { written <- a.followOutput(following, j, id) }()
	}
	st, err := a.whileJob(ctx, j, id, func(s api.JobStatus) bool { return s.State.Ended() })
	if err != nil {
		err = fmt.Errorf("%w. The job goes on: realm job status %s", err, id)
	}
	if follow {
		if err != nil {
			stop()
		} else {
			defer time.AfterFunc(lastLines, stop).Stop()
		}
		if told := <-written; told != nil && err == nil && following.Err() == nil {
			a.note("its output: %s", told)
		}
	}
	return st, err
}

// lastLines is how long the end of a job's output is waited for.
const lastLines = 5 * time.Second

// followOutput prints what a job writes until it has ended. A job that runnerd has not
// heard of yet is asked for again.
func (a *app) followOutput(ctx context.Context, j node.Jobs, id api.Name) error {
	p := &jobPrinter{app: a}
	some := false
	show := func(l api.JobLogLine) error {
		some = true
		return p.print(l)
	}
	for {
		err := j.Logs(ctx, string(id), node.LogQuery{Tail: -1, Follow: true}, show)
		if err == nil && !some { // it may have ended before there was anything to follow
			return j.Logs(ctx, string(id), node.LogQuery{Tail: -1}, show)
		}
		if !errors.Is(err, node.ErrNoJob) {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(jobEvery):
		}
	}
}

// whileJob asks how a job stands until enough says so, and tells each change.
func (a *app) whileJob(ctx context.Context, j node.Jobs, id api.Name, enough func(api.JobStatus) bool) (api.JobStatus, error) {
	tick := time.NewTicker(jobEvery)
	defer tick.Stop()
	begin, last := time.Now(), ""
	for {
		st, err := j.Status(ctx, string(id))
		switch {
		case errors.Is(err, node.ErrNoJob) && time.Since(begin) < hearsWithin: // runnerd has not heard of it yet
		case err != nil:
			return st, err
		default:
			if text := progressOf(st); text != last {
				last = text
				a.say("  %5.1f s  %-12s %s", time.Since(begin).Seconds(), id, text)
			}
			if enough(st) {
				return st, nil
			}
		}
		select {
		case <-ctx.Done():
			return st, context.Cause(ctx)
		case <-tick.C:
		}
	}
}

// hearsWithin is how long a runnerd may take to hear of a job that its node has accepted.
const hearsWithin = 10 * time.Second

// progressOf is how a job stands, in a line.
func progressOf(st api.JobStatus) string {
	text := strings.Join(nonEmpty(string(st.State), oneLine(st.Reason)), ": ")
	if st.State == api.JobRunning && st.Peer != "" && st.Runs.Total == 1 {
		text += " on …" + st.Peer.Short()
	}
	if st.Runs.Total > 1 {
		text += fmt.Sprintf(", %d of %s done", st.Runs.Succeeded+st.Runs.Failed, plural(st.Runs.Total, "run"))
	}
	if st.Retries > 0 {
		text += fmt.Sprintf(", retries: %d", st.Retries)
	}
	return text
}

// blamedLines is how much of a failed job's output an error shows.
const blamedLines = 10

// blame says that a job has not succeeded, with the last lines that it wrote.
func (a *app) blame(ctx context.Context, j node.Jobs, st api.JobStatus, lines bool) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", st.Job, stateText(st.State))
	if st.Reason != "" {
		fmt.Fprintf(&b, ": %s", oneLine(st.Reason))
	}
	if e, ok := lastExec(st); ok {
		if text := execEndText(e); text != "" && !strings.Contains(st.Reason, text) {
			fmt.Fprintf(&b, " (%s)", text)
		}
	}
	if lines {
		err := j.Logs(ctx, string(st.Job), node.LogQuery{Tail: blamedLines}, func(l api.JobLogLine) error {
			fmt.Fprintf(&b, "\n  | %s", printable(l.Line))
			return nil
		})
		if err != nil {
			fmt.Fprintf(&b, "\n  (its output: %s)", oneLine(err.Error()))
		}
	}
	fmt.Fprintf(&b, "\nSee realm job status %s, and all of its output: realm job logs %s", st.Job, st.Job)
	return because(ctx, errors.New(b.String()))
}

func stateText(s api.JobState) string {
	switch s {
	case api.JobCancelled:
		return "was cancelled"
	case api.JobExpired:
		return "expired"
	}
	return string(s)
}

// lastExec is the execution that has ended the newest run that did not succeed.
func lastExec(st api.JobStatus) (e api.JobExec, ok bool) {
	for _, r := range st.RunList {
		if r.State != api.JobSucceeded && len(r.Executions) > 0 {
			return r.Executions[len(r.Executions)-1], true
		}
	}
	return e, false
}

// execEndText says how an execution ended; "" for one that did well, or goes on.
func execEndText(e api.JobExec) string {
	switch {
	case e.TimedOut:
		return "timed out"
	case e.Signal != "":
		return "signal " + printable(e.Signal)
	case e.Exit != nil && *e.Exit != 0:
		return fmt.Sprintf("exit code %d", *e.Exit)
	}
	return ""
}
