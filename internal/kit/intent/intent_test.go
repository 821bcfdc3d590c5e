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

// dsseForm is DSSE's JSON form, written out here so that the package is checked
// against the specification and not against the library that it uses.
type dsseForm struct {
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

// sealed makes an envelope by hand.
func sealed(payloadType string, payload []byte, signers ...ed25519.PrivateKey) []byte {
	e := dsseForm{PayloadType: payloadType, Payload: base64.StdEncoding.EncodeToString(payload)}
	for _, k := range signers {
		e.Signatures = append(e.Signatures, signature{KeyID: keys.PublicOf(k).String(), Sig: base64.StdEncoding.EncodeToString(ed25519.Sign(k, pae(payloadType, payload)))})
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
	var e dsseForm
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
	if !bytes.Equal(raw, payload(t, in)) || s.Digest != api.IntentDigest(owner.Key(), raw) || s.Signer != owner {
		t.Errorf("payload %s, digest %s, signer %s", raw, s.Digest, s.Signer)
	}
}

// What others make by the specification is read, and has one form from then on.
func TestReadByTheSpecification(t *testing.T) {
	raw := payload(t, pushed())
	usual := sealed(api.PayloadIntent, raw, ownerKey)
	for name, tt := range map[string]struct{ env, form []byte }{
		"sealed by hand":        {usual, usual},
		"URL-safe base64":       {urlSafe(usual), usual},
		"blanks in the JSON":    {indent(t, usual), usual},
		"nothing came with it":  {append([]byte(`{"grant":"","witness":"",`), usual[1:]...), usual},
		"blanks in the payload": {sealed(api.PayloadIntent, indent(t, raw), ownerKey), sealed(api.PayloadIntent, indent(t, raw), ownerKey)},
	} {
		s, err := Read(tt.env)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if s.Name != "double" || s.Signer != owner || !bytes.Equal(s.Envelope, tt.form) || s.Grant != nil || s.Witness != nil {
			t.Errorf("%s: %+v\n%s\n%s", name, s, s.Envelope, tt.form)
		}
		if d, ok := Peek(tt.env); !ok || d != s.Digest {
			t.Errorf("%s: seen from far it is %s (%v), it is %s", name, d, ok, s.Digest)
		}
	}
}

func urlSafe(env []byte) []byte {
	var e dsseForm
	_ = json.Unmarshal(env, &e) // made by sealed
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

func TestSignAndRead(t *testing.T) {
	s := sign(t, pushed(), ownerKey)
	got, err := Read(s.Envelope)
	if err != nil {
		t.Fatal(err)
	}
	if got.Digest != s.Digest || got.Signer != s.Signer || got.Version() != (Version{Seq: 1, Digest: s.Digest}) || !got.Issued.Equal(s.Issued) || got.Ref != s.Ref {
		t.Errorf("signed %+v, read %+v", s, got)
	}
	if w, err := got.Workload(); err != nil || w.Program().Blob != api.Sum([]byte("wasm")) {
		t.Errorf("workload %+v, %v", w, err)
	}
	again := sign(t, pushed(), ownerKey)
	if !bytes.Equal(again.Envelope, s.Envelope) {
		t.Error("signing the same twice gives two envelopes")
	}
}

func TestReadRefuses(t *testing.T) {
	in := pushed()
	raw := payload(t, in)
	good := sealed(api.PayloadIntent, raw, ownerKey)
	other := pushed()
	other.Realm = api.NewRealmID(keys.PublicOf(key(2)).Key())
	bad := pushed()
	bad.Name = "a/b"
	grant := api.Intent{Realm: realm, Ref: api.Ref{Kind: api.KindGrant, Name: api.KeyName(owner.Key())}, Seq: 1, Issued: pushed().Issued, Body: []byte("{}")}
	tests := []struct {
		name string
		env  []byte
		is   error
		text string
	}{
		{"nothing", nil, nil, "EOF"},
		{"no JSON", []byte("hello"), nil, "invalid character"},
		{"null", []byte("null"), nil, "0 signatures"},
		{"cut", good[:len(good)-2], nil, "unexpected EOF"},
		{"bytes after", append(slices.Clone(good), '1'), nil, "bytes after"},
		{"unknown field", append([]byte(`{"extra":1,`), good[1:]...), nil, "unknown field"},
		{"too large", append(slices.Clone(good), bytes.Repeat([]byte(" "), api.MaxEnvelope)...), api.ErrTooLarge, ""},
		{"other payload type", sealed("application/json", raw, ownerKey), nil, "payload type"},
		{"payload type exchanged", bytes.Replace(sealed("application/vnd.realm.intent.v2+json", raw, ownerKey), []byte("v2+json"), []byte("v1+json"), 1), ErrSignature, owner.String()},
		{"no signature", sealed(api.PayloadIntent, raw), nil, "0 signatures"},
		{"two signatures", sealed(api.PayloadIntent, raw, ownerKey, key(2)), nil, "2 signatures"},
		{"another's signature", named(sealed(api.PayloadIntent, raw, key(2)), owner.String()), ErrSignature, owner.String()},
		{"signed by no key", named(good, ""), nil, "keyid"},
		{"signed by a key of another kind", named(good, "SHA256:abc"), nil, "keyid"},
		{"signed by the key of zeros", named(good, "ed25519:"+strings.Repeat("1", 32)), nil, "keyid"},
		{"signature without encoding", plain(raw), ErrSignature, ""},
		{"empty signature", resign(good, ""), ErrSignature, ""},
		{"signature of zeros", resign(good, strings.Repeat("A", 86)+"=="), ErrSignature, ""},
		{"signature no base64", resign(good, "!"), ErrSignature, ""},
		{"payload exchanged", exchange(good, payload(t, other)), ErrSignature, ""},
		{"payload no base64", bytes.Replace(good, []byte(`"payload":"`), []byte(`"payload":"!`), 1), ErrSignature, ""},
		{"not valid", sealed(api.PayloadIntent, payload(t, bad), ownerKey), ErrContent, "name \"a/b\""},
		{"payload no intent", sealed(api.PayloadIntent, []byte("[]"), ownerKey), ErrContent, "cannot unmarshal"},
		{"payload of two", sealed(api.PayloadIntent, append(slices.Clone(raw), raw...), ownerKey), ErrContent, "bytes after"},
		{"payload with more", sealed(api.PayloadIntent, append([]byte(`{"admin":true,`), raw[1:]...), ownerKey), ErrContent, "unknown field"},
		{"payload empty", sealed(api.PayloadIntent, nil, ownerKey), ErrContent, "EOF"},
		{"a grant of nothing", sealed(api.PayloadIntent, payload(t, grant), ownerKey), ErrContent, "may"},
		{"a large grant came with it", attach(good, "grant", maxGrant+1), api.ErrTooLarge, ""},
		{"a large witness came with it", attach(good, "witness", maxWitness+1), api.ErrTooLarge, ""},
		{"a witness that is none", attach(good, "witness", 3), nil, "witness: decode"},
	}
	for _, tt := range tests {
		_, err := Read(tt.env)
		if err == nil || tt.is != nil && !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%s: %v; want %v with %q", tt.name, err, tt.is, tt.text)
		}
	}
}

// attach adds n bytes that are no envelope.
func attach(env []byte, field string, n int) []byte {
	return fmt.Appendf(nil, `{"%s":"%s",%s`, field, base64.StdEncoding.EncodeToString(make([]byte, n)), env[1:])
}

func named(env []byte, keyID string) []byte {
	return change(env, func(e *dsseForm) { e.Signatures[0].KeyID = keyID })
}

// plain is signed as a signer would that does not know DSSE.
func plain(raw []byte) []byte {
	e := dsseForm{PayloadType: api.PayloadIntent, Payload: base64.StdEncoding.EncodeToString(raw),
		Signatures: []signature{{KeyID: owner.String(), Sig: base64.StdEncoding.EncodeToString(ed25519.Sign(ownerKey, raw))}}}
	b, _ := json.Marshal(e) // plain data
	return b
}

func change(env []byte, fn func(*dsseForm)) []byte {
	var e dsseForm
	_ = json.Unmarshal(env, &e) // made by sealed
	fn(&e)
	b, _ := json.Marshal(e)
	return b
}

func resign(env []byte, sig string) []byte {
	return change(env, func(e *dsseForm) { e.Signatures[0].Sig = sig })
}

func exchange(env, raw []byte) []byte {
	return change(env, func(e *dsseForm) { e.Payload = base64.StdEncoding.EncodeToString(raw) })
}

// No single flipped bit of a payload or signature goes through.
func TestFlippedBits(t *testing.T) {
	var e dsseForm
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
		flipped.Signatures = []signature{{KeyID: owner.String(), Sig: base64.StdEncoding.EncodeToString(s)}}
		b, _ := json.Marshal(flipped)
		if _, err := Read(b); !errors.Is(err, ErrSignature) {
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
