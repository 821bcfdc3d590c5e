package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/realm/internal/rollout"
)

// advise says what to do about what v shows: commands, each with a comment.
func (v *explainView) advise() []string {
	n := &nextSteps{explainView: v}
	switch v.Wanted {
	case "removed":
		n.add("realm rollback %s   # brings it back; realm history has its versions", v.said)
	case "stopped":
		n.add("realm start %s   # starts it again", v.said)
	default:
		n.places()
		n.edges()
		n.failure()
	}
	return n.all
}

// nextSteps gathers advice, each piece once.
type nextSteps struct {
	*explainView
	all []string
}

func (n *nextSteps) add(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); !slices.Contains(n.all, text) {
		n.all = append(n.all, text)
	}
}

// call is what to call a member in a command.
func (v *explainView) call(m whereView) string {
	for _, o := range v.Members {
		if m.Host == "" || strings.ContainsAny(m.Host, " \t") || o.Host == m.Host && o.Peer != m.Peer {
			return m.Peer.Short()
		}
	}
	return oneLine(m.Host)
}

// places says how to have more members fit.
func (n *nextSteps) places() {
	away := 0
	for _, m := range n.Members {
		if m.State == api.StateRefused {
			n.add("# %s refuses it: %s", m.someone, oneLine(m.Reason))
		}
		if slices.Contains(m.Down, api.Runnerd) {
			n.add("realm restart runnerd   # on %s, where it is down and nothing runs; realm logs runnerd says why", m.someone)
		}
		if !m.Live {
			away++
		}
	}
	if n.Pending == "" {
		return
	}
	if away > 0 {
		n.add("realm peers   # %s away: what ranks there first runs there again when it is back", areAway(away))
	}
	if len(n.Target.Tags) > 0 && strings.Contains(n.Pending, "tag ") {
		n.add("realm node set PEER --role %s   # gives a node the tag; realm peers shows who has which", n.Target.Tags[0])
	}
	for _, m := range n.Members {
		if m.Drained {
			n.add("realm node resume %s   # lets a drained node run programs again", n.call(m))
			break
		}
	}
	switch {
	case n.Fit > 0 && n.Replicas > n.Fit:
		n.add("realm scale %s %d   # asks for as many as there is room for", n.said, n.Fit)
		n.add("realm invite   # brings in another node")
	case len(n.Target.Peers) > 0 && away == 0:
		n.add("realm peers   # shows whether the nodes that it names are connected")
	}
}

func areAway(n int) string {
	if n == 1 {
		return "1 node is"
	}
	return fmt.Sprintf("%d nodes are", n)
}

// failure says what to do about a version that does not come up, or is not well.
func (n *nextSteps) failure() {
	for _, m := range n.Members {
		gaveUp := m.State == api.StateFailed || m.State == api.StateBackoff && m.Restarts >= rollout.MaxRestarts
		switch {
		case m.Version != n.Version:
		case gaveUp:
			if n.Version > 1 {
				n.add("realm rollback %s   # goes back to the version before %d", n.said, n.Version)
			}
			if m.State == api.StateBackoff && m.Serving == 0 {
				n.add("realm stop %s   # ends the restarts meanwhile", n.said)
			}
			n.add("realm logs %s   # on %s: more of what it wrote; a push of a mended program replaces it", n.said, m.someone)
			return
		case m.State == api.StateBackoff:
			n.add("realm logs %s   # on %s, where it has ended badly and is started again", n.said, m.someone)
		case m.State == api.StateUnhealthy:
			n.add("realm logs %s   # on %s, where it runs and does not answer as its health asks", n.said, m.someone)
			n.add("realm restart %s", n.said)
		}
	}
}
