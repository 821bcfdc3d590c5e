package holders

import (
	"crypto/ed25519"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/keys"
)

func key(n byte) ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	seed[0] = n
	return ed25519.NewKeyFromSeed(seed)
}

func peer(n byte) api.PeerID { return keys.Peer(keys.PublicOf(key(n)).Key()) }

var realm = api.NewRealmID(key(0).Public().(ed25519.PublicKey))

// states is what member n states.
func states(t *testing.T, n byte, seq uint64, volumes ...api.Name) []byte {
	t.Helper()
	h := api.Holdings{Realm: realm, Peer: peer(n), Seq: seq}
	for _, v := range volumes {
		h.Volumes = append(h.Volumes, api.HeldVolume{Volume: v, User: "shop"})
	}
	raw, err := intent.SignHoldings(h, key(n))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func open(t *testing.T, path string) *Holders {
	t.Helper()
	h, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *Holders) told(t *testing.T, want bool, all ...[]byte) {
	t.Helper()
	news, err := h.Told(all)
	if err != nil || news != want {
		t.Errorf("news: %v, %v", news, err)
	}
}

func (h *Holders) of(volume api.Name) (out []api.PeerID) {
	for _, x := range h.Of(realm, volume) {
		out = append(out, x.Peer)
	}
	return out
}

// TestNewestCounts: whoever passes it on, in whatever order it comes, also after a restart.
func TestNewestCounts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "holdings.json")
	h := open(t, path)
	old, is := states(t, 1, 1, "cart"), states(t, 1, 2, "other")
	h.told(t, true, is)
	h.told(t, false, old, is)
	if got := h.of("cart"); len(got) != 0 {
		t.Errorf("%v", got)
	}
	h = open(t, path)
	h.told(t, false, old)
	if got := h.of("other"); !slices.Equal(got, []api.PeerID{peer(1)}) {
		t.Errorf("%v", got)
	}
	if seq, volumes := h.Last(peer(1)); seq != 2 || len(volumes) != 1 {
		t.Errorf("%d, %v", seq, volumes)
	}
	h.told(t, true, states(t, 1, 3))
	if got := h.of("other"); len(got) != 0 {
		t.Errorf("it has been cleared there: %v", got)
	}
	if len(h.Of(api.NewRealmID(key(9).Public().(ed25519.PublicKey)), "other")) != 0 {
		t.Error("another realm")
	}
}

func TestForged(t *testing.T) {
	h := open(t, filepath.Join(t.TempDir(), "holdings.json"))
	raw := states(t, 1, 1, "cart")
	raw[len(raw)/2] ^= 1
	h.told(t, false, raw, []byte("{}"), nil)
}

func TestDamagedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "holdings.json")
	if err := os.WriteFile(path, []byte("[7"), 0o600); err != nil {
		t.Fatal(err)
	}
	h := open(t, path)
	h.told(t, true, states(t, 1, 1, "cart"))
	if got := open(t, path).of("cart"); len(got) != 1 {
		t.Errorf("%v", got)
	}
}

// TestTell: a node speaks for itself, and with a few others for members that are away.
func TestTell(t *testing.T) {
	member := func(p api.PeerID) bool { return p != peer(5) }
	const away, nodes = 4, 8
	tellers := 0
	for n := byte(10); n < 10+nodes; n++ {
		h := open(t, filepath.Join(t.TempDir(), "holdings.json"))
		for other := byte(10); other < 10+nodes; other++ {
			if other != n {
				h.SetLive(peer(other), true)
			}
		}
		h.told(t, true, states(t, n, 1, "mine"), states(t, away, 1, "cart"), states(t, 5, 1, "gone"))
		all := h.Tell(peer(n), member)
		if len(all) == 0 || len(all) > 2 {
			t.Fatalf("%d statements", len(all))
		}
		if first, err := intent.ReadHoldings(all[0]); err != nil || first.Peer != peer(n) {
			t.Errorf("first of all: %+v, %v", first, err)
		}
		if len(all) == 2 {
			tellers++
		}
		h.SetLive(peer(away), true)
		if len(h.Tell(peer(n), member)) != 1 {
			t.Error("it speaks for a member that is there")
		}
		if !h.SetLive(peer(away), false) || h.SetLive(peer(away), false) {
			t.Error("that it went away is news, once")
		}
	}
	if tellers != spokesmen {
		t.Errorf("%d of %d speak for a member that is away, want %d", tellers, nodes, spokesmen)
	}
}
