package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/realm/internal/node"
)

// jobsView is what realm job list says in JSON.
type jobsView struct {
	Jobs []api.JobSummary `json:"jobs"`
}

// listedAge is how old a job that has ended may be to be listed without --all.
const listedAge = 24 * time.Hour

// newJobList makes list, or list-json, which prints JSON without being asked to.
func newJobList(a *app, use string, asJSON bool) *cobra.Command {
	var state, name string
	var all bool
	cmd := &cobra.Command{
		Use:   use,
		Short: "List jobs, the newest first",
		Long: `List the jobs of the realm: those that go on, and those that have ended within a day;
with --all, or where --state or --name choose, all that are remembered.`,
		Example: "  realm job " + use + "\n  realm job " + use + " --state failed\n  realm job " + use + " --name build --all",
		Args:    arguments(),
	}
	if asJSON {
		cmd.Short = "The same as realm job list --json"
	}
	cmd.Flags().StringVar(&state, "state", "", "only those in this state")
	cmd.Flags().StringVar(&name, "name", "", "only those whose id begins with this name")
	cmd.Flags().BoolVar(&all, "all", false, "also what has ended more than a day ago")
	var states []string
	for _, s := range api.JobStates() {
		states = append(states, string(s))
	}
	if err := cmd.RegisterFlagCompletionFunc("state", cobra.FixedCompletions(states, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // the flag is declared above
	}
	cmd.RunE = a.bounded(func(ctx context.Context, cmd *cobra.Command, _ []string) error {
		a.json = a.json || asJSON
		if state != "" && !slices.Contains(states, state) {
			return misused(cmd, fmt.Errorf("--state %.40q: want one of %s", state, strings.Join(states, ", ")))
		}
		return a.onJobs(ctx, func(_ *node.Node, j node.Jobs) error {
			found, err := j.List(ctx, name, state)
			if err != nil {
				return err
			}
			now, v := time.Now(), jobsView{[]api.JobSummary{}}
			for _, s := range found {
				if all || state != "" || name != "" || !s.State.Ended() || now.Sub(s.Ended) < listedAge {
					v.Jobs = append(v.Jobs, s)
				}
			}
			return a.print(v, func() { a.printJobs(v.Jobs, len(found)-len(v.Jobs), state != "" || name != "", now) })
		})
	})
	return cmd
}

// printJobs lists jobs; chosen: only some were asked for.
func (a *app) printJobs(all []api.JobSummary, older int, chosen bool, now time.Time) {
	switch {
	case len(all) == 0 && chosen:
		fmt.Fprintln(a.out, "No such jobs: realm job list --all shows those that there are")
	case len(all) == 0 && older > 0:
		fmt.Fprintln(a.out, "No jobs go on, or have ended lately")
	case len(all) == 0:
		fmt.Fprintln(a.out, "No jobs: realm job submit FILE")
	default:
		rows := [][]string{{"JOB", "TYPE", "RUNTIME", "STATE", "RUNS", "RETRIES", "AGE", "TOOK", "NOTE"}}
		for _, s := range all {
			rows = append(rows, []string{string(s.Job), string(s.Type), string(s.Runtime), string(s.State), runsText(s), fmt.Sprint(s.Retries),
				ageText(now, s.Issued), tookText(s.Started, s.Ended), noteOf(s)})
		}
		table(a.out, rows)
	}
	if older > 0 {
		fmt.Fprintf(a.out, "and %d that ended more than a day ago: --all\n", older)
	}
}

func runsText(s api.JobSummary) string {
	return fmt.Sprintf("%d/%d", s.Runs.Succeeded, s.Runs.Total)
}

func noteOf(s api.JobSummary) string {
	if s.Reason == "" && !s.Next.IsZero() {
		return "next " + s.Next.Local().Format(time.DateTime)
	}
	return oneLine(s.Reason)
}

// tookText is the time between two; "-" where there is none.
func tookText(from, to time.Time) string {
	if from.IsZero() || to.Before(from) {
		return "-"
	}
	return fmt.Sprintf("%.1f s", to.Sub(from).Seconds())
}
