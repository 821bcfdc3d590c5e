package neighbours

import (
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/realm-mesh/realm/meshd/internal/meshtest"
	"github.com/realm-mesh/realm/meshd/internal/p2p"
)

// TestGuestIsLeftAlone has a peer whom identify is not to ask: that it fails says
// nothing of the connection.
func TestGuestIsLeftAlone(t *testing.T) {
	guest, member := newHost(t, false), newHost(t, true)
	host, err := p2p.New(p2p.Config{Key: meshtest.Key(t), Version: "test", Judge: func(p peer.ID, _ []byte) p2p.Standing {
		if p == guest.ID() {
			return p2p.Guest
		}
		return p2p.Member
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer host.Close()
	d := watchFrom(t, host)
	failed, err := host.EventBus().Subscribe(new(event.EvtPeerIdentificationFailed))
	if err != nil {
		t.Fatal(err)
	}
	defer failed.Close()
	d.connect(t, guest, guest.Addrs()...)
	<-failed.Out()
	d.connect(t, member, member.Addrs()...)
	until(t, 5*time.Second, "later events have been handled", func() bool { return d.IsMember(member.ID()) })
	if len(host.Network().ConnsToPeer(guest.ID())) == 0 || d.IsMember(guest.ID()) || d.IsStranger(guest.ID()) {
		t.Errorf("the guest is connected by %v; it is a member: %t, a stranger: %t",
			host.Network().ConnsToPeer(guest.ID()), d.IsMember(guest.ID()), d.IsStranger(guest.ID()))
	}
}
