package intent

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/keys"
)

func held(k ed25519.PrivateKey) api.Holdings {
	pub := k.Public().(ed25519.PublicKey)
	return api.Holdings{Realm: api.NewRealmID(pub), Peer: keys.Peer(pub), Seq: 3, Volumes: []api.HeldVolume{{Volume: "cart", User: "shop", Epoch: 2}}}
}

func TestHoldings(t *testing.T) {
	k, other := key(1), key(2)
	raw, err := SignHoldings(held(k), k)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ReadHoldings(raw)
	if err != nil || got.Seq != 3 || len(got.Volumes) != 1 || got.Volumes[0] != held(k).Volumes[0] {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := SignHoldings(held(k), other); err == nil {
		t.Error("another member's holdings were signed")
	}
	rec, err := SignRecord(recorded(k), k)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ReadHoldings(rec); err == nil {
		t.Error("a record is taken for holdings")
	}
	for i := range raw {
		bad := bytes.Clone(raw)
		bad[i] ^= 1
		if got, err := ReadHoldings(bad); err == nil && (got.Peer != held(k).Peer || got.Seq != 3 || got.Volumes[0] != held(k).Volumes[0]) {
			t.Fatalf("with byte %d changed it says %+v", i, got)
		}
	}
	if _, err := ReadHoldings(make([]byte, api.MaxHoldings+1)); !errors.Is(err, api.ErrTooLarge) {
		t.Errorf("too much: %v", err)
	}
}

func TestReads(t *testing.T) {
	k, now := key(1), time.Now().UTC()
	h := held(k)
	r := api.VolumeRead{Realm: h.Realm, Volume: "cart", Peer: h.Peer, Issued: now, Expires: now.Add(time.Minute)}
	raw, err := SignRead(r, k)
	if err != nil {
		t.Fatal(err)
	}
	got, by, err := OpenRead(raw, now)
	if err != nil || got.Volume != "cart" || by != keys.PublicOf(k) {
		t.Errorf("%+v, %v, %v", got, by, err)
	}
	for _, at := range []time.Time{now.Add(2 * time.Minute), now.Add(-time.Hour)} {
		if _, _, err := OpenRead(raw, at); !errors.Is(err, ErrContent) {
			t.Errorf("at %s: %v", at, err)
		}
	}
	r.Expires = now.Add(2 * api.MaxVolumeRead)
	if _, err := SignRead(r, k); err == nil {
		t.Error("one that is good for ever was signed")
	}
}

func FuzzReadHoldings(f *testing.F) {
	raw, err := SignHoldings(held(key(1)), key(1))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Fuzz(func(t *testing.T, raw []byte) {
		if h, err := ReadHoldings(raw); err == nil && h.Validate() != nil {
			t.Errorf("%s: it is no good", raw)
		}
		_, _, _ = OpenRead(raw, time.Time{})
	})
}
