package meshd

import (
	"crypto/ed25519"
	"encoding/json"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/trust"
)

// owner signs for the realm of a test.
type owner struct {
	key ed25519.PrivateKey
	pin trust.Pin
}

func newOwner(t testing.TB) owner {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return owner{key, trust.NewPin(keys.PublicOf(key))}
}

// claim makes a box a member of o's realm.
func (o owner) claim(t testing.TB, boxes ...*box) {
	t.Helper()
	for _, b := range boxes {
		if err := o.pin.Write(b.home.Pin()); err != nil {
			t.Fatal(err)
		}
	}
}

func (o owner) sign(t testing.TB, name string, seq uint64) intent.Signed {
	t.Helper()
	body, err := json.Marshal(api.Component{Module: api.Program{Blob: api.Sum([]byte(name)), Size: 7}})
	if err != nil {
		t.Fatal(err)
	}
	in := api.Intent{Realm: o.pin.Realm, Ref: ref(name), Seq: seq, Issued: time.Now(), Body: body}
	if seq > 1 {
		in.Prev = api.Sum([]byte("the one before"))
	}
	s, err := intent.Sign(in, o.key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func ref(name string) api.Ref { return api.Ref{Kind: api.KindComponent, Name: api.Name(name)} }
