package ledger

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
)

const specification = "../../../docs/INTENTS.md"

// fenced calls play with the blocks of the specification that are in this language.
func fenced(t *testing.T, language string, play func(name string, first int, text string)) {
	t.Helper()
	b, err := os.ReadFile(specification)
	if err != nil {
		t.Fatal(err)
	}
	n, section := 0, ""
	blocks(string(b), func(l string) (string, bool) {
		if name, ok := strings.CutPrefix(l, "## "); ok {
			section = name
		}
		return section, l == "```"+language
	}, func(l string) bool { return l == "```" }, func(name string, first int, text string) {
		n++
		play(name, first, text)
	})
	if n == 0 {
		t.Errorf("%s has no block of %s", specification, language)
	}
}

// What the specification shows of rules is so.
func TestSpecification(t *testing.T) {
	fenced(t, "intents", func(name string, first int, text string) {
		t.Run(name, func(t *testing.T) { newPlay(t).run("INTENTS.md", first, text) })
	})
}

// What the specification shows of bytes is so.
func TestVectors(t *testing.T) {
	fenced(t, "vector", func(name string, first int, text string) {
		t.Run(fmt.Sprint(name, first), func(t *testing.T) { vector(t, text) })
	})
}

func vector(t *testing.T, text string) {
	v := map[string]string{}
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		field, value, _ := strings.Cut(line, " ")
		v[field] = strings.TrimSpace(value)
	}
	k := seeded(t, v["seed"])
	s := read(t, envelope(t, k, api.PayloadIntent, v["payload"], nil))
	got := map[string]string{"seed": v["seed"], "keyid": pub(k).String(), "name": string(name(k)), "peer": string(peer(k)),
		"realm": string(api.NewRealmID(pub(k).Key())), "payload": v["payload"], "digest": s.Digest.String(),
		"sig": base64.StdEncoding.EncodeToString(ed25519.Sign(k, pae(api.PayloadIntent, v["payload"]))),
		"by":  v["by"], "witness": v["witness"]}
	if v["by"] != "" {
		w := envelope(t, seeded(t, v["by"]), api.PayloadWitness, v["witness"], nil)
		got["becomes"] = read(t, envelope(t, k, api.PayloadIntent, v["payload"], w)).Digest.String()
	}
	for field, want := range v {
		if got[field] != want {
			t.Errorf("%s is %s, says the specification; it is %s", field, want, got[field])
		}
	}
	// What this code signs is the same, byte by byte.
	again, err := intent.Sign(s.Intent, k)
	if err != nil || !bytes.Equal(again.Envelope, s.Envelope) {
		t.Errorf("signed %s, %v", again.Envelope, err)
	}
	if s.Witness == nil && v["by"] != "" {
		done := witnessed(t, again, seeded(t, v["by"]), time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC))
		if done.Digest.String() != v["becomes"] {
			t.Errorf("countersigned: %s", done.Envelope)
		}
	}
}

func seeded(t *testing.T, seed string) ed25519.PrivateKey {
	t.Helper()
	b, err := hex.DecodeString(seed)
	if err != nil || len(b) != ed25519.SeedSize {
		t.Fatalf("seed %q: %v", seed, err)
	}
	return ed25519.NewKeyFromSeed(b)
}

func pae(payloadType, payload string) []byte {
	return fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(payloadType), payloadType, len(payload), payload)
}

// envelope is made from the specification, without the code that it is about.
func envelope(t *testing.T, k ed25519.PrivateKey, payloadType, payload string, witness []byte) []byte {
	t.Helper()
	type signature struct {
		KeyID string `json:"keyid"`
		Sig   []byte `json:"sig"`
	}
	b, err := json.Marshal(struct {
		PayloadType string      `json:"payloadType"`
		Payload     []byte      `json:"payload"`
		Signatures  []signature `json:"signatures"`
		Witness     []byte      `json:"witness,omitempty"`
	}{payloadType, []byte(payload), []signature{{pub(k).String(), ed25519.Sign(k, pae(payloadType, payload))}}, witness})
	if err != nil {
		t.Fatal(err)
	}
	return b
}
