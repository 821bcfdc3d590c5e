package intents

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/ledger"
	"github.com/realm-mesh/realm/internal/kit/trust"
	"github.com/realm-mesh/realm/meshd/internal/meshtest"
)

// envWriter makes the test binary a process that accepts intents into the log that
// it names, until it is killed. It prints the digest of each that was accepted.
const envWriter = "REALM_TEST_WRITER"

func writeForEver(path string) {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	k, err := Open(Config{Pin: trust.NewPin(keys.PublicOf(key)), Path: path, Now: time.Now, Log: meshtest.Log(), Room: func(int64) error { return nil }})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for i := rand.Uint64N(1 << 40); ; i++ {
		var batch []intent.Signed
		for j := range 1 + i%5 {
			body, _ := json.Marshal(api.Component{Module: api.Program{Blob: api.Sum(nil), Size: 7}}) // plain data
			s, err := intent.Sign(api.Intent{Realm: api.NewRealmID(keys.PublicOf(key).Key()), Ref: meshtest.Ref(fmt.Sprint("a", j)), Seq: i + 2,
				Prev: api.Sum(nil), Issued: time.Now(), Body: body}, key)
			if err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			batch = append(batch, s)
		}
		_, errs := k.Accept(batch, BySync)
		for j, s := range batch {
			if errs[j] == nil { // else other runs were at higher numbers
				fmt.Println(s.Name, s.Seq, s.Digest)
			}
		}
	}
}

// TestKilled kills a process that writes, many times: all that it has said to be
// accepted is there, or as many newer versions as are kept.
func TestKilled(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	w.Pin = trust.NewPin(keys.PublicOf(ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))))
	type said struct {
		name   string
		seq    uint64
		digest string
	}
	var all []said
	for range 8 {
		cmd := exec.CommandContext(t.Context(), self)
		cmd.Env = append(os.Environ(), envWriter+"="+w.path)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(50*time.Millisecond+rand.N(100*time.Millisecond), func() { _ = cmd.Process.Kill() })
		for lines := bufio.NewScanner(out); lines.Scan(); {
			var v said
			if n, _ := fmt.Sscan(lines.Text(), &v.name, &v.seq, &v.digest); n == 3 && len(v.digest) == 64 { // else it was cut off
				all = append(all, v)
			}
		}
		_ = cmd.Wait() // it was killed
		k := w.open(t)
		for _, v := range all {
			held := k.Ledger().History(meshtest.Ref(v.name), time.Now())
			newer := 0
			for _, h := range held {
				if h.Digest.String() == v.digest {
					newer = ledger.Keep
				} else if h.Seq >= v.seq {
					newer++
				}
			}
			if newer < ledger.Keep {
				t.Errorf("%+v was accepted, and is not there: %d newer versions are", v, newer)
			}
		}
		if err := k.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d intents were accepted by eight processes that were killed", len(all))
	if len(all) == 0 {
		t.Error("nothing was accepted")
	}
}

// sealed signs a payload that this version may not understand.
func sealed(t testing.TB, key ed25519.PrivateKey, payload string) []byte {
	t.Helper()
	s, err := dsse.NewEnvelopeSigner(rawSigner{key})
	if err != nil {
		t.Fatal(err)
	}
	env, err := s.SignPayload(context.Background(), api.PayloadIntent, []byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(env)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

type rawSigner struct{ key ed25519.PrivateKey }

func (s rawSigner) Sign(_ context.Context, data []byte) ([]byte, error) {
	return ed25519.Sign(s.key, data), nil
}
func (s rawSigner) KeyID() (string, error) { return keys.PublicOf(s.key).String(), nil }
