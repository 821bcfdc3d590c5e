package cli

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/placement"
	"github.com/realm-mesh/realm/realm/internal/node"
	"github.com/realm-mesh/realm/realm/internal/rollout"
)

func newExplain(a *app) *cobra.Command {
	var tail int
	cmd := &cobra.Command{
		Use:   "explain [KIND/]NAME",
		Short: "Say where a program should run, where it does, and why",
		Long: `Say what is wanted of a component or function and who signed it, and for each member
why it runs it or not, how it stands there and what it wrote last. Members that are
connected are asked themselves, for two seconds, and so are those who should keep its
program. At the end is what to do next. Of a job it says who may execute it, in which
order, and what it waits for.

  run    it is one of those that run it
  hold   likewise, but others change to the new version first
  keep   it is not, and goes on until enough of those are ready
  none   it is not`,
		Example: `  realm explain ticker
  realm explain function/double --json
  realm explain ticker --tail 20
  realm explain build-1`,
		Args:              arguments("NAME"),
		ValidArgsFunction: a.completeNames(api.KindComponent, api.KindFunction),
	}
	cmd.Flags().IntVar(&tail, "tail", 3, fmt.Sprintf("how many of its last lines on each member, 0 to %d", api.MaxAccountLog))
	cmd.RunE = a.bounded(func(ctx context.Context, cmd *cobra.Command, args []string) error {
		if tail < 0 || tail > api.MaxAccountLog {
			return misused(cmd, fmt.Errorf("--tail %d: want 0 to %d lines", tail, api.MaxAccountLog))
		}
		refs, notProgram := parseRefs(args[0])
		return a.onNode(ctx, func(n *node.Node) error {
			var v *explainView
			err := notProgram
			if err == nil {
				v, err = a.explain(ctx, n, refs, tail)
			}
			if err != nil {
				if ok, failed := a.explainJob(ctx, n, args[0]); ok {
					return failed
				}
				if job, ok := strings.CutPrefix(args[0], string(api.KindJob)+"/"); ok {
					return fmt.Errorf("%w: %.80q: realm job list --all shows those that there are", node.ErrNoJob, job)
				}
				if notProgram != nil {
					return misused(cmd, err)
				}
				return err
			}
			v.said = args[0]
			v.Next = append(v.Next, v.advise()...)
			return a.print(v, func() { a.printExplain(v, time.Now()) })
		})
	})
	return cmd
}

// explainView is what realm explain says in JSON.
type explainView struct {
	api.Ref
	Wanted    string        `json:"wanted"`  // running, stopped or removed
	Version   uint64        `json:"version"` // the one that counts
	Digest    api.Digest    `json:"digest"`  // of its intent
	SignedBy  string        `json:"signed_by"`
	Issued    time.Time     `json:"issued"`
	Source    string        `json:"source,omitempty"` // of a component: "push", or "manifest NAME"
	Blob      api.Digest    `json:"blob,omitzero"`
	Size      int64         `json:"size,omitempty"`
	Interface api.Interface `json:"interface,omitempty"`
	Target    api.Target    `json:"target"`
	Replicas  int           `json:"replicas"`          // asked for; 0: every member that its target names
	Desired   int           `json:"desired"`           // replicas, or connected members that its target names and that are not drained; 0 unless it is to run
	Fit       int           `json:"fit"`               // of them, that can run now
	Running   int           `json:"running"`           // connected members that run or answer, in any version, or have ended well
	Updated   int           `json:"updated"`           // those of them that do in the version that counts
	Pending   string        `json:"pending,omitempty"` // why fewer can than were asked for
	Copies    *copiesView   `json:"copies,omitempty"`  // who keeps the program; left out where nobody could be asked
	Public    *publicView   `json:"public,omitempty"`  // of a component that is; left out where it is not
	Members   []whereView   `json:"members"`
	Next      []string      `json:"next"`     // what to do, for people
	Problems  []string      `json:"problems"` // what could not be found out

	said string // what a person called it
}

// whereView is how a program stands on one member, in JSON.
type whereView struct {
	someone
	Self    bool     `json:"self,omitempty"`
	Live    bool     `json:"live"` // lately heard of
	Drained bool     `json:"drained,omitempty"`
	Rank    int      `json:"rank,omitempty"` // 0: it cannot run it
	Duty    api.Duty `json:"duty,omitempty"` // "" where nobody knows
	Why     string   `json:"why,omitempty"`  // it has that duty
	// How it stands there; left out where nothing of it is.
	State    api.State  `json:"state,omitempty"`
	Version  uint64     `json:"version,omitempty"` // that the state is about
	Since    time.Time  `json:"since,omitzero"`
	Restarts int        `json:"restarts,omitempty"`
	Reason   string     `json:"reason,omitempty"`
	Serving  uint64     `json:"serving,omitempty"` // the older version that goes on there meanwhile
	Log      []lineView `json:"log"`
	Silent   string     `json:"silent,omitempty"` // why it did not answer itself

	Down api.DaemonList `json:"down,omitempty"` // daemons there that are down, as it says
}

const (
	explainPatience = 2 * time.Second // for the answer of one member, or of runnerd
	explainAtOnce   = 32              // members that are asked at the same time
)

// explain gathers what there is to know of the program that refs may mean.
func (a *app) explain(ctx context.Context, n *node.Node, refs []api.Ref, tail int) (*explainView, error) {
	pin, err := readPin(n)
	if err != nil {
		return nil, err
	}
	ref, err := choose(ctx, n, pin, refs)
	if err != nil {
		return nil, err
	}
	s, err := n.Look(ctx, node.Scope{Intents: &pin, Ref: &ref})
	if err != nil {
		return nil, err
	}
	in, ok := s.Intents[ref]
	if !ok {
		return nil, unknown(ctx, n, ref.Name)
	}
	kept := make(chan keptAnswer, 1) // asked for at the same time
	go func() { kept <- whoKeeps(ctx, n, in) }()
	v, err := newExplainView(in, s.Holders, hear(ctx, n, ref, s, tail))
	if err != nil {
		<-kept
		return nil, err
	}
	v.signer(ctx, n)
	if err := v.public(ctx, n, pin, in, s.Peers); err != nil {
		v.Problems = append(v.Problems, oneLine(err.Error()))
	}
	v.kept(<-kept)
	if at, err := a.where(); err == nil && at.node == "" { // a client runs nothing, and ranks nobody
		v.rank(ctx, n)
	}
	return v, nil
}

// heard is what is known of a program on a member that is connected.
type heard struct {
	rollout.Member
	fact   *api.WorkloadFact // that it has told last; nil: nothing
	told   *api.Account      // by itself, now
	silent error             // why not
}

// hear asks the members that s shows how a program stands there.
func hear(ctx context.Context, n *node.Node, ref api.Ref, s node.Snapshot, tail int) []heard {
	var out []heard
	for _, m := range upNow(s) {
		a := heard{Member: m}
		if f, ok := rollout.Facts(s.Facts[ref]).Of(m.PeerRecord); ok {
			a.fact = &f
		}
		out = append(out, a)
	}
	var g errgroup.Group
	g.SetLimit(explainAtOnce)
	for i := range out {
		g.Go(func() error {
			ctx, cancel := context.WithTimeout(ctx, explainPatience)
			defer cancel()
			m := &out[i]
			told, err := n.Account(ctx, m.Peer, m.Self, ref, tail)
			if m.silent = err; err == nil {
				m.told, m.fact = &told, told.Fact
			}
			return nil
		})
	}
	_ = g.Wait() // there are no errors
	return out
}

// newExplainView is what members tell of in.
func newExplainView(in intent.Signed, holders func(api.Name) []api.PeerID, answers []heard) (*explainView, error) {
	w, err := rollout.WantedOf(in)
	if err != nil {
		return nil, fmt.Errorf("%s: version %d is of a newer version of Realm: upgrade this node: %w", in.Ref, in.Seq, err)
	}
	v := &explainView{Ref: in.Ref, Wanted: wantedText(w.Goal), Version: in.Seq, Digest: in.Digest, Issued: in.Issued, Target: in.Target,
		Replicas: w.Work.Replicas, Members: []whereView{}, Next: []string{}, Problems: []string{}}
	var up []rollout.Member
	facts := rollout.Facts{}
	for _, x := range answers {
		up = append(up, x.Member)
		if x.fact != nil {
			facts[x.Peer] = *x.fact
		}
		v.Members = append(v.Members, x.view())
	}
	a := rollout.Assess(w.On(holders), up, facts, true)
	v.Running = a.Running
	if w.Goal == rollout.Run {
		v.Desired, v.Fit, v.Updated, v.Pending = a.Asked, a.Desired, a.Updated, a.Pending
	}
	v.body(in)
	return v, nil
}

func (x heard) view() whereView {
	v := whereView{someone: someone{x.Peer, x.Host}, Self: x.Self, Live: true, Drained: x.Drained, Down: x.Down, Log: []lineView{}}
	if f := x.fact; f != nil {
		v.State, v.Version, v.Since, v.Restarts, v.Reason, v.Serving = f.State, f.Seq, f.Since, f.Restarts, f.Reason, f.Serving
		for _, l := range f.Tail {
			v.Log = append(v.Log, lineView{Line: l})
		}
	}
	if x.told == nil {
		v.Silent = oneLine(x.silent.Error())
		if x.IsDown(api.Runnerd) {
			v.Duty, v.Why = api.DutyNone, placement.RunnerDownText
		}
		return v
	}
	v.Duty, v.Why = x.told.Duty, x.told.Why
	if len(x.told.Log) > 0 {
		v.Log = nil
	}
	for _, l := range x.told.Log {
		v.Log = append(v.Log, lineView{l.Time, l.Stream, l.Line})
	}
	return v
}

func wantedText(g rollout.Goal) string {
	return map[rollout.Goal]string{rollout.Run: "running", rollout.Stop: "stopped", rollout.Remove: "removed"}[g]
}

// body takes down what the version says of the program.
func (v *explainView) body(in intent.Signed) {
	w, err := in.Workload()
	if err != nil {
		return // a tombstone
	}
	v.Blob, v.Size = w.Program().Blob, w.Program().Size
	if c, ok := w.(*api.Component); ok {
		v.Interface, v.Source = c.Interface, c.Source.String()
	}
}

// signer finds out who has signed the version.
func (v *explainView) signer(ctx context.Context, n *node.Node) {
	all, err := n.History(ctx, v.Ref)
	if err != nil {
		v.Problems = append(v.Problems, oneLine(err.Error()))
	}
	for _, w := range all {
		if w.Digest == v.Digest {
			v.SignedBy = node.SignerText(w)
		}
	}
}

// keptAnswer is who keeps a program; the zero keptAnswer is that of one that is removed.
type keptAnswer struct {
	copies *copiesView
	err    error
}

// whoKeeps asks who keeps the program of a version.
func whoKeeps(ctx context.Context, n *node.Node, in intent.Signed) keptAnswer {
	w, err := in.Workload()
	if err != nil {
		return keptAnswer{} // it has none, or is of a newer version
	}
	c, err := copies(ctx, n, w.Program().Blob)
	if err != nil {
		return keptAnswer{err: err}
	}
	return keptAnswer{copies: &c}
}

// kept takes down who keeps the program.
func (v *explainView) kept(a keptAnswer) {
	if v.Copies = a.copies; a.err != nil {
		v.Problems = append(v.Problems, oneLine(a.err.Error()))
	}
}

// rank has runnerd here say how it ranks members, also those that are away, and what
// those owe the program that did not say it themselves.
func (v *explainView) rank(ctx context.Context, n *node.Node) {
	ctx, cancel := context.WithTimeout(ctx, explainPatience)
	defer cancel()
	reply, err := n.Explain(ctx, v.Ref)
	if err != nil {
		if v.Wanted != "removed" { // which runnerd knows nothing of
			v.Problems = append(v.Problems, oneLine(err.Error()))
		}
		return
	}
	known := map[api.PeerID]whereView{}
	for _, m := range v.Members {
		known[m.Peer] = m
	}
	v.Members = v.Members[:0]
	for _, r := range reply.Members {
		m, ok := known[r.Peer]
		delete(known, r.Peer)
		if !ok {
			m = whereView{someone: someone{r.Peer, r.Host}, Live: r.Live, Log: []lineView{}}
		}
		m.Rank = r.Rank
		if m.Duty == "" {
			m.Duty, m.Why = r.Duty, r.Why
		}
		v.Members = append(v.Members, m)
	}
	rest := slices.SortedFunc(maps.Values(known), func(a, b whereView) int { return cmp.Or(cmp.Compare(a.Host, b.Host), cmp.Compare(a.Peer, b.Peer)) })
	v.Members = append(v.Members, rest...)
}
