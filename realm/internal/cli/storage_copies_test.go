package cli

import (
	"testing"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/realm/internal/node"
)

func TestCopiesText(t *testing.T) {
	var s node.Snapshot
	s.Peers = map[api.PeerID]api.PeerRecord{peerA: member(peerA, "alpha", true, true), peerB: member(peerB, "beta", false, true), peerC: member(peerC, "beta", false, true)}
	alone := node.Snapshot{Peers: map[api.PeerID]api.PeerRecord{peerA: member(peerA, "alpha", true, true)}}
	asked := member(peerA, "laptop", true, true)
	asked.Client = true
	client := node.Snapshot{Peers: map[api.PeerID]api.PeerRecord{peerA: asked, peerB: member(peerB, "beta", false, true)}}
	for _, c := range []struct {
		about  string
		copies api.BlobCopies
		seen   node.Snapshot
		text   string
		enough [3]bool // for 1, 2, 3
	}{
		{"all have it", on(api.Digest{}, []api.PeerID{peerA, peerB, peerC}, nil, nil), s, "on 3 of 3 members: alpha, beta (…G1aoDd2p), beta (…Ku1BcvMA)", [3]bool{true, true, true}},
		{"some", on(api.Digest{}, []api.PeerID{peerA, peerB}, []api.PeerID{peerC}, nil), s, "on 2 of 3 members: alpha, beta (…G1aoDd2p)", [3]bool{true, true, false}},
		{"none yet", on(api.Digest{}, nil, []api.PeerID{peerB}, []api.PeerID{peerC}), s, "on none of 2 members", [3]bool{}},
		{"more than wanted", api.BlobCopies{Want: 1, Keepers: []api.PeerID{peerB}, Have: []api.PeerID{peerB, peerA}}, s, "on 1 of 1 member: beta (…G1aoDd2p); also on alpha", [3]bool{true, true, true}},
		{"alone", on(api.Digest{}, []api.PeerID{peerA}, nil, nil), alone, "on 1 member, alpha: no other of the realm is up", [3]bool{true, true, true}},
		{"others are full", on(api.Digest{}, []api.PeerID{peerA}, nil, nil), s, "on 1 member, alpha: no other can keep it now", [3]bool{true, true, true}},
		{"nobody can, and one has it", api.BlobCopies{Have: []api.PeerID{peerA, peerB}}, s, "on 2 members: alpha, beta (…G1aoDd2p)", [3]bool{true, true, true}},
		{"nobody can", api.BlobCopies{}, s, "nowhere: no member can keep it", [3]bool{true, true, true}},
		{"the client itself", api.BlobCopies{Want: 1, Keepers: []api.PeerID{peerB}, Have: []api.PeerID{peerA}}, client, "on none of 1 member", [3]bool{}},
	} {
		v := viewCopies(c.copies, c.seen)
		if got := v.text(); got != c.text {
			t.Errorf("%s: %q, want %q", c.about, got, c.text)
		}
		for i, want := range c.enough {
			if v.enough(i+1) != want {
				t.Errorf("%s: enough for %d: %v", c.about, i+1, !want)
			}
		}
	}
}
