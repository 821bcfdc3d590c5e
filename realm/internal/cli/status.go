package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/buildinfo"
	"github.com/realm-mesh/realm/realm/internal/node"
	"github.com/realm-mesh/realm/realm/internal/rollout"
)

// statusView is what realm status says in JSON. A part of the node that does not
// answer leaves its fields empty and a word in Problems.
type statusView struct {
	Node      nodeView           `json:"node"`
	Realm     api.RealmID        `json:"realm,omitempty"`
	Owner     string             `json:"owner,omitempty"`
	Peers     []api.PeerRecord   `json:"peers"`
	Members   []api.Member       `json:"members"`
	Daemons   []api.DaemonStatus `json:"daemons"`
	Workloads []workloadView     `json:"workloads"`
	Drained   []api.PeerID       `json:"drained"` // by the owner
	Loads     []loadView         `json:"loads"`   // what runs on each connected member
	Drift     int                `json:"drift"`   // of all workloads
	Jobs      jobCountsView      `json:"jobs"`
	Problems  []string           `json:"problems"`
}

type nodeView struct {
	Home    string     `json:"home"`
	PID     int        `json:"pid,omitempty"`
	Version string     `json:"version"`
	Peer    api.PeerID `json:"peer,omitempty"`
	Host    string     `json:"host,omitempty"`
	Addrs   []string   `json:"addrs"`
	// What the node is in its realm; in words why, and what to do, where it is no member.
	Standing api.Standing `json:"standing,omitempty"`
	Note     string       `json:"note,omitempty"`
	Warnings []string     `json:"warnings"`
}

func newStatus(a *app) *cobra.Command {
	var watch bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show the node, its mesh, and what runs where",
		Long: `Show this node, the members of its realm, and every program: on how many of the
connected nodes that it is for it runs, and what keeps it from the others.`,
		Example: `  realm status
  realm status --watch
  realm status --json`,
		Args: arguments(),
	}
	cmd.Flags().BoolVar(&watch, "watch", false, "show it again whenever something changes, until Ctrl-C")
	once := a.bounded(func(ctx context.Context, _ *cobra.Command, _ []string) error {
		return a.onNode(ctx, func(n *node.Node) error {
			v, err := look(ctx, n, partPatience)
			if err != nil {
				return err
			}
			return a.print(v, func() { a.printStatus(v, time.Now()) })
		})
	})
	again := a.open(func(ctx context.Context, _ *cobra.Command, _ []string) error {
		return a.onNode(ctx, func(n *node.Node) error { return a.watchStatus(ctx, n) })
	})
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if watch {
			return again(cmd, args)
		}
		return once(cmd, args)
	}
	return cmd
}

// partPatience is how long status waits for a daemon that does not answer: long
// enough for one that is started again.
const partPatience = 5 * time.Second

// look gathers the state of a node. Only the loss of the bus is an error.
func look(ctx context.Context, n *node.Node, patience time.Duration) (statusView, error) {
	v := statusView{Node: nodeView{Home: n.Home.Root(), Version: buildinfo.Version, Addrs: []string{}, Warnings: []string{}}, Members: []api.Member{}, Daemons: []api.DaemonStatus{}, Problems: []string{}, Jobs: jobCountsView{States: map[api.JobState]int{}}}
	ask := func(fn func(ctx context.Context) error) {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		if err := fn(ctx); err != nil {
			v.Problems = append(v.Problems, oneLine(err.Error()))
		}
	}
	ask(func(ctx context.Context) error {
		ps, err := n.PS(ctx)
		v.Node.PID, v.Daemons = ps.PID, append(v.Daemons, ps.Daemons...)
		return err
	})
	ask(func(ctx context.Context) error {
		mesh, err := n.Mesh(ctx)
		v.Node.Peer, v.Realm, v.Owner, v.Node.Addrs = mesh.Peer, mesh.Realm, mesh.Owner, list(mesh.Addrs)
		v.Node.Standing, v.Node.Note, v.Node.Warnings = mesh.Standing, mesh.Note, list(mesh.Warnings)
		if err != nil {
			return err
		}
		members, err := n.Members(ctx)
		v.Members = append(v.Members, members.Members...)
		return err
	})
	ask(func(ctx context.Context) (err error) {
		v.Jobs, err = lookAtJobs(ctx, n, v.Daemons)
		return err
	})
	s, err := lookAtAll(ctx, n)
	if err != nil {
		return v, err
	}
	v.Peers = append([]api.PeerRecord{}, s.PeerList()...)
	slices.SortFunc(v.Peers, rollout.ComparePeers)
	for _, p := range v.Peers {
		if p.Self {
			v.Node.Host = p.Host
		}
	}
	v.Workloads, v.Drained = viewWorkloads(s), drained(s)
	for i := range v.Workloads {
		v.Workloads[i].without(standingOf(v.Members, api.StandingRevoked))
		v.Drift += v.Workloads[i].Drift
	}
	v.Loads = loads(v.Peers, v.Workloads)
	return v, nil
}

func (a *app) printStatus(v statusView, now time.Time) {
	w := a.out
	fmt.Fprintf(w, "node     %s  %s\n", orElse(v.Node.Host, "this node"), v.Node.Peer)
	fmt.Fprintf(w, "home     %s\n", v.Node.Home)
	if v.Owner == "" {
		fmt.Fprintf(w, "realm    none yet: the node follows nobody (see realm whoami)\n")
	} else {
		fmt.Fprintf(w, "realm    %s\nowner    %s\n", v.Realm, v.Owner)
	}
	if v.Node.Standing != "" && v.Node.Standing != api.StandingMember {
		fmt.Fprintf(w, "standing %s\n", strings.Join(nonEmpty(string(v.Node.Standing), oneLine(v.Node.Note)), ": "))
	}
	for i, s := range bestAddrs(v.Node.Addrs) {
		fmt.Fprintf(w, "%-7s  %s\n", []string{"address", ""}[min(i, 1)], s)
	}
	for _, d := range v.Daemons {
		if d.Daemon == api.Gatewayd && d.State == api.DaemonReady && d.Note != "" {
			fmt.Fprintf(w, "serves   %s\n", oneLine(d.Note))
		}
	}
	fmt.Fprintf(w, "daemons  %s\n", daemonsText(v.Daemons))
	if v.Jobs.Total > 0 {
		fmt.Fprintf(w, "jobs     %s\n", v.Jobs.text())
	}
	if v.Drift > 0 {
		fmt.Fprintf(w, "drift    %s different from what is wanted: see below, and realm explain NAME\n", plural(v.Drift, "replica"))
	}
	for _, p := range v.Problems {
		fmt.Fprintf(w, "problem  %s\n", p)
	}
	for _, s := range v.Node.Warnings {
		fmt.Fprintf(w, "warning  %s\n", oneLine(s))
	}
	if waiting := len(standingOf(v.Members, api.StandingPending)); waiting > 0 {
		fmt.Fprintf(w, "pending  %s to be admitted: see realm peers\n", waitText(waiting))
	}
	fmt.Fprintln(w)
	shown := peersView{Peers: v.Peers, Members: v.Members, Drained: v.Drained, loads: map[api.PeerID]loadView{}}
	for _, l := range v.Loads {
		shown.loads[l.Peer] = l
	}
	a.printPeers(shown, now)
	fmt.Fprintln(w)
	if len(v.Workloads) == 0 {
		fmt.Fprintln(w, "No programs yet: realm push --name NAME --file FILE, or realm fn deploy --name NAME --wasm FILE")
		return
	}
	a.printWorkloads(v.Workloads)
}

func daemonsText(all []api.DaemonStatus) string {
	ready := 0
	var other []string
	for _, d := range all {
		if d.State == api.DaemonReady {
			ready++
			continue
		}
		other = append(other, strings.Join(nonEmpty(fmt.Sprintf("%s %s", d.Daemon, d.State), oneLine(d.Reason)), ": "))
	}
	return strings.Join(append([]string{fmt.Sprintf("%d of %d ready", ready, len(all))}, other...), "; ")
}

// printWorkloads is a table of programs with a line below for each member on
// which one is not as it should be.
func (a *app) printWorkloads(all []workloadView) {
	rows := [][]string{{"PROGRAM", "VERSION", "RUNS ON", "SIZE", "NOTE"}}
	for _, w := range all {
		rows = append(rows, []string{w.String(), fmt.Sprint(w.Version), w.runsText(), bytesText(w.Size), workloadNote(w)})
		for _, m := range w.Members {
			if text := memberText(w, m); text != "" {
				rows = append(rows, []string{"  " + someone{m.Peer, m.Host}.String(), "", "", "", text})
			}
		}
	}
	table(a.out, rows)
}

// runsText is on how many of the members that should run a program it does.
func (w workloadView) runsText() string {
	switch {
	case !w.Started && w.Running > 0:
		return fmt.Sprintf("stopping, %d left", w.Running)
	case !w.Started:
		return "stopped"
	}
	text := fmt.Sprintf("%d of %d", w.right, w.Desired)
	switch older := w.Running - w.Updated; {
	case older > 0:
		text += fmt.Sprintf(" (%d older)", older)
	case w.surplus > 0:
		text += fmt.Sprintf(" (%d elsewhere)", w.surplus)
	}
	return text
}

func workloadNote(w workloadView) string {
	note := string(w.Interface)
	if w.Source != "" && w.Source != (api.Source{}).String() {
		note = strings.Join(nonEmpty(note, "of "+w.Source), "; ")
	}
	if len(w.Target.Peers)+len(w.Target.Tags) > 0 {
		note = strings.Join(nonEmpty(note, "for "+rollout.TargetText(w.Target)), "; ")
	}
	return strings.Join(nonEmpty(note, oneLine(w.Pending)), "; ")
}

// memberText is what is worth a line about a member; "" where all is well.
func memberText(w workloadView, m memberView) string {
	state := api.State(m.State)
	current := m.Version == w.Version
	if current && (w.Started && state == api.StateRunning || !w.Started && state == api.StateStopped) {
		return ""
	}
	if m.State == stateUnknown {
		return "has said nothing of it yet"
	}
	text := strings.Join(nonEmpty(m.State, oneLine(m.Reason)), ": ")
	if !current && m.Version != 0 {
		text = fmt.Sprintf("still at version %d: %s", m.Version, text)
	}
	if m.Serving != 0 && state != api.StateFailed { // whose reason says so
		text += fmt.Sprintf("; version %d goes on", m.Serving)
	}
	if m.Restarts > 0 {
		text += fmt.Sprintf(" (started again %s)", plural(m.Restarts, "time"))
	}
	return text
}

const (
	watchLeast = 200 * time.Millisecond // between two pictures
	watchMost  = 2 * time.Second        // daemons change without an event on the bus
)

// watchStatus shows the status whenever something has changed, until ctx ends.
func (a *app) watchStatus(ctx context.Context, n *node.Node) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	changed := make(chan struct{}, 1)
	ended := make(chan error, 1)
	go func() {
		ended <- n.Watch(ctx, node.Scope{}, func(node.Snapshot) error {
			select {
			case changed <- struct{}{}:
			default:
			}
			return nil
		})
	}()
	last := ""
	for {
		v, err := look(ctx, n, time.Second)
		if ctx.Err() != nil {
			return nil // Ctrl-C, or --timeout: there was all to see until now
		}
		if err != nil {
			return err
		}
		if last, err = a.redraw(v, last); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case err := <-ended:
			return err
		case <-time.After(watchLeast):
		}
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		case <-time.After(watchMost):
		}
	}
}

// redraw shows v where it differs from what was shown last: in place on a
// terminal, else one picture, or one line of JSON, below the other.
func (a *app) redraw(v statusView, last string) (string, error) {
	var b bytes.Buffer
	if a.json {
		if err := json.NewEncoder(&b).Encode(v); err != nil {
			return last, err
		}
	} else {
		(&app{out: &b}).printStatus(v, time.Now())
	}
	return a.picture(b.String(), last)
}
