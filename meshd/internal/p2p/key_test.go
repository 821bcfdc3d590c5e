package p2p

import (
	"testing"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/realm-mesh/realm/internal/kit/keys"
)

func TestPublicKey(t *testing.T) {
	key := newKey(t)
	want := keys.PublicOf(key)
	p, err := Decode(keys.Peer(want.Key()))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := PublicKey(p); err != nil || got != want {
		t.Errorf("PublicKey = %v, %v; want %v", got, err, want)
	}
	for _, kind := range []int{crypto.RSA, crypto.Secp256k1, crypto.ECDSA} {
		_, pub, err := crypto.GenerateKeyPair(kind, 2048)
		if err != nil {
			t.Fatal(err)
		}
		p, err := peer.IDFromPublicKey(pub)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := PublicKey(p); err == nil {
			t.Errorf("a key of kind %d is %v", kind, got)
		}
	}
}
