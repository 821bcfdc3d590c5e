package reconcile

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/placement"
)

// Errors of [Reconciler.Explain].
var (
	ErrStarting = errors.New("this node has just started and does not know enough yet: ask again in a moment")
	ErrNotAsked = errors.New("nobody asks for it, as far as this node knows: see realm history")
)

// Explain says where a workload should run and does, without the facts of other
// members. Errors: [ErrStarting], [ErrNotAsked].
func (r *Reconciler) Explain(ref api.Ref) (*api.ExplainReply, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.loads[ref]
	switch {
	case r.members.began.IsZero():
		return nil, ErrStarting
	case l == nil || l.gone():
		return nil, fmt.Errorf("%s: %w", ref, ErrNotAsked)
	case !l.ranked:
		return nil, ErrStarting
	}
	out := &api.ExplainReply{Ref: ref, Seq: l.wanted.Seq, Intent: l.wanted.Digest, Replicas: l.asks.Replicas, Desired: r.desired(l)}
	replicas := r.replicas(l)
	for _, p := range l.rank.In {
		out.Members = append(out.Members, r.row(l, p, replicas))
	}
	for _, o := range l.rank.Out {
		out.Members = append(out.Members, r.row(l, o.Peer, replicas))
	}
	for _, m := range out.Members {
		if r.runs(l, m.Peer) {
			out.Running++
		}
		if r.phase(l, m.Peer) == placement.PhaseReady {
			out.Updated++
		}
	}
	away := r.away()
	out.Members = append(out.Members, away...)
	out.Pending = r.pending(l, out.Desired, len(away))
	if l.asks.stopped {
		out.Desired, out.Pending = 0, ""
	}
	return out, nil
}

// row is what p, which is up, owes l.
func (s *state) row(l *load, p api.PeerID, replicas map[api.PeerID]placement.Replica) api.Ranked {
	v := s.verdict(l, p, replicas)
	if p == s.Self && l.told {
		v = l.verdict
	}
	out := api.Ranked{Peer: p, Rank: v.Rank, Duty: v.Duty, Why: v.Why, Live: p == s.Self}
	if p == s.Self {
		out.Fact = l.own
	} else if rec := s.members.records[p]; rec != nil {
		out.Host, out.Live = rec.Host, rec.live
	}
	return out
}

// runs reports whether some version of l runs or answers on p, which is up.
func (s *state) runs(l *load, p api.PeerID) bool {
	if p == s.Self {
		return l.mine().good()
	}
	return s.heeds(p) && l.others[p].good()
}

// away lists the members that are not up, by id.
func (s *state) away() (out []api.Ranked) {
	for _, p := range s.members.realm {
		if s.members.isUp[p] {
			continue
		}
		m := api.Ranked{Peer: p, Duty: api.DutyNone, Why: "it has not been heard of since " + stamp(s.members.began) + ", when this node started"}
		if rec := s.members.records[p]; rec != nil {
			m.Host = rec.Host
			if since := latest(rec.last, rec.since); !since.IsZero() {
				m.Why = "it has not been heard of since " + stamp(since)
			}
			if rec.Client {
				m.Why = "it is a command line without a node, and runs nothing"
			}
		}
		out = append(out, m)
	}
	slices.SortFunc(out, func(a, b api.Ranked) int { return cmp.Compare(a.Peer, b.Peer) })
	return out
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// stamp is t for people.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// Account is what this node tells of one of its workloads, without its log.
func (r *Reconciler) Account(ref api.Ref) api.Account {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.loads[ref]
	if l == nil {
		return api.Account{Duty: api.DutyNone, Why: "nobody asks for it, as far as this node knows"}
	}
	out := api.Account{Fact: l.own, Duty: l.verdict.Duty, Why: l.verdict.Why}
	if !l.told {
		out.Duty, out.Why = api.DutyNone, "this node has not looked at it yet"
	}
	return out
}

// Counts is how the components of this node stand.
type Counts struct {
	Desired int // that shall run here
	Running int // that run or answer here, or have ended well, in any version
	Drift   int // of those desired, that do not in the version wanted
}

// Counts counts components.
func (r *Reconciler) Counts() (c Counts) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for ref, l := range r.loads {
		if ref.Kind != api.KindComponent {
			continue
		}
		mine := l.mine()
		if mine.good() {
			c.Running++
		}
		if d := l.verdict.Duty; !l.gone() && !l.asks.stopped && (d == api.DutyRun || d == api.DutyHold) {
			c.Desired++
			if mine.phase(l.wanted.Digest) != placement.PhaseReady {
				c.Drift++
			}
		}
	}
	return c
}
