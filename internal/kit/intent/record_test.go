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

func recorded(k ed25519.PrivateKey) api.JobRecord {
	return api.JobRecord{Realm: api.NewRealmID(k.Public().(ed25519.PublicKey)), Root: api.Sum([]byte("root")), Job: "build-1", Run: "0", Epoch: 1,
		Peer: keys.Peer(k.Public().(ed25519.PublicKey)), Seq: 1, State: api.ExecRunning, Claimed: time.Unix(1, 0).UTC()}
}

func TestRecords(t *testing.T) {
	k, other := key(1), key(2)
	rec := recorded(k)
	raw, err := SignRecord(rec, k)
	if err != nil {
		t.Fatal(err)
	}
	said := rec.Exec()
	got, err := ReadRecord(raw)
	if err != nil || got.Exec() != said || got.State != rec.State {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := SignRecord(rec, other); err == nil {
		t.Error("another member's record was signed")
	}
	rec.Epoch = 0
	if _, err := SignRecord(rec, k); err == nil {
		t.Error("a record that is none was signed")
	}
	for i := range raw {
		bad := bytes.Clone(raw)
		bad[i] ^= 1
		if got, err := ReadRecord(bad); err == nil && (got.Exec() != said || got.State != rec.State) {
			t.Fatalf("with byte %d changed it says %+v", i, got)
		}
	}
	rec = recorded(k)
	forged, err := SignRecord(recorded(other), other)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := ReadRecord(forged); err != nil || got.Peer == rec.Peer {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := ReadRecord(make([]byte, api.MaxRecord+1)); !errors.Is(err, api.ErrTooLarge) {
		t.Errorf("too much: %v", err)
	}
}

func FuzzReadRecord(f *testing.F) {
	raw, err := SignRecord(recorded(key(1)), key(1))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		rec, err := ReadRecord(raw)
		if err == nil && rec.Validate() != nil {
			t.Errorf("%+v was taken", rec)
		}
	})
}
