package busserver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/bus"
)

func TestBucket(t *testing.T) {
	_, h := startBus(t)
	for _, name := range allBuckets {
		t.Run(name, func(t *testing.T) {
			tryOperations(t, bucket(t, connect(t, h, api.Meshd), name))
		})
	}
}

func tryOperations(t *testing.T, b *bus.Bucket) {
	ctx := within(t, 10*time.Second)
	if _, err := b.Get(ctx, "k"); !errors.Is(err, bus.ErrNotFound) {
		t.Errorf("get of nothing: %v", err)
	}
	if err := b.Update(ctx, "k", []byte("1"), 0); err != nil {
		t.Errorf("create: %v", err)
	}
	if err := b.Update(ctx, "k", []byte("x"), 0); !errors.Is(err, bus.ErrConflict) {
		t.Errorf("create of what is there: %v", err)
	}
	e, err := b.Get(ctx, "k")
	if err != nil || e.Key != "k" || string(e.Value) != "1" || e.Revision == 0 {
		t.Errorf("get: %+v, %v", e, err)
	}
	if err := b.Update(ctx, "k", []byte("2"), e.Revision); err != nil {
		t.Errorf("update: %v", err)
	}
	if err := b.Update(ctx, "k", []byte("3"), e.Revision); !errors.Is(err, bus.ErrConflict) {
		t.Errorf("update of an old revision: %v", err)
	}
	if err := b.Put(ctx, "k", []byte("4")); err != nil {
		t.Errorf("put: %v", err)
	}
	for range 2 {
		if err := b.Delete(ctx, "k"); err != nil {
			t.Errorf("delete: %v", err)
		}
	}
	if _, err := b.Get(ctx, "k"); !errors.Is(err, bus.ErrNotFound) {
		t.Errorf("get of what is deleted: %v", err)
	}
	if err := b.Update(ctx, "k", []byte("5"), 0); err != nil {
		t.Errorf("create of what is deleted: %v", err)
	}
	for _, key := range []string{"", strings.Repeat("k", bus.MaxKey+1), "a b", "a.>", "a.*"} {
		if err := b.Put(ctx, key, nil); err == nil {
			t.Errorf("put of key %.20q: no error", key)
		}
		if _, err := b.Get(ctx, key); err == nil || errors.Is(err, bus.ErrNotFound) {
			t.Errorf("get of key %.20q: %v", key, err)
		}
	}
	longest := strings.Repeat("k", bus.MaxKey)
	if err := b.Put(ctx, longest, []byte("6")); err != nil {
		t.Errorf("put of the longest key: %v", err)
	}
	all, err := b.All(ctx, ">")
	if err != nil || len(all) != 2 {
		t.Errorf("all: %d entries, %v", len(all), err)
	}
	if one, err := b.All(ctx, "k"); err != nil || len(one) != 1 || string(one[0].Value) != "5" {
		t.Errorf("all of one key: %v, %v", one, err)
	}
	if none, err := b.All(ctx, "none.>"); err != nil || len(none) != 0 {
		t.Errorf("all of nothing: %v, %v", none, err)
	}
}

func TestUnknownBucket(t *testing.T) {
	_, h := startBus(t)
	if _, err := connect(t, h, api.Meshd).Bucket(within(t, 5*time.Second), "secrets"); err == nil {
		t.Error("a bucket that nobody made was opened")
	}
}

// follow runs a watch and returns its steps as text.
func follow(t *testing.T, b *bus.Bucket, pattern string) <-chan string {
	t.Helper()
	steps := make(chan string, 1024)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- b.Watch(ctx, pattern, func(e bus.Event) error {
			steps <- strings.TrimSpace([]string{"reset", "put", "deleted", "synced"}[e.Kind] + " " + e.Key + " " + string(e.Value))
			return nil
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("watch ended with %v", err)
		}
	})
	return steps
}

func wantSteps(t *testing.T, steps <-chan string, want ...string) {
	t.Helper()
	for _, w := range want {
		select {
		case got := <-steps:
			if got != w {
				t.Errorf("step %q, want %q", got, w)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("no step, want %q", w)
		}
	}
}

func put(t *testing.T, b *bus.Bucket, key, value string) {
	t.Helper()
	if err := b.Put(within(t, 5*time.Second), key, []byte(value)); err != nil {
		t.Fatal(err)
	}
}

func TestWatch(t *testing.T) {
	_, h := startBus(t)
	writer := bucket(t, connect(t, h, api.Meshd), api.BucketIntents)
	reader := bucket(t, connect(t, h, api.Runnerd), api.BucketIntents)

	steps := follow(t, reader, ">")
	wantSteps(t, steps, "reset", "synced")
	for _, value := range []string{"1", "2"} { // one after the other: a watch may skip what is overtaken
		put(t, writer, "a.x", value)
		wantSteps(t, steps, "put a.x "+value)
	}
	if err := writer.Delete(within(t, 5*time.Second), "a.x"); err != nil {
		t.Fatal(err)
	}
	wantSteps(t, steps, "deleted a.x")
	put(t, writer, "b.y", "3")
	wantSteps(t, steps, "put b.y 3")
	wantSteps(t, follow(t, reader, "b.*"), "reset", "put b.y 3", "synced")
}

// A watch over many keys is not stalled by flow control, and one that is left
// early leaves no goroutine behind (see TestMain).
func TestWatchMany(t *testing.T) {
	_, h := startBus(t)
	writer := bucket(t, connect(t, h, api.Meshd), api.BucketPeers)
	const n = 5000
	for i := range n {
		put(t, writer, fmt.Sprintf("k.%d", i), strings.Repeat("x", 500))
	}
	reader := bucket(t, connect(t, h, api.Runnerd), api.BucketPeers)
	if all, err := reader.All(within(t, 20*time.Second), ">"); err != nil || len(all) != n {
		t.Errorf("all: %d entries, %v", len(all), err)
	}
	enough := errors.New("enough")
	err := reader.Watch(within(t, 20*time.Second), ">", func(e bus.Event) error {
		if e.Kind == bus.Put {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) {
		t.Errorf("watch returned %v, want the error of its function", err)
	}
}

func TestWatchForbidden(t *testing.T) {
	_, h := startBus(t)
	// casd cannot open any bucket, so use the launcher, which may look but not read.
	b := bucket(t, connect(t, h, api.Launcher), api.BucketIntents)
	wantForbidden(t, "watch", func() error {
		return b.Watch(within(t, 5*time.Second), ">", func(bus.Event) error { return nil })
	})
	wantForbidden(t, "all", func() error { _, err := b.All(within(t, 5*time.Second), ">"); return err })
}

// A watch resumes over restarts of the server: what lies on disk comes again, and
// what lay in memory is gone until its owner writes it anew.
func TestWatchOverRestart(t *testing.T) {
	s, h := startBus(t)
	meshd := connect(t, h, api.Meshd)
	intents, peers := bucket(t, meshd, api.BucketIntents), bucket(t, meshd, api.BucketPeers)
	put(t, intents, "a", "1")
	put(t, peers, "p", "1")
	runnerd := connect(t, h, api.Runnerd)
	onDisk := follow(t, bucket(t, runnerd, api.BucketIntents), ">")
	inMemory := follow(t, bucket(t, runnerd, api.BucketPeers), ">")
	wantSteps(t, onDisk, "reset", "put a 1", "synced")
	wantSteps(t, inMemory, "reset", "put p 1", "synced")
	for i := range 3 {
		began := time.Now()
		if err := s.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		waitSteps(t, onDisk, "put a 1", "synced")
		waitSteps(t, inMemory, "synced")
		t.Logf("restart to resumed watches: %v", time.Since(began))
		value := fmt.Sprint(i)
		retryPut(t, intents, "b", value)
		wantSteps(t, onDisk, "put b "+value)
		if err := intents.Delete(within(t, 5*time.Second), "b"); err != nil {
			t.Fatal(err)
		}
		wantSteps(t, onDisk, "deleted b")
	}
}

// A daemon that stops while the bus goes away must not wait for it.
func TestWatchEndsWhileAway(t *testing.T) {
	s, h := startBus(t)
	b := bucket(t, connect(t, h, api.Runnerd), api.BucketIntents)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	const n = 50
	synced, done := make(chan struct{}, n), make(chan error, n)
	for range n {
		go func() {
			done <- b.Watch(ctx, ">", func(e bus.Event) error {
				if e.Kind == bus.Synced {
					synced <- struct{}{}
				}
				return nil
			})
		}()
	}
	for range n {
		<-synced
	}
	s.Close()
	cancel()
	late := time.After(soon)
	for range n {
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
		case <-late:
			t.Fatal("a watch does not end")
		}
	}
}

// waitSteps reads until a reset is followed by just these steps, whatever other
// resets came before.
func waitSteps(t *testing.T, steps <-chan string, want ...string) {
	t.Helper()
	var got []string
	for !slices.Equal(got, want) {
		select {
		case s := <-steps:
			if s == "reset" {
				got = nil
			} else if s != "deleted b" { // the marker of a key that an earlier round removed
				got = append(got, s)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("got %v since the last reset, want %v", got, want)
		}
	}
}

func retryPut(t *testing.T, b *bus.Bucket, key, value string) {
	t.Helper()
	deadline := time.Now().Add(5 * time.Second)
	for {
		err := b.Put(within(t, 5*time.Second), key, []byte(value))
		if err == nil {
			return
		}
		if !errors.Is(err, bus.ErrDisconnected) || time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
