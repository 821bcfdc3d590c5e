package intents

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/disk"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/ledger"
	"github.com/realm-mesh/realm/meshd/internal/meshtest"
)

func envelopes(all ...intent.Signed) (out [][]byte) {
	for _, s := range all {
		out = append(out, s.Envelope)
	}
	return out
}

// manifest names what all want, as an apply would.
func (w *world) manifest(t testing.TB, seq uint64, prev api.Digest, all ...intent.Signed) intent.Signed {
	t.Helper()
	m := api.Manifest{Version: seq}
	for _, s := range all {
		m.Components = append(m.Components, api.ManifestComponent{Name: s.Name, Intent: s.Digest})
	}
	return w.Sign(t, w.Key, api.Intent{Ref: api.Ref{Kind: api.KindManifest, Name: "shop"}, Seq: seq, Prev: prev}, m)
}

// TestSubmitAll has batches taken or refused, one after the other.
func TestSubmitAll(t *testing.T) {
	w, other := newWorld(t), newWorld(t)
	k := w.open(t)
	a1 := w.component(t, "a", 1, api.Digest{})
	a2, b1 := w.component(t, "a", 2, a1.Digest), w.component(t, "b", 1, api.Digest{})
	a3, c1 := w.component(t, "a", 3, a2.Digest), w.component(t, "c", 1, api.Digest{})
	shop := w.manifest(t, 1, api.Digest{}, a2, b1)
	key := meshtest.Key(t)
	granted := w.Grant(t, key, api.Grant{May: []api.Right{api.RightPush}, Prefix: "ci-", Since: time.Now()})
	ci, err := w.ComponentBy(t, key, "ci-web", 1).WithGrant(granted.Envelope)
	if err != nil {
		t.Fatal(err)
	}
	node := w.Sign(t, w.Key, api.Intent{Ref: api.Ref{Kind: api.KindNode, Name: meshtest.Name(key)}}, api.NodeSettings{Drain: true})
	for _, c := range []struct {
		name  string
		batch []intent.Signed
		news  int
		err   error
		text  string
	}{
		{"a gap", []intent.Signed{b1, a2}, 0, ErrOvertaken, "intent 2 of 2"},
		{"in the wrong order", []intent.Signed{a2, a1}, 0, ErrOvertaken, "intent 1 of 2"},
		{"one of another realm", []intent.Signed{a1, other.component(t, "b", 1, api.Digest{})}, 0, ledger.ErrRealm, "intent 2 of 2"},
		{"one of a stranger", []intent.Signed{a1, w.ComponentBy(t, meshtest.Key(t), "x", 1)}, 0, ledger.ErrUnauthorized, "nothing was taken"},
		{"one outside its grant", []intent.Signed{ci, w.ComponentBy(t, key, "web", 1)}, 0, ledger.ErrForbidden, "intent 2 of 2"},
		{"two versions of one, and what names them", []intent.Signed{a1, a2, b1, shop}, 4, nil, ""},
		{"the same again", []intent.Signed{a1, a2, b1, shop}, 0, nil, ""},
		{"a part of it", []intent.Signed{a2, shop}, 0, nil, ""},
		{"what was replaced within it", []intent.Signed{a1, b1}, 0, ErrOvertaken, "intent 1 of 2"},
		{"one twice", []intent.Signed{c1, c1}, 1, nil, ""},
		{"news, and what is known", []intent.Signed{b1, a3}, 1, nil, ""},
		{"the first once more", []intent.Signed{a1, a2, b1, shop}, 0, ErrOvertaken, "component/a is at number 3"},
		{"with a grant, and settings", []intent.Signed{ci, node}, 3, nil, ""},
		{"a manifest that was overtaken", []intent.Signed{w.manifest(t, 3, shop.Digest)}, 0, ErrOvertaken, "realm history manifest/shop"},
	} {
		before := k.Ledger().Digests()
		all, news, err := k.SubmitAll(t.Context(), envelopes(c.batch...))
		if !errors.Is(err, c.err) || (err == nil) != (c.err == nil) || err != nil && !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v; want %v with %q", c.name, err, c.err, c.text)
		}
		if err == nil && (len(all) != len(c.batch) || len(news) != c.news) {
			t.Errorf("%s: %d of it, %d are news; want %d and %d", c.name, len(all), len(news), len(c.batch), c.news)
		}
		if err != nil && k.Ledger().Digests().Count != before.Count || err != nil && len(k.Ledger().Differing(before)) > 0 {
			t.Errorf("%s: something was taken", c.name)
		}
		for _, s := range c.batch {
			if err == nil && !holds(k, s) {
				t.Errorf("%s: %s number %d is not held", c.name, s.Ref, s.Seq)
			}
		}
	}
	for name, batch := range map[string][][]byte{"garbage": {b1.Envelope, []byte("{}")}, "nothing": {nil}, "an unknown kind": {w.command(t, time.Now().Add(time.Hour)).Envelope}} {
		if _, _, err := k.SubmitAll(t.Context(), batch); err == nil || !strings.Contains(err.Error(), fmt.Sprint("intent ", len(batch))) {
			t.Errorf("%s: %v", name, err)
		}
	}
	want := k.Ledger()
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	sameSet(t, w.open(t).Ledger(), want)
	if n := len(w.changes); n != 4 {
		t.Errorf("%d changes were told, want 4", n)
	}
}

// TestBatchAboutKeys has a batch change who may sign what is in it.
func TestBatchAboutKeys(t *testing.T) {
	w := newWorld(t)
	k := w.open(t)
	key := meshtest.Key(t)
	granted := w.Grant(t, key, api.Grant{May: []api.Right{api.RightPush}, Since: time.Now()})
	theirs := w.ComponentBy(t, key, "web", 1)
	revoked := w.Revoke(t, api.KindGrant, key)
	again := w.ComponentBy(t, key, "other", 1)
	if _, _, err := k.SubmitAll(t.Context(), envelopes(granted, theirs, revoked, again)); !errors.Is(err, ledger.ErrRevoked) || k.Ledger().Len() != 0 {
		t.Errorf("%v; %d are held", err, k.Ledger().Len())
	}
	if _, news, err := k.SubmitAll(t.Context(), envelopes(granted, theirs, revoked)); err != nil || len(news) != 3 || holds(k, theirs) || !holds(k, revoked) {
		t.Errorf("%v, %d are news", err, len(news))
	}
	rotated := w.Rotate(t)
	mine := w.component(t, "mine", 1, api.Digest{})
	if _, _, err := k.SubmitAll(t.Context(), envelopes(rotated, mine)); err != nil || k.Ledger().Owner() != w.Pin.Owner || !holds(k, mine) {
		t.Errorf("a rotation: %v", err)
	}
	want := k.Ledger()
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	sameSet(t, w.open(t).Ledger(), want)
}

// TestBatchesAtOnce has several apply what contradicts each other: of each group one
// wins with all that it has, and single intents go on meanwhile.
func TestBatchesAtOnce(t *testing.T) {
	w := newWorld(t)
	w.shown = newBoard()
	k, _ := w.start(t)
	const writers, size = 6, 20
	var batches [writers][]intent.Signed
	for i := range batches {
		for j := range size {
			batches[i] = append(batches[i], w.Sign(t, w.Key, api.Intent{Ref: meshtest.Ref(fmt.Sprint("c", j)), Seq: 1},
				api.Component{Module: api.Program{Blob: api.Sum([]byte{byte(i)}), Size: 7}}))
		}
	}
	var callers sync.WaitGroup
	var mu sync.Mutex
	won := -1
	for i, b := range batches {
		callers.Go(func() {
			_, news, err := k.SubmitAll(context.Background(), envelopes(b...))
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil && len(news) == size && won < 0:
				won = i
			case !errors.Is(err, ErrOvertaken):
				t.Errorf("writer %d: %d are news, %v", i, len(news), err)
			}
		})
		callers.Go(func() {
			if _, _, err := k.Submit(context.Background(), w.component(t, fmt.Sprint("single", i), 1, api.Digest{}).Envelope); err != nil {
				t.Error(err)
			}
		})
	}
	callers.Wait()
	if won < 0 || k.Ledger().Len() != size+writers {
		t.Fatalf("%d has won, %d are held", won, k.Ledger().Len())
	}
	for _, s := range batches[won] {
		if !holds(k, s) || !w.shown.shows(s) {
			t.Errorf("%s is not held, or not shown", s.Ref)
		}
	}
}

// TestBatchCutAnywhere stops the writing of a batch at every byte: all of it is there
// then, or nothing.
func TestBatchCutAnywhere(t *testing.T) {
	w := newWorld(t)
	k := w.open(t)
	first := w.component(t, "first", 1, api.Digest{})
	accept(t, k, first)
	before := len(w.read(t))
	batch := []intent.Signed{w.component(t, "a", 1, api.Digest{}), w.component(t, "b", 1, api.Digest{}), w.component(t, "c", 1, api.Digest{})}
	if _, _, err := k.SubmitAll(t.Context(), envelopes(batch...)); err != nil {
		t.Fatal(err)
	}
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	whole := w.read(t)
	var cuts []int
	for n := before; n < len(whole); n += 29 {
		cuts = append(cuts, n)
	}
	for i, n := range append(cuts, len(whole)) {
		w.write(t, whole[:n])
		k := w.open(t)
		want := 1
		if n == len(whole) {
			want = 4
		}
		if k.Ledger().Len() != want || !holds(k, first) {
			t.Fatalf("cut to %d bytes of %d: %d intents are held; want %d", n, len(whole), k.Ledger().Len(), want)
		}
		if i%5 != 0 && n < len(whole) { // what follows waits for the disk
			continue
		}
		if _, news, err := k.SubmitAll(t.Context(), envelopes(batch...)); err != nil || len(news) != 4-want {
			t.Fatalf("once more: %d are news, %v", len(news), err)
		}
		if err := k.Close(); err != nil {
			t.Fatal(err)
		}
		if again := w.open(t); again.Ledger().Len() != 4 {
			t.Fatalf("cut to %d bytes, then once more: %d intents are held", n, again.Ledger().Len())
		}
	}
	// The last line of a batch is damaged: none of it counts.
	bad := append(bytes.Clone(whole[:len(whole)-20]), "garbage\n"...)
	w.write(t, bad)
	if k := w.open(t); k.Ledger().Len() != 1 {
		t.Errorf("with a damaged end %d intents are held", k.Ledger().Len())
	}
	// And where more follows, it is no crash that has done that.
	w.write(t, append(bad, append(w.component(t, "z", 1, api.Digest{}).Envelope, '\n')...))
	if _, err := Open(w.config(w.Pin)); err == nil || !strings.Contains(err.Error(), "is damaged") {
		t.Errorf("damage in the middle: %v", err)
	}
}

// TestBatchOnAFullDisk takes nothing, then all.
func TestBatchOnAFullDisk(t *testing.T) {
	w := newWorld(t)
	k := w.open(t)
	batch := []intent.Signed{w.component(t, "a", 1, api.Digest{}), w.component(t, "b", 1, api.Digest{})}
	w.setFull(fmt.Errorf("%w: no room", disk.ErrFull))
	if _, _, err := k.SubmitAll(t.Context(), envelopes(batch...)); !errors.Is(err, disk.ErrFull) || k.Ledger().Len() != 0 || len(w.changes) != 0 {
		t.Errorf("%v; %d are held", err, k.Ledger().Len())
	}
	w.setFull(nil)
	if _, news, err := k.SubmitAll(t.Context(), envelopes(batch...)); err != nil || len(news) != 2 || len(w.changes) != 1 {
		t.Errorf("with room again: %d are news, %v", len(news), err)
	}
}

// TestBatchesAreCompacted has the heads of batches go with what they began.
func TestBatchesAreCompacted(t *testing.T) {
	w := newWorld(t)
	k := w.open(t)
	var prev [2]api.Digest
	for seq := range uint64(2 * ledger.Keep) {
		var batch []intent.Signed
		for i := range prev {
			s := w.component(t, fmt.Sprint("c", i), seq+1, prev[i])
			prev[i] = s.Digest
			batch = append(batch, s)
		}
		if _, _, err := k.SubmitAll(t.Context(), envelopes(batch...)); err != nil {
			t.Fatal(err)
		}
	}
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(w.read(t), []byte(`"together"`)); n != 2*ledger.Keep {
		t.Errorf("%d heads were written", n)
	}
	want := w.open(t).Ledger() // which compacts
	if b := w.read(t); bytes.Contains(b, []byte(`"together"`)) || bytes.Count(b, []byte("\n")) != 1+2*ledger.Keep {
		t.Errorf("the log has %d lines", bytes.Count(b, []byte("\n")))
	}
	sameSet(t, w.open(t).Ledger(), want)
}

// BenchmarkSubmitAll takes the largest batch into a set with so many intents.
func BenchmarkSubmitAll(b *testing.B) {
	for _, held := range []int{100, 5000} {
		b.Run(fmt.Sprint(held), func(b *testing.B) {
			w := newWorld(b)
			k := w.open(b)
			var all []intent.Signed
			for i := range held {
				all = append(all, w.component(b, fmt.Sprint("held", i), 1, api.Digest{}))
			}
			accept(b, k, all...)
			round := 0
			for b.Loop() {
				b.StopTimer()
				var batch []intent.Signed
				for i := range api.MaxSubmitBatch {
					batch = append(batch, w.component(b, fmt.Sprint("r", round, "c", i), 1, api.Digest{}))
				}
				round++
				b.StartTimer()
				if _, _, err := k.SubmitAll(b.Context(), envelopes(batch...)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
