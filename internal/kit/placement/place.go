package placement

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
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
}

// Workload is what placement knows of a workload.
type Workload struct {
	api.Ref
	Target   api.Target
	Replicas int // over the realm; 0: one on every member that can run it
	MemoryMB int // cap of one replica, MiB; 0: it holds none while nobody calls it
}

// Out is a member that cannot run a workload, and why.
type Out struct {
	Peer api.PeerID
	Why  string // for people
}

// Ranking is the order in which members are to run a workload.
type Ranking struct {
	In  []api.PeerID // the first ones run it
	Out []Out        // ordered likewise, drained members first
}

// Place ranks members for w. Their order does not matter; each must be there once.
func Place(w Workload, members []Member) Ranking {
	type scored struct {
		Member
		score float64
		why   string
	}
	all := make([]scored, 0, len(members))
	for _, m := range members {
		all = append(all, scored{m, score(w.Ref, m), unfit(w, m)})
	}
	slices.SortFunc(all, func(a, b scored) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.Peer, b.Peer))
	})
	var r Ranking
	var drained []Out
	for _, s := range all {
		switch {
		case s.why != "":
			r.Out = append(r.Out, Out{s.Peer, s.why})
		case s.Drained:
			drained = append(drained, Out{s.Peer, "it is drained"})
		default:
			r.In = append(r.In, s.Peer)
		}
	}
	r.Out = append(drained, r.Out...)
	return r
}

// unfit is why m cannot run w; empty: it can.
func unfit(w Workload, m Member) string {
	switch {
	case len(w.Target.Peers) > 0 && !slices.Contains(w.Target.Peers, m.Peer):
		return "its target names other peers"
	case !w.Target.Matches(m.Peer, m.Roles):
		return "it has no tag " + strings.Join(w.Target.Tags, " or ")
	case m.Capacity.MemoryMB > 0 && int64(w.MemoryMB) > m.Capacity.MemoryMB:
		return fmt.Sprintf("it needs %d MiB, the member gives %d", w.MemoryMB, m.Capacity.MemoryMB)
	}
	return ""
}

// score is m's in weighted rendezvous hashing: -weight / ln(u), where u in (0, 1) is
// a hash of both names.
func score(ref api.Ref, m Member) float64 {
	sum := sha256.Sum256([]byte(ref.String() + "\x00" + string(m.Peer)))
	const bits = 53
	u := (float64(binary.BigEndian.Uint64(sum[:])>>(64-bits)) + 0.5) / (1 << bits)
	return -float64(max(1, m.Capacity.CPUs)) / math.Log(u)
}
