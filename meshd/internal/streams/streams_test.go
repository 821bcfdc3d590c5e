package streams

import (
	"context"
	"crypto/ed25519"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	ma "github.com/multiformats/go-multiaddr"
	"go.uber.org/goleak"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/local"
	"github.com/realm-mesh/realm/meshd/internal/p2p"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var realm = api.NewRealmID(make(ed25519.PublicKey, 32))

func newHost(t *testing.T) host.Host {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	h, err := p2p.New(p2p.Config{Key: key, Realm: realm, Version: "test", Judge: allMembers})
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

// serve runs handler as the sync service of a new host until stop is called.
func serve(t *testing.T, handler http.Handler) (h host.Host, stop func()) {
	t.Helper()
	h = newHost(t)
	srv := Listen(h, realm, api.ServiceSync, handler, slog.New(slog.DiscardHandler))
	if err := h.Network().Listen(ma.StringCast("/ip4/127.0.0.1/udp/0/quic-v1")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- srv.Run(ctx, 5*time.Second) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return h, stop
}

// client is a host that knows server, and an HTTP client on it.
func client(t *testing.T, server host.Host) (host.Host, *http.Client) {
	t.Helper()
	h := newHost(t)
	if err := h.Connect(t.Context(), peer.AddrInfo{ID: server.ID(), Addrs: server.Addrs()}); err != nil {
		t.Fatal(err)
	}
	tr := NewTransport(h, realm, api.ServiceSync, 0)
	t.Cleanup(tr.CloseIdleConnections)
	return h, &http.Client{Transport: tr}
}

func get(t *testing.T, c *http.Client, p peer.ID) (string, error) {
	resp, err := c.Get(URL(p, "/"))
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return string(b), err
}

func TestManyAtOnceWaitTheirTurn(t *testing.T) {
	var now, most atomic.Int64
	server, _ := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := now.Add(1)
		defer now.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		time.Sleep(5 * time.Millisecond)
		_, _ = io.WriteString(w, r.Header.Get(local.HeaderPeer))
	}))
	h, c := client(t, server)
	var calls sync.WaitGroup
	for range 10 * p2p.StreamsSync {
		calls.Go(func() {
			if got, err := get(t, c, server.ID()); err != nil || got != h.ID().String() {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
	calls.Wait()
	if m := most.Load(); m > p2p.StreamsSync {
		t.Errorf("%d were served at once; want at most %d", m, p2p.StreamsSync)
	}
}

// TestGreedyPeer opens more streams than it may.
func TestGreedyPeer(t *testing.T) {
	server, _ := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "served") }))
	_, honest := client(t, server)
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	greedy, err := p2p.New(p2p.Config{Key: key, Version: "test", Judge: allMembers}) // without the realm's limits, nothing of its own holds it back
	if err != nil {
		t.Fatal(err)
	}
	defer greedy.Close()
	if err := greedy.Connect(t.Context(), peer.AddrInfo{ID: server.ID(), Addrs: server.Addrs()}); err != nil {
		t.Fatal(err)
	}
	var open atomic.Int64
	var streams sync.WaitGroup
	for range 3 * p2p.StreamsSync {
		s, err := greedy.NewStream(t.Context(), server.ID(), protocol.ID(api.Protocol(realm, api.ServiceSync)))
		if err != nil {
			continue
		}
		defer func() { _ = s.Reset() }()
		streams.Go(func() {
			_, err := s.Write([]byte("GET / HTTP/1.1\r\nHost: x\r\n")) // and no end
			if err == nil {
				err = s.SetReadDeadline(time.Now().Add(500 * time.Millisecond))
			}
			if err == nil {
				_, err = s.Read(make([]byte, 1))
			}
			if errors.Is(err, os.ErrDeadlineExceeded) {
				open.Add(1)
			}
		})
	}
	streams.Wait()
	if n := open.Load(); n == 0 || n > p2p.StreamsSync {
		t.Errorf("%d streams of one peer are open; want at most %d", n, p2p.StreamsSync)
	}
	if got, err := get(t, honest, server.ID()); err != nil || got != "served" {
		t.Errorf("another peer: %q, %v", got, err)
	}
}

func TestPeerIsAway(t *testing.T) {
	server, _ := serve(t, http.NotFoundHandler())
	_, c := client(t, server)
	start := time.Now()
	if _, err := get(t, c, newHost(t).ID()); !errors.Is(err, ErrUnreachable) || time.Since(start) > 2*dialTimeout {
		t.Errorf("%v after %v; want ErrUnreachable", err, time.Since(start))
	}
}

// TestStopFinishesWhatItHasBegun stops a server that is in the middle of an
// answer. Its protocol stays known: who is told otherwise takes it for a stranger.
func TestStopFinishesWhatItHasBegun(t *testing.T) {
	begun, goOn := make(chan struct{}), make(chan struct{})
	server, stop := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(begun)
		<-goOn
		_, _ = io.WriteString(w, "the end")
	}))
	h, c := client(t, server)
	answer := make(chan string, 1)
	go func() {
		got, err := get(t, c, server.ID())
		answer <- got
		if err != nil {
			t.Error(err)
		}
	}()
	<-begun
	stopped := make(chan struct{})
	go func() { stop(); close(stopped) }()
	time.Sleep(50 * time.Millisecond) // the stop has begun
	close(goOn)
	if got := <-answer; got != "the end" {
		t.Errorf("the answer is %q", got)
	}
	<-stopped
	known, err := h.Peerstore().SupportsProtocols(server.ID(), protocol.ID(api.Protocol(realm, api.ServiceSync)))
	if err != nil || len(known) != 1 {
		t.Errorf("after the stop the protocol is known as %v, %v", known, err)
	}
	if h.Network().Connectedness(server.ID()) != network.Connected {
		t.Error("the connection is gone")
	}
	if _, err := get(t, c, server.ID()); err == nil {
		t.Error("a stopped server answers")
	}
}

// allMembers lets everybody in: this package is not about who may enter.
func allMembers(peer.ID, []byte) p2p.Standing { return p2p.Member }
