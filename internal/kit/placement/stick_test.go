package placement_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/placement"
)

// TestStick: state stays where it is, whoever is up, drained or meant.
func TestStick(t *testing.T) {
	members := func(s string) (out []placement.Member) { // "A B! C-": B is drained, C has not the tag
		for _, f := range strings.Fields(s) {
			m := placement.Member{Peer: peerOf(f), Roles: []string{"x"}, Drained: strings.HasSuffix(f, "!"), RunnerDown: strings.HasSuffix(f, "~")}
			if strings.HasSuffix(f, "-") {
				m.Roles = nil
			}
			out = append(out, m)
		}
		return out
	}
	for _, tt := range []struct {
		name, members, holders string
		replicas               int
		run                    string // who shall run it
		waits                  string // for whom replicas wait
	}{
		{"nobody has it yet", "A B C", "", 3, "A B C", ""},
		{"one has it", "A B C", "B", 1, "B", ""},
		{"it is away", "A C", "B", 1, "", "B"},
		{"it is drained", "A B! C", "B", 1, "B", ""},
		{"its runnerd is down", "A B~ C", "B", 1, "", "B"},
		{"the target leaves it out", "A B- C", "B", 1, "", "B"},
		{"fewer have it than asked for", "A B C", "B", 3, "A B C", ""},
		{"fewer, and one is away", "A C", "B", 3, "A C", "B"},
		{"two of three are away", "C", "A B", 3, "C", "A B"},
		{"all are away", "D", "A B C", 3, "", "A B C"},
		{"more have it than asked for", "B C", "A B", 1, "B", ""},
		{"more, and the other is up", "A C", "A B", 1, "A", ""},
		{"scaled down, one away", "B C", "A B C", 2, "B C", ""},
		{"every", "A C", "B", 0, "A C", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := placement.Workload{Ref: api.Ref{Kind: api.KindComponent, Name: "cart"}, Target: api.Target{Tags: []string{"x"}}, Replicas: tt.replicas}
			for _, h := range strings.Fields(tt.holders) {
				w.Holders = append(w.Holders, peerOf(h))
			}
			ms := members(tt.members)
			r := placement.PlaceAll([]placement.Workload{w}, ms)[w.Ref]
			var run, waits []string
			for _, m := range ms {
				if v := placement.Decide(m.Peer, w, r, nil, placement.Rollout{Most: 1}); v.Duty == api.DutyRun {
					run = append(run, nameOf(m.Peer))
				}
			}
			for _, p := range placement.Waits(w, r) {
				waits = append(waits, nameOf(p))
			}
			if got := strings.Join(run, " "); got != tt.run {
				t.Errorf("run by %q, want %q", got, tt.run)
			}
			if got := strings.Join(waits, " "); got != tt.waits {
				t.Errorf("waits for %q, want %q", got, tt.waits)
			}
		})
	}
}

// TestStickMovesNothing: a newcomer of a higher rank does not take over, nor does anybody
// else go on beside a holder that is away once its place waits.
func TestStickMovesNothing(t *testing.T) {
	w := placement.Workload{Ref: api.Ref{Kind: api.KindComponent, Name: "cart"}, Replicas: 1, Holders: []api.PeerID{peerOf("B")}}
	r := placement.Place(w, []placement.Member{{Peer: peerOf("A")}, {Peer: peerOf("B")}, {Peer: peerOf("C")}})
	for _, p := range []string{"A", "C"} {
		v := placement.Decide(peerOf(p), w, r, replicasOf(t, "B ready+"), placement.Rollout{Most: 1})
		if v.Duty != none || !strings.Contains(v.Why, "its state is on") {
			t.Errorf("%s: %+v", p, v)
		}
	}
	away := placement.Place(w, []placement.Member{{Peer: peerOf("A")}, {Peer: peerOf("C")}})
	if v := placement.Decide(peerOf("A"), w, away, replicasOf(t, "A ready+"), placement.Rollout{Most: 1}); v.Duty != none {
		t.Errorf("who began it elsewhere goes on: %+v", v)
	}
}

func nameOf(p api.PeerID) string { return string(rune('A' + slices.Index(peers, p))) }
