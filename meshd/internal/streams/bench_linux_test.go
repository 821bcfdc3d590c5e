package streams

import (
	"context"
	"crypto/ed25519"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/meshd/internal/p2p"
)

// BenchmarkBody passes bodies between two hosts, and says what that costs by byte on
// both sides together:
//
//	go test -run '^$' -bench Body ./internal/streams
func BenchmarkBody(b *testing.B) {
	for name, addr := range map[string]string{"quic": "/ip4/127.0.0.1/udp/0/quic-v1", "tcp": "/ip4/127.0.0.1/tcp/0"} {
		b.Run(name, func(b *testing.B) { passBodies(b, ma.StringCast(addr)) })
	}
}

func passBodies(b *testing.B, at ma.Multiaddr) {
	b.Helper()
	const size, piece = 2 << 20, 256 << 10
	server, client := benchHost(b), benchHost(b)
	body := make([]byte, piece)
	srv := Listen(server, realm, api.ServiceBlob, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(size))
		for range size / piece {
			_, _ = w.Write(body)
		}
	}), slog.New(slog.DiscardHandler))
	if err := server.Network().Listen(at); err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- srv.Run(ctx, time.Second) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			b.Error(err)
		}
	}()
	if err := client.Connect(ctx, peer.AddrInfo{ID: server.ID(), Addrs: server.Addrs()}); err != nil {
		b.Fatal(err)
	}
	tr := NewTransport(client, realm, api.ServiceBlob, 0)
	defer tr.CloseIdleConnections()
	c, buf := &http.Client{Transport: tr}, make([]byte, piece)
	b.SetBytes(size)
	before := processorTime(b)
	for b.Loop() {
		resp, err := c.Get(URL(server.ID(), "/"))
		if err != nil {
			b.Fatal(err)
		}
		n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{resp.Body}, buf)
		if err != nil || n != size {
			b.Fatal(n, err)
		}
		resp.Body.Close()
	}
	b.ReportMetric(float64(processorTime(b)-before)/float64(b.N)/size, "cpu-ns/B")
}

func benchHost(b *testing.B) *p2p.Host {
	b.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		b.Fatal(err)
	}
	h, err := p2p.New(p2p.Config{Key: key, Realm: realm, Version: "test", Judge: allMembers})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { h.Close() })
	return h
}

func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
