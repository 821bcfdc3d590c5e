package neighbours

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"
	"github.com/multiformats/go-multistream"

	"github.com/realm-mesh/realm/internal/kit/telemetry"
)

// pingAll pings every connection to p on which no ping is under way.
func (w *Watch) pingAll(ctx context.Context, p peer.ID) {
	for _, c := range w.cfg.Host.Network().ConnsToPeer(p) {
		w.mu.Lock()
		_, busy := w.pinging[c]
		w.pinging[c] = struct{}{}
		w.mu.Unlock()
		if !busy {
			w.pings.Go(func() { w.watchOnce(ctx, c) })
		}
	}
}

// watchOnce pings c and closes it when there is no answer.
func (w *Watch) watchOnce(ctx context.Context, c network.Conn) {
	defer func() {
		w.mu.Lock()
		delete(w.pinging, c)
		w.mu.Unlock()
	}()
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	began := time.Now()
	rtt, err := pingConn(ctx, c)
	switch {
	case err == nil:
		w.twins.alive(w.cfg.Host, c, began)
		w.cfg.Host.Peerstore().RecordLatency(c.RemotePeer(), rtt)
		w.cfg.RTT(c.RemotePeer(), w.cfg.Host.Peerstore().LatencyEWMA(c.RemotePeer()))
	case errors.Is(ctx.Err(), context.Canceled), c.IsClosed(), errors.Is(err, network.ErrResourceLimitExceeded):
		// The node stops, somebody was faster, or this node is short of something:
		// none of it says that the member is gone.
	default:
		if ctx.Err() != nil { // the error speaks of how the wait was ended
			err = fmt.Errorf("no answer within %v", Timeout)
		}
		w.cfg.Log.Info("connection does not answer", telemetry.KeyPeer, c.RemotePeer(), "addr", c.RemoteMultiaddr(), telemetry.Error(err))
		_ = c.Close() // fails only when it is closed already
	}
}

// pingConn measures one round trip on one connection, by libp2p's ping protocol.
func pingConn(ctx context.Context, c network.Conn) (time.Duration, error) {
	s, err := c.NewStream(network.WithNoDial(ctx, "ping"))
	if err != nil {
		return 0, fmt.Errorf("open ping stream: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = s.Reset() }) // ends what blocks below
	defer stop()
	defer func() { _ = s.Reset() }()
	if err := s.SetProtocol(ping.ID); err != nil {
		return 0, fmt.Errorf("ping: %w", err)
	}
	if err := multistream.SelectProtoOrFail(ping.ID, s); err != nil {
		return 0, fmt.Errorf("ping: %w", err)
	}
	var sent, got [ping.PingSize]byte
	rand.Read(sent[:])
	start := time.Now()
	if _, err := s.Write(sent[:]); err != nil {
		return 0, fmt.Errorf("ping: %w", err)
	}
	if _, err := io.ReadFull(s, got[:]); err != nil {
		return 0, fmt.Errorf("ping: %w", err)
	}
	rtt := time.Since(start)
	if !bytes.Equal(sent[:], got[:]) {
		return 0, errors.New("ping: the answer is not the question")
	}
	return rtt, nil
}
