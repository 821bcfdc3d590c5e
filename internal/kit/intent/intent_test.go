package intent

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	mrand "math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/keys"
)

func key(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
}

var (
	ownerKey = key(1)
	owner    = keys.PublicOf(ownerKey)
	realm    = api.NewRealmID(owner.Key())
)

// pushed is an intent as a person would push it.
func pushed() api.Intent {
	body, _ := json.Marshal(&api.Function{Module: api.Program{Blob: api.Sum([]byte("wasm")), Size: 4}}) // plain data
	return api.Intent{Realm: realm, Ref: api.Ref{Kind: api.KindFunction, Name: "double"}, Seq: 1,
		Issued: time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC), Body: body}
}

func sign(t testing.TB, in api.Intent, k ed25519.PrivateKey) Signed {
	t.Helper()
	s, err := Sign(in, k)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// envelope is DSSE's JSON form, written out here so that the package is checked
// against the specification and not against the library that it uses.
type envelope struct {
	PayloadType string      `json:"payloadType"`
	Payload     string      `json:"payload"`
	Signatures  []signature `json:"signatures"`
}

type signature struct {
	KeyID string `json:"keyid,omitempty"`
	Sig   string `json:"sig"`
}

// pae is the pre-authentication encoding of DSSE v1: what is really signed.
func pae(payloadType string, payload []byte) []byte {
	return fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(payloadType), payloadType, len(payload), payload)
}

// seal makes an envelope by hand.
func seal(payloadType string, payload []byte, signers ...ed25519.PrivateKey) []byte {
	e := envelope{PayloadType: payloadType, Payload: base64.StdEncoding.EncodeToString(payload)}
	for _, k := range signers {
		e.Signatures = append(e.Signatures, signature{Sig: base64.StdEncoding.EncodeToString(ed25519.Sign(k, pae(payloadType, payload)))})
	}
	b, _ := json.Marshal(e) // plain data
	return b
}

func payload(t testing.TB, in api.Intent) []byte {
	t.Helper()
	b, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The example of the DSSE specification, so that pae above is right.
func TestPAE(t *testing.T) {
	const want = "DSSEv1 29 http://example.com/HelloWorld 11 hello world"
	if got := pae("http://example.com/HelloWorld", []byte("hello world")); string(got) != want {
		t.Errorf("%s", got)
	}
}

// What Sign makes can be checked with nothing but Ed25519 and the specification.
func TestSignByTheSpecification(t *testing.T) {
	in := pushed()
	s := sign(t, in, ownerKey)
	var e envelope
	d := json.NewDecoder(bytes.NewReader(s.Envelope))
	d.DisallowUnknownFields()
	if err := d.Decode(&e); err != nil {
		t.Fatal(err)
	}
	raw, err := base64.StdEncoding.DecodeString(e.Payload)
	if err != nil {
		t.Fatal(err)
	}
	if e.PayloadType != "application/vnd.realm.intent.v1+json" || len(e.Signatures) != 1 || e.Signatures[0].KeyID != owner.String() {
		t.Errorf("envelope %+v", e)
	}
	sig, err := base64.StdEncoding.DecodeString(e.Signatures[0].Sig)
	if err != nil {
		t.Fatal(err)
	}
	if !ed25519.Verify(owner.Key(), pae(e.PayloadType, raw), sig) {
		t.Error("the signature is not over the pre-authentication encoding")
	}
	if !bytes.Equal(raw, payload(t, in)) || s.Digest != api.Sum(raw) || s.Signer != owner {
		t.Errorf("payload %s, digest %s, signer %s", raw, s.Digest, s.Signer)
	}
}

// What others make by the specification is opened.
func TestOpenByTheSpecification(t *testing.T) {
	raw := payload(t, pushed())
	for name, env := range map[string][]byte{
		"sealed by hand":        seal(api.PayloadIntent, raw, ownerKey),
		"two signers":           seal(api.PayloadIntent, raw, key(2), ownerKey),
		"four signers":          seal(api.PayloadIntent, raw, key(2), key(3), key(4), ownerKey),
		"URL-safe base64":       urlSafe(seal(api.PayloadIntent, raw, ownerKey)),
		"blanks in the JSON":    indent(t, seal(api.PayloadIntent, raw, ownerKey)),
		"blanks in the payload": seal(api.PayloadIntent, indent(t, raw), ownerKey),
	} {
		s, err := Open(env, realm, owner)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if s.Name != "double" || s.Signer != owner || !bytes.Equal(s.Envelope, env) {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

func urlSafe(env []byte) []byte {
	var e envelope
	_ = json.Unmarshal(env, &e) // made by seal
	to := strings.NewReplacer("+", "-", "/", "_")
	e.Payload, e.Signatures[0].Sig = to.Replace(e.Payload), to.Replace(e.Signatures[0].Sig)
	b, _ := json.Marshal(e)
	return b
}

func indent(t *testing.T, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := json.Indent(&out, b, " ", "  "); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestSignAndOpen(t *testing.T) {
	s := sign(t, pushed(), ownerKey)
	got, err := Open(s.Envelope, realm, owner)
	if err != nil {
		t.Fatal(err)
	}
	if got.Digest != s.Digest || got.Signer != s.Signer || got.Version() != (Version{Seq: 1, Digest: s.Digest}) || !got.Issued.Equal(s.Issued) || got.Ref != s.Ref {
		t.Errorf("signed %+v, opened %+v", s, got)
	}
	if w, err := got.Workload(); err != nil || w.Program().Blob != api.Sum([]byte("wasm")) {
		t.Errorf("workload %+v, %v", w, err)
	}
	again := sign(t, pushed(), ownerKey)
	if !bytes.Equal(again.Envelope, s.Envelope) {
		t.Error("signing the same twice gives two envelopes")
	}
}

func TestOpenRefuses(t *testing.T) {
	in := pushed()
	raw := payload(t, in)
	good := seal(api.PayloadIntent, raw, ownerKey)
	other := pushed()
	other.Realm = api.NewRealmID(keys.PublicOf(key(2)).Key())
	bad := pushed()
	bad.Name = "a/b"
	tests := []struct {
		name string
		env  []byte
		is   error
		text string
	}{
		{"nothing", nil, nil, "EOF"},
		{"no JSON", []byte("hello"), nil, "invalid character"},
		{"null", []byte("null"), nil, "payload type"},
		{"cut", good[:len(good)-2], nil, "unexpected EOF"},
		{"bytes after", append(slices.Clone(good), '1'), nil, "bytes after"},
		{"unknown field", append([]byte(`{"extra":1,`), good[1:]...), nil, "unknown field"},
		{"too large", append(slices.Clone(good), bytes.Repeat([]byte(" "), api.MaxEnvelope)...), api.ErrTooLarge, ""},
		{"other payload type", seal("application/json", raw, ownerKey), nil, "payload type"},
		{"payload type exchanged", bytes.Replace(seal("application/vnd.realm.intent.v2+json", raw, ownerKey), []byte("v2+json"), []byte("v1+json"), 1), ErrSignature, owner.String()},
		{"no signature", seal(api.PayloadIntent, raw), nil, "0 signatures"},
		{"five signatures", seal(api.PayloadIntent, raw, ownerKey, ownerKey, ownerKey, ownerKey, ownerKey), nil, "5 signatures"},
		{"another's signature", seal(api.PayloadIntent, raw, key(2)), ErrSignature, ""},
		{"signature without encoding", plain(raw), ErrSignature, ""},
		{"empty signature", resign(good, ""), ErrSignature, ""},
		{"signature of zeros", resign(good, strings.Repeat("A", 86)+"=="), ErrSignature, ""},
		{"signature no base64", resign(good, "!"), ErrSignature, ""},
		{"payload exchanged", exchange(good, payload(t, other)), ErrSignature, ""},
		{"payload no base64", bytes.Replace(good, []byte(`"payload":"`), []byte(`"payload":"!`), 1), ErrSignature, ""},
		{"another realm", seal(api.PayloadIntent, payload(t, other), ownerKey), ErrRealm, ""},
		{"not valid", seal(api.PayloadIntent, payload(t, bad), ownerKey), nil, "name \"a/b\""},
		{"payload no intent", seal(api.PayloadIntent, []byte("[]"), ownerKey), nil, "decode *api.Intent"},
		{"payload of two", seal(api.PayloadIntent, append(slices.Clone(raw), raw...), ownerKey), nil, "bytes after"},
		{"payload with more", seal(api.PayloadIntent, append([]byte(`{"admin":true,`), raw[1:]...), ownerKey), nil, "unknown field"},
		{"payload empty", seal(api.PayloadIntent, nil, ownerKey), nil, "EOF"},
	}
	for _, tt := range tests {
		_, err := Open(tt.env, realm, owner)
		if err == nil || tt.is != nil && !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%s: %v; want %v with %q", tt.name, err, tt.is, tt.text)
		}
	}
	if _, err := Open(good, realm, keys.Public{}); !errors.Is(err, ErrSignature) {
		t.Errorf("opened by nobody's key: %v", err)
	}
}

// plain is signed as a signer would that does not know DSSE.
func plain(raw []byte) []byte {
	e := envelope{PayloadType: api.PayloadIntent, Payload: base64.StdEncoding.EncodeToString(raw),
		Signatures: []signature{{Sig: base64.StdEncoding.EncodeToString(ed25519.Sign(ownerKey, raw))}}}
	b, _ := json.Marshal(e) // plain data
	return b
}

func change(env []byte, fn func(*envelope)) []byte {
	var e envelope
	_ = json.Unmarshal(env, &e) // made by seal
	fn(&e)
	b, _ := json.Marshal(e)
	return b
}

func resign(env []byte, sig string) []byte {
	return change(env, func(e *envelope) { e.Signatures[0].Sig = sig })
}

func exchange(env, raw []byte) []byte {
	return change(env, func(e *envelope) { e.Payload = base64.StdEncoding.EncodeToString(raw) })
}

// No single flipped bit of a payload or signature goes through.
func TestFlippedBits(t *testing.T) {
	var e envelope
	if err := json.Unmarshal(sign(t, pushed(), ownerKey).Envelope, &e); err != nil {
		t.Fatal(err)
	}
	raw, _ := base64.StdEncoding.DecodeString(e.Payload)
	sig, _ := base64.StdEncoding.DecodeString(e.Signatures[0].Sig)
	for i := range 8 * (len(raw) + len(sig)) {
		p, s := slices.Clone(raw), slices.Clone(sig)
		if i < 8*len(raw) {
			p[i/8] ^= 1 << (i % 8)
		} else {
			s[i/8-len(raw)] ^= 1 << (i % 8)
		}
		flipped := e
		flipped.Payload = base64.StdEncoding.EncodeToString(p)
		flipped.Signatures = []signature{{Sig: base64.StdEncoding.EncodeToString(s)}}
		b, _ := json.Marshal(flipped)
		if _, err := Open(b, realm, owner); !errors.Is(err, ErrSignature) {
			t.Fatalf("bit %d: %v", i, err)
		}
	}
}

// faraway is a key that this process does not hold.
type faraway struct {
	crypto.Signer
	err error
}

func (f faraway) Sign(r io.Reader, data []byte, opts crypto.SignerOpts) ([]byte, error) {
	if f.err != nil {
		return nil, f.err
	}
	return f.Signer.Sign(r, data, opts)
}

func TestSignByAnySigner(t *testing.T) {
	near := sign(t, pushed(), ownerKey)
	far, err := Sign(pushed(), faraway{ownerKey, nil})
	if err != nil || !bytes.Equal(far.Envelope, near.Envelope) || far.Signer != owner {
		t.Errorf("%+v, %v; by the key itself: %+v", far, err, near)
	}
	locked := errors.New("locked")
	if _, err := Sign(pushed(), faraway{ownerKey, locked}); !errors.Is(err, locked) {
		t.Errorf("a signer that fails: %v", err)
	}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Sign(pushed(), other); err == nil || !strings.Contains(err.Error(), "want Ed25519") {
		t.Errorf("another kind of key: %v", err)
	}
}

func TestSignRefuses(t *testing.T) {
	bad := pushed()
	bad.Seq = 0
	if _, err := Sign(bad, ownerKey); err == nil || !strings.Contains(err.Error(), "sign intent function/double: seq 0") {
		t.Errorf("an intent that is not valid: %v", err)
	}
	// Characters that JSON escapes make a body that fits its own limit too long.
	large := pushed()
	large.Kind = api.KindComponent
	large.Body, _ = json.Marshal(&api.Component{Module: api.Program{Blob: api.Sum(nil), Size: 4}, Args: []string{strings.Repeat("<", 20<<10)}})
	if _, err := Sign(large, ownerKey); err == nil {
		t.Error("an envelope that nobody would open was signed")
	}
}

// Newer orders all versions of a Ref, so that all nodes agree on the last.
func TestVersionOrder(t *testing.T) {
	low, high := api.Digest{1}, api.Digest{2}
	ordered := []Version{{}, {Seq: 1, Digest: low}, {Seq: 1, Digest: high}, {Seq: 2, Digest: low}, {Seq: 10, Digest: low}, {Seq: api.MaxSeq, Digest: high}}
	for i, v := range ordered {
		for j, w := range ordered {
			if got := v.Newer(w); got != (i > j) {
				t.Errorf("%v newer than %v: %v", v, w, got)
			}
		}
	}
}

// Whatever the order in which nodes see versions, they end at the same one.
func TestAllEndAtTheSameVersion(t *testing.T) {
	rng := mrand.New(mrand.NewPCG(3, 4))
	var all []Version
	for range 40 {
		all = append(all, Version{Seq: 1 + rng.Uint64N(8), Digest: api.Digest{byte(rng.Uint32())}})
	}
	last := func() (at Version) {
		for _, v := range all {
			if v.Newer(at) {
				at = v
			}
		}
		return at
	}
	want := last()
	for range 200 {
		rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		if got := last(); got != want {
			t.Fatalf("%v, in another order %v", got, want)
		}
	}
}

// FuzzOpen: nothing is opened that the owner has not signed, bit by bit.
func FuzzOpen(f *testing.F) {
	raw := payload(f, pushed())
	for _, env := range [][]byte{
		seal(api.PayloadIntent, raw, ownerKey), seal(api.PayloadIntent, raw, key(2), ownerKey), seal(api.PayloadIntent, raw, key(2)),
		seal("application/json", raw, ownerKey), seal(api.PayloadIntent, []byte("[]"), ownerKey), []byte("{}"), []byte("null"),
	} {
		f.Add(env)
	}
	f.Fuzz(func(t *testing.T, env []byte) {
		s, err := Open(env, realm, owner)
		if err != nil {
			return
		}
		if s.Digest != api.Sum(raw) || s.Realm != realm || s.Ref != pushed().Ref {
			t.Fatalf("opened %+v", s)
		}
		if err := s.Validate(); err != nil {
			t.Fatalf("opened, yet not valid: %v", err)
		}
	})
}
