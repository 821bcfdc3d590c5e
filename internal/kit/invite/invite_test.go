package invite

import (
	"bytes"
	"compress/flate"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/ledger"
	"github.com/realm-mesh/realm/internal/kit/trust"
)

var now = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

const member = "/ip4/192.0.2.7/udp/4001/quic-v1/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN"

func newKey(t testing.TB) ed25519.PrivateKey {
	t.Helper()
	_, k, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func limits() api.Invite {
	return api.Invite{Roles: []string{"edge"}, Expires: now.Add(24 * time.Hour), Uses: 3, Comment: "for the shed"}
}

// newToken is a token of a realm whose owner has had some keys before this one.
func newToken(t testing.TB, rotations int) (Token, ed25519.PrivateKey) {
	t.Helper()
	key := newKey(t)
	pin := trust.NewPin(keys.PublicOf(key))
	var path [][]byte
	var prev api.Digest
	for seq := uint64(1); seq <= uint64(rotations); seq++ {
		var s intent.Signed
		s, key = rotate(t, pin.Realm, key, seq, prev)
		path, prev = append(path, s.Envelope), s.Digest
	}
	pin.Owner = keys.PublicOf(key)
	tok, _, err := New(key, pin, limits(), path, now)
	if err != nil {
		t.Fatal(err)
	}
	tok.Addrs = []string{member}
	return tok, key
}

func rotate(t testing.TB, realm api.RealmID, old ed25519.PrivateKey, seq uint64, prev api.Digest) (intent.Signed, ed25519.PrivateKey) {
	t.Helper()
	next := newKey(t)
	body, err := json.Marshal(api.Rotation{Key: api.KeyName(keys.PublicOf(next).Key()),
		Proof: ed25519.Sign(next, api.RotationProof(realm, seq, keys.PublicOf(old).Key()))})
	if err != nil {
		t.Fatal(err)
	}
	s, err := intent.Sign(api.Intent{Realm: realm, Ref: api.Ref{Kind: api.KindRotate, Name: api.NameOwner}, Seq: seq, Prev: prev, Issued: now, Body: body}, old)
	if err != nil {
		t.Fatal(err)
	}
	return s, next
}

func encode(t testing.TB, tok Token) string {
	t.Helper()
	text, err := tok.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestTokenSurvivesItsText(t *testing.T) {
	for _, rotations := range []int{0, 1, 3} {
		tok, key := newToken(t, rotations)
		text := encode(t, tok)
		if !strings.HasPrefix(text, "realm1") || strings.Trim(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != "" {
			t.Errorf("not one word: %s", text)
		}
		got, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, tok) {
			t.Errorf("%d rotations: wrote %+v\nread %+v", rotations, tok, got)
		}
		if got.Owner != keys.PublicOf(key) || got.Pin().Owner != got.Owner || got.Pin().Realm != tok.Realm {
			t.Errorf("follows %+v", got.Pin())
		}
		if l, err := got.Limits(); err != nil || !reflect.DeepEqual(l, limits()) {
			t.Errorf("limits %+v, %v", l, err)
		}
		t.Logf("%d rotations: %d characters", rotations, len(text))
	}
}

// People break long words into lines, and terminals do, too.
func TestWhitespaceIsForgiven(t *testing.T) {
	tok, _ := newToken(t, 0)
	text := encode(t, tok)
	for _, broken := range []string{" " + text + "\r\n", text[:3] + "\n" + text[3:70] + "\r\n\t" + text[70:], strings.Join(strings.Split(text, ""), " ")} {
		if got, err := Parse(broken); err != nil || !reflect.DeepEqual(got, tok) {
			t.Errorf("%q: %v", broken, err)
		}
	}
}

func TestDamageIsFound(t *testing.T) {
	tok, _ := newToken(t, 1)
	text := encode(t, tok)
	for i := len(prefix); i < len(text); i++ {
		other := byte('A')
		if text[i] == other {
			other = 'B'
		}
		if _, err := Parse(text[:i] + string(other) + text[i+1:]); !errors.Is(err, ErrCopy) {
			t.Fatalf("character %d changed: %v", i, err)
		}
		if _, err := Parse(text[:i]); !errors.Is(err, ErrCopy) {
			t.Fatalf("cut to %d characters: %v", i, err)
		}
	}
	for _, none := range []string{"", "realm", "realm2" + text[6:], "hello", text[1:], "x" + text, strings.ToUpper(text), strings.Repeat(" ", 3*MaxToken) + text, text + strings.Repeat("A", MaxToken)} {
		if _, err := Parse(none); !errors.Is(err, ErrForm) {
			t.Errorf("%.20q: %v", none, err)
		}
	}
	for _, more := range []string{text + "A", text + text, text + "="} {
		if _, err := Parse(more); !errors.Is(err, ErrCopy) {
			t.Errorf("with more: %v", err)
		}
	}
}

// seal puts any JSON into a token with a right checksum.
func seal(t testing.TB, raw string) string {
	t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(raw)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(b.Bytes())
	return prefix + encoding.EncodeToString(slices.Concat(sum[:sumLen], b.Bytes()))
}

// What fits together in its checksum alone is refused.
func TestPartsMustFit(t *testing.T) {
	good, owner := newToken(t, 2)
	other, _ := newToken(t, 1)
	next, _ := rotate(t, good.Realm, owner, 3, api.Sum([]byte("x")))
	stray, _ := rotate(t, good.Realm, owner, 1, api.Digest{})
	sign := func(in api.Intent, key ed25519.PrivateKey) []byte {
		s, err := intent.Sign(in, key)
		if err != nil {
			t.Fatal(err)
		}
		return s.Envelope
	}
	inviteOf := func(key ed25519.PrivateKey) api.Intent {
		s, err := intent.Read(good.Invite)
		if err != nil {
			t.Fatal(err)
		}
		in := s.Intent
		in.Name = api.KeyName(keys.PublicOf(key).Key())
		return in
	}
	tombstone := inviteOf(good.Key)
	tombstone.Tombstone, tombstone.Body = true, nil
	grant := api.Intent{Realm: good.Realm, Ref: api.Ref{Kind: api.KindGrant, Name: inviteOf(good.Key).Name}, Seq: 1, Issued: now,
		Body: json.RawMessage(`{"may":["push"],"since":"2026-11-22T10:00:00Z"}`)}
	for text, change := range map[string]func(*Token){
		"not that of the invite":     func(k *Token) { k.Key = other.Key },
		"signature is wrong":         func(k *Token) { k.Invite = bytes.Replace(k.Invite, []byte(`"sig":"`), []byte(`"sig":"AAAA`), 1) },
		"with its own key":           func(k *Token) { k.Invite = sign(inviteOf(k.Key), k.Key) },
		"holds a grant":              func(k *Token) { k.Invite = sign(grant, owner) },
		"what revokes":               func(k *Token) { k.Invite = sign(tombstone, owner) },
		"where a rotation was":       func(k *Token) { k.Rotations = [][]byte{k.Invite} },
		"17 rotations":               func(k *Token) { k.Rotations = slices.Repeat(k.Rotations[:1], 17) },
		"another realm":              func(k *Token) { k.Rotations = other.Rotations },
		"the first key of the realm": func(k *Token) { k.Rotations = [][]byte{stray.Envelope} },
		"has a new key since":        func(k *Token) { k.Rotations = [][]byte{next.Envelope} },
		"17 addresses":               func(k *Token) { k.Addrs = slices.Repeat(k.Addrs, 17) },
		"ends in /p2p/PEER":          func(k *Token) { k.Addrs = []string{"/ip4/192.0.2.7/udp/4001/quic-v1"} },
		"ends in /p2p/PEER|slash":    func(k *Token) { k.Addrs = []string{member[1:]} },
		"ends in /p2p/PEER|blank":    func(k *Token) { k.Addrs = []string{"/dns/a b" + member} },
		"ends in /p2p/PEER|long":     func(k *Token) { k.Addrs = []string{"/dns/" + strings.Repeat("a", maxAddr) + member} },
		"parse peer id":              func(k *Token) { k.Addrs = []string{member + "x"} },
	} {
		bad := good
		change(&bad)
		want, _, _ := strings.Cut(text, "|")
		if _, err := Parse(encode(t, bad)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %q", err, want)
		}
	}
	for _, raw := range []string{"", "{}", "null", "[]", `{"seed":"AAAA","invite":{}}`, `{"seed":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}`,
		`{"seed":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","invite":{},"more":1}`} {
		if _, err := Parse(seal(t, raw)); err == nil {
			t.Errorf("took %s", raw)
		}
	}
	if _, err := Parse(seal(t, `{"seed":"`+strings.Repeat("A", maxInflated)+`"}`)); !errors.Is(err, api.ErrTooLarge) {
		t.Errorf("a token that inflates without end: %v", err)
	}
}

func TestTooLongIsToldToItsMaker(t *testing.T) {
	tok, _ := newToken(t, 0)
	tok.Addrs = nil
	for range MaxAddrs * 8 { // addresses compress badly only if they differ
		k := newKey(t)
		tok.Addrs = append(tok.Addrs, "/dns4/"+string(api.KeyName(keys.PublicOf(newKey(t)).Key()))+"/tcp/1/p2p/"+string(keys.Peer(keys.PublicOf(k).Key())))
	}
	if _, err := tok.Encode(); !errors.Is(err, api.ErrTooLarge) {
		t.Errorf("got %v", err)
	}
}

func TestNewRefuses(t *testing.T) {
	key := newKey(t)
	pin := trust.NewPin(keys.PublicOf(key))
	bad := limits()
	bad.Uses = -1
	if _, _, err := New(key, pin, bad, nil, now); err == nil || !strings.Contains(err.Error(), "uses") {
		t.Errorf("uses -1: %v", err)
	}
	stray, _ := newToken(t, 1)
	if _, _, err := New(key, pin, limits(), stray.Rotations, now); err == nil {
		t.Error("took the rotations of another realm")
	}
}

// A member that knows the realm lets the node in, and the node is the same one
// however often it asks.
func TestJoinIsCountersigned(t *testing.T) {
	for _, rotations := range []int{0, 2} {
		tok, owner := newToken(t, rotations)
		tok, err := Parse(encode(t, tok))
		if err != nil {
			t.Fatal(err)
		}
		first, node := newKey(t), newKey(t)
		l := ledger.New(tok.Pin())
		in, err := intent.Sign(api.Intent{Realm: tok.Realm, Ref: api.Ref{Kind: api.KindMember, Name: api.KeyName(keys.PublicOf(first).Key())},
			Seq: 1, Issued: now, Body: json.RawMessage("{}")}, owner)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.Add(in, now); err != nil {
			t.Fatal(err)
		}
		join, err := tok.Join(keys.PublicOf(node))
		if err != nil {
			t.Fatal(err)
		}
		if again, err := tok.Join(keys.PublicOf(node)); err != nil || again.Digest != join.Digest {
			t.Errorf("another join the second time (%v)", err)
		}
		raw, err := ledger.EncodeProof(tok.Proof(join))
		if err != nil {
			t.Fatal(err)
		}
		if v := l.Judge(keys.PublicOf(node), raw, now); v.Standing != api.StandingJoining {
			t.Errorf("in the handshake: %+v", v)
		}
		admitted, err := l.Admit(join, first, now)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.Add(admitted, now); err != nil {
			t.Fatal(err)
		}
		if m, ok := l.Member(keys.PublicOf(node), now); !ok || m.Standing != api.StandingMember || !slices.Equal(m.Roles, []string{"edge"}) {
			t.Errorf("it is %+v", m)
		}
		if _, err := l.Admit(join, first, now.Add(48*time.Hour)); err != nil {
			t.Errorf("once a member, always: %v", err)
		}
		late, err := tok.Join(keys.PublicOf(newKey(t)))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.Admit(late, first, now.Add(48*time.Hour)); !errors.Is(err, ledger.ErrExpired) {
			t.Errorf("after its time: %v", err)
		}
	}
}

// FuzzParse reads any text. A token that is taken says the same after being written.
func FuzzParse(f *testing.F) {
	for _, rotations := range []int{0, 1} {
		tok, _ := newToken(f, rotations)
		text := encode(f, tok)
		f.Add(text)
		f.Add(text[:len(text)/2])
		f.Add(text[:80] + "\r\n " + text[80:])
		tok.Addrs = nil
		f.Add(encode(f, tok))
	}
	for _, raw := range []string{"", "{}", `{"seed":"","invite":{}}`} {
		f.Add(seal(f, raw))
	}
	f.Add("realm1")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		tok, err := Parse(text)
		if err != nil {
			return
		}
		again, err := Parse(encode(t, tok))
		if err != nil || !reflect.DeepEqual(tok.Pin(), again.Pin()) || !tok.Key.Equal(again.Key) || !slices.Equal(tok.Addrs, again.Addrs) {
			t.Fatalf("%q: %+v, written and read %+v, %v", text, tok, again, err)
		}
		if _, err := tok.Limits(); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzRead reads what is in a token of any bytes, past the checksum.
func FuzzRead(f *testing.F) {
	tok, _ := newToken(f, 1)
	payload, err := unwrap(encode(f, tok))
	if err != nil {
		f.Fatal(err)
	}
	raw, err := api.ReadAll(flate.NewReader(bytes.NewReader(payload)), maxInflated)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(raw))
	f.Add(`{"seed":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","invite":{"payloadType":"x","payload":"","signatures":[]}}`)
	f.Fuzz(func(t *testing.T, raw string) {
		tok, err := Parse(seal(t, raw))
		if err != nil {
			return
		}
		if tok.Realm == "" || tok.Owner.IsZero() || len(tok.Addrs) > MaxAddrs {
			t.Fatalf("took %s", raw)
		}
	})
}
