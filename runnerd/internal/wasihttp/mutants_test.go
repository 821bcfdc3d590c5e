package wasihttp

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/engine"
	"github.com/realm-mesh/realm/engine/soaktest"
	"github.com/realm-mesh/realm/engine/wasi"
	"github.com/realm-mesh/realm/runnerd/internal/exchange"
	"github.com/realm-mesh/realm/runnerd/internal/logs"
)

var (
	seed    = flag.Uint64("seed", 1, "which mutants there are")
	mutants = flag.Int("mutants", 120, "how many there are; make soak has more")
)

// atOnce is how many mutants are served at a time: many of them wait for their deadline.
const atOnce = 8

// parents of mutants: the small ones, which compile sooner, have more of them.
var parents = []string{"hello-http", "hello-http", "hello-http", "http", "http", "http", "proxy", "proxy", "rust-web", "rust-command"}

// TestMutants serves components in which something is not as it was: none may end or hold up
// this process, which a healthy one beside them would be the first to notice.
func TestMutants(t *testing.T) {
	t.Logf("-seed %d", *seed)
	v := newVivarium(t)
	soaktest.Soak{Most: *mutants / atOnce, For: time.Hour, Look: func() soaktest.Held { return soaktest.Here(t) }}.Flat(t, func(i int) {
		var batch sync.WaitGroup
		for k := range atOnce {
			batch.Go(func() { v.try(i*atOnce + k) })
		}
		batch.Wait()
		v.healthy()
	})
	t.Logf("%d mutants, of which %d were taken, %d were compiled anew and %d have answered", v.made.Load(), v.taken.Load(), v.compiled.Load(), v.answered.Load())
	if v.taken.Load() < v.made.Load()/4 || v.answered.Load() < v.taken.Load()/5 {
		t.Error("that is too few to tell much")
	}
}

// vivarium is where mutants are served, beside a program that is none.
type vivarium struct {
	*testing.T
	cache    engine.Cache
	parents  [][]byte
	known    map[engine.Digest]bool // units of parents
	well     *site
	log      *logs.Log
	upstream *httptest.Server

	made, taken, compiled, answered atomic.Int64
}

func newVivarium(t *testing.T) *vivarium {
	t.Helper()
	v := &vivarium{T: t, cache: engine.NewCache(rig.CacheDir()), known: map[engine.Digest]bool{}}
	v.well = serve(t, "hello-http", func(*exchange.Config) {})
	v.log = logs.Open(api.Ref{Kind: api.KindComponent, Name: "mutant"}, filepath.Join(t.TempDir(), "log"), func(api.Ref, api.LogLine) {}, slog.New(slog.DiscardHandler))
	v.upstream = echoes(t)
	t.Cleanup(v.log.Close)
	for _, name := range parents {
		b := wasm(t, name)
		p, err := engine.Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		unit := p.Instrument()
		if !v.known[engine.Sum(unit)] {
			rig.Ready(t, b, 32).Release()
		}
		v.parents, v.known[engine.Sum(unit)] = append(v.parents, b), true
	}
	return v
}

// try has mutant i do what it was made for, if it is taken.
func (v *vivarium) try(i int) {
	r := rand.New(rand.NewPCG(*seed, uint64(i)))
	v.made.Add(1)
	b, p := v.mutant(r)
	if p == nil {
		return
	}
	v.taken.Add(1)
	m, err := v.load(b, p)
	if err != nil {
		if !errors.Is(err, engine.ErrRefused) {
			v.judge(i, err)
		}
		return
	}
	ctx, cancel := engine.WithDeadline(v.Context(), time.Minute)
	defer cancel()
	if m.Kind() != engine.KindHTTP {
		defer m.Release()
		ctx, cancel := engine.WithDeadline(ctx, deadline)
		defer cancel()
		v.judge(i, m.Run(ctx, engine.Env{Fuel: fuel}))
		return
	}
	limits := api.Limits{Fuel: fuel, EpochMS: deadline.Milliseconds()}
	program, err := New(ctx, exchange.Config{Module: m, Name: "mutant", Component: &api.Component{Interface: api.InterfaceHTTP, Module: api.Program{Limits: limits}}, Log: v.log, Sender: upstreamOnly{v.upstream.URL}, Root: true})
	if err != nil {
		m.Release()
		v.judge(i, err)
		return
	}
	defer program.Close()
	v.request(ctx, i, program, r)
}

// siblings are how many mutants are made until one of them is taken.
const siblings = 12

// mutant makes a mutant, and the program that it is: nil if it is not taken.
func (v *vivarium) mutant(r *rand.Rand) (b []byte, p *engine.Program) {
	for range siblings {
		b = mutant(r, v.parents[r.IntN(len(v.parents))])
		p, err := engine.Parse(b)
		if err == nil && p.Shape().Component != nil && len(p.Shape().Component.Missing()) == 0 {
			return b, p
		}
	}
	return b, nil
}

const (
	fuel     = 50_000_000
	deadline = 300 * time.Millisecond
)

// load compiles and loads a mutant, and keeps no code of those that have their own.
func (v *vivarium) load(b []byte, p *engine.Program) (*engine.Module, error) {
	unit := p.Instrument()
	digest := engine.Sum(unit)
	if !v.known[digest] {
		v.compiled.Add(1)
		defer func() { _ = v.cache.Remove(digest) }() // another of the same may be there already
		if err := engine.Compile(v.Context(), v.cache, unit); err != nil {
			return nil, err
		}
	}
	return engine.New(v.cache).Load(v.Context(), engine.Sum(b), p.Shape(), unit, 32)
}

// request has a mutant answer a request.
func (v *vivarium) request(ctx context.Context, i int, p *Program, r *rand.Rand) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if p := recover(); p != nil && p != http.ErrAbortHandler { //nolint:errorlint // it is never wrapped
				v.Errorf("mutant %d of -seed %d: panic: %v", i, *seed, p)
			}
		}()
		if err := p.Serve(w, r, strings.TrimPrefix(r.URL.Path, "/")); err != nil {
			v.judge(i, err)
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	}))
	defer s.Close()
	var body io.Reader
	method, path := http.MethodGet, routes[r.IntN(len(routes))]
	if r.IntN(2) == 0 {
		method, body = http.MethodPost, strings.NewReader(strings.Repeat("body", 1+r.IntN(20_000)))
	}
	q, err := http.NewRequestWithContext(ctx, method, s.URL+path, body)
	if err != nil {
		v.Error(err)
		return
	}
	resp, err := s.Client().Do(q)
	if err != nil {
		return // cut
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err == nil {
		v.answered.Add(1)
	}
}

// judge looks for ends that no program may bring about.
func (v *vivarium) judge(i int, err error) {
	if err == nil {
		return
	}
	for _, sign := range []string{"panic in the engine", "runtime error", "should be a"} {
		if strings.Contains(err.Error(), sign) {
			v.Errorf("mutant %d of -seed %d: %v", i, *seed, err)
		}
	}
}

// healthy wants the program beside the mutants answer as ever.
func (v *vivarium) healthy() {
	q, err := http.NewRequestWithContext(v.Context(), http.MethodGet, v.well.URL+"/", nil)
	if err != nil {
		v.Fatal(err)
	}
	resp, err := v.well.Client().Do(q)
	if err != nil {
		v.Fatalf("the healthy one: %v", err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK || len(b) == 0 {
		v.Fatalf("the healthy one: %s %q, %v", resp.Status, b, err)
	}
}

// echoes is a server that answers with what it is sent.
func echoes(t *testing.T) *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }))
	t.Cleanup(func() {
		http.DefaultTransport.(*http.Transport).CloseIdleConnections()
		s.Close()
	})
	return s
}

// upstreamOnly sends all requests of mutants to one server, wherever they are for.
type upstreamOnly struct{ url string }

func (u upstreamOnly) Send(r *http.Request, _ wasi.Timeouts) (*http.Response, error) {
	to, err := r.URL.Parse(u.url + r.URL.Path)
	if err != nil {
		return nil, fmt.Errorf("send: %w", err)
	}
	r = r.Clone(r.Context())
	r.URL, r.Host = to, ""
	return http.DefaultTransport.RoundTrip(r)
}
