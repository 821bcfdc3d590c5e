package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/realm-mesh/realm/engine/meter"
	"github.com/realm-mesh/realm/engine/wasmtest"
)

var (
	probe    []byte
	cacheDir string // for all tests, so that each module is compiled once
)

// TestMain is also the child of a compiler.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == CompileCommand {
		os.Exit(Child(os.Args[2:], os.Stdin, os.Stdout))
	}
	var err error
	if probe, err = wasmtest.Probe(); err == nil {
		cacheDir, err = os.MkdirTemp("", "engine-")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		os.RemoveAll(cacheDir)
		os.Exit(code)
	}))
}

// ready compiles and loads a module; it is unloaded at the end of the test.
func ready(t testing.TB, wasm []byte, memoryMB int) *Module {
	t.Helper()
	return readyIn(t, New(NewCache(cacheDir)), wasm, memoryMB)
}

func readyIn(t testing.TB, e *Engine, wasm []byte, memoryMB int) *Module {
	t.Helper()
	c := e.cache
	parsed, err := Parse(wasm)
	if err != nil {
		t.Fatal(err)
	}
	wasm = parsed.Instrument()
	if !c.Has(Sum(wasm)) {
		if err := Compile(t.Context(), c, wasm); err != nil {
			t.Fatal(err)
		}
	}
	m, err := e.Load(t.Context(), Sum(wasm), parsed.Shape(), wasm, memoryMB)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Release)
	return m
}

func metered(t testing.TB, wasm []byte) []byte {
	t.Helper()
	m, err := Parse(wasm)
	if err != nil {
		t.Fatal(err)
	}
	return m.Instrument()
}

func TestRunEnds(t *testing.T) {
	for name, c := range map[string]struct {
		wasm []byte
		want string // of the error; empty for none
		as   any
	}{
		"returns":          {wasmtest.Nothing(), "", nil},
		"exit 3":           {wasmtest.Exit3(), "exit code 3", new(*ExitError)},
		"unreachable":      {wasmtest.Trap(), "trap: unreachable", new(*Trap)},
		"division by zero": {wasmtest.DivByZero(), "trap: integer divide by zero", new(*Trap)},
		"stack overflow":   {wasmtest.Overflow(), "trap: stack overflow", new(*Trap)},
		"memory is capped": {wasmtest.GrowMemory(), "trap: unreachable", new(*Trap)},
		"no _start":        {wasmtest.Functions(wasmtest.Identity("f", wasmtest.I32)), "exports no function _start", nil},
	} {
		t.Run(name, func(t *testing.T) {
			err := ready(t, c.wasm, 16).Run(t.Context(), Env{})
			if c.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want %s", err, c.want)
			}
			if c.as != nil && !errors.As(err, c.as) {
				t.Fatalf("%v is a %T", err, err)
			}
		})
	}
}

// TestMemoryCapHolds has a Go program ask for more than it may have, and for less.
func TestMemoryCapHolds(t *testing.T) {
	m := ready(t, probe, 64)
	if out, _, err := run(t.Context(), m, "alloc=32"); err != nil || out != fmt.Sprintln(32<<20) {
		t.Errorf("32 MiB of 64: %q, %v", out, err)
	}
	_, stderr, err := run(t.Context(), m, "alloc=100")
	if exit := new(ExitError); !errors.As(err, &exit) || !strings.Contains(stderr, "out of memory") {
		t.Errorf("100 MiB of 64: %v, %q", err, stderr)
	}
}

func run(ctx context.Context, m *Module, steps ...string) (stdout, stderr string, err error) {
	var out, complaints bytes.Buffer
	err = m.Run(ctx, Env{Args: append([]string{"probe"}, steps...), Vars: []Var{{Name: "GREETING", Value: "hello there"}},
		Stdin: strings.NewReader("from stdin"), Stdout: &out, Stderr: &complaints})
	return out.String(), complaints.String(), err
}

func TestGuestSeesItsEnv(t *testing.T) {
	out, stderr, err := run(t.Context(), ready(t, probe, 64), "args", "env=GREETING", "copy", "err=oh", "sleep=5ms", "exit=7")
	if exit := new(ExitError); !errors.As(err, &exit) || exit.Code != 7 {
		t.Error(err)
	}
	want := "probe args env=GREETING copy err=oh sleep=5ms exit=7\nhello there\nfrom stdin"
	if out != want || stderr != "oh\n" {
		t.Errorf("got %q and %q", out, stderr)
	}
}

var errGone = errors.New("the caller has gone")

func TestContextStopsGuest(t *testing.T) {
	goGuest, tight, deep := ready(t, probe, 64), ready(t, wasmtest.Endless(), 16), ready(t, wasmtest.DeepTree(60), 16)
	for name, start := range map[string]func(context.Context) error{
		"tree of calls":  func(ctx context.Context) error { return deep.Run(ctx, Env{}) },
		"tight loop":     func(ctx context.Context) error { return tight.Run(ctx, Env{}) },
		"loop in Go":     func(ctx context.Context) error { _, _, err := run(ctx, goGuest, "loop"); return err },
		"sleep in Go":    func(ctx context.Context) error { _, _, err := run(ctx, goGuest, "sleep=1h"); return err },
		"print for ever": func(ctx context.Context) error { _, _, err := run(ctx, goGuest, "lines=1000000000"); return err },
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeoutCause(t.Context(), 100*time.Millisecond, errGone)
			defer cancel()
			begun := time.Now()
			if err := start(ctx); !errors.Is(err, errGone) || errors.Is(err, ErrRunaway) {
				t.Error(err)
			}
			if took := time.Since(begun); took > 600*time.Millisecond {
				t.Errorf("stopped after %s", took)
			}
		})
	}
}

// stuck is a stream that does not return before it is told to.
type stuck struct{ until chan struct{} }

func (s stuck) Write(p []byte) (int, error) {
	<-s.until
	return len(p), nil
}

func TestRunawayIsLeftToItself(t *testing.T) {
	m := ready(t, probe, 64)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	begun := time.Now()
	stream := stuck{make(chan struct{})}
	ends := make(chan error, maxRunaways)
	for range maxRunaways {
		go func() { ends <- m.Run(ctx, Env{Args: []string{"probe", "args"}, Stdout: stream}) }()
	}
	for range maxRunaways {
		if err := <-ends; !errors.Is(err, ErrRunaway) || !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	}
	if took := time.Since(begun); took > stopGrace+700*time.Millisecond {
		t.Errorf("the caller waited %s", took)
	}
	if err := m.Run(t.Context(), Env{}); !errors.Is(err, ErrRunaway) {
		t.Errorf("started once more: %v", err)
	}
	close(stream.until)
	for m.runaways.Load() > 0 { // they are no event for anybody
		time.Sleep(10 * time.Millisecond)
	}
}

func TestFuel(t *testing.T) {
	m := ready(t, wasmtest.Endless(), 16)
	err := m.Run(t.Context(), Env{Fuel: 100_000})
	if out := new(FuelError); !errors.As(err, &out) || out.Limit != 100_000 {
		t.Errorf("an endless loop ends with %v", err)
	}
	m = ready(t, probe, 64)
	for fuel, ends := range map[uint64]bool{1000: true, 1 << 40: false} {
		err := m.Run(t.Context(), Env{Args: []string{"probe"}, Fuel: fuel})
		if out := new(FuelError); errors.As(err, &out) != ends {
			t.Errorf("a Go program with %d units: %v", fuel, err)
		}
	}
}

func TestNoModuleWithoutMeters(t *testing.T) {
	c, wasm := NewCache(t.TempDir()), wasmtest.Nothing()
	if err := Compile(t.Context(), c, wasm); err != nil {
		t.Fatal(err)
	}
	if _, err := New(c).Load(t.Context(), Sum(wasm), Shape{}, wasm, 16); !errors.Is(err, errNotMetered) {
		t.Errorf("loaded: %v", err)
	}
	var why *meter.Error
	if _, err := Parse([]byte("\x00asm\x01\x00\x00\x00\x0d\x00")); !errors.As(err, &why) {
		t.Errorf("parsed: %v", err)
	}
}

func TestInstancesAreFresh(t *testing.T) {
	// count() adds 1 to the number at address 0 and returns it.
	count := wasmtest.Func{Export: "count", Results: []byte{wasmtest.I32}, Code: []byte{
		0x41, 0, 0x41, 0, 0x28, 2, 0, 0x41, 1, 0x6a, 0x36, 2, 0, 0x41, 0, 0x28, 2, 0}}
	m := ready(t, wasmtest.Functions(count), 16)
	for range 3 {
		i, err := m.New(t.Context(), Env{})
		if err != nil {
			t.Fatal(err)
		}
		stack := make([]uint64, 1)
		for want := uint64(1); want <= 2; want++ {
			if err := i.Call(t.Context(), "count", stack); err != nil || stack[0] != want {
				t.Errorf("got %d, %v; want %d", stack[0], err, want)
			}
		}
		i.Close()
	}
}

func TestLoadNeedsCompiledCode(t *testing.T) {
	wasm := metered(t, wasmtest.Nothing())
	_, err := New(NewCache(t.TempDir())).Load(t.Context(), Sum(wasm), Shape{}, wasm, 16)
	if !errors.Is(err, ErrNotCompiled) {
		t.Error(err)
	}
}

func TestDamagedCodeIsNotLoaded(t *testing.T) {
	c, wasm := NewCache(t.TempDir()), metered(t, wasmtest.Nothing())
	if err := Compile(t.Context(), c, wasm); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(c.folder(Sum(wasm)), "*", "*"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	code, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	code[len(code)/2] ^= 1
	if err := os.WriteFile(files[0], code, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = New(c).Load(t.Context(), Sum(wasm), Shape{}, wasm, 16)
	if !errors.Is(err, ErrNotCompiled) || c.Has(Sum(wasm)) {
		t.Errorf("got %v; it is still there: %v", err, c.Has(Sum(wasm)))
	}
}

func TestModulesAreShared(t *testing.T) {
	c, wasm := NewCache(t.TempDir()), metered(t, wasmtest.Nothing())
	if err := Compile(t.Context(), c, wasm); err != nil {
		t.Fatal(err)
	}
	e, blob := New(c), Sum(wasm)
	load := func(mb int) *Module {
		m, err := e.Load(t.Context(), blob, Shape{}, wasm, mb)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	a, b, other := load(16), load(16), load(32)
	if a != b || a == other {
		t.Error("one module per blob and memory limit")
	}
	a.Release()
	if err := b.Run(t.Context(), Env{}); err != nil {
		t.Error(err)
	}
	b.Release()
	other.Release()
	if _, ok := e.Lookup(blob, 16); ok || len(e.loaded) != 0 {
		t.Error("modules stay loaded without users")
	}
}

func TestPruneRemovesOldest(t *testing.T) {
	c := NewCache(t.TempDir())
	for i, name := range []string{"old", "mid", "new"} {
		dir := c.folder(Sum([]byte(name)))
		if err := os.MkdirAll(filepath.Join(dir, "sub"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "sub", "code"), make([]byte, 1000), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := c.seal(Sum([]byte(name))); err != nil {
			t.Fatal(err)
		}
		at := time.Now().Add(time.Duration(i-10) * time.Hour)
		if err := os.Chtimes(dir, at, at); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(c.root, "wazero-v0.0.1", "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	c.touch(Sum([]byte("old")))
	if _, err := c.prune(2500, 2500); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"old": true, "mid": false, "new": true} {
		if got := c.Has(Sum([]byte(name))); got != want {
			t.Errorf("%s is there: %v", name, got)
		}
	}
	if _, err := os.Stat(filepath.Join(c.root, "wazero-v0.0.1")); !os.IsNotExist(err) {
		t.Error("the code of another compiler is still there")
	}
}

// TestGuestWithoutMountsSeesNoFiles: not even a root folder.
func TestGuestWithoutMountsSeesNoFiles(t *testing.T) {
	m := ready(t, probe, 64)
	for _, path := range []string{"/", ".", "/etc"} {
		if out, _, err := run(t.Context(), m, "ls="+path); err != nil || !strings.HasPrefix(out, "0 open") {
			t.Errorf("%s: %q, %v", path, out, err)
		}
	}
}

// core is a module of sections.
func core(sections ...string) []byte {
	out := wasmtest.Header()
	for _, s := range sections {
		out = append(out, wasmtest.Section(s[0], []byte(s[1:]))...)
	}
	return out
}

// TestReferencesTakeNoMemory: whoever asks for a reference to a function again and again is
// given the same one.
func TestReferencesTakeNoMemory(t *testing.T) {
	// (func $f (export "f") loop (drop (ref.func $f)) (br 0) end) (elem declare func $f)
	m := ready(t, core("\x01\x01\x60\x00\x00", "\x03\x01\x00", "\x07\x01\x01f\x00\x00", "\x09\x01\x03\x00\x01\x00",
		"\x0a\x01\x0a\x00\x03\x40\xd2\x00\x1a\x0c\x00\x0b\x0b"), 1)
	i, err := m.New(t.Context(), Env{Fuel: 3_000_000})
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	if err := i.Call(t.Context(), "f", nil); !errors.As(err, new(*FuelError)) {
		t.Error(err)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapInuse) - int64(before.HeapInuse); grown > 8<<20 { //nolint:gosec // far below
		t.Errorf("it has taken %d MiB of the host", grown>>20)
	}
}

// TestFunctionsOfTheHostAreNotExported: nobody could tell whose they are.
func TestFunctionsOfTheHostAreNotExported(t *testing.T) {
	_, err := Parse(core("\x01\x01\x60\x00\x01\x7f", "\x02\x01\x16wasi_snapshot_preview1\x0bsched_yield\x00\x00", "\x07\x01\x01y\x00\x00"))
	if err == nil || !strings.Contains(err.Error(), `export "y"`) {
		t.Error(err)
	}
}

// TestWhatDoesNotFitIsNotLoaded: a memory, or what takes as much of the host's.
func TestWhatDoesNotFitIsNotLoaded(t *testing.T) {
	wasm := wasmtest.Module{MinPages: 33, Funcs: []wasmtest.Func{{Export: "f"}}}.Bytes()
	m, err := Parse(wasm)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := New(NewCache(cacheDir)).Load(t.Context(), Sum(wasm), m.Shape(), m.Instrument(), 2); !errors.As(err, new(*RefusedError)) {
		t.Error(err)
	}
	if m, err = Parse(core("\x04\x01\x70\x00\x64", "\x06\x02\x7f\x00\x41\x00\x0b\x7e\x01\x42\x00\x0b")); err != nil {
		t.Fatal(err)
	}
	if s := m.Shape(); s.Size() != 100*8+2*80 {
		t.Errorf("100 elements and 2 globals take %d bytes", s.Size())
	}
}
