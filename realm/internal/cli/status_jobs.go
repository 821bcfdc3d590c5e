package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/realm/internal/node"
)

// jobCountsView counts the jobs of the realm in JSON.
type jobCountsView struct {
	Total  int                  `json:"total"`
	States map[api.JobState]int `json:"states"` // those that jobs are in
}

// lookAtJobs counts the jobs that runnerd knows of. A node for the time of one command
// has no runnerd, and one that does not come up is told of elsewhere.
func lookAtJobs(ctx context.Context, n *node.Node, daemons []api.DaemonStatus) (jobCountsView, error) {
	v := jobCountsView{States: map[api.JobState]int{}}
	up := false
	for _, d := range daemons {
		up = up || d.Daemon == api.Runnerd && d.State == api.DaemonReady
	}
	if !up {
		return v, nil
	}
	all, err := n.Jobs("").List(ctx, "", "")
	for _, j := range all {
		v.States[j.State]++
	}
	v.Total = len(all)
	return v, err
}

func (v jobCountsView) text() string {
	var parts []string
	for _, s := range api.JobStates() {
		if n := v.States[s]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, s))
		}
	}
	return fmt.Sprintf("%d: %s (realm job list)", v.Total, strings.Join(parts, ", "))
}
