package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"runtime/pprof"
	"strings"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/engine"
	"github.com/realm-mesh/realm/runnerd/internal/exchange"
	"github.com/realm-mesh/realm/runnerd/internal/logs"
	"github.com/realm-mesh/realm/runnerd/internal/wasihttp"
)

// plainServer names the server that is no component.
const plainServer = "plain"

// profileVar names the file for a profile of the processor.
const profileVar = "BENCH_PROFILE"

// memoryMB is what an instance may have.
const memoryMB = 128

// ready is what a server says when it listens.
type ready struct {
	Addr          string
	Compile, Load time.Duration
	Instance      int64 // bytes that a new instance takes of this machine's memory
}

// serve is the main function of a server.
func serve(ctx context.Context, args []string) error {
	var r ready
	h := plainHandler()
	if args[0] != plainServer { // else a component, and the folder of the cache
		p, err := program(ctx, &r, args[0], args[1])
		if err != nil {
			return err
		}
		defer p.Close()
		h = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err := p.Serve(w, r, strings.TrimPrefix(r.URL.Path, "/")); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
			}
		})
	}
	l, err := listen(ctx)
	if err != nil {
		return err
	}
	r.Addr = l.Addr().String()
	if err := json.NewEncoder(os.Stdout).Encode(r); err != nil {
		return err
	}
	stop, err := profile(os.Getenv(profileVar))
	if err != nil {
		return err
	}
	defer stop()
	s := &http.Server{Handler: h}
	go func() { _ = s.Serve(l) }()
	<-ctx.Done()
	return s.Close()
}

// profile begins a profile of the processor, in a file unless that is nothing.
func profile(path string) (stop func(), err error) {
	if path == "" {
		return func() {}, nil
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	return func() {
		pprof.StopCPUProfile()
		f.Close()
	}, pprof.StartCPUProfile(f)
}

// plainHandler does what the components do.
func plainHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		fmt.Fprintf(w, "Hello from Go.\n\npath: %s\nuser-agent: %s\n", r.URL.Path, r.UserAgent())
	})
	mux.HandleFunc("POST /echo", func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex()
		_, _ = io.Copy(w, r.Body)
	})
	piece := make([]byte, 32<<10)
	mux.HandleFunc("GET /big/{bytes}", func(w http.ResponseWriter, r *http.Request) {
		var n int
		_, _ = fmt.Sscan(r.PathValue("bytes"), &n)
		for ; n > 0; n -= len(piece) {
			_, _ = w.Write(piece[:min(n, len(piece))])
		}
	})
	return mux
}

// program makes a component ready to be served, as runnerd does.
func program(ctx context.Context, r *ready, file, cacheDir string) (*wasihttp.Program, error) {
	wasm, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	cache := engine.NewCache(cacheDir)
	begun := time.Now()
	parsed, err := engine.Parse(wasm)
	if err != nil {
		return nil, err
	}
	unit := parsed.Instrument()
	if err := engine.Compile(ctx, cache, unit); err != nil {
		return nil, err
	}
	r.Compile = time.Since(begun)
	e := engine.New(cache)
	context.AfterFunc(ctx, e.MakeRoom())
	begun = time.Now()
	m, err := e.Load(ctx, engine.Sum(wasm), parsed.Shape(), unit, memoryMB)
	if err != nil {
		return nil, err
	}
	r.Load = time.Since(begun)
	if r.Instance, err = weigh(ctx, m); err != nil {
		return nil, err
	}
	log := logs.Open(api.Ref{Kind: api.KindComponent, Name: "web"}, filepath.Join(cacheDir, "log"), func(api.Ref, api.LogLine) {}, slog.New(slog.DiscardHandler))
	return wasihttp.New(ctx, exchange.Config{Module: m, Name: "web", Component: &api.Component{Interface: api.InterfaceHTTP}, Log: log, Root: true})
}

// weighed is how many instances are made to see what one takes.
const weighed = 50

// weigh returns what a new instance takes of the machine's memory.
func weigh(ctx context.Context, m *engine.Module) (int64, error) {
	debug.FreeOSMemory() // what is free must not be taken again
	before, err := resident()
	if err != nil {
		return 0, err
	}
	for range weighed {
		i, err := m.New(ctx, engine.Env{})
		if err != nil {
			return 0, err
		}
		defer i.Close()
	}
	debug.FreeOSMemory()
	after, err := resident()
	return (after - before) / weighed, err
}
