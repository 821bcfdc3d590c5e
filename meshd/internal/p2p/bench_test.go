package p2p

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	libp2pquic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	ma "github.com/multiformats/go-multiaddr"
)

// BenchmarkHandshake compares connecting with proofs to libp2p's own handshakes:
//
//	go test -run '^$' -bench Handshake -count 5 ./internal/p2p
func BenchmarkHandshake(b *testing.B) {
	for way, code := range map[string]int{"QUIC": ma.P_QUIC_V1, "TCP": ma.P_TCP} {
		b.Run("way="+way+"/proof=none", func(b *testing.B) { shakeHands(b, stock(b), stock(b), code) })
		for _, size := range []int{512, 2048, len(largest())} {
			c := Config{Proof: append([]byte("member "), bytes.Repeat([]byte{'x'}, size-len("member "))...)}
			b.Run(fmt.Sprintf("way=%s/proof=%d", way, size), func(b *testing.B) { shakeHands(b, open(b, c), open(b, c), code) })
		}
	}
}

// stock is libp2p without proofs, under the same limits.
func stock(b *testing.B) host.Host {
	b.Helper()
	resources, err := resourceManager("")
	if err != nil {
		b.Fatal(err)
	}
	h, err := libp2p.New(libp2p.NoListenAddrs, libp2p.DisableMetrics(), libp2p.ResourceManager(resources),
		libp2p.Transport(libp2pquic.NewTransport), libp2p.Transport(tcp.NewTCPTransport), libp2p.Security(libp2ptls.ID, libp2ptls.New))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { h.Close() })
	listenLoopback(b, h)
	return h
}

// shakeHands measures from the dial to the first stream that the other side has accepted.
func shakeHands(b *testing.B, from, to host.Host, code int) {
	b.Helper()
	const accepted = "/test/accepted/1"
	to.SetStreamHandler(accepted, func(s network.Stream) { s.Close() })
	target := at(to, code)
	dialer := from.Network().(*swarm.Swarm).TransportForDialing(target.Addrs[0])
	b.ReportAllocs()
	for b.Loop() {
		c, err := dialer.Dial(context.Background(), target.Addrs[0], target.ID)
		if err != nil {
			b.Fatal(err)
		}
		s, err := c.OpenStream(context.Background())
		if err != nil {
			b.Fatal(err)
		}
		if _, err := s.Write([]byte("\x13/multistream/1.0.0\n")); err != nil {
			b.Fatal(err)
		}
		if _, err := s.Read(make([]byte, 20)); err != nil {
			b.Fatal(err)
		}
		c.Close()
	}
}
