package invite

import (
	"bytes"
	"compress/flate"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/realm-mesh/realm/api"
)

// MaxToken is the longest token, in bytes of text.
const MaxToken = 8 << 10

// Why a text is no token that can be used.
var (
	// ErrForm: it does not look like a token.
	ErrForm = errors.New("this is no invite token: it is one word that begins with " + prefix + ", as realm invite prints it")
	// ErrCopy: the checksum is wrong.
	ErrCopy = errors.New("the token was not copied whole, or a character of it has changed: copy it again, from " + prefix + " to its end")
)

const (
	prefix      = "realm1"
	sumLen      = 4
	maxInflated = 64 << 10
)

// encoding is strict: a token has one spelling.
var encoding = base64.RawURLEncoding.Strict()

// wire is the JSON in a token. Realm and owner stand in the invite.
type wire struct {
	Seed      []byte            `json:"seed"` // of the invite's key
	Invite    json.RawMessage   `json:"invite"`
	Rotations []json.RawMessage `json:"rotations,omitempty"`
	Addrs     []string          `json:"addrs,omitempty"`
}

// Validate implements [api.Validator].
func (w *wire) Validate() error {
	if len(w.Seed) != ed25519.SeedSize {
		return fmt.Errorf("its key has %d bytes, want %d", len(w.Seed), ed25519.SeedSize)
	}
	if len(w.Invite) == 0 {
		return errors.New("the invite is missing")
	}
	return nil
}

// Encode is the text of t. One that is too long is [api.ErrTooLarge].
func (t Token) Encode() (string, error) {
	w := wire{Seed: t.Key.Seed(), Invite: t.Invite, Addrs: t.Addrs}
	for _, r := range t.Rotations {
		w.Rotations = append(w.Rotations, r)
	}
	raw, err := json.Marshal(w)
	if err != nil {
		return "", fmt.Errorf("encode token: %w", err)
	}
	var b bytes.Buffer
	f, err := flate.NewWriter(&b, flate.BestCompression)
	if err == nil {
		_, err = f.Write(raw)
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		return "", fmt.Errorf("encode token: %w", err)
	}
	sum := sha256.Sum256(b.Bytes())
	text := prefix + encoding.EncodeToString(slices.Concat(sum[:sumLen], b.Bytes()))
	if len(text) > MaxToken {
		return "", fmt.Errorf("encode token: %w: %d bytes, at most %d: give it fewer addresses", api.ErrTooLarge, len(text), MaxToken)
	}
	return text, nil
}

// Parse reads a token, wherever it was broken into lines, and checks that its parts
// fit together. Whether the invite is still good is for a member to say.
func Parse(text string) (Token, error) {
	if len(text) > 2*MaxToken {
		return Token{}, fmt.Errorf("read token: %w: %d bytes", ErrForm, len(text))
	}
	text = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, text)
	payload, err := unwrap(text)
	if err != nil {
		return Token{}, fmt.Errorf("read token: %w", err)
	}
	t, err := read(payload)
	if err != nil {
		return Token{}, fmt.Errorf("read token: %w", err)
	}
	return t, nil
}

// unwrap returns the deflated JSON in a token.
func unwrap(text string) ([]byte, error) {
	body, ok := strings.CutPrefix(text, prefix)
	switch {
	case !ok:
		return nil, ErrForm
	case len(text) > MaxToken:
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrForm, len(text), MaxToken)
	}
	b, err := encoding.DecodeString(body)
	if err != nil || len(b) <= sumLen {
		return nil, ErrCopy
	}
	sum, payload := b[:sumLen], b[sumLen:]
	if want := sha256.Sum256(payload); !bytes.Equal(sum, want[:sumLen]) {
		return nil, ErrCopy
	}
	return payload, nil
}

func read(payload []byte) (Token, error) {
	raw, err := api.ReadAll(flate.NewReader(bytes.NewReader(payload)), maxInflated)
	if err != nil {
		return Token{}, err
	}
	var w wire
	if err := api.Decode(raw, maxInflated, &w); err != nil {
		return Token{}, err
	}
	t := Token{Key: ed25519.NewKeyFromSeed(w.Seed), Invite: w.Invite, Addrs: w.Addrs}
	for _, r := range w.Rotations {
		t.Rotations = append(t.Rotations, r)
	}
	return t, t.check()
}
