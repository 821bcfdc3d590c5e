package single

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/engine"
	"github.com/realm-mesh/realm/engine/wasmtest"
)

var (
	probe []byte
	hello []byte // a component that answers HTTP
	cache string // of all tests
)

// TestMain is also the child that compiles.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == engine.CompileCommand {
		os.Exit(engine.Child(os.Args[2:], os.Stdin, os.Stdout))
	}
	var err error
	if probe, err = wasmtest.Probe(); err == nil {
		hello, err = os.ReadFile("../../../samples/hello-http/hello-http.wasm")
	}
	if err == nil {
		cache, err = os.MkdirTemp("", "single-")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		os.RemoveAll(cache)
		os.Exit(code)
	}))
}

// specOf is spec, of a file that holds wasm, as Main takes it.
func specOf(t *testing.T, wasm []byte, spec api.RunSpec) string {
	t.Helper()
	spec.File, spec.Cache = filepath.Join(t.TempDir(), "guest.wasm"), cache
	if err := os.WriteFile(spec.File, wasm, 0o600); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestMainRunsOneModule(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file"), []byte("there"), 0o600); err != nil {
		t.Fatal(err)
	}
	command := component(t, "rust-command.wasm")
	identity := wasmtest.Functions(wasmtest.Identity("f", wasmtest.I64), wasmtest.Func{Export: "spin", Code: []byte{0x03, 0x40, 0x0c, 0, 0x0b}})
	for name, c := range map[string]struct {
		wasm     []byte
		spec     api.RunSpec
		code     int
		out, err string // the latter a pattern
	}{
		"arguments":     {probe, api.RunSpec{Args: []string{"args"}}, 0, "guest.wasm args\n", "^$"},
		"streams":       {probe, api.RunSpec{Args: []string{"copy", "err=oh"}}, 0, "from stdin", "^oh\n$"},
		"environment":   {probe, api.RunSpec{Args: []string{"env=X"}, Env: map[string]string{"X": "y"}}, 0, "y\n", "^$"},
		"mount":         {probe, api.RunSpec{Args: []string{"ls=/data"}, Mounts: []api.Mount{{Host: dir, Guest: "/data", RO: true}}}, 0, "1 <nil>\n", "^$"},
		"no mount":      {probe, api.RunSpec{Args: []string{"ls=/data"}}, 0, "0 open", "^$"},
		"exit code":     {probe, api.RunSpec{Args: []string{"exit=7"}}, 7, "", "^$"},
		"large code":    {probe, api.RunSpec{Args: []string{"exit=256"}}, 1, "", "^$"},
		"invoke":        {identity, api.RunSpec{Invoke: "f", Args: []string{"-21"}}, 0, "-21\n", "^$"},
		"stats":         {identity, api.RunSpec{Invoke: "f", Args: []string{"3"}, Stats: true}, 0, "3\n", `^fuel 1, memory 0\.1 MiB, cpu [0-9.]+.?s, time [0-9.]+.?s\n$`},
		"other export":  {identity, api.RunSpec{Invoke: "g"}, 1, "", `^realm run: it exports no function "g", but f, spin\n$`},
		"wrong number":  {identity, api.RunSpec{Invoke: "f", Args: []string{"x"}}, 1, "", `^realm run: argument 1 of f\(i64\) -> \(i64\): "x" is no number\n$`},
		"no command":    {identity, api.RunSpec{}, 1, "", "call one of its exports with --invoke\n$"},
		"component":     {command, api.RunSpec{Args: []string{"args", "a", "b"}}, 0, "[\"a\", \"b\"]\n", "^$"},
		"its streams":   {command, api.RunSpec{Args: []string{"upper"}}, 0, "FROM STDIN", "^$"},
		"its mount":     {command, api.RunSpec{Args: []string{"read", "/data/file"}, Mounts: []api.Mount{{Host: dir, Guest: "/data", RO: true}}}, 0, "there", "^$"},
		"its exit code": {command, api.RunSpec{Args: []string{"exit", "1"}}, 1, "", "^$"},
		"its trap":      {component(t, "text/hostile-length.wasm"), api.RunSpec{}, 1, "", "^realm run: "},
		"no entry":      {wasmtest.Component(), api.RunSpec{}, 0, "", "^realm run: the component has no entry .*: nothing of it runs\n$"},
		"answers HTTP":  {hello, api.RunSpec{}, 1, "", "serve it with --serve 127.0.0.1:8080\n$"},
		"invoke of one": {hello, api.RunSpec{Invoke: "handle"}, 1, "", "^realm run: --invoke calls exports of core modules, and this is a component"},
		"no wasm":       {[]byte("#!/bin/sh"), api.RunSpec{}, 1, "", "^realm run: this is not a WebAssembly file\n$"},
		"out of fuel":   {identity, api.RunSpec{Invoke: "spin", Limits: api.Limits{Fuel: 5000}}, 1, "", "^realm run: out of fuel after 5001 units of 5000: .*--fuel\n$"},
		"deadline":      {identity, api.RunSpec{Invoke: "spin", Limits: api.Limits{EpochMS: 50}}, 1, "", `^realm run: deadline of 50 ms passed \([0-9]+ units of fuel used\): .*--epoch-ms\n$`},
		"stack":         {wasmtest.Overflow(), api.RunSpec{}, 1, "", `^realm run: trap: stack overflow \([0-9]+ units of fuel used\)`},
		"memory":        {wasmtest.GrowMemory(), api.RunSpec{Limits: api.Limits{MemoryMaxMB: 16}}, 1, "", "^realm run: trap: unreachable, after it was refused more than 16 MiB of memory .*--memory-max-mb\n$"},
		"too much":      {wasmtest.Module{MinPages: 33}.Bytes(), api.RunSpec{Limits: api.Limits{MemoryMaxMB: 2}}, 1, "", "^realm run: it needs 3 MiB of memory to begin with and is allowed 2: .*--memory-max-mb\n$"},
		"trap":          {wasmtest.Trap(), api.RunSpec{}, 1, "", "^realm run: trap: unreachable\n$"},
		"stats of fuel": {identity, api.RunSpec{Invoke: "spin", Limits: api.Limits{Fuel: 5000}, Stats: true}, 1, "", "^fuel 5001, memory "},
	} {
		t.Run(name, func(t *testing.T) {
			var out, complaints bytes.Buffer
			code := Main(specOf(t, c.wasm, c.spec), Streams{strings.NewReader("from stdin"), &out, &complaints})
			if code != c.code || !strings.HasPrefix(out.String(), c.out) || c.out == "" && out.Len() > 0 {
				t.Errorf("exit code %d, it says %q; want %d and %q", code, out.String(), c.code, c.out)
			}
			if !regexp.MustCompile(c.err).MatchString(complaints.String()) {
				t.Errorf("it complains %q, want %s", complaints.String(), c.err)
			}
		})
	}
	if code := Main(`{"file":"x","cache":"y","unknown":1}`, Streams{strings.NewReader(""), io.Discard, io.Discard}); code != exitFailed {
		t.Errorf("a wrong request ends with %d", code)
	}
}

// TestNobodyWaitsForStreams stops programs that wait for a terminal, or for the other end of
// a pipe. Other processes may keep the machine busy: the best of some rounds counts.
func TestNobodyWaitsForStreams(t *testing.T) {
	long := strings.Repeat("x", 1<<12)
	for name, c := range map[string]struct {
		wasm []byte
		args []string
	}{
		"reads":       {wasmtest.Script(wasmtest.Drain()), nil},
		"reads in Go": {probe, []string{"copy"}},
		"writes":      {wasmtest.Script(wasmtest.Forever(wasmtest.Out(long))), nil},
	} {
		t.Run(name, func(t *testing.T) {
			spec := &api.RunSpec{Args: c.args, File: filepath.Join(t.TempDir(), "guest.wasm"), Cache: cache}
			if err := os.WriteFile(spec.File, c.wasm, 0o600); err != nil {
				t.Fatal(err)
			}
			m, err := load(t.Context(), engine.New(engine.NewCache(cache)), spec)
			if err != nil {
				t.Fatal(err)
			}
			defer m.Release()
			for how, cause := range map[string]error{"deadline": &engine.DeadlineError{After: runsFor}, "cancel": errors.New("gone")} {
				best := time.Hour
				for range 5 {
					best = min(best, late(t, m, spec, cause))
				}
				if t.Logf("%s: %s late", how, best); best > 50*time.Millisecond {
					t.Errorf("%s: it ended %s late", how, best)
				}
			}
		})
	}
}

// runsFor is when programs are stopped: by then they wait.
const runsFor = 100 * time.Millisecond

// late runs a program at streams that give and take nothing until it is to stop for that
// cause, and returns how long after that it did.
func late(t *testing.T, m *engine.Module, spec *api.RunSpec, cause error) time.Duration {
	t.Helper()
	in, typing := pipe(t)
	reading, out := pipe(t)
	defer closeAll(t, in, typing, reading, out)
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	begun := time.Now()
	if errors.As(cause, new(*engine.DeadlineError)) {
		var done context.CancelFunc
		ctx, done = context.WithTimeoutCause(ctx, runsFor, cause)
		defer done()
	} else {
		time.AfterFunc(runsFor, func() { cancel(cause) })
	}
	env, release, err := environment(ctx, spec, Streams{in, out, io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	err = command(ctx, m, env, io.Discard)
	after := time.Since(begun) - runsFor
	var stopped *engine.StoppedError
	if !errors.As(err, &stopped) || !errors.Is(err, cause) || errors.Is(err, engine.ErrRunaway) || after < 0 {
		t.Errorf("it ended with %v, %s late", err, after)
	}
	return after
}

func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	return r, w
}

func closeAll(t *testing.T, files ...*os.File) {
	t.Helper()
	for _, f := range files {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}
