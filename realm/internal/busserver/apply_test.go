package busserver

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/bus"
)

// values are n keys that begin with prefix, and the same value for each.
func values(prefix string, n int, value string) map[string][]byte {
	out := make(map[string][]byte, n)
	for i := range n {
		out[fmt.Sprintf("%s.%d", prefix, i)] = []byte(value)
	}
	return out
}

func apply(t *testing.T, b *bus.Bucket, puts map[string][]byte, deletes ...string) {
	t.Helper()
	if err := b.Apply(within(t, 30*time.Second), puts, deletes); err != nil {
		t.Fatal(err)
	}
}

func contents(t *testing.T, b *bus.Bucket) map[string]string {
	t.Helper()
	all, err := b.All(within(t, 10*time.Second), ">")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, e := range all {
		out[e.Key] = string(e.Value)
	}
	return out
}

// TestApply makes few changes, and so many that they are several batches.
func TestApply(t *testing.T) {
	_, h := startBus(t)
	c := connect(t, h, api.Meshd)
	for _, name := range allBuckets {
		for _, n := range []int{0, 1, 15, 16, 700} {
			t.Run(fmt.Sprintf("%s/%d", name, n), func(t *testing.T) {
				b := bucket(t, c, name)
				last := fmt.Sprint("last", n)
				seen := follow(t, b, last)
				wantSteps(t, seen, "reset", "synced")
				apply(t, b, values("k", n, "1"))
				put(t, b, "other", "x")
				if got := contents(t, b); len(got) != n+1 {
					t.Errorf("%d keys", len(got))
				}
				var gone []string
				for key := range values("k", n/2, "") {
					gone = append(gone, key)
				}
				puts := values("k", n, "2")
				for _, key := range gone {
					delete(puts, key)
				}
				puts[last] = []byte("done")
				puts["empty"] = nil
				apply(t, b, puts, append(gone, "never.there")...)
				wantSteps(t, seen, "put "+last+" done")
				got := contents(t, b)
				if len(got) != n-n/2+3 || got["other"] != "x" || got["empty"] != "" {
					t.Errorf("%d keys: %v", len(got), got["other"])
				}
				for key, value := range got {
					if strings.HasPrefix(key, "k.") && value != "2" {
						t.Errorf("%s is %s", key, value)
					}
				}
				var all []string
				for key := range got {
					all = append(all, key)
				}
				apply(t, b, nil, all...)
				wantSteps(t, seen, "deleted "+last)
				if got := contents(t, b); len(got) != 0 {
					t.Errorf("left: %v", got)
				}
			})
		}
	}
}

func TestApplyIsRefused(t *testing.T) {
	_, h := startBus(t)
	reader := bucket(t, connect(t, h, api.Runnerd), api.BucketIntents)
	for _, n := range []int{2, 300} {
		wantForbidden(t, fmt.Sprint("apply ", n), func() error { return reader.Apply(within(t, 5*time.Second), values("k", n, "1"), nil) })
	}
	writer := bucket(t, connect(t, h, api.Meshd), api.BucketIntents)
	for name, puts := range map[string]map[string][]byte{
		"a wildcard": {"a.*": nil}, "no key": {"": nil}, "a long key": {strings.Repeat("k", bus.MaxKey+1): nil},
		"a space": {"a b": nil}, "two dots": {"a..b": nil}, "a large value": {"k": make([]byte, api.MaxMessage+1)},
	} {
		for key, value := range values("good", 300, "1") {
			puts[key] = value
		}
		if err := writer.Apply(within(t, 5*time.Second), puts, nil); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	if got := contents(t, writer); len(got) != 0 {
		t.Errorf("%d keys of what was refused", len(got))
	}
}

// A bucket that is full says so, and what is in it stays.
func TestApplyOverTheLimit(t *testing.T) {
	_, h := startBus(t)
	b := bucket(t, connect(t, h, api.Meshd), api.BucketPeers)
	large := strings.Repeat("x", 200<<10)
	apply(t, b, values("k", 100, large))
	err := b.Apply(within(t, 20*time.Second), values("more", 100, large), nil)
	if err == nil || !strings.Contains(err.Error(), "maximum bytes exceeded") {
		t.Errorf("over the limit: %v", err)
	}
	if got := contents(t, b); len(got) < 100 {
		t.Errorf("%d keys are left", len(got))
	}
	apply(t, b, values("k", 100, "small"))
	apply(t, b, values("more", 100, "small"))
}

func TestApplyOverRestart(t *testing.T) {
	s, h := startBus(t)
	c := connect(t, h, api.Meshd)
	b := bucket(t, c, api.BucketIntents)
	done := make(chan error, 1)
	go func() {
		for i := 0; ; i++ {
			if err := b.Apply(within(t, 30*time.Second), values(fmt.Sprint("k", i), 500, "1"), nil); err != nil {
				done <- err
				return
			}
		}
	}()
	time.Sleep(100 * time.Millisecond)
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-done:
		if !errors.Is(err, bus.ErrDisconnected) {
			t.Errorf("in flight: %v, want ErrDisconnected", err)
		}
	case <-time.After(soon):
		t.Fatal("a batch in flight did not end")
	}
	late := time.Now().Add(5 * time.Second)
	for err := errors.New("not tried"); err != nil; time.Sleep(10 * time.Millisecond) {
		if err = b.Apply(within(t, 5*time.Second), values("after", 500, "1"), nil); err != nil && time.Now().After(late) {
			t.Fatal(err)
		}
	}
}

// BenchmarkApply measures what meshd does with 10,000 intents that come at once.
func BenchmarkApply(b *testing.B) {
	h := newHome(b)
	s, err := Start(b.Context(), h, quiet)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(s.Close)
	intents := bucket(b, connect(b, h, api.Meshd), api.BucketIntents)
	const n = 10_000
	puts := values("function", n, strings.Repeat("x", 1500))
	for b.Loop() {
		if err := intents.Apply(b.Context(), puts, nil); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "puts/s")
}

// TestRestartWithManyKeys has the bus of a large realm start again.
func TestRestartWithManyKeys(t *testing.T) {
	s, h := startBus(t)
	const n = 10_000
	intents := bucket(t, connect(t, h, api.Meshd), api.BucketIntents)
	puts := values("function", n, strings.Repeat("x", 1500))
	for _, round := range []string{"fresh", "written over"} {
		began := time.Now()
		apply(t, intents, puts)
		t.Logf("%s: %d puts in %v", round, n, time.Since(began).Round(time.Millisecond))
		began = time.Now()
		if err := s.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		up := time.Since(began)
		watcher := bucket(t, connect(t, h, api.Runnerd), api.BucketIntents)
		if got := len(contents(t, watcher)); got != n {
			t.Errorf("%s: %d keys", round, got)
		}
		t.Logf("%s: up after %v, all read after %v", round, up.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
		if up > startTimeout/5 {
			t.Errorf("%s: the bus needs %v to start", round, up)
		}
	}
}
