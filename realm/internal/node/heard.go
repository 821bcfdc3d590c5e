package node

import (
	"context"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
)

// Heard waits until no live member says anything of a version of a program that is
// older than the one in wanted, or ctx ends; it returns those that still do.
func (n *Node) Heard(ctx context.Context, wanted map[api.Ref]intent.Version) (behind []api.PeerRecord, err error) {
	watching, done := context.WithCancel(ctx)
	defer done()
	err = n.Watch(watching, Scope{}, func(s Snapshot) error {
		if behind = s.behind(wanted); len(behind) == 0 {
			done()
		}
		return nil
	})
	return behind, err
}

// behind are the live members that have said nothing yet of a wanted version.
func (s Snapshot) behind(wanted map[api.Ref]intent.Version) (out []api.PeerRecord) {
	late := map[api.PeerID]bool{}
	for ref, facts := range s.Facts {
		v, ok := wanted[ref]
		for id, f := range facts {
			late[id] = late[id] || ok && v.Newer(intent.Version{Seq: f.Seq, Digest: f.Intent})
		}
	}
	for id, p := range s.Peers {
		if late[id] && (p.Live || p.Self) && !p.Client {
			out = append(out, p)
		}
	}
	return out
}
