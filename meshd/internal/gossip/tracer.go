package gossip

import (
	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"

	"github.com/realm-mesh/realm/meshd/internal/conduct"
)

// tracer sees what becomes of messages that never reach a check, or nobody after it.
// It is a [pubsub.RawTracer].
type tracer struct{ g *Gossip }

func (t tracer) RejectMessage(m *pubsub.Message, reason string) {
	switch reason {
	case pubsub.RejectValidationQueueFull, pubsub.RejectValidationThrottled:
		t.g.cfg.Missed(m.ReceivedFrom)
	case pubsub.RejectInvalidSignature, pubsub.RejectMissingSignature:
		t.g.cfg.Conduct.Note(m.ReceivedFrom, conduct.Garbage)
	}
}

func (t tracer) UndeliverableMessage(m *pubsub.Message) {
	if m.ReceivedFrom != t.g.self {
		t.g.cfg.Missed(m.ReceivedFrom)
	}
}

func (tracer) OnNewOutboundStream(peer.ID, protocol.ID) {}
func (tracer) OnClosedOutboundStream(peer.ID)           {}
func (tracer) Join(string)                              {}
func (tracer) Leave(string)                             {}
func (tracer) Graft(peer.ID, string)                    {}
func (tracer) Prune(peer.ID, string)                    {}
func (tracer) ValidateMessage(*pubsub.Message)          {}
func (tracer) DeliverMessage(*pubsub.Message)           {}
func (tracer) DuplicateMessage(*pubsub.Message)         {}
func (tracer) ThrottlePeer(peer.ID)                     {}
func (tracer) RecvRPC(*pubsub.RPC)                      {}
func (tracer) SendRPC(*pubsub.RPC, peer.ID)             {}
func (tracer) DropRPC(*pubsub.RPC, peer.ID)             {}
