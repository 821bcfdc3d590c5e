package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/realm/internal/node"
	"github.com/realm-mesh/realm/realm/internal/rollout"
)

// newJobStatus makes status, or status-json, which prints JSON without being asked to.
func newJobStatus(a *app, use string, asJSON bool) *cobra.Command {
	cmd := &cobra.Command{
		Use:   use + " JOB",
		Short: "Show a job, its runs and their executions",
		Long: `Show how a job stands: each run, and each execution of it, by whom, how it ended, what it
used, and which result counts.`,
		Example:           "  realm job " + use + " build-1\n  realm job " + use + " nightly",
		Args:              arguments("JOB"),
		ValidArgsFunction: a.completeJobs,
	}
	a.showsJob(cmd, asJSON, "status", func(ctx context.Context, j node.Jobs, arg jobArg) error {
		st, err := j.Status(ctx, arg.job)
		if err != nil {
			return err
		}
		if st.RunList, err = arg.runs(st); err != nil {
			return err
		}
		return a.print(st, func() { a.printJob(st) })
	})
	return cmd
}

// showsJob has cmd show something of the job that its argument names, in JSON without
// being asked to if it stands for realm job name --json.
func (a *app) showsJob(cmd *cobra.Command, asJSON bool, name string, show func(context.Context, node.Jobs, jobArg) error) {
	if asJSON {
		cmd.Short = "The same as realm job " + name + " --json"
	}
	cmd.RunE = a.bounded(func(ctx context.Context, cmd *cobra.Command, args []string) error {
		a.json = a.json || asJSON
		arg, err := parseJob(args[0])
		if err != nil {
			return misused(cmd, err)
		}
		return a.onJobs(ctx, func(_ *node.Node, j node.Jobs) error { return show(ctx, j, arg) })
	})
}

// shownRuns is how many runs a person is shown.
const shownRuns = 20

func (a *app) printJob(st api.JobStatus) {
	w := a.out
	fmt.Fprintf(w, "%s  %s\n", st.Job, strings.Join(nonEmpty(string(st.State), oneLine(st.Reason)), ": "))
	fmt.Fprintf(w, "type     %s, %s %s\n", st.Type, st.Runtime, printable(st.Body.Runtime.File))
	fmt.Fprintf(w, "issued   %s\n", st.Issued.Local().Format(time.DateTime))
	if s := st.Body.Schedule; s != nil {
		fmt.Fprintf(w, "schedule %s (%s)\n", printable(s.Cron), orElse(printable(s.TimeZone), "UTC"))
	}
	if !st.Next.IsZero() {
		fmt.Fprintf(w, "next     %s\n", st.Next.Local().Format(time.DateTime))
	}
	if len(st.Target.Peers)+len(st.Target.Tags) > 0 {
		fmt.Fprintf(w, "for      %s\n", rollout.TargetText(st.Target))
	}
	fmt.Fprintf(w, "runs     %d: %d succeeded, %d failed, %d running; executions: %d, retries: %d, superseded: %d\n",
		st.Runs.Total, st.Runs.Succeeded, st.Runs.Failed, st.Runs.Running, st.Runs.Executions, st.Retries, st.Runs.Superseded)
	if len(st.RunList) == 0 {
		return
	}
	fmt.Fprintln(w)
	rows := [][]string{{"RUN", "EPOCH", "MEMBER", "STATE", "TOOK", "CPU", "MEMORY", "NOTE"}}
	for _, r := range st.RunList[:min(len(st.RunList), shownRuns)] {
		if len(r.Executions) == 0 {
			rows = append(rows, []string{runText(r.Run), "-", "-", string(r.State), "-", "-", "-", oneLine(r.Reason)})
		}
		for _, e := range r.Executions {
			rows = append(rows, execRow(r, e))
		}
	}
	table(w, rows)
	if more := len(st.RunList) - shownRuns; more > 0 {
		fmt.Fprintf(w, "and %s more: --json has them\n", plural(more, "run"))
	}
}

func execRow(r api.JobRun, e api.JobExec) []string {
	note := nonEmpty(oneLine(e.Reason), string(e.Cause))
	if text := execEndText(e); text != "" && !strings.Contains(e.Reason, text) {
		note = append(note, text)
	}
	switch {
	case e.Superseded:
		note = append(note, "superseded")
	case r.Accepted != nil && *r.Accepted == e.Exec():
		note = append(note, "accepted")
	}
	memory := bytesText(e.Usage.MemoryKB << 10)
	return []string{runText(r.Run), fmt.Sprint(e.Epoch), "…" + e.Peer.Short(), string(e.State), tookText(e.Started, e.Ended),
		time.Duration(e.Usage.CPU).Round(time.Millisecond).String(), memory, strings.Join(note, "; ")}
}
