package placement_test

import (
	"slices"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/placement"
)

// missed checks that n, which has stopped something good because others run it, was
// right to: as many run it as shall, but for mishaps that it cannot know of.
func (s *sim) missed(n *node) {
	if s.wild || s.swaps && s.now-s.unrest < forgiven { // some know already who is gone, and rank otherwise
		return
	}
	running, excused := 0, 0
	for _, m := range s.nodes {
		switch {
		case m == n:
		case m.good() && connected(n, m):
			running++
		case n.sight[m.id].parted > 0 && s.now-n.sight[m.id].parted < forgiven:
			excused++
		case !connected(n, m):
		case m.wanted != nil && (m.wanted.stopped || m.wanted.removed):
			excused++ // it is told to
		case m.misled > 0 && s.now-m.misled < orderlyMost:
			excused++ // n cannot know yet that it has stopped
		case m.mishap > 0 && s.now-m.mishap < forgiven || m.gave || m.held > 0 && s.now-m.held < forgiven:
			excused++
		case n.wanted.Replicas == 0 && (m.sick || n.wanted.kind != good || m.failed == n.wanted.digest):
			excused++ // it never will
		}
	}
	if slices.ContainsFunc(s.nodes, n.mistakes) {
		n.misled = s.now
	}
	if need := n.owed(); running+excused < need {
		s.fail("%s stops what it runs, and %d run it (%d excused) where %d should", n, running, excused, need)
	}
}

// mistakes reports whether n holds m to run something good, which it cannot know to be
// wrong.
func (n *node) mistakes(m *node) bool {
	return m != n && n.sight[m.id].live && n.facts[m.id].good() && (!connected(n, m) || !m.good())
}

// owed is how many others must run the workload for n to stop it, as far as n knows.
func (n *node) owed() int {
	eligible, able := 0, false
	for _, p := range n.ranking().In {
		if f := n.facts[slices.Index(peers, p)]; f.phase(n.wanted.digest) != placement.PhaseRefused {
			eligible++
		}
		able = able || p == peers[n.id]
	}
	meant := n.wanted.Target.Matches(peers[n.id], n.of[n.id].roles)
	switch {
	case n.wanted.Replicas == 0:
		return max(1, eligible)
	case !able && !meant && eligible > 0:
		return min(n.wanted.Replicas, eligible)
	}
	return n.wanted.Replicas
}

// parks checks that not too many have stopped what is good for the sake of a new version.
func (s *sim) parks(n *node) {
	if s.wild || s.now-s.unrest < forgiven {
		return
	}
	down, tried := 0, 0
	for _, m := range s.nodes {
		if m.gave && m.up && !m.good() && connected(n, m) {
			down++
		}
		if m.tried == n.wanted.digest && m.up && connected(n, m) {
			tried++
		}
	}
	most := n.rollout(n.ranking()).Most
	if down > most {
		s.fail("%d members have stopped the old version at once, where %d may", down, most)
	}
	if n.wanted.kind != good && tried > most {
		s.fail("%d members have tried a bad version, where %d may", tried, most)
	}
}

// settled checks what must hold once nothing has happened for long enough.
func (s *sim) settled() {
	var w *version
	var at *node
	for _, n := range s.nodes {
		if !n.alive || !n.up {
			continue
		}
		if at == nil {
			w, at = n.wanted, n
		} else if n.wanted != w || !sameRealm(&n.realm, &at.realm) {
			s.fail("%s and %s do not know the same: %s and %s", at, n, w, n.wanted)
			return
		}
	}
	if w == nil {
		return
	}
	var in, others []*node // eligible members by rank, and the rest
	for _, p := range append(at.ranking().In, outs(at.ranking())...) {
		for _, n := range s.nodes {
			if peers[n.id] != p {
				continue
			}
			if x := n.of[n.id]; n.up && !x.drained && w.Target.Matches(p, x.roles) && n.refused != w.digest {
				in = append(in, n)
			} else {
				others = append(others, n)
			}
		}
	}
	s.counts(w, in, others)
	for _, n := range s.nodes {
		if n.alive && n.up && n.duty == api.DutyHold && w.kind == good && !spoilt(in, w) {
			s.fail("%s still waits for others", n)
		}
	}
}

func outs(r placement.Ranking) (l []api.PeerID) {
	for _, o := range r.Out {
		l = append(l, o.Peer)
	}
	return l
}

// spoilt reports whether some of l could not start w, which others can.
func spoilt(l []*node, w *version) bool {
	return slices.ContainsFunc(l, func(n *node) bool { return n.sick || n.failed == w.digest && n.ailing })
}

// counts checks that as many run w as shall, in the version that is wanted if that is good.
func (s *sim) counts(w *version, in, others []*node) {
	want := w.Replicas
	if want == 0 {
		want = max(1, len(in))
	}
	shall := in[:min(want, len(in))]
	running, ready, over := 0, 0, true
	for _, n := range s.nodes {
		if n.good() {
			running++
		}
	}
	for _, n := range shall {
		if n.good() {
			ready++
		} else if n.failed != w.digest && n.says().phase(w.digest) != placement.PhaseFailed {
			over = false
		}
	}
	switch {
	case w.stopped || w.removed:
		if running > 0 {
			s.fail("%d run what is stopped", running)
		}
		return
	case running > want && (w.Replicas > 0 || over): // else those that must not go on until all that shall do
		s.fail("%d run it where %d should (%d can)", running, want, len(in))
	}
	for _, n := range others {
		meant := w.Target.Matches(peers[n.id], n.of[n.id].roles)
		if n.good() && ready > 0 && (w.Replicas == 0 && over || !meant && ready == len(shall)) {
			s.fail("%s goes on that should not", n)
		}
	}
	for _, n := range shall {
		if w.kind == good && !spoilt(in, w) && (!n.good() || n.run.v != w) {
			s.fail("%s should run %s", n, w)
		}
	}
}

func sameRealm(a, b *realm) bool {
	for i := range a.of {
		if a.of[i].seq != b.of[i].seq {
			return false
		}
	}
	return a.wanted == b.wanted
}
