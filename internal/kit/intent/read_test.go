package intent

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/keys"
)

// join is how the invite with the key 3 lets the node with the key 4 in.
func join(t testing.TB) Signed {
	in := api.Intent{Realm: realm, Ref: api.Ref{Kind: api.KindMember, Name: api.KeyName(keys.PublicOf(key(4)).Key())}, Seq: 1,
		Issued: pushed().Issued, Body: []byte("{}")}
	return sign(t, in, key(3))
}

func countersign(t testing.TB, j Signed, by byte, at time.Time) Signed {
	t.Helper()
	w, err := Countersign(j, key(by), at)
	if err != nil {
		t.Fatal(err)
	}
	s, err := j.WithWitness(w)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Of an intent in a form that this version does not know, the header is enough.
func TestReadLeavesOtherBodiesAlone(t *testing.T) {
	for _, kind := range []api.Kind{api.KindFunction, api.KindComponent, "upgrade"} {
		in := pushed()
		in.Kind, in.Body = kind, json.RawMessage(`{"of a later version":[1,2]}`)
		s, err := Read(sealed(api.PayloadIntent, payload(t, in), ownerKey))
		if err != nil || s.Kind != kind {
			t.Errorf("%s: %v", kind, err)
		}
		if err := s.Validate(); err == nil {
			t.Errorf("%s: the body is known", kind)
		}
	}
}

// Two keys that sign the same payload make two intents: none can stand in the
// place of the other's.
func TestSamePayloadOfTwoKeys(t *testing.T) {
	a, b := sign(t, pushed(), ownerKey), sign(t, pushed(), key(2))
	if a.Digest == b.Digest || a.Slot() == b.Slot() {
		t.Errorf("%+v and %+v", a, b)
	}
}

func TestSlot(t *testing.T) {
	s := sign(t, pushed(), ownerKey)
	if got, want := s.Slot().Key(), "function.double."+string(s.By()); got != want || s.Slot().Validate() != nil {
		t.Errorf("%s, want %s (%v)", got, want, s.Slot().Validate())
	}
	for _, bad := range []Slot{{Ref: s.Ref}, {Signer: owner}, {Ref: api.Ref{Kind: "a.b", Name: "x"}, Signer: owner}} {
		if bad.Validate() == nil {
			t.Errorf("%+v is valid", bad)
		}
	}
}

func TestWitness(t *testing.T) {
	j := join(t)
	at := time.Date(2026, 11, 22, 10, 0, 0, 5, time.FixedZone("", 3600))
	s := countersign(t, j, 5, at)
	got, err := Read(s.Envelope)
	if err != nil {
		t.Fatal(err)
	}
	w := got.Witness
	if w == nil || w.By != keys.PublicOf(key(5)) || w.Realm != realm || w.Member != j.Digest || !w.At.Equal(at.Truncate(time.Second)) {
		t.Errorf("witness %+v", w)
	}
	if got.Digest != s.Digest || got.Signer != j.Signer || !bytes.Equal(got.Envelope, s.Envelope) {
		t.Errorf("countersigned %+v, read %+v", s, got)
	}
	if d, ok := Peek(s.Envelope); !ok || d != s.Digest {
		t.Errorf("seen from far it is %s (%v)", d, ok)
	}
	seen := map[api.Digest]bool{j.Digest: true, s.Digest: true}
	for _, other := range []Signed{countersign(t, j, 6, at), countersign(t, j, 5, at.Add(time.Second))} {
		if seen[other.Digest] {
			t.Error("two witnesses make one intent")
		}
		seen[other.Digest] = true
	}
	// Countersigned again: the witness is another, what it speaks of is the same.
	again := countersign(t, s, 6, at)
	if again.Witness.Member != j.Digest || again.Digest != countersign(t, j, 6, at).Digest {
		t.Errorf("%+v", again.Witness)
	}
	if bare, err := s.WithWitness(nil); err != nil || bare.Digest != j.Digest || !bytes.Equal(bare.Envelope, j.Envelope) {
		t.Errorf("without its witness: %+v, %v", bare, err)
	}
	pack, err := s.WithGrant([]byte("invite"))
	if err != nil || pack.Digest != s.Digest || pack.Witness == nil {
		t.Errorf("with a grant: %+v, %v", pack, err)
	}
}

// A witness of something else, or of no membership, makes the whole unreadable:
// nobody can change the name of what another key has signed.
func TestWitnessOfSomethingElse(t *testing.T) {
	j := join(t)
	other := j.Intent
	other.Issued = other.Issued.Add(time.Second)
	w, err := Countersign(sign(t, other, key(3)), key(5), other.Issued)
	if err != nil {
		t.Fatal(err)
	}
	foreign := api.Witness{Realm: api.NewRealmID(keys.PublicOf(key(9)).Key()), Member: j.Digest, At: other.Issued}
	raw, err := json.Marshal(foreign)
	if err != nil {
		t.Fatal(err)
	}
	for name, envelope := range map[string][]byte{
		"another join":      witnessed(t, j.Envelope, w.Envelope),
		"another realm":     witnessed(t, j.Envelope, sealed(api.PayloadWitness, raw, key(5))),
		"no witness":        witnessed(t, j.Envelope, j.Envelope),
		"a program":         witnessed(t, sign(t, pushed(), ownerKey).Envelope, countersign(t, j, 5, other.Issued).Witness.Envelope),
		"a wrong signature": witnessed(t, j.Envelope, resign(countersign(t, j, 5, other.Issued).Witness.Envelope, strings.Repeat("A", 86)+"==")),
	} {
		if s, err := Read(envelope); err == nil || errors.Is(err, ErrContent) {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
	}
	if _, err := sign(t, pushed(), ownerKey).WithWitness(w); err == nil {
		t.Error("a program was countersigned")
	}
	if _, err := j.WithWitness(w); err == nil {
		t.Error("the witness of another join was taken")
	}
}

func witnessed(t testing.TB, env, witness []byte) []byte {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(env, &m); err != nil {
		t.Fatal(err)
	}
	m["witness"] = witness
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestGrantThatIsTooLarge(t *testing.T) {
	if _, err := sign(t, pushed(), ownerKey).WithGrant(make([]byte, maxGrant+1)); !errors.Is(err, api.ErrTooLarge) {
		t.Errorf("%v", err)
	}
}

func TestPeekRefuses(t *testing.T) {
	good := sign(t, pushed(), ownerKey).Envelope
	for name, env := range map[string][]byte{
		"nothing": nil, "null": []byte("null"), "no key": named(good, "x"), "no payload": bytes.Replace(good, []byte(`"payload":"`), []byte(`"payload":"!`), 1),
		"a witness that is none": attach(good, "witness", 3), "another type": sealed("application/json", []byte("{}"), ownerKey),
	} {
		if d, ok := Peek(env); ok {
			t.Errorf("%s: %s", name, d)
		}
	}
}

// FuzzRead: what is read was signed, bit by bit, and reads the same again from its
// one form. The key that fuzzing finds in the seeds has signed nothing else.
func FuzzRead(f *testing.F) {
	raw := payload(f, pushed())
	j := join(f)
	at := pushed().Issued
	granted, err := countersign(f, j, 5, at).WithGrant(j.Envelope)
	if err != nil {
		f.Fatal(err)
	}
	signed := map[api.Digest]bool{j.Digest: true, granted.Digest: true}
	for _, k := range []byte{1, 2} {
		signed[api.IntentDigest(keys.PublicOf(key(k)).Key(), raw)] = true
	}
	for _, env := range [][]byte{
		sealed(api.PayloadIntent, raw, ownerKey), sealed(api.PayloadIntent, raw, key(2)), sealed(api.PayloadIntent, raw, key(2), ownerKey),
		j.Envelope, granted.Envelope, sealed("application/json", raw, ownerKey), sealed(api.PayloadIntent, []byte("[]"), ownerKey),
		[]byte("{}"), []byte("null"), urlSafe(sealed(api.PayloadIntent, raw, ownerKey)),
	} {
		f.Add(env)
	}
	f.Fuzz(func(t *testing.T, env []byte) {
		s, err := Read(env)
		if err != nil {
			return
		}
		if !signed[s.Digest] {
			t.Fatalf("nobody has signed %s", s.Envelope)
		}
		if d, ok := Peek(env); !ok || d != s.Digest {
			t.Fatalf("seen from far it is %s (%v), it is %s", d, ok, s.Digest)
		}
		again, err := Read(s.Envelope)
		if err != nil || !bytes.Equal(again.Envelope, s.Envelope) || again.Digest != s.Digest || again.Signer != s.Signer {
			t.Fatalf("%s: again %s, %v", s.Envelope, again.Envelope, err)
		}
		if err := s.ValidateHeader(); err != nil {
			t.Fatalf("read, yet not valid: %v", err)
		}
	})
}

// The library takes both alphabets of base64, with line feeds between; one remains.
func TestOneForm(t *testing.T) {
	want := sealed(api.PayloadIntent, payload(t, pushed()), ownerKey)
	odd := change(want, func(e *dsseForm) {
		e.Payload = e.Payload[:8] + "\n" + e.Payload[8:]
		sig, _ := base64.StdEncoding.DecodeString(e.Signatures[0].Sig)
		e.Signatures[0].Sig = base64.URLEncoding.EncodeToString(sig)
	})
	s, err := Read(odd)
	if err != nil || !bytes.Equal(s.Envelope, want) {
		t.Errorf("%s\n%s, %v", s.Envelope, want, err)
	}
}
