package discovery

import (
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	"go.uber.org/goleak"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/meshd/internal/p2p"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newKey(t *testing.T) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newHost(t *testing.T) host.Host {
	t.Helper()
	h, err := p2p.New(p2p.Config{Key: newKey(t), Version: "test", Judge: allMembers})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

func newPeer(t *testing.T) peer.ID {
	t.Helper()
	p, err := p2p.Decode(keys.Peer(newKey(t).Public().(ed25519.PublicKey)))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func addrs(list ...string) (out []ma.Multiaddr) {
	for _, a := range list {
		out = append(out, ma.StringCast(a))
	}
	return out
}

// newFinder makes one that knows boot and does not run: tests ask it whom it would dial.
func newFinder(t *testing.T, boot ...peer.AddrInfo) *Finder {
	t.Helper()
	return New(Config{Host: newHost(t), Bootstrap: boot, Book: filepath.Join(t.TempDir(), "peers.json"), Enough: 3,
		Stranger: func(peer.ID) bool { return false }, Log: slog.New(slog.DiscardHandler)})
}

// wouldDial lists whom f would dial at a time by which all waiting is over.
func wouldDial(f *Finder) map[peer.ID][]string {
	out := map[peer.ID][]string{}
	due, _ := f.due(time.Now().Add(time.Hour))
	for _, ai := range due {
		for _, a := range ai.Addrs {
			out[ai.ID] = append(out[ai.ID], a.String())
		}
		f.targets[ai.ID].dialling = false
		f.dials--
	}
	return out
}

func TestWhomToDial(t *testing.T) {
	boot, known, full, far := newPeer(t), newPeer(t), newPeer(t), newPeer(t)
	f := newFinder(t, peer.AddrInfo{ID: boot, Addrs: addrs("/dns4/example.com/udp/1/quic-v1")})
	const a1, a2, a3 = "/ip4/192.0.2.1/tcp/1", "/ip4/192.0.2.2/tcp/1", "/ip4/192.0.2.3/tcp/1"

	f.Hear(known, addrs(a1))
	f.Hear(known, addrs(a2, a1))
	f.Hear(f.cfg.Host.ID(), addrs(a1))
	f.Hear(far, nil)
	got := wouldDial(f)
	if len(got) != 2 || !slices.Equal(got[known], []string{a1, a2}) || !slices.Equal(got[boot], []string{"/dns4/example.com/udp/1/quic-v1"}) {
		t.Errorf("by hearsay: %v", got)
	}
	f.Told(known, addrs(a3))
	f.Told(boot, addrs(a3))
	got = wouldDial(f)
	if !slices.Equal(got[known], []string{a3}) || !slices.Equal(got[boot], []string{"/dns4/example.com/udp/1/quic-v1", a3}) {
		t.Errorf("when they say so themselves: %v", got)
	}
	f.Up(known)
	if got = wouldDial(f); len(got) != 1 {
		t.Errorf("while one is connected: %v", got)
	}
	for range 2 {
		f.Up(newPeer(t))
	}
	f.Hear(full, addrs(a1))
	if got = wouldDial(f); len(got) != 1 || got[boot] == nil {
		t.Errorf("with enough neighbours: %v; want the bootstrap member alone", got)
	}
	f.Down(known)
	if got = wouldDial(f); len(got) != 3 || got[known] == nil || got[full] == nil {
		t.Errorf("when a neighbour is gone: %v", got)
	}
	f.cfg.Stranger = func(p peer.ID) bool { return p == full }
	if got = wouldDial(f); got[full] != nil {
		t.Error("a stranger is dialled")
	}
}

func TestBackoff(t *testing.T) {
	for failed, want := range map[int]time.Duration{0: backoffFirst, 1: 2 * backoffFirst, 3: 8 * backoffFirst, 10: backoffBootstrap, 1 << 40: backoffBootstrap} {
		for range 100 {
			if d := backoff(failed, backoffBootstrap); d < want*3/4 || d > want*5/4 {
				t.Fatalf("after %d failures: %v; want about %v", failed, d, want)
			}
		}
	}
}

// TestUnreachable fails to reach a member of the settings, one that was connected
// before, and one that was only heard of.
func TestUnreachable(t *testing.T) {
	boot, before, hearsay := newPeer(t), newPeer(t), newPeer(t)
	f := newFinder(t, peer.AddrInfo{ID: boot, Addrs: addrs("/ip4/127.0.0.1/tcp/1")})
	f.Told(before, addrs("/ip4/127.0.0.1/tcp/1"))
	f.Up(before)
	f.Down(before)
	f.Hear(hearsay, addrs("/ip4/127.0.0.1/tcp/1"))
	for range doubtAfter {
		due, _ := f.due(time.Now().Add(time.Hour))
		for _, ai := range due {
			f.dial(t.Context(), ai)
		}
	}
	got := wouldDial(f)
	if len(got) != 3 {
		t.Errorf("after %d failures %v are dialled; want all, some time", doubtAfter, got)
	}
	for p, want := range map[peer.ID]time.Duration{boot: backoffBootstrap, before: backoffLearnt, hearsay: backoffFirst << doubtAfter} {
		if wait := time.Until(f.targets[p].next); wait < want/2 || wait > want*5/4 {
			t.Errorf("the next attempt is in %v; want about %v", wait, want)
		}
	}
	f.NetworkChanged()
	if due, _ := f.due(time.Now()); len(due) != 3 {
		t.Errorf("on another network %d are dialled at once; want 3", len(due))
	}
}

func TestBookIsKept(t *testing.T) {
	f := newFinder(t)
	near, gone, hearsay := newPeer(t), newPeer(t), newPeer(t)
	f.Told(near, addrs("/ip4/192.0.2.1/tcp/1"))
	f.Up(near)
	f.Hear(gone, addrs("/ip4/192.0.2.2/tcp/1"))
	f.Up(gone)
	f.Down(gone)
	f.Hear(hearsay, addrs("/ip4/192.0.2.3/tcp/1"))
	f.writeBook()

	again := New(f.cfg)
	got := wouldDial(again)
	if len(got) != 2 || !slices.Equal(got[near], []string{"/ip4/192.0.2.1/tcp/1"}) || !slices.Equal(got[gone], []string{"/ip4/192.0.2.2/tcp/1"}) {
		t.Errorf("after a restart %v are dialled", got)
	}
	if err := os.WriteFile(f.cfg.Book, []byte("{damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := wouldDial(New(f.cfg)); len(got) != 0 {
		t.Errorf("from a damaged book: %v", got)
	}
}

func TestBookForgets(t *testing.T) {
	path := filepath.Join(t.TempDir(), "peers.json")
	now := time.Unix(1_700_000_000, 0).UTC()
	var b book
	for i := range maxBook + 10 {
		b.Peers = append(b.Peers, bookEntry{Peer: api.PeerID(newPeer(t).String()), Seen: now.Add(-time.Duration(i) * time.Minute)})
	}
	old := bookEntry{Peer: api.PeerID(newPeer(t).String()), Seen: now.Add(-forgetAfter - 1)}
	b.Peers = append([]bookEntry{old}, b.Peers...)
	newest := b.Peers[1].Peer
	if err := b.write(path, now); err != nil {
		t.Fatal(err)
	}
	got, err := readBook(path)
	if err != nil || len(got.Peers) != maxBook || got.Peers[0].Peer != newest {
		t.Errorf("%d members are kept, %v; want the %d seen last", len(got.Peers), err, maxBook)
	}
	for _, e := range got.Peers {
		if e.Peer == old.Peer {
			t.Error("who was not seen for a month is kept")
		}
	}
}

func TestHearsayIsBounded(t *testing.T) {
	f := newFinder(t)
	p := newPeer(t)
	for i := range 100 {
		f.Hear(p, addrs(fmt.Sprintf("/ip4/192.0.2.1/tcp/%d", i+1)))
	}
	if n := len(f.targets[p].heard); n != maxAddrs {
		t.Errorf("%d addresses of one member are kept; want %d", n, maxAddrs)
	}
	for len(f.targets) < 2*maxBook {
		f.targets[newPeer(t)] = &target{}
	}
	next := newPeer(t)
	f.Hear(next, addrs("/ip4/192.0.2.1/tcp/1"))
	if n := len(f.targets); n != 2*maxBook || f.targets[next] != nil {
		t.Errorf("%d members are kept; want %d", n, 2*maxBook)
	}
	f.targets[p].failed = 1
	f.Hear(next, addrs("/ip4/192.0.2.1/tcp/1"))
	if n := len(f.targets); n != 2*maxBook || f.targets[next] == nil || f.targets[p] != nil {
		t.Error("one that was tried in vain does not make room")
	}
}

// FuzzBook reads what somebody has put into the place of the book.
func FuzzBook(f *testing.F) {
	good, err := json.Marshal(book{Peers: []bookEntry{{Peer: "12D3KooWBPbrbCHYpCxcxWZ79GVp3GWLnQFR75BYmHiM1T8shm44", Addrs: []string{"/ip4/192.0.2.1/tcp/1"}}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"peers":[{"peer":""}]}`))
	path := filepath.Join(f.TempDir(), "peers.json")
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		b, err := readBook(path)
		if err != nil {
			return
		}
		for _, e := range b.Peers {
			if _, err := api.ParsePeerID(string(e.Peer)); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// allMembers lets everybody in: this package is not about who may enter.
func allMembers(peer.ID, []byte) p2p.Standing { return p2p.Member }
