package program

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/engine"
	"github.com/realm-mesh/realm/engine/wasmtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// shelf has blobs, and compiles in this process.
type shelf struct {
	blobs   map[api.Digest][]byte
	cache   engine.Cache
	fetched int
}

func (s *shelf) Bring(_ context.Context, blob api.Digest, _ int64) error {
	if _, ok := s.blobs[blob]; !ok {
		return errors.New("no member has it")
	}
	return nil
}

func (s *shelf) Read(_ context.Context, blob api.Digest, limit int64) ([]byte, error) {
	s.fetched++
	b, ok := s.blobs[blob]
	switch {
	case !ok:
		return nil, errors.New("no member has it")
	case int64(len(b)) > limit:
		return nil, fmt.Errorf("read: %w", api.ErrTooLarge)
	}
	return b, nil
}

func (s *shelf) Ensure(ctx context.Context, wasm []byte) error {
	if err := engine.Compile(ctx, s.cache, wasm); err != nil {
		return Refuse("%v", err)
	}
	return nil
}

func (s *shelf) program(wasm []byte) api.Program {
	s.blobs[api.Sum(wasm)] = wasm
	return api.Program{Blob: api.Sum(wasm), Size: int64(len(wasm))}
}

func newLoader(t *testing.T) (*Loader, *shelf) {
	s := &shelf{blobs: map[api.Digest][]byte{}, cache: engine.NewCache(t.TempDir())}
	return NewLoader(s, s, engine.New(s.cache)), s
}

func TestLoad(t *testing.T) {
	l, s := newLoader(t)
	p := s.program(wasmtest.Exit3())
	var stages []api.State
	m, err := l.Load(t.Context(), p, func(st api.State) { stages = append(stages, st) })
	if err != nil {
		t.Fatal(err)
	}
	defer m.Release()
	if !slices.Equal(stages, []api.State{api.StateFetching, api.StateCompiling}) || !slices.Equal(m.Names, []string{"_start"}) {
		t.Error(stages, m.Names)
	}
	if err := m.Run(t.Context(), engine.Env{}); err == nil || err.Error() != "exit code 3" {
		t.Error(err)
	}
	again, err := l.Load(t.Context(), p, func(api.State) { t.Error("what is loaded takes no stages") })
	if err != nil || again != m || s.fetched != 1 {
		t.Error(err, s.fetched)
	}
	again.Release()
}

func TestLoadRefuses(t *testing.T) {
	imports := func(mod, name string) []byte {
		return wasmtest.Module{Imports: []wasmtest.Import{{Module: mod, Name: name}}}.Bytes()
	}
	for name, c := range map[string]struct {
		wasm   []byte
		change func(*api.Program)
		says   string
	}{
		"no wasm":         {[]byte("hello"), nil, "not a WebAssembly file"},
		"component":       {wasmtest.Importing("launch"), nil, "function launch"},
		"import":          {imports("env", "log"), nil, `imports the function "log" of "env"`},
		"older WASI":      {imports("wasi_unstable", "fd_write"), nil, "wasi_snapshot_preview1 alone"},
		"Go for browsers": {imports("gojs", "runtime.wasmExit"), nil, "GOOS=wasip1 instead of GOOS=js"},
		"memory":          {wasmtest.Module{MinPages: 161}.Bytes(), func(p *api.Program) { p.Limits.MemoryMaxMB = 10 }, "needs 11 MiB of memory to begin with and is allowed 10"},
		"shorter":         {wasmtest.Nothing(), func(p *api.Program) { p.Size++ }, "not of the"},
		"longer":          {wasmtest.Nothing(), func(p *api.Program) { p.Size-- }, "not of the"},
		"invalid body":    {wasmtest.Command(0x6a), nil, "i32.add"},
	} {
		t.Run(name, func(t *testing.T) {
			l, s := newLoader(t)
			p := s.program(c.wasm)
			if c.change != nil {
				c.change(&p)
			}
			_, err := l.Load(t.Context(), p, func(api.State) {})
			var refused *RefusedError
			if !errors.As(err, &refused) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want a refusal that says %q", err, c.says)
			}
		})
	}
}

// crowd is a shelf that many use at once. Nothing compiles.
type crowd struct {
	*shelf
	mu        sync.Mutex
	now, most int // programs that were read and are not done with
}

func (c *crowd) Read(ctx context.Context, blob api.Digest, limit int64) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now++
	c.most = max(c.most, c.now)
	return c.shelf.Read(ctx, blob, limit)
}

func (c *crowd) Ensure(context.Context, []byte) error {
	time.Sleep(time.Millisecond) // for others to come
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now--
	return Refuse("enough")
}

// TestFewProgramsAreInMemory loads many at once: their bytes are read only as there is
// room for them, and one that is larger than all the room has its turn, too.
func TestFewProgramsAreInMemory(t *testing.T) {
	_, s := newLoader(t)
	c := &crowd{shelf: s}
	l := NewLoader(c, c, engine.New(s.cache))
	padded := func(n, i byte) api.Program {
		return s.program(append(wasmtest.Nothing(), wasmtest.Section(0, append([]byte{0, i}, make([]byte, n)...))...))
	}
	const many = 20
	small := padded(100, 0).Size
	l.memory = newBudget(3 * small)
	programs := []api.Program{padded(120, many), padded(120, many+1)}
	for i := range byte(many) {
		programs = append(programs, padded(100, i))
	}
	var wg sync.WaitGroup
	for _, p := range programs {
		wg.Go(func() {
			if _, err := l.Load(t.Context(), p, func(api.State) {}); err == nil || err.Error() != "enough" {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if s.fetched != len(programs) || c.most > 3 {
		t.Errorf("%d were read, %d at once", s.fetched, c.most)
	}
	large := append(wasmtest.Nothing(), wasmtest.Section(0, make([]byte, 10*small))...)
	if _, err := l.Load(t.Context(), s.program(large), func(api.State) {}); err == nil || err.Error() != "enough" {
		t.Error(err)
	}
}

func TestWhatMayPassIsNoRefusal(t *testing.T) {
	l, _ := newLoader(t)
	_, err := l.Load(t.Context(), api.Program{Blob: api.Sum([]byte("x")), Size: 1}, func(api.State) {})
	var refused *RefusedError
	if err == nil || errors.As(err, &refused) {
		t.Error(err)
	}
}

func TestCheckCommand(t *testing.T) {
	for name, c := range map[string]struct {
		wasm []byte
		says string
	}{
		"command":      {wasmtest.Nothing(), ""},
		"library":      {wasmtest.Functions(wasmtest.Identity("f", wasmtest.I32)), "exports no _start"},
		"nothing":      {wasmtest.Functions(), "exports no functions"},
		"wrong _start": {wasmtest.Functions(wasmtest.Identity("_start", wasmtest.I32)), "(i32) -> (i32)"},
	} {
		m, err := engine.Parse(c.wasm)
		if err != nil {
			t.Fatal(err)
		}
		err = CheckCommand(m.Shape())
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
