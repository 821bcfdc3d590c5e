package node

import (
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/protocol"

	"github.com/realm-mesh/realm/meshd/internal/meshtest"
)

// TestDeafMember has a second gossip stream of a member come and go, as a process
// does that is replaced quickly. One of the two then takes the other for deaf,
// and must not leave it at that.
func TestDeafMember(t *testing.T) {
	o := meshtest.NewRealm(t)
	all := mesh(t, o, 2)
	a, b := all[0], all[1]
	hear := func() bool { return a.gossip.Listens(b.host.ID()) && b.gossip.Listens(a.host.ID()) }
	until(t, 5*time.Second, "each knows that the other listens", hear)

	id := protocol.ID("/realm/" + string(o.Pin.Realm) + "/meshsub/1.2.0")
	s, err := b.host.NewStream(t.Context(), a.host.ID(), id)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	until(t, 5*time.Second, "one is taken for deaf", func() bool { return !hear() })

	took := until(t, 20*time.Second, "each knows it again", hear)
	t.Logf("after %v", took)
	waitMesh(t, a, b)
	intent := o.Component(t, "web", 1)
	a.submit(t, intent)
	until(t, 5*time.Second, "gossip flows", func() bool { return b.holds(intent) })
}
