package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/realm/internal/node"
	"github.com/realm-mesh/realm/realm/internal/owner"
)

func newJobCancel(a *app) *cobra.Command {
	var wait bool
	cmd := &cobra.Command{
		Use:   "cancel JOB...",
		Short: "End jobs wherever they run",
		Long: `Sign that jobs are to end, and wait until nothing of them runs: what runs is told to
(TERM), and killed a second later. A recurring job is not run again.`,
		Example: `  realm job cancel build-1
  realm job cancel nightly-3 serve-1 --wait=false`,
		Args:              atLeast("JOB"),
		ValidArgsFunction: a.completeJobs,
	}
	cmd.Flags().BoolVar(&wait, "wait", true, "return when nothing of them runs; --wait=false: when it is accepted")
	cmd.RunE = a.bounded(func(ctx context.Context, cmd *cobra.Command, args []string) error {
		jobs, err := wholeJobs(args)
		if err != nil {
			return misused(cmd, err)
		}
		return a.onJobs(ctx, func(n *node.Node, j node.Jobs) error {
			all, err := a.cancelJobs(ctx, n, j, jobs, wait)
			if err != nil {
				return err
			}
			v := struct {
				Jobs []endedView `json:"jobs"`
			}{all}
			return a.print(v, func() {
				for _, e := range all {
					fmt.Fprintln(a.out, e.text())
				}
			})
		})
	})
	return cmd
}

// endedView is a job that was cancelled or removed, in JSON.
type endedView struct {
	Job     api.Name     `json:"job"`
	State   api.JobState `json:"state"`             // that it is in now
	Was     bool         `json:"was"`               // it had ended, or was cancelled, already
	Removed bool         `json:"removed,omitempty"` // it is forgotten now
}

func (e endedView) text() string {
	switch {
	case e.Removed:
		return fmt.Sprintf("%s is removed", e.Job)
	case e.Was && e.State.Ended():
		return fmt.Sprintf("%s has ended already: it %s", e.Job, stateText(e.State))
	case e.State.Ended():
		return fmt.Sprintf("%s has ended: it %s", e.Job, stateText(e.State))
	}
	return fmt.Sprintf("%s is being cancelled", e.Job)
}

// wholeJobs reads the names of jobs, without runs.
func wholeJobs(args []string) (out []string, err error) {
	for _, arg := range args {
		job, err := parseJob(arg)
		switch {
		case err != nil:
			return nil, err
		case job.run != "":
			return nil, fmt.Errorf("%s: %w", arg, errRuns)
		}
		if id, _, shared := strings.Cut(arg, "~"); shared {
			return nil, fmt.Errorf("%s: it shares its id with another job, and what is signed is about the id: name %s", arg, id)
		}
		out = append(out, job.job)
	}
	return out, nil
}

// cancelJobs signs that jobs are to end.
func (a *app) cancelJobs(ctx context.Context, n *node.Node, j node.Jobs, jobs []string, wait bool) ([]endedView, error) {
	s, err := a.newSigner(ctx, n)
	if err != nil {
		return nil, err
	}
	all := []endedView{}
	for _, job := range jobs { // first all, then wait
		st, err := j.Status(ctx, job)
		if err != nil {
			return all, err
		}
		v := endedView{Job: st.Job, State: st.State, Was: st.State.Ended()}
		if !v.Was {
			if v.Was, err = cancelJob(ctx, n, s, st.Job); err != nil {
				return all, err
			}
		}
		all = append(all, v)
	}
	for i := range all {
		if !wait {
			break
		}
		st, err := a.whileJob(ctx, j, all[i].Job, atRest)
		if err != nil {
			return all, fmt.Errorf("%s is cancelled, but something of it may still run: %w: see realm job status %s", all[i].Job, err, all[i].Job)
		}
		all[i].State = st.State
	}
	return all, nil
}

func cancelJob(ctx context.Context, n *node.Node, s signer, id api.Name) (was bool, err error) {
	step, err := n.Begin(ctx, s.pin, s.Signer, owner.JobRef(id), owner.CancelJob(), true)
	if err == nil {
		_, err = step.Submit(ctx)
	}
	if errors.Is(err, owner.ErrUnchanged) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("cancel %s: %w", id, err)
	}
	return false, nil
}

// atRest reports whether a job has ended, and nothing of it goes on.
func atRest(st api.JobStatus) bool {
	if !st.State.Ended() {
		return false
	}
	for _, r := range st.RunList {
		for _, e := range r.Executions {
			if !e.State.Ended() && !e.Superseded {
				return false
			}
		}
	}
	return true
}

func newJobRemove(a *app) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "rm JOB...",
		Short: "Forget jobs that have ended",
		Long: `Sign that jobs are to be forgotten, with their history, output and artifacts. Those that
have not ended are refused, unless with --force, which cancels them first.`,
		Example: `  realm job rm build-1 build-2
  realm job rm serve-1 --force`,
		Args:              atLeast("JOB"),
		ValidArgsFunction: a.completeJobs,
	}
	cmd.Flags().BoolVar(&force, "force", false, "cancel first what has not ended")
	cmd.RunE = a.bounded(func(ctx context.Context, cmd *cobra.Command, args []string) error {
		jobs, err := wholeJobs(args)
		if err != nil {
			return misused(cmd, err)
		}
		return a.onJobs(ctx, func(n *node.Node, j node.Jobs) error { return a.removeJobs(ctx, n, j, jobs, force) })
	})
	return cmd
}

func (a *app) removeJobs(ctx context.Context, n *node.Node, j node.Jobs, jobs []string, force bool) error {
	var going []string
	for i, job := range jobs {
		st, err := j.Status(ctx, job)
		if err != nil {
			return err
		}
		if jobs[i] = string(st.Job); !st.State.Ended() {
			going = append(going, string(st.Job))
		}
	}
	if len(going) > 0 && !force {
		return fmt.Errorf("%s: not ended yet: cancel first, or give --force", strings.Join(going, ", "))
	}
	if len(going) > 0 {
		if _, err := a.cancelJobs(ctx, n, j, going, true); err != nil {
			return err
		}
	}
	s, err := a.newSigner(ctx, n)
	if err != nil {
		return err
	}
	v := struct {
		Jobs []endedView `json:"jobs"`
	}{[]endedView{}}
	for _, job := range jobs {
		step, err := n.Begin(ctx, s.pin, s.Signer, owner.JobRef(api.Name(job)), owner.Remove(), true)
		if err == nil {
			_, err = step.Submit(ctx)
		}
		was := errors.Is(err, owner.ErrUnchanged)
		if err != nil && !was {
			return fmt.Errorf("remove %s: %w", job, err)
		}
		v.Jobs = append(v.Jobs, endedView{Job: api.Name(job), Was: was, Removed: true})
	}
	return a.print(v, func() {
		for _, e := range v.Jobs {
			fmt.Fprintln(a.out, e.text())
		}
	})
}
