package node

import (
	"context"
	"fmt"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/trust"
	"github.com/realm-mesh/realm/realm/internal/owner"
)

// mark is this node, where some member that it knows is not there: the mesh may be in two
// parts, and ids are to say in which of them they were given. Else it is "".
func (n *Node) mark(ctx context.Context) (api.PeerID, error) {
	seen, err := n.Look(ctx, Scope{})
	if err != nil {
		return "", fmt.Errorf("look for members: %w", err)
	}
	members, err := n.Members(ctx)
	if err != nil {
		return "", fmt.Errorf("look for members: %w", err)
	}
	for _, m := range members.Members {
		p, known := seen.Peers[m.Peer]
		if known && !p.Live && !p.Self && m.Standing == api.StandingMember {
			mesh, err := n.Mesh(ctx)
			return mesh.Peer, err
		}
	}
	return "", nil
}

const (
	spread  = 200 * time.Millisecond // in which what is signed reaches the members that are there
	settled = 2 * time.Second        // in which a runnerd has followed what counts
)

// Placed is a job that was submitted.
type Placed struct {
	intent.Signed
	Job api.Name // as it is addressed; mostly its name
	Was api.Name // id that another job has taken from it; "": none
}

// PlaceJobs submits jobs as [Node.SubmitJobs] does, and makes sure that each has got its
// id: of two jobs that are given one id at the same time on two nodes, one counts. Where
// ours is the other one and is no job of its own beside it, it is submitted again.
func (n *Node) PlaceJobs(ctx context.Context, pin trust.Pin, s owner.Signer, jobs []NewJob, acts []owner.Act, asked Jobs) ([]Placed, error) {
	signed, err := n.SubmitJobs(ctx, pin, s, jobs, acts)
	placed := make([]Placed, len(signed))
	for i, in := range signed {
		placed[i] = Placed{Signed: in, Job: in.Name}
	}
	for range maxRaces {
		if err != nil {
			return placed, err
		}
		var lost []int
		if lost, err = n.displaced(ctx, pin, placed, asked); err != nil || len(lost) == 0 {
			return placed, err
		}
		next := make([]NewJob, len(lost))
		for k, i := range lost {
			next[k] = jobs[i]
		}
		if signed, err = n.SubmitJobs(ctx, pin, s, next, nil); err != nil {
			continue
		}
		for k, i := range lost {
			placed[i] = Placed{Signed: signed[k], Job: signed[k].Name, Was: placed[i].Name}
		}
	}
	return placed, fmt.Errorf("submit jobs: others take each id that is tried: see realm job list --all")
}

// displaced are the indexes of jobs that do not count, once the others that are there have
// had the time to say so. Those that go on beside the one with their id get the name that
// they are addressed by.
func (n *Node) displaced(ctx context.Context, pin trust.Pin, all []Placed, asked Jobs) (lost []int, err error) {
	alone, err := n.alone(ctx)
	if err != nil || alone {
		return nil, err
	}
	if err := pause(ctx, spread); err != nil {
		return nil, err
	}
	l, err := n.readLedger(ctx, pin, append([]string{allOf(api.KindJob)}, sayPatterns()...))
	if err != nil {
		return nil, err
	}
	for i := range all {
		h, ok := l.Job(all[i].Ref, n.Now())
		if !ok || h.Root == all[i].Digest || all[i].Job != all[i].Name {
			continue
		}
		if all[i].Job = asked.beside(ctx, all[i].Signed); all[i].Job == "" {
			lost = append(lost, i)
		}
	}
	return lost, nil
}

// alone reports whether there is no other member.
func (n *Node) alone(ctx context.Context) (bool, error) {
	seen, err := n.Look(ctx, Scope{})
	for _, p := range seen.Peers {
		if p.Live && !p.Self {
			return false, err
		}
	}
	return true, err
}

// beside is the name of the job whose id another has, where it goes on all the same; ""
// where it does not.
func (j Jobs) beside(ctx context.Context, in intent.Signed) api.Name {
	ctx, cancel := context.WithTimeout(ctx, settled)
	defer cancel()
	for {
		st, err := j.Status(ctx, "~"+in.Digest.String())
		if err == nil && st.Root == in.Digest && st.Job != in.Name {
			return st.Job
		}
		if pause(ctx, retryEvery) != nil {
			return ""
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}
