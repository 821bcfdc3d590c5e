package p2p

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	libp2pquic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/quic-go/quic-go"
)

// bare is libp2p with credentials, but without a check or a limit of its own.
func bare(tb testing.TB, proof string) host.Host {
	tb.Helper()
	d := newDoor("", Config{Judge: everybody})
	own := newCredential([]byte(proof))
	template, err := own.template()
	if err != nil {
		tb.Fatal(err)
	}
	h, err := libp2p.New(libp2p.NoListenAddrs, libp2p.DisableMetrics(), libp2p.ResourceManager(&network.NullResourceManager{}),
		libp2p.Transport(libp2pquic.NewTransport, libp2pquic.WithTLSIdentityOption(libp2ptls.WithCertTemplate(template))),
		libp2p.Transport(tcp.NewTCPTransport), libp2p.Security(string(securityID), newSecurity(d, own)),
		libp2p.Muxer(yamux.ID, yamux.DefaultTransport))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := h.Close(); err != nil {
			tb.Error(err)
		}
	})
	return h
}

// pingTimeout is when neighbours give a member up.
const pingTimeout = 6 * time.Second

// siege is a node under attack, with a member that goes on using it.
type siege struct {
	*place
	friend *place

	stop   context.CancelFunc
	ended  chan struct{}
	pings  atomic.Int64
	worst  time.Duration // of pings and echoes
	failed error

	goroutines int
	heap       uint64
}

// resist begins a siege: the friend pings and uses a stream, over and over.
func resist(t *testing.T) *siege {
	t.Helper()
	s := &siege{place: open(t, Config{Proof: []byte("member")}), friend: open(t, Config{Proof: []byte("member")}), ended: make(chan struct{})}
	if err := s.friend.Connect(t.Context(), at(s.place, ma.P_QUIC_V1)); err != nil {
		t.Fatal(err)
	}
	s.goroutines, s.heap = runtime.NumGoroutine(), heapInUse()
	ctx, stop := context.WithCancel(context.Background())
	s.stop = sync.OnceFunc(func() { stop(); <-s.ended })
	go func() {
		defer close(s.ended)
		s.use(ctx)
	}()
	t.Cleanup(s.stop)
	return s
}

func heapInUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse
}

func (s *siege) use(ctx context.Context) {
	pings := ping.Ping(ctx, s.friend, s.ID())
	for {
		start := time.Now()
		r, ok := <-pings
		if ctx.Err() != nil {
			return
		}
		err := r.Error
		if ok && err == nil {
			err = reaches(ctx, s.friend, s.ID())
		}
		if ctx.Err() != nil {
			return
		}
		s.worst = max(s.worst, time.Since(start))
		if s.failed == nil {
			s.failed = err
		}
		s.pings.Add(1)
		time.Sleep(5 * time.Millisecond) // neighbours ping every few seconds
	}
}

// held checks at the end of an attack that the friend was served throughout, and
// that nothing is left of the attackers.
func (s *siege) held(t *testing.T) {
	t.Helper()
	s.stop()
	t.Logf("%d pings and echoes, the slowest took %v", s.pings.Load(), s.worst)
	if s.failed != nil || s.pings.Load() == 0 || s.worst > pingTimeout {
		t.Errorf("the friend was not served: %v", s.failed)
	}
	until(t, "all handshakes are over", func() bool { return s.handshakes() == 0 })
	if n := len(s.Network().Conns()); n > 2 {
		t.Errorf("%d connections", n)
	}
	until(t, "the goroutines of attackers are gone", func() bool { return runtime.NumGoroutine() < s.goroutines+100 })
	if grown := int64(heapInUse()) - int64(s.heap); grown > 32<<20 {
		t.Errorf("%d MiB are in use that were not before", grown>>20)
	}
}

func (s *siege) handshakes() int {
	r := s.Network().ResourceManager().(*resources)
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.total
}

// newcomer connects one more member in the midst of an attack.
func (s *siege) newcomer(t *testing.T, code int) {
	t.Helper()
	n := open(t, Config{Proof: []byte("member")})
	start := time.Now()
	until(t, "a new member gets in", func() bool {
		return n.Connect(t.Context(), at(s.place, code)) == nil && reaches(t.Context(), n, s.ID()) == nil
	})
	t.Logf("a new member got in after %v", time.Since(start))
	if err := n.Network().ClosePeer(s.ID()); err != nil {
		t.Error(err)
	}
}

// port of the node, by its loopback address.
func (s *siege) addr(t *testing.T, code int) string {
	t.Helper()
	port, err := at(s.place, code).Addrs[0].ValueForProtocol(map[int]int{ma.P_TCP: ma.P_TCP, ma.P_QUIC_V1: ma.P_UDP}[code])
	if err != nil {
		t.Fatal(err)
	}
	return net.JoinHostPort("127.0.0.1", port)
}

// elsewhere is an address of this machine that members do not use, where it has one.
func elsewhere(t *testing.T) (ip net.IP, other bool) {
	t.Helper()
	ip = net.IPv4(127, 0, 0, 2) // all of 127.0.0.0/8 is loopback on Linux and Windows
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: ip})
	if err != nil {
		return net.IPv4(127, 0, 0, 1), false
	}
	c.Close()
	return ip, true
}

// TestThousandStrangers has strangers complete a thousand handshakes, by both transports.
func TestThousandStrangers(t *testing.T) {
	s := resist(t)
	var strangers []host.Host
	for range 4 {
		strangers = append(strangers, bare(t, "stranger"))
	}
	var done, refused atomic.Int64
	var all sync.WaitGroup
	start := time.Now()
	for i := range 1000 {
		all.Go(func() {
			to := at(s.place, []int{ma.P_QUIC_V1, ma.P_TCP}[i%2])
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			if intrude(ctx, strangers[i%len(strangers)], to) {
				done.Add(1)
			}
			refused.Add(1)
		})
	}
	until(t, "half of them are through", func() bool { return refused.Load() > 500 })
	s.newcomer(t, ma.P_QUIC_V1)
	all.Wait()
	t.Logf("1000 in %v, of which %d went as far as a handshake", time.Since(start), done.Load())
	for _, h := range strangers {
		if n := s.saw(h.ID()); n != 0 {
			t.Errorf("a stranger got in %d times", n)
		}
	}
	s.held(t)
}

// intrude connects as h, tries to get an echo, and waits for its end. It reports
// whether the handshake was done, as far as h can tell.
func intrude(ctx context.Context, h host.Host, to peer.AddrInfo) bool {
	c, err := h.Network().(*swarm.Swarm).TransportForDialing(to.Addrs[0]).Dial(ctx, to.Addrs[0], to.ID)
	if err != nil {
		return false
	}
	defer c.Close()
	stream, err := c.OpenStream(ctx)
	if err != nil {
		return true
	}
	stop := context.AfterFunc(ctx, func() { _ = stream.Reset() })
	defer stop()
	_, _ = io.WriteString(stream, "\x13/multistream/1.0.0\n\x0d"+string(echo)+"\n") // it is closed, or about to be
	_, _ = io.ReadAll(stream)
	return true
}

// TestSlowLoris opens TCP connections that say nothing, or one byte now and then.
func TestSlowLoris(t *testing.T) {
	s := resist(t)
	from, other := elsewhere(t)
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: from}}
	var all sync.WaitGroup
	var longest atomic.Int64
	for i := range 300 {
		c, err := dialer.DialContext(t.Context(), "tcp4", s.addr(t, ma.P_TCP))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		start := time.Now()
		all.Go(func() {
			if i%2 == 0 {
				drip(c)
			}
			if err := c.SetReadDeadline(start.Add(3 * handshakeFor)); err != nil {
				t.Error(err)
			}
			_, _ = io.Copy(io.Discard, c) // until the node has had enough
			longest.Store(max(longest.Load(), int64(time.Since(start))))
		})
	}
	if n := s.handshakes(); n > handshakesLoopback {
		t.Errorf("%d handshakes are under way", n)
	}
	if other {
		s.newcomer(t, ma.P_TCP)
		s.newcomer(t, ma.P_QUIC_V1)
	}
	all.Wait()
	if d := time.Duration(longest.Load()); d < handshakeFor/2 || d > handshakeFor+3*time.Second {
		t.Errorf("the longest was borne for %v; want %v", d, handshakeFor)
	}
	s.held(t)
}

// drip says hello as slowly as it can.
func drip(c net.Conn) {
	for _, b := range []byte("\x13/multistream/1.0.0\n\x0d" + string(securityID) + "\n") {
		if _, err := c.Write([]byte{b}); err != nil {
			return
		}
		time.Sleep(time.Second)
	}
}

// deaf is a socket that hears no answers. It hides what quic-go would read from otherwise.
type deaf struct{ net.PacketConn }

func (d deaf) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		if _, _, err := d.PacketConn.ReadFrom(b); err != nil {
			return 0, nil, err
		}
	}
}

// TestFirstPacketsOnly begins QUIC connections that it never completes.
func TestFirstPacketsOnly(t *testing.T) {
	s := resist(t)
	from, other := elsewhere(t)
	to, err := net.ResolveUDPAddr("udp4", s.addr(t, ma.P_QUIC_V1))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	var all sync.WaitGroup
	var most atomic.Int64
	for range 8 {
		c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: from})
		if err != nil {
			t.Fatal(err)
		}
		tr := &quic.Transport{Conn: deaf{c}}
		defer func() { tr.Close(); c.Close() }()
		for range 100 {
			all.Go(func() {
				if c, err := tr.Dial(ctx, to, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"libp2p"}}, nil); err == nil {
					t.Error("a handshake without answers was done", c.CloseWithError(0, ""))
				}
				most.Store(max(most.Load(), int64(s.handshakes())))
			})
		}
	}
	until(t, "clients must prove their address", func() bool { return s.handshakes() >= busyHandshakes })
	if other {
		s.newcomer(t, ma.P_QUIC_V1)
	}
	all.Wait()
	if n := most.Load(); n > busyHandshakes+2 {
		t.Errorf("%d handshakes were under way; want %d", n, busyHandshakes)
	}
	s.held(t)
}

// TestGarbage sends what is no protocol at all.
func TestGarbage(t *testing.T) {
	s := resist(t)
	udp, err := net.Dial("udp4", s.addr(t, ma.P_QUIC_V1))
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	packet := make([]byte, 1400)
	for i := range 20_000 {
		rand.Read(packet)
		packet[0] |= byte(i % 2 << 7) // every other one with a long header
		if i%4 == 1 {
			copy(packet[1:], "\x00\x00\x00\x01\x08") // of QUIC version 1
		}
		_, _ = udp.Write(packet[:1+i%len(packet)]) // the socket may be full
	}
	for i := range 200 {
		c, err := net.Dial("tcp4", s.addr(t, ma.P_TCP))
		if err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 {
			_, _ = io.WriteString(c, "\x13/multistream/1.0.0\n\x0d"+string(securityID)+"\n")
		}
		for range 100 {
			rand.Read(packet)
			if _, err := c.Write(packet); err != nil {
				break // the node has closed it
			}
		}
		c.Close()
	}
	s.newcomer(t, ma.P_TCP)
	s.newcomer(t, ma.P_QUIC_V1)
	s.held(t)
}

// TestTransportsApart fills one address's share of handshakes over TCP, and finds that
// over QUIC untouched.
func TestTransportsApart(t *testing.T) {
	r := newResources(&network.NullResourceManager{}, nil)
	tcp, udp := ma.StringCast("/ip4/127.0.0.1/tcp/1"), ma.StringCast("/ip4/127.0.0.1/udp/1/quic-v1")
	for range handshakesLoopback {
		if _, err := r.OpenConnection(network.DirInbound, true, tcp); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.OpenConnection(network.DirInbound, true, tcp); !errors.Is(err, errHandshakes) {
		t.Errorf("one more than may be: %v", err)
	}
	c, err := r.OpenConnection(network.DirInbound, false, udp)
	if err != nil {
		t.Fatalf("over QUIC: %v", err)
	}
	c.Done()
}
