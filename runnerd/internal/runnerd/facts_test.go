package runnerd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/bus"
)

const self = api.PeerID("12D3KooWD3bfmNbuuuVCYwkjnFt3ukm3qaB3hDED3peHHXawvRAi")

// memory is a bucket in memory, which may be lost or out of reach.
type memory struct {
	mu     sync.Mutex
	values map[string][]byte
	puts   int
	writes []time.Time
	away   bool
}

var errAway = errors.New("the bus is away")

func (m *memory) Apply(_ context.Context, puts map[string][]byte, deletes []string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.away {
		return errAway
	}
	m.puts += len(puts)
	m.writes = append(m.writes, time.Now())
	for key, value := range puts {
		m.values[key] = value
	}
	for _, key := range deletes {
		delete(m.values, key)
	}
	return nil
}

// Watch shows what the bucket holds, once.
func (m *memory) Watch(_ context.Context, _ string, fn func(bus.Event) error) error {
	m.mu.Lock()
	events := []bus.Event{{Kind: bus.Reset}}
	for key, value := range m.values {
		events = append(events, bus.Event{Kind: bus.Put, Entry: bus.Entry{Key: key, Value: value}})
	}
	m.mu.Unlock()
	for _, ev := range append(events, bus.Event{Kind: bus.Synced}) {
		if err := fn(ev); err != nil {
			return err
		}
	}
	return nil
}

func (m *memory) state(ref api.Ref) api.State {
	m.mu.Lock()
	defer m.mu.Unlock()
	var f api.WorkloadFact
	if b := m.values[api.KeyWorkload(ref, self)]; b != nil && json.Unmarshal(b, &f) != nil {
		return "unreadable"
	}
	return f.State
}

// withFacts runs test beside the goroutine that writes.
func withFacts(t *testing.T, test func(*facts, *memory)) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{values: map[string][]byte{}}
		f := newFacts(m, self, slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- f.write(ctx) }()
		test(f, m)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func fact(ref api.Ref, s api.State) api.WorkloadFact {
	return api.WorkloadFact{Ref: ref, Peer: self, State: s, Seq: 1}
}

func TestFactsAreWritten(t *testing.T) {
	withFacts(t, func(f *facts, m *memory) {
		f.Set(fact(double, api.StateFetching))
		f.Set(fact(double, api.StateRunning))
		f.Set(fact(worker, api.StateBackoff))
		time.Sleep(writePause) // the first may be written by itself
		synctest.Wait()
		if m.state(double) != api.StateRunning || m.state(worker) != api.StateBackoff || m.puts > 3 {
			t.Errorf("%d puts of %s", m.puts, m.values)
		}
		if c := f.counts(); c[api.StateRunning] != 1 || c[api.StateBackoff] != 1 {
			t.Error(c)
		}
	})
}

// TestFactsKeepToARate has thousands come at once, while one that comes alone is
// written at once.
func TestFactsKeepToARate(t *testing.T) {
	withFacts(t, func(f *facts, m *memory) {
		begun := time.Now()
		f.Set(fact(double, api.StateFetching))
		synctest.Wait()
		m.mu.Lock()
		if len(m.writes) != 1 || !m.writes[0].Equal(begun) {
			t.Errorf("written after %v", time.Since(begun))
		}
		m.mu.Unlock()
		const n = 2000
		for i := range n {
			ref := api.Ref{Kind: api.KindFunction, Name: api.Name(fmt.Sprint("f", i))}
			f.Set(fact(ref, api.StateFetching))
			f.Set(fact(ref, api.StateRunning))
		}
		time.Sleep(time.Second)
		synctest.Wait()
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.puts != n+1 {
			t.Errorf("%d puts", m.puts)
		}
		for i := 1; i < len(m.writes); i++ {
			if pause := m.writes[i].Sub(m.writes[i-1]); pause < writePause {
				t.Errorf("write %d came %v after the one before", i, pause)
			}
		}
		if len(m.writes) > 2+n/writeMost {
			t.Errorf("%d writes", len(m.writes))
		}
	})
}

func TestFactsWaitForTheBus(t *testing.T) {
	withFacts(t, func(f *facts, m *memory) {
		m.away = true
		f.Set(fact(double, api.StateFetching))
		time.Sleep(time.Minute)
		f.Set(fact(double, api.StateRunning))
		m.mu.Lock()
		m.away = false
		m.mu.Unlock()
		time.Sleep(2 * retryPause)
		if m.state(double) != api.StateRunning {
			t.Error(m.state(double))
		}
	})
}

func TestRemovedIsToldForAMinute(t *testing.T) {
	withFacts(t, func(f *facts, m *memory) {
		f.Set(fact(double, api.StateRemoved))
		f.Set(fact(worker, api.StateRemoved))
		time.Sleep(removedFor - time.Second)
		if m.state(double) != api.StateRemoved {
			t.Error(m.state(double))
		}
		f.Set(fact(worker, api.StateRunning)) // pushed again
		time.Sleep(removedFor)
		if m.state(double) != "" || m.state(worker) != api.StateRunning || len(f.counts()) != 1 {
			t.Error(m.state(double), m.state(worker), f.counts())
		}
	})
}

func TestBucketIsComparedWithTheFacts(t *testing.T) {
	withFacts(t, func(f *facts, m *memory) {
		f.Set(fact(double, api.StateRunning))
		f.Set(fact(worker, api.StateRunning))
		synctest.Wait()
		stale := api.Ref{Kind: api.KindFunction, Name: "stale"}
		m.mu.Lock()
		m.values[api.KeyWorkload(stale, self)] = []byte("{}")
		m.values[api.KeyWorkload(worker, self)] = []byte(`{"state":"failed"}`)
		delete(m.values, api.KeyWorkload(double, self))
		m.mu.Unlock()
		if err := f.watch(context.Background()); err != nil {
			t.Error(err)
		}
		time.Sleep(writePause)
		synctest.Wait()
		if len(m.values) != 2 || m.state(double) != api.StateRunning || m.state(worker) != api.StateRunning {
			t.Errorf("%s", m.values)
		}
	})
}
