package discovery

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

func TestRemember(t *testing.T) {
	path := filepath.Join(t.TempDir(), "peers.json")
	a, b := newPeer(t), newPeer(t)
	const a1, a2, b1 = "/ip4/192.0.2.1/tcp/1", "/ip4/192.0.2.2/tcp/1", "/ip4/192.0.2.3/tcp/1"
	for _, found := range [][]peer.AddrInfo{
		{{ID: a, Addrs: addrs(a1)}, {ID: newPeer(t)}}, // one without a place is of no use
		{{ID: b, Addrs: addrs(b1)}, {ID: a, Addrs: addrs(a2)}},
	} {
		if err := Remember(path, found, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	f := newFinder(t)
	f.cfg.Book = path
	f.load()
	if got := wouldDial(f); len(got) != 2 || !slices.Equal(got[a], []string{a2}) || !slices.Equal(got[b], []string{b1}) {
		t.Errorf("it would dial %v", got)
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Remember(path, []peer.AddrInfo{{ID: a, Addrs: addrs(a1)}}, time.Now()); err != nil {
		t.Fatal(err)
	}
	if got, err := readBook(path); err != nil || len(got.Peers) != 1 {
		t.Errorf("after a broken one: %v, %v", got, err)
	}
}

func TestTrials(t *testing.T) {
	boot, heard, stranger, connected, fresh := newPeer(t), newPeer(t), newPeer(t), newPeer(t), newPeer(t)
	nowhere := addrs("/ip4/127.0.0.1/tcp/1")
	f := newFinder(t, peer.AddrInfo{ID: boot, Addrs: nowhere})
	f.cfg.Stranger = func(p peer.ID) bool { return p == stranger }
	for _, p := range []peer.ID{heard, connected, fresh} {
		f.Hear(p, nowhere)
	}
	f.targets[stranger] = &target{heard: nowhere}
	for range 3 {
		f.dial(t.Context(), peer.AddrInfo{ID: boot, Addrs: nowhere})
	}
	for _, p := range []peer.ID{heard, stranger, connected} {
		f.dial(t.Context(), peer.AddrInfo{ID: p, Addrs: nowhere})
	}
	f.Up(connected)
	got := f.Trials()
	if len(got) != 2 || got[0].Peer != boot || got[0].Failed != 3 || got[1].Peer != heard || got[1].Err == nil || len(got[1].Addrs) != 1 {
		t.Errorf("Trials = %+v", got)
	}
}

func TestTried(t *testing.T) {
	boot := newPeer(t)
	f := newFinder(t, peer.AddrInfo{ID: boot, Addrs: addrs("/ip4/127.0.0.1/tcp/1")})
	if got := f.Tried(); !strings.Contains(got, "local network") {
		t.Errorf("before the first attempt: %q", got)
	}
	f.dial(t.Context(), peer.AddrInfo{ID: boot, Addrs: addrs("/ip4/127.0.0.1/tcp/1")})
	if got := f.Tried(); !strings.Contains(got, "tried 1") || !strings.Contains(got, "/ip4/127.0.0.1/tcp/1") || strings.ContainsAny(got, "\n") || len(got) > 500 {
		t.Errorf("after it: %q", got)
	}
}

// TestRefused tells members that close the connection from those that are away.
func TestRefused(t *testing.T) {
	there, away := newHost(t), newPeer(t)
	if err := there.Network().Listen(ma.StringCast("/ip4/127.0.0.1/tcp/0")); err != nil {
		t.Fatal(err)
	}
	f := newFinder(t, peer.AddrInfo{ID: there.ID(), Addrs: there.Addrs()}, peer.AddrInfo{ID: away, Addrs: addrs("/ip4/127.0.0.1/tcp/1")})
	for range refusedAfter {
		if f.Refused() {
			t.Error("too soon")
		}
		f.dial(t.Context(), peer.AddrInfo{ID: away, Addrs: addrs("/ip4/127.0.0.1/tcp/1")})
		f.dial(t.Context(), peer.AddrInfo{ID: there.ID(), Addrs: there.Addrs()})
	}
	if !f.Refused() {
		t.Error("it is not noticed")
	}
	f.Up(there.ID())
	if f.Refused() {
		t.Error("it has been let in")
	}
}
