package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/realm/internal/node"
)

func newJob(a *app) *cobra.Command {
	return group(&cobra.Command{
		Use:   "job",
		Short: "Submit jobs, see how they stand, get what they made",
		Long: `A job is a program that does some work and ends, runs again and again by a schedule,
or is kept up. A job file says what it executes and where that may be; any member that
fits does it, and another one if that is lost (docs/JOBS.md).

JOB is the id of a job, such as build-1, or build for the newest of that name. A run of
it is named with @: build-1@2 by its index, nightly-3@2026-11-23T02:00Z by its time.`,
		Example: `  realm job submit build.toml --wait
  realm job list`,
	}, newJobValidate(a), newJobSubmit(a), newJobList(a, "list", false), newJobList(a, "list-json", true),
		newJobStatus(a, "status", false), newJobStatus(a, "status-json", true), newJobLogs(a), newJobCancel(a),
		newJobArtifacts(a, "artifacts", false), newJobArtifacts(a, "artifacts-json", true), newJobDownload(a), newJobRemove(a))
}

// jobs is the runnerd to ask: that of this node, or where the command has a node for its
// own time only, which runs nothing, that of the member which it came in by.
func (a *app) jobs(n *node.Node) (node.Jobs, error) {
	w, err := a.where()
	if err != nil || w.node == "" {
		return n.Jobs(""), err
	}
	_, peer, _ := strings.Cut(w.node, "/p2p/")
	p, err := api.ParsePeerID(peer)
	return n.Jobs(p), err
}

// onJobs gives fn the node that the command is about, and the runnerd to ask.
func (a *app) onJobs(ctx context.Context, fn func(n *node.Node, j node.Jobs) error) error {
	return a.onNode(ctx, func(n *node.Node) error {
		j, err := a.jobs(n)
		if err != nil {
			return err
		}
		return fn(n, j)
	})
}

// jobArg is a job, and perhaps one run of it, as a person names it.
type jobArg struct {
	job string
	run api.RunKey // "": all
}

// runTimes are the forms in which people write the time of a run.
var runTimes = []string{time.RFC3339, "2006-01-02T15:04Z07:00", "2006-01-02T15Z07:00"}

func parseJob(arg string) (jobArg, error) {
	job, run, _ := strings.Cut(arg, "@")
	base, _, _ := strings.Cut(job, "~") // of two that were submitted as one
	if _, err := api.ParseName(base); err != nil {
		return jobArg{}, fmt.Errorf("%.80q is no job: want an id such as build-1: realm job list shows them", arg)
	}
	if run == "" {
		return jobArg{job: job}, nil
	}
	if k, err := api.ParseRunKey(run); err == nil {
		return jobArg{job, k}, nil
	}
	when, index := run, 0
	if i := strings.LastIndexByte(run, '#'); i > 0 {
		when = run[:i]
		if _, err := fmt.Sscan(run[i+1:], &index); err != nil {
			return jobArg{}, fmt.Errorf("run %.60q: want a number after #", run)
		}
	}
	for _, form := range runTimes {
		if t, err := time.Parse(form, when); err == nil {
			k, err := api.ParseRunKey(string(api.NewRunKey(t, index)))
			return jobArg{job, k}, err
		}
	}
	return jobArg{}, fmt.Errorf("run %.60q: want an index such as 0, or a time such as 2026-11-23T02:00Z", run)
}

// runs are the runs of s that an argument names.
func (j jobArg) runs(s api.JobStatus) ([]api.JobRun, error) {
	if j.run == "" {
		return s.RunList, nil
	}
	for _, r := range s.RunList {
		if r.Run == j.run {
			return []api.JobRun{r}, nil
		}
	}
	return nil, fmt.Errorf("%s has no run %s: realm job status %s lists them", s.Job, runText(j.run), s.Job)
}

// runText is a run for people: its index, or its time and, where it has others beside
// it, its index.
func runText(k api.RunKey) string {
	at := k.Instant()
	if at.IsZero() {
		return fmt.Sprint(k.Index())
	}
	form := "2006-01-02T15:04Z"
	if at.Second() != 0 {
		form = "2006-01-02T15:04:05Z"
	}
	text := at.UTC().Format(form)
	if k.Index() > 0 {
		text += fmt.Sprintf("#%d", k.Index())
	}
	return text
}

// completeJobs offers the ids of jobs, those that go on first.
func (a *app) completeJobs(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 && !strings.Contains(cmd.Use, "...") {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completionPatience)
	defer cancel()
	var words []string
	_ = a.atHand(ctx, func(n *node.Node) error { // without a node there is nothing to offer
		all, err := n.Jobs("").List(ctx, "", "")
		for _, j := range all[:min(len(all), maxOffered)] {
			words = append(words, cobra.CompletionWithDesc(string(j.Job), string(j.State)))
		}
		return err
	})
	return words, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
}

// errRuns says that a command wants a job, and got a run of it.
var errRuns = errors.New("it is about a whole job: leave @ and the run out")
