package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/realm/internal/node"
)

// explainJob says where a job runs and why, if there is one of that name; ok tells so.
// A name that runnerd cannot be asked about is none of a job.
func (a *app) explainJob(ctx context.Context, n *node.Node, arg string) (ok bool, err error) {
	arg = strings.TrimPrefix(arg, string(api.KindJob)+"/")
	job, err := parseJob(arg)
	if err != nil {
		return false, nil // it is the name of something else
	}
	j, err := a.jobs(n)
	if err != nil {
		return false, err
	}
	asking, cancel := context.WithTimeout(ctx, explainPatience)
	defer cancel()
	e, err := j.Explain(asking, job.job)
	switch {
	case errors.Is(err, node.ErrNoJob):
		return false, nil
	case err != nil:
		return false, err
	}
	return true, a.print(e, func() { a.printJobExplain(e) })
}

func (a *app) printJobExplain(e api.JobExplain) {
	w := a.out
	fmt.Fprintf(w, "%s  %s\n", e.Job, strings.Join(nonEmpty(string(e.State), oneLine(strings.TrimSuffix(e.Reason, "; see realm explain"))), ": "))
	for _, need := range e.Needs {
		fmt.Fprintf(w, "needs    %s: %s\n", need.Job, orElse(string(need.State), "not known here"))
	}
	fmt.Fprintln(w)
	rows := [][]string{{"RANK", "MEMBER", "LIVE", "WHY"}}
	for _, m := range e.Members {
		rank, live := "-", "away"
		if m.Rank > 0 {
			rank = fmt.Sprint(m.Rank)
		}
		if m.Live {
			live = "live"
		}
		rows = append(rows, []string{rank, someone{m.Peer, m.Host}.String(), live, oneLine(m.Why)})
		for _, c := range m.Confined {
			rows = append(rows, []string{"", "", "", "confinement: " + oneLine(c)})
		}
	}
	table(w, rows)
	fmt.Fprintf(w, "\nNext: realm job status %s, realm job logs %s\n", e.Job, e.Job)
}
