package meshtest

import (
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"go.uber.org/goleak"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/ledger"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestHosts connects members, before and after one is revoked.
func TestHosts(t *testing.T) {
	r, other := NewRealm(t), NewRealm(t)
	key := Key(t)
	r.Admit(t, key)
	a, b, stranger := r.Host(t), r.HostOf(t, key), other.Host(t)
	Listen(t, a)
	if err := b.Connect(t.Context(), Info(a)); err != nil {
		t.Fatal(err)
	}
	if err := stranger.Connect(t.Context(), Info(a)); err == nil {
		t.Error("a member of another realm has connected")
	}
	r.Revoke(t, api.KindMember, key)
	a.Recheck()
	Until(t, 5*time.Second, "the revoked member is out", func() bool { return a.Network().Connectedness(b.ID()) != network.Connected })
}

// TestRotation has a ledger that knows nothing follow everything that a realm signs
// in its life.
func TestRotation(t *testing.T) {
	r := NewRealm(t)
	first := ledger.New(r.Pin)
	node := Key(t)
	add := func(l *ledger.Ledger) {
		t.Helper()
		if v := l.Judge(keys.PublicOf(node), r.Shown(t, node), time.Now()); v.Standing != api.StandingMember {
			t.Errorf("the node is %q: %v", v.Standing, v.Err)
		}
	}
	r.Admit(t, node)
	add(first)
	r.Rotate(t)
	r.Settle(t)
	add(first)
	r.Rotate(t)
	r.Settle(t)
	add(first)
	add(ledger.New(r.Pin))
}
