// Package storetest is what every [intents.Store] must do.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/meshd/internal/intents"
)

// Run tests an implementation; open returns an empty store.
func Run(t *testing.T, open func(t *testing.T) intents.Store) {
	for name, test := range map[string]func(*testing.T, intents.Store){
		"an empty store holds nothing":        empty,
		"what was put is there":               put,
		"a put needs the revision":            conflict,
		"the largest envelope fits":           large,
		"one of many writers wins each round": race,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

var (
	web = api.Ref{Kind: api.KindComponent, Name: "web"}
	fn  = api.Ref{Kind: api.KindFunction, Name: "web"}
)

func empty(t *testing.T, s intents.Store) {
	if all, err := s.All(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("All = %v, %v; want nothing", all, err)
	}
	if _, err := s.Get(t.Context(), web); !errors.Is(err, intents.ErrNotFound) {
		t.Errorf("Get = %v; want ErrNotFound", err)
	}
}

func mustPut(t *testing.T, s intents.Store, r api.Ref, text string, revision uint64) {
	t.Helper()
	if err := s.Put(t.Context(), r, []byte(text), revision); err != nil {
		t.Fatalf("Put %s: %v", r, err)
	}
}

func mustGet(t *testing.T, s intents.Store, r api.Ref) intents.Stored {
	t.Helper()
	st, err := s.Get(t.Context(), r)
	if err != nil {
		t.Fatalf("Get %s: %v", r, err)
	}
	return st
}

func put(t *testing.T, s intents.Store) {
	mustPut(t, s, web, "one", 0)
	mustPut(t, s, fn, "two", 0)
	mustPut(t, s, web, "three", mustGet(t, s, web).Revision)
	if got := mustGet(t, s, web); string(got.Envelope) != "three" || got.Ref != web || got.Revision == 0 {
		t.Errorf("Get = %s %q at %d; want the last put", got.Ref, got.Envelope, got.Revision)
	}
	all, err := s.All(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(all, func(a, b intents.Stored) int { return strings.Compare(a.Ref.String(), b.Ref.String()) })
	if len(all) != 2 || all[0].Ref != web || string(all[0].Envelope) != "three" || all[1].Ref != fn || string(all[1].Envelope) != "two" {
		t.Errorf("All = %v; want one current envelope for each of two", all)
	}
}

func conflict(t *testing.T, s intents.Store) {
	mustPut(t, s, web, "one", 0)
	first := mustGet(t, s, web).Revision
	mustPut(t, s, web, "two", first)
	for _, revision := range []uint64{0, first} {
		if err := s.Put(t.Context(), web, []byte("late"), revision); !errors.Is(err, intents.ErrConflict) {
			t.Errorf("Put at %d = %v; want ErrConflict", revision, err)
		}
	}
	if got := mustGet(t, s, web); string(got.Envelope) != "two" {
		t.Errorf("a refused put has left %q", got.Envelope)
	}
}

func large(t *testing.T, s intents.Store) {
	env := bytes.Repeat([]byte{'x'}, api.MaxEnvelope)
	if err := s.Put(t.Context(), web, env, 0); err != nil {
		t.Fatal(err)
	}
	if got := mustGet(t, s, web); !bytes.Equal(got.Envelope, env) {
		t.Error("a large envelope comes back changed")
	}
}

// race has writers put in rounds: in each, exactly one of those that saw the same
// revision may succeed.
func race(t *testing.T, s intents.Store) {
	mustPut(t, s, web, "start", 0)
	for range 5 {
		seen := mustGet(t, s, web).Revision
		var wins, losses int
		var mu sync.Mutex
		var writers sync.WaitGroup
		for range 8 {
			writers.Go(func() {
				err := s.Put(context.WithoutCancel(t.Context()), web, []byte("mine"), seen)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					wins++
				case errors.Is(err, intents.ErrConflict):
					losses++
				default:
					t.Errorf("Put: %v", err)
				}
			})
		}
		writers.Wait()
		if wins != 1 || losses != 7 {
			t.Fatalf("%d writers won and %d lost; want 1 and 7", wins, losses)
		}
	}
}
