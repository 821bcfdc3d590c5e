package p2p

import (
	"fmt"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/realm-mesh/realm/internal/kit/keys"
)

// PublicKey is the key that a node's peer id stands for. Only Ed25519 keys have one.
func PublicKey(p peer.ID) (keys.Public, error) {
	pub, err := p.ExtractPublicKey()
	if err != nil {
		return keys.Public{}, fmt.Errorf("key of peer %s: %w", p, err)
	}
	raw, err := pub.Raw()
	if err != nil {
		return keys.Public{}, fmt.Errorf("key of peer %s: %w", p, err)
	}
	if pub.Type() != crypto.Ed25519 || len(raw) != len(keys.Public{}) {
		return keys.Public{}, fmt.Errorf("key of peer %s: it is %s, and nodes have Ed25519", p, pub.Type())
	}
	return keys.Public(raw), nil
}
