package intents

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/ledger"
	"github.com/realm-mesh/realm/meshd/internal/meshtest"
)

func (w *world) read(t testing.TB) []byte {
	t.Helper()
	b, err := os.ReadFile(w.path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (w *world) write(t testing.TB, b []byte) {
	t.Helper()
	if err := os.WriteFile(w.path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestCutAnywhere stops the writing at every byte.
func TestCutAnywhere(t *testing.T) {
	w := newWorld(t)
	k := w.open(t)
	all := []intent.Signed{w.component(t, "a", 1, api.Digest{}), w.component(t, "b", 1, api.Digest{}), w.component(t, "c", 1, api.Digest{})}
	for _, s := range all {
		accept(t, k, s)
	}
	whole := w.read(t)
	late := w.component(t, "late", 1, api.Digest{})
	for n := range len(whole) + 1 {
		w.write(t, whole[:n])
		k := w.open(t)
		want := max(0, bytes.Count(whole[:n], []byte("\n"))-1)
		if k.Ledger().Len() != want {
			t.Fatalf("cut to %d bytes: %d intents are held; want %d", n, k.Ledger().Len(), want)
		}
		if n%97 != 0 { // what follows waits for the disk
			continue
		}
		accept(t, k, late)
		if err := k.Close(); err != nil {
			t.Fatal(err)
		}
		if again := w.open(t); again.Ledger().Len() != want+1 || !holds(again, late) {
			t.Fatalf("cut to %d bytes, then one more: %d intents are held", n, again.Ledger().Len())
		}
	}
}

func TestDamage(t *testing.T) {
	w := newWorld(t)
	k := w.open(t)
	for i := range 4 {
		accept(t, k, w.component(t, fmt.Sprint("a", i), 1, api.Digest{}))
	}
	whole := w.read(t)
	lines := bytes.SplitAfter(whole, []byte("\n"))[:5]
	with := func(i int, b string) []byte {
		l := append([][]byte(nil), lines...)
		l[i] = []byte(b)
		return bytes.Join(l, nil)
	}
	flipped := strings.Replace(string(lines[2]), `"sig":"`, `"sig":"AAAA`, 1)
	for name, c := range map[string]struct {
		log  []byte
		line string // in the error; "": none
		held int
	}{
		"whole":                  {whole, "", 4},
		"the header":             {with(0, "{}\n"), "line 1 ", 0},
		"a line in the middle":   {with(2, "garbage\n"), "line 3 ", 0},
		"a signature":            {with(2, flipped), "line 3 ", 0},
		"an endless line":        {with(2, strings.Repeat(" ", 3*maxLine)+"\n"), "line 3 ", 0},
		"the last line":          {with(4, "garbage\n"), "", 3},
		"zeros at the end":       {append(bytes.Clone(whole), make([]byte, 4096)...), "", 4},
		"an endless last line":   {append(bytes.Clone(whole), strings.Repeat(" ", 3*maxLine)+"\n"...), "", 4},
		"the last two lines":     {append(with(3, "x\n")[:len(with(3, "x\n"))-len(lines[4])], "y\n"...), "", 2},
		"a line twice":           {append(bytes.Clone(whole), lines[1]...), "", 4},
		"lines in another order": {bytes.Join([][]byte{lines[0], lines[4], lines[2], lines[3], lines[1]}, nil), "", 4},
	} {
		t.Run(name, func(t *testing.T) {
			w.write(t, c.log)
			k, err := Open(w.config(w.Pin))
			if c.line != "" {
				if err == nil || !strings.Contains(err.Error(), c.line) || !strings.Contains(err.Error(), "move the file away") {
					t.Errorf("%v; want an error about %s", err, c.line)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if k.Ledger().Len() != c.held {
				t.Errorf("%d intents are held; want %d", k.Ledger().Len(), c.held)
			}
			accept(t, k, w.component(t, "late", 1, api.Digest{}))
			if err := k.Close(); err != nil {
				t.Fatal(err)
			}
			if n := w.open(t).Ledger().Len(); n != c.held+1 {
				t.Errorf("after one more and a restart: %d", n)
			}
		})
	}
}

// TestLogStaysShort overwrites a few names again and again.
func TestLogStaysShort(t *testing.T) {
	w := newWorld(t)
	k := w.open(t)
	size := int64(0)
	for round := range 40 {
		var batch []intent.Signed
		for i := range 100 {
			batch = append(batch, w.component(t, fmt.Sprint("a", i%5), uint64(round*100+i+2), api.Sum(nil)))
		}
		accept(t, k, batch...)
		size = max(size, k.journal.size)
	}
	var want int64
	for _, s := range k.Ledger().Tops(time.Now()) {
		want += lineSize(s) * ledger.Keep
	}
	if k.live > 2*want || k.live < want/2 {
		t.Errorf("%d bytes are counted as held, want about %d", k.live, want)
	}
	if size > 2*k.live+compactSlack+100<<10 {
		t.Errorf("the log was %d bytes long for %d that are held", size, k.live)
	}
	held := k.Ledger().Digests()
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	again := w.open(t)
	if d := again.Ledger().Digests(); d.Count != held.Count || again.journal.size > k.live+4096 {
		t.Errorf("after a restart %d intents in %d bytes; want %d in %d", d.Count, again.journal.size, held.Count, k.live)
	}
	if k.live != again.live {
		t.Errorf("%d bytes are held after a restart, %d before", again.live, k.live)
	}
}

// TestCompactionThatFails goes on with the longer log.
func TestCompactionThatFails(t *testing.T) {
	w := newWorld(t)
	k := w.open(t)
	for seq := range uint64(ledger.Keep + 3) {
		accept(t, k, w.component(t, "web", seq+2, api.Sum(nil)))
	}
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	long := len(w.read(t))
	w.setFull(errors.New("no room"))
	k = w.open(t)
	if k.Ledger().Len() != ledger.Keep || len(w.read(t)) != long {
		t.Errorf("%d intents, %d bytes; want %d in %d", k.Ledger().Len(), len(w.read(t)), ledger.Keep, long)
	}
	w.setFull(nil)
	accept(t, k, w.component(t, "late", 1, api.Digest{}))
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	if k = w.open(t); k.Ledger().Len() != ledger.Keep+1 || len(w.read(t)) >= long {
		t.Errorf("with room again: %d intents, %d bytes", k.Ledger().Len(), len(w.read(t)))
	}
}

// TestOldCopy puts back a log from before a revocation.
func TestOldCopy(t *testing.T) {
	w := newWorld(t)
	k := w.open(t)
	key := meshtest.Key(t)
	one := w.component(t, "web", 1, api.Digest{})
	accept(t, k, w.Grant(t, key, api.Grant{May: []api.Right{api.RightPush}, Since: time.Now()}), one, w.ComponentBy(t, key, "ci", 1))
	old := w.read(t)
	two, revoked := w.component(t, "web", 2, one.Digest), w.Revoke(t, api.KindGrant, key)
	accept(t, k, two, revoked)
	want := k.Ledger()
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	w.write(t, old)
	k = w.open(t)
	if top, _ := k.Ledger().Current(two.Ref, time.Now()); top.Seq != 1 {
		t.Fatalf("the old copy is at number %d", top.Seq)
	}
	accept(t, k, two, revoked) // what another member brings
	accept(t, k, one)
	sameSet(t, k.Ledger(), want)
	if top, _ := k.Ledger().Current(two.Ref, time.Now()); top.Seq != 2 {
		t.Errorf("caught up to number %d", top.Seq)
	}
}

// TestRotationOutlivesRestarts stops a node in the middle of a rotation, before and
// after its pin follows, and with the log compacted in between.
func TestRotationOutlivesRestarts(t *testing.T) {
	w := newWorld(t)
	first := w.Pin
	k := w.open(t)
	old := w.component(t, "web", 1, api.Digest{})
	key := meshtest.Key(t)
	accept(t, k, old, w.Grant(t, key, api.Grant{May: []api.Right{api.RightPush}, Since: time.Now()}), w.ComponentBy(t, key, "ci", 1))
	accept(t, k, w.Rotate(t))
	check := func(k *Keeper, when string) {
		t.Helper()
		if s, ok := k.Ledger().Current(old.Ref, time.Now()); !ok || s.Digest != old.Digest {
			t.Errorf("%s: what the old key has signed does not count any more", when)
		}
		if _, ok := k.Ledger().Current(meshtest.Ref("ci"), time.Now()); !ok {
			t.Errorf("%s: what the old key has granted does not count any more", when)
		}
		if k.Ledger().Owner() != w.Pin.Owner {
			t.Errorf("%s: the owner is %s", when, k.Ledger().Owner())
		}
	}
	check(k, "after the rotation")
	for _, pin := range []struct {
		when string
		pin  Config
	}{{"with the first pin", w.config(first)}, {"with the new pin", w.config(w.Pin)}} {
		if err := k.Close(); err != nil {
			t.Fatal(err)
		}
		k = w.openAs(t, pin.pin.Pin)
		check(k, pin.when)
		k.commits.Lock()
		k.compact()
		k.commits.Unlock()
	}
	accept(t, k, w.component(t, "web", 2, old.Digest))
	accept(t, k, w.Settle(t)...)
	if holds(k, old) {
		t.Error("what the old key has signed is still there after all is settled")
	}
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	again := w.open(t)
	sameSet(t, again.Ledger(), k.Ledger())
	if s, ok := again.Ledger().Current(old.Ref, time.Now()); !ok || s.Seq != 2 {
		t.Error("what the new key has signed is lost")
	}
	// A copy of the log from before the rotation does not bring the old key back.
	w.write(t, bytes.Join(bytes.SplitAfter(w.read(t), []byte("\n"))[:1], nil))
	if k = w.open(t); k.Ledger().Owner() != w.Pin.Owner {
		t.Errorf("with an old log the owner is %s", k.Ledger().Owner())
	}
}

func TestLogOfAnotherRealm(t *testing.T) {
	w, other := newWorld(t), newWorld(t)
	accept(t, w.open(t), w.component(t, "web", 1, api.Digest{}))
	if w.open(t).Fresh() {
		t.Error("a node with a log is fresh")
	}
	other.path = w.path
	if k := other.open(t); k.Ledger().Len() != 0 || !k.Fresh() {
		t.Errorf("%d intents of another realm are held", k.Ledger().Len())
	}
	aside, err := os.ReadFile(w.path + "." + string(w.Pin.Realm))
	if err != nil || bytes.Count(aside, []byte("\n")) != 2 {
		t.Errorf("the other log is not kept: %v", err)
	}
}

// TestNewerVersionsAreKept has the log hold what this version cannot read.
func TestNewerVersionsAreKept(t *testing.T) {
	w := newWorld(t)
	k := w.open(t)
	accept(t, k, w.component(t, "web", 1, api.Digest{}))
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	newer := sealed(t, w.Key, `{"kind":"hologram","shape":"cube"}`)
	w.write(t, append(append(w.read(t), newer...), '\n'))
	for range 2 {
		k = w.open(t)
		accept(t, k, w.component(t, "late", 1, api.Digest{}))
		k.commits.Lock()
		k.compact()
		k.commits.Unlock()
		if err := k.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Contains(w.read(t), newer) {
		t.Error("the intent of a newer version is gone")
	}
}
