package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/realm/internal/node"
)

func newJobLogs(a *app) *cobra.Command {
	var tail, epoch int
	var since, grep, run string
	var follow, times bool
	cmd := &cobra.Command{
		Use:   "logs JOB",
		Short: "Show what a job wrote, wherever it ran",
		Long: `Show what the executions of a job wrote that count, or with --epoch others. It is
fetched from where they run, or ran; where that member is gone, from others that keep
the last of it.`,
		Example: `  realm job logs build-1 -f
  realm job logs nightly-3@2026-11-23T02:00Z --grep error
  realm job logs build --since 10m --tail 50`,
		Args:              arguments("JOB"),
		ValidArgsFunction: a.completeJobs,
	}
	f := cmd.Flags()
	f.IntVar(&tail, "tail", -1, "how many of the last lines (default: all)")
	f.StringVar(&since, "since", "", "only what is newer than this time (RFC 3339), or than so long ago: 10m")
	f.StringVar(&grep, "grep", "", "only lines that match this regular expression (RE2)")
	f.StringVar(&run, "run", "", "only of this run, as after @ in JOB")
	f.IntVar(&epoch, "epoch", 0, "of this execution of the run, by its epoch, instead of the one that counts")
	f.BoolVarP(&follow, "follow", "f", false, "go on with new lines until the job has ended")
	f.BoolVarP(&times, "times", "t", false, "show when, and on which stream, each line was written")
	cmd.RunE = a.open(func(ctx context.Context, cmd *cobra.Command, args []string) error {
		if run != "" {
			args[0] += "@" + run
		}
		arg, err := parseJob(args[0])
		if err != nil {
			return misused(cmd, err)
		}
		q := node.LogQuery{Run: arg.run, Epoch: epoch, Tail: tail, Grep: grep, Follow: follow}
		if q.Since, err = parseSince(since, time.Now()); err == nil {
			err = checkLogQuery(q, cmd.Flags().Changed("tail"))
		}
		if err != nil {
			return misused(cmd, err)
		}
		return a.onJobs(ctx, func(_ *node.Node, j node.Jobs) error {
			p := &jobPrinter{app: a, times: times}
			st, err := j.Status(ctx, arg.job)
			if err == nil && !follow { // what is followed may be still to come
				err = checkExecution(st, arg, epoch)
			}
			if err != nil {
				return err
			}
			p.runs = arg.run == "" && (st.Body.Runs() > 1 || st.Type == api.JobRecurring)
			return j.Logs(ctx, arg.job, q, p.print)
		})
	})
	return cmd
}

func checkLogQuery(q node.LogQuery, tailSet bool) error {
	if tailSet && (q.Tail < 0 || q.Tail > api.MaxJobTail) {
		return fmt.Errorf("--tail %d: want 0 to %d lines", q.Tail, api.MaxJobTail)
	}
	if q.Epoch < 0 || q.Epoch > api.MaxEpoch {
		return fmt.Errorf("--epoch %d: want 1 or more", q.Epoch)
	}
	if _, err := regexp.Compile(q.Grep); err != nil {
		return fmt.Errorf("--grep: %w", err)
	}
	return nil
}

// checkExecution says where there is no such run of a job, or no execution of that epoch.
func checkExecution(s api.JobStatus, arg jobArg, epoch int) error {
	runs, err := arg.runs(s)
	if err != nil || epoch == 0 {
		return err
	}
	for _, r := range runs {
		if slices.ContainsFunc(r.Executions, func(x api.JobExec) bool { return x.Epoch == epoch }) {
			return nil
		}
	}
	return fmt.Errorf("%s has no execution of epoch %d: realm job status %s lists them", s.Job, epoch, s.Job)
}

// parseSince reads a time, or how long before now it was.
func parseSince(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	d, err := parseSpan(text)
	if err != nil {
		return time.Time{}, fmt.Errorf("--since: %w, or a time such as 2026-11-23T02:00:00Z", err)
	}
	return now.Add(-d), nil
}

// jobPrinter writes lines of a job.
type jobPrinter struct {
	app   *app
	times bool
	runs  bool // say of which run each is
}

func (p *jobPrinter) print(l api.JobLogLine) error {
	if p.app.json {
		return json.NewEncoder(p.app.out).Encode(l)
	}
	text := printable(l.Line)
	if p.times {
		text = l.Time.Format(time.RFC3339Nano) + " " + l.Stream + " " + text
	}
	if p.runs {
		text = runText(l.Run) + "  " + text
	}
	_, err := fmt.Fprintln(p.app.out, text)
	return err
}
