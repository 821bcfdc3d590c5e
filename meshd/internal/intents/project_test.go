package intents

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/disk"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/meshd/internal/meshtest"
)

func TestProjection(t *testing.T) {
	w := newWorld(t)
	w.shown = newBoard()
	k, _ := w.start(t)
	one := w.component(t, "web", 1, api.Digest{})
	if _, _, err := k.Submit(t.Context(), one.Envelope); err != nil {
		t.Fatal(err)
	}
	if !w.shown.shows(one) {
		t.Error("what was submitted is not shown when the call returns")
	}
	key := meshtest.Key(t)
	granted, theirs := w.Grant(t, key, api.Grant{May: []api.Right{api.RightPush}, Since: time.Now()}), w.ComponentBy(t, key, "ci", 1)
	accept(t, k, granted, theirs)
	eventually(t, "what came by sync is shown", func() bool { return w.shown.shows(granted) && w.shown.shows(theirs) })
	revoked := w.Revoke(t, api.KindGrant, key)
	accept(t, k, revoked)
	eventually(t, "what a revoked key has signed goes", func() bool { return w.shown.shows(revoked) && w.shown.len() == 2 })
	two := w.component(t, "web", 3, one.Digest)
	accept(t, k, two)
	eventually(t, "the newest version is shown", func() bool { return w.shown.shows(two) })
	applied := w.shown.applied
	accept(t, k, w.component(t, "web", 2, one.Digest))
	accept(t, k, w.component(t, "last", 1, api.Digest{}))
	eventually(t, "the last one is shown", func() bool { return w.shown.len() == 3 })
	if !w.shown.shows(two) || w.shown.applied > applied+2 {
		t.Errorf("an older version has been shown, in %d writes", w.shown.applied-applied)
	}
}

// TestReconcile begins with a bucket that somebody else has written.
func TestReconcile(t *testing.T) {
	w := newWorld(t)
	w.shown = newBoard()
	stranger := newWorld(t)
	mine, newer := w.component(t, "mine", 1, api.Digest{}), w.component(t, "both", 2, api.Sum(nil))
	older := w.component(t, "both", 1, api.Digest{})
	theirs, foreign := w.component(t, "theirs", 1, api.Digest{}), stranger.component(t, "foreign", 1, api.Digest{})
	k := w.open(t)
	accept(t, k, mine, newer)
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	w.shown.values = map[string][]byte{
		"component.theirs":   theirs.Envelope, // as an earlier version of Realm named it
		foreign.Slot().Key(): foreign.Envelope,
		older.Slot().Key():   older.Envelope,
		"rubbish":            []byte("rubbish"),
	}
	k, stop := w.start(t)
	if err := k.AwaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, s := range []intent.Signed{mine, newer, theirs} {
		if !w.shown.shows(s) {
			t.Errorf("%s number %d is not shown", s.Ref, s.Seq)
		}
	}
	if w.shown.len() != 3 || holds(k, foreign) || !holds(k, older) || !holds(k, theirs) {
		t.Errorf("%d keys are there, %d intents are held", w.shown.len(), k.Ledger().Len())
	}
	// The bus comes back empty, then with what it was long ago.
	w.shown.set(func() { clear(w.shown.values) })
	k.Reset()
	eventually(t, "all is shown again", func() bool { return w.shown.len() == 3 })
	w.shown.set(func() { w.shown.values[newer.Slot().Key()] = older.Envelope })
	k.Reset()
	eventually(t, "the newer version is shown again", func() bool { return w.shown.shows(newer) })
	stop()
	if k = w.open(t); !holds(k, theirs) {
		t.Error("what was found in the bucket is not in the log")
	}
}

// TestFullDiskKeepsTheBucket has the log lack room for what the bucket holds.
func TestFullDiskKeepsTheBucket(t *testing.T) {
	w := newWorld(t)
	w.shown = newBoard()
	s := w.component(t, "web", 1, api.Digest{})
	w.shown.values[s.Slot().Key()] = s.Envelope
	w.setFull(fmt.Errorf("%w: no room", disk.ErrFull))
	k, _ := w.start(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*retryFirst)
	defer cancel()
	if err := k.AwaitReady(ctx); err == nil {
		t.Error("the node is ready without what its bucket holds")
	}
	if !w.shown.shows(s) {
		t.Fatal("what could not be kept was removed")
	}
	w.setFull(nil)
	if err := k.AwaitReady(t.Context()); err != nil || !holds(k, s) || !w.shown.shows(s) {
		t.Errorf("with room again: %v", err)
	}
}

func TestProjectionThatFails(t *testing.T) {
	w := newWorld(t)
	w.shown = newBoard()
	k, _ := w.start(t)
	if err := k.AwaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.shown.set(func() { w.shown.broken = errors.New("the bus is away") })
	one := w.component(t, "web", 1, api.Digest{})
	if _, news, err := k.Submit(t.Context(), one.Envelope); err != nil || !news {
		t.Errorf("Submit without a bus = %v, %v; the intent is on disk", news, err)
	}
	accept(t, k, w.component(t, "b", 1, api.Digest{}))
	w.shown.set(func() { w.shown.broken = nil })
	eventually(t, "both are shown when the bus is back", func() bool { return w.shown.shows(one) && w.shown.len() == 2 })
}

// TestTime has an intent wait for its time, and a command outlive its own.
func TestTime(t *testing.T) {
	w := newWorld(t) // the files are made outside of the bubble
	synctest.Test(t, func(t *testing.T) {
		w.shown = newBoard()
		k, stop := w.start(t)
		defer stop()
		now := time.Now()
		kept := w.component(t, "web", 1, api.Digest{})
		early := w.Sign(t, w.Key, api.Intent{Ref: meshtest.Ref("web"), Seq: 2, Prev: kept.Digest, Issued: now.Add(time.Hour)},
			api.Component{Module: api.Program{Blob: api.Sum(nil), Size: 7}})
		command := w.command(t, now.Add(30*time.Minute))
		accept(t, k, kept, early, command)
		synctest.Wait()
		if !w.shown.shows(kept) || !w.shown.shows(command) || !holds(k, early) {
			t.Error("at first the version of now, and the command, are shown")
		}
		time.Sleep(31 * time.Minute)
		synctest.Wait()
		if holds(k, command) || w.shown.shows(command) || !w.shown.shows(kept) {
			t.Error("after half an hour the command is over")
		}
		time.Sleep(25 * time.Minute)
		synctest.Wait()
		if !w.shown.shows(early) {
			t.Error("at its time the early version is shown")
		}
		var dropped int
		for _, c := range w.changes {
			dropped += len(c.Dropped)
		}
		if dropped != 1 {
			t.Errorf("%d drops were told; want 1", dropped)
		}
	})
	k := w.open(t)
	if k.Ledger().Len() != 2 {
		t.Errorf("after a restart %d intents are held", k.Ledger().Len())
	}
}

// TestEarlyMembership: what is said of keys does not wait for anybody's clock.
func TestEarlyMembership(t *testing.T) {
	w := newWorld(t)
	synctest.Test(t, func(t *testing.T) {
		k, stop := w.start(t)
		defer stop()
		node := meshtest.Key(t)
		accept(t, k, w.Sign(t, w.Key, api.Intent{Ref: api.Ref{Kind: api.KindMember, Name: meshtest.Name(node)}, Seq: 1, Issued: time.Now().Add(time.Hour)}, api.Membership{}))
		synctest.Wait()
		if n := len(w.changes); n == 0 || !w.changes[n-1].Trust {
			t.Errorf("%d changes were told", n)
		}
		if m, ok := k.Ledger().Member(keys.PublicOf(node), time.Now()); !ok || m.Standing != api.StandingMember {
			t.Errorf("it stands as %v", m)
		}
	})
}

// command is an intent that ends, of a kind that this version passes on.
func (w *world) command(t testing.TB, expires time.Time) intent.Signed {
	t.Helper()
	raw := sealed(t, w.Key, fmt.Sprintf(`{"realm":%q,"kind":"dance","name":"now","seq":1,"issued":%q,"expires":%q}`,
		w.Pin.Realm, time.Now().UTC().Format(time.RFC3339), expires.UTC().Format(time.RFC3339Nano)))
	s, err := intent.Read(raw)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
