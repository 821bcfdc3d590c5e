package reconcile

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/placement"
	"github.com/realm-mesh/realm/internal/kit/wanted"
	"github.com/realm-mesh/realm/runnerd/internal/workload"
)

// load is what is known of a workload.
type load struct {
	ref    api.Ref
	dirty  bool
	wanted wanted.Want // Seq is 0 while others speak of it and nobody asks for it here
	asks   asks
	rank   placement.Ranking
	ranked bool // rank is of what asks says
	others map[api.PeerID]remote
	own    *api.WorkloadFact // nil: nothing is told of it here
	kept   kept

	served   uint64            // number of the newest version that was seen to run or answer anywhere
	last     *intent.Signed    // see [workload.Want]; for as long as the same version is wanted
	verdict  placement.Verdict // that is acted on
	patience placement.Patience
	until    time.Time // when patience ends; zero: it does not

	shown workload.Want // applied last
	told  bool          // shown was applied
	renew bool          // it is to be applied again in any case
}

// asks is what the wanted version says of where and how it runs.
type asks struct {
	placement.Workload
	stopped bool
	volumes []api.Name // that it keeps its state in
	update  api.Update
}

// kept is whether a version is on disk that comes back by itself.
type kept int

const (
	keptUnknown kept = iota
	keptYes
	keptNo
)

// gone reports whether nobody asks for the workload.
func (l *load) gone() bool { return l.wanted.Seq == 0 || l.wanted.Tombstone || l.wanted.Lost != "" }

// shared reports whether it matters to other workloads where l runs.
func (l *load) shared() bool { return !l.gone() && l.asks.Replicas > 0 }

// load is the entry of ref, made if there is none.
func (s *state) load(ref api.Ref) *load {
	l := s.loads[ref]
	if l == nil {
		l = &load{ref: ref, others: map[api.PeerID]remote{}}
		s.loads[ref] = l
	}
	return l
}

// touch has l be decided on.
func (s *state) touch(l *load) {
	if !l.dirty {
		l.dirty = true
		s.dirty = append(s.dirty, l)
	}
	s.rouse()
}

// want takes note of what is wanted.
func (s *state) want(w wanted.Want) {
	l := s.load(w.Ref)
	before, shared, had := l.asks.Workload, l.shared(), !l.gone()
	l.wanted, l.renew = w, true
	l.asks = asks{}
	if !l.gone() {
		l.asks = read(w.Signed)
		l.asks.Holders = s.holders(l.asks.volumes)
	}
	if !had || !alike(before, l.asks.Workload) {
		s.unrank(l, shared || l.shared())
	}
	s.touch(l)
}

// unrank has l ranked anew, and others with it if it shares members.
func (s *state) unrank(l *load, shared bool) {
	if shared {
		s.replan = max(s.replan, sharing)
	}
	l.rank, l.ranked = placement.Ranking{}, false
	if !l.gone() && !l.shared() {
		l.rank, l.ranked = placement.Place(l.asks.Workload, s.members.up), true
	}
}

// read takes from a version what matters here. What a newer version of Realm has
// signed is read as far as it can be.
func read(signed intent.Signed) asks {
	body, err := signed.Workload()
	if err != nil {
		body = &api.Function{}
		if c := new(api.Component); signed.Kind == api.KindComponent && json.Unmarshal(signed.Body, c) == nil && c.Replicas >= 0 {
			body = c
		}
	}
	out := asks{Workload: placement.Of(signed.Intent, body), stopped: !body.Started()}
	if c, ok := body.(*api.Component); ok {
		out.update, out.volumes = c.Update.WithDefaults(), c.Volumes()
	}
	return out
}

// holders are the members that have a copy of some of the volumes, by id.
func (s *state) holders(volumes []api.Name) (out []api.PeerID) {
	for _, v := range volumes {
		out = append(out, s.Holders(v)...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// stick has l be ranked anew if others have its state than before.
func (s *state) stick(l *load) {
	holders := s.holders(l.asks.volumes)
	if slices.Equal(holders, l.asks.Holders) {
		return
	}
	l.asks.Holders = holders
	s.unrank(l, l.shared())
	s.touch(l)
}

// own takes note of where this node stands.
func (s *state) own(f api.WorkloadFact) {
	l := s.load(f.Ref)
	before := l.mine()
	l.own = &f
	l.served = max(l.served, l.mine().answers())
	if f.State == api.StateRemoved {
		l.own = nil
	}
	if l.mine() == before {
		return
	}
	l.kept = keptUnknown
	s.touch(l)
}

// mine is this node's own replica, by what it tells.
func (l *load) mine() replica {
	if l.own == nil {
		return replica{}
	}
	return replicaOf(l.own)
}
