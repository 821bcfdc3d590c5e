package placement

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/realm-mesh/realm/api"
)

// Member is what placement knows of a member: slow facts.
type Member struct {
	Peer     api.PeerID
	Roles    []string
	Capacity api.Capacity
	Drained  bool // the owner wants it to run nothing that can run elsewhere
	// RunnerDown: its runnerd is not there, so that nothing runs on it, although it is up.
	RunnerDown bool
}

// RunnerDownText is why a member whose runnerd is down runs nothing.
const RunnerDownText = "its runnerd is down"

// Workload is what placement knows of a workload.
type Workload struct {
	api.Ref
	Target   api.Target
	Replicas int // over the realm; 0: one on every member that can run it
	MemoryMB int // cap of one replica, MiB; 0: it holds none while nobody calls it
	// Holders, by id, have state of it that stays where it is: each that can runs it before
	// all others, even if it is drained, and for one that cannot nobody steps in. They need
	// not be up.
	Holders []api.PeerID
}

// Out is a member that cannot run a workload, and why.
type Out struct {
	Peer    api.PeerID
	Why     string // for people
	Drained bool   // it could run it, and is drained
}

// Ranking is the order in which members are to run a workload.
type Ranking struct {
	In  []api.PeerID // the first ones run it
	Out []Out        // ordered likewise, drained members first
	// Blocked are holders, by id, that cannot run it now: their replicas wait for them.
	Blocked []api.PeerID
}

// Place ranks members for w by w alone. Their order does not matter; each must be
// there once. What runs where is decided by [PlaceAll].
func Place(w Workload, members []Member) Ranking {
	return newRoster(members).rank(w).ranking()
}

// PlaceAll ranks members for all workloads of a realm, stopped ones too: as [Place]
// does, but for the few changes that keep members from running far more or far less
// than their share. Neither order matters; each member and each workload must be
// there once.
func PlaceAll(workloads []Workload, members []Member) map[api.Ref]Ranking {
	r := newRoster(members)
	placed := make([]*placing, 0, len(workloads))
	for _, w := range workloads {
		placed = append(placed, r.rank(w))
	}
	r.even(placed)
	out := make(map[api.Ref]Ranking, len(placed))
	for _, p := range placed {
		out[p.Ref] = p.ranking()
	}
	return out
}

// roster is members by peer id, with what is computed of each only once.
type roster struct {
	members []Member
	hashes  []uint64
}

func newRoster(members []Member) *roster {
	r := &roster{members: slices.Clone(members), hashes: make([]uint64, 0, len(members))}
	slices.SortFunc(r.members, func(a, b Member) int { return cmp.Compare(a.Peer, b.Peer) })
	for _, m := range r.members {
		r.hashes = append(r.hashes, hash(string(m.Peer)))
	}
	return r
}

// cost of member i for a workload with this hash: members run what they have the
// lowest cost for.
func (r *roster) cost(w uint64, i int) uint64 { return cost(w, r.hashes[i], r.weight(i)) }

func (r *roster) weight(i int) uint64 { return uint64(max(1, r.members[i].Capacity.CPUs)) }

// placing is a workload with its ranking in the making.
type placing struct {
	Workload
	hash uint64
	in   []seat // by cost
	out  []Out
	from *roster

	blocked []api.PeerID
}

// seat is a member in a ranking.
type seat struct {
	member int // in the roster
	cost   uint64
}

func (s seat) compare(o seat) int {
	switch {
	case s.cost < o.cost:
		return -1
	case s.cost > o.cost:
		return 1
	}
	return s.member - o.member
}

func (r *roster) rank(w Workload) *placing {
	p := &placing{Workload: w, hash: hash(w.String()), in: make([]seat, 0, len(r.members)), from: r}
	var drained, unfit []seat
	for i := range r.members {
		s := seat{i, r.cost(p.hash, i)}
		switch {
		case !fits(w, &r.members[i]), r.members[i].RunnerDown:
			unfit = append(unfit, s)
		case r.members[i].Drained && !p.holds(i):
			drained = append(drained, s)
		default:
			p.in = append(p.in, s)
		}
	}
	for _, l := range [][]seat{p.in, drained, unfit} {
		slices.SortFunc(l, seat.compare)
	}
	for _, s := range drained {
		p.out = append(p.out, Out{Peer: r.members[s.member].Peer, Why: "it is drained", Drained: true})
	}
	for _, s := range unfit {
		p.out = append(p.out, Out{Peer: r.members[s.member].Peer, Why: unfitness(w, &r.members[s.member])})
	}
	p.stick()
	return p
}

func (p *placing) ranking() Ranking {
	r := Ranking{Out: p.out, Blocked: p.blocked}
	if len(p.in) > 0 {
		r.In = make([]api.PeerID, 0, len(p.in))
	}
	for _, s := range p.in {
		r.In = append(r.In, p.from.members[s.member].Peer)
	}
	return r
}

// fits reports whether m can run w.
func fits(w Workload, m *Member) bool {
	return w.Target.Matches(m.Peer, m.Roles) && !tooBig(w, m)
}

func tooBig(w Workload, m *Member) bool {
	return m.Capacity.MemoryMB > 0 && int64(w.MemoryMB) > m.Capacity.MemoryMB
}

// unfitness is why m cannot run w.
func unfitness(w Workload, m *Member) string {
	switch {
	case len(w.Target.Peers) > 0 && !slices.Contains(w.Target.Peers, m.Peer):
		return "its target names other peers"
	case tooBig(w, m) && w.Target.Matches(m.Peer, m.Roles):
		return fmt.Sprintf("it needs %d MiB, the member gives %d", w.MemoryMB, m.Capacity.MemoryMB)
	case w.Target.Matches(m.Peer, m.Roles):
		return RunnerDownText
	}
	return "it has no tag " + strings.Join(w.Target.Tags, " or ")
}
