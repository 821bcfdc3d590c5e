package single

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/engine"
	"github.com/realm-mesh/realm/engine/mount"
	"github.com/realm-mesh/realm/runnerd/internal/function"
	"github.com/realm-mesh/realm/runnerd/internal/program"
)

// exitFailed is the exit code where the program has none of its own to give.
const exitFailed = 1

// Streams are those of the process.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// Main runs what spec, a [api.RunSpec] in JSON, asks for, and returns the exit code: that
// of the program where it has ended by itself.
func Main(spec string, s Streams) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, spec, s)
	var exit *engine.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return code(exit.Code)
	}
	fmt.Fprintln(s.Err, "realm run:", err)
	return exitFailed
}

// code is an exit code as systems take it: a failure does not become a success.
func code(c uint32) int {
	if c > 255 {
		return exitFailed
	}
	return int(c)
}

func run(ctx context.Context, text string, s Streams) error {
	var spec api.RunSpec
	if err := api.Decode([]byte(text), api.MaxRunSpec, &spec); err != nil {
		return err
	}
	eng := engine.New(engine.NewCache(spec.Cache))
	defer eng.MakeRoom()()
	m, err := load(ctx, eng, &spec)
	if err != nil {
		return err
	}
	defer m.Release()
	if spec.Serve == "" {
		var cancel context.CancelFunc
		ctx, cancel = deadline(ctx, &spec)
		defer cancel()
	}
	env, release, err := environment(ctx, &spec, s)
	if err != nil {
		return err
	}
	defer release()
	if spec.Serve != "" {
		return serve(ctx, m, &spec, env, s)
	}
	used := make(chan engine.Usage, 1)
	env.Used = func(u engine.Usage) { used <- u }
	begun := time.Now()
	if spec.Invoke != "" {
		err = invoke(ctx, m, &spec, env, s.Out)
	} else {
		err = command(ctx, m, env, s.Err)
	}
	if spec.Stats {
		tell(s.Err, used, time.Since(begun))
	}
	return err
}

// load makes the module ready, as on a node: compiled by a child, unless that was done
// before. The caller releases it.
func load(ctx context.Context, eng *engine.Engine, spec *api.RunSpec) (*engine.Module, error) {
	wasm, err := read(spec.File)
	if err != nil {
		return nil, err
	}
	exe, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	loader := program.NewLoader(given(wasm), program.NewCompiler(exe, spec.Cache), eng)
	return loader.Load(ctx, api.Program{Blob: api.Sum(wasm), Size: int64(len(wasm)), Limits: spec.Limits}, func(api.State) {})
}

// tell says what a program has used that has ended after a while.
func tell(w io.Writer, used <-chan engine.Usage, after time.Duration) {
	select {
	case u := <-used:
		fmt.Fprintf(w, "fuel %d, memory %.1f MiB, cpu %s, time %s\n", u.Fuel, float64(u.Memory)/(1<<20),
			u.CPU.Round(time.Microsecond), after.Round(10*time.Microsecond))
	default: // it has not begun, or does not end
	}
}

// deadline is that of the call. A command has none unless it is given one.
func deadline(ctx context.Context, spec *api.RunSpec) (context.Context, context.CancelFunc) {
	if spec.Invoke == "" && spec.Limits.EpochMS == 0 {
		return ctx, func() {}
	}
	return engine.WithDeadline(ctx, program.Deadline(spec.Limits))
}

// command runs a WASI command.
func command(ctx context.Context, m *engine.Module, env engine.Env, complaints io.Writer) error {
	switch c := m.Component; {
	case c == nil || c.IsCommand():
	case c.IsHandler():
		return errors.New("the component answers HTTP, and runs nothing by itself: serve it with --serve 127.0.0.1:8080")
	default:
		fmt.Fprintln(complaints, "realm run: the component has no entry (wasi:cli/run or wasi:http/incoming-handler of WASI 0.2): nothing of it runs")
		return nil
	}
	if err := program.CheckCommand(m.Shape); err != nil {
		return fmt.Errorf("%w; or call one of its exports with --invoke", err)
	}
	return program.Advise(m.Run(ctx, env))
}

// invoke calls an export, and prints what it returns.
func invoke(ctx context.Context, m *engine.Module, spec *api.RunSpec, env engine.Env, out io.Writer) error {
	if m.Component != nil {
		return errors.New("--invoke calls exports of core modules, and this is a component: run it without, or serve it with --serve 127.0.0.1:8080")
	}
	var args []json.RawMessage
	for _, a := range spec.Args {
		raw, err := json.Marshal(a)
		if err != nil {
			return fmt.Errorf("argument %.40q: %w", a, err)
		}
		args = append(args, raw)
	}
	env.Args = env.Args[:1]
	result, err := function.Invoke(ctx, m, spec.Invoke, args, env)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, string(result))
	return nil
}

func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read program: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, api.MaxModule+1))
	if err != nil {
		return nil, fmt.Errorf("read program: %w", err)
	}
	if len(b) > api.MaxModule {
		return nil, fmt.Errorf("read program: %s is larger than %d MiB", path, api.MaxModule>>20)
	}
	return b, nil
}

// environment is what the program finds around it, until ctx ends. The caller calls release.
func environment(ctx context.Context, spec *api.RunSpec, s Streams) (env engine.Env, release func(), err error) {
	env = engine.Env{Args: append([]string{filepath.Base(spec.File)}, spec.Args...),
		Stdin: newInput(ctx, s.In), Stdout: &output{ctx, s.Out}, Stderr: &output{ctx, s.Err}, Fuel: spec.Limits.Fuel}
	for _, name := range slices.Sorted(maps.Keys(spec.Env)) {
		env.Vars = append(env.Vars, engine.Var{Name: name, Value: spec.Env[name]})
	}
	sender, hangUp, err := program.NewSender(spec.AllowHosts)
	if err != nil {
		return env, nil, err
	}
	env.Sender = sender
	release = func() {
		hangUp()
		for _, m := range env.Mounts {
			_ = m.Folder.Close() // it fails only when closed twice
		}
	}
	for _, m := range spec.Mounts {
		folder, err := mount.Open(m.Host, m.RO)
		if err != nil {
			release()
			return env, nil, err
		}
		env.Mounts = append(env.Mounts, engine.Mount{Guest: m.Guest, Folder: folder})
	}
	return env, release, nil
}

// given is a [program.Fetcher] of bytes that are here.
type given []byte

func (given) Bring(context.Context, api.Digest, int64) error { return nil }

func (g given) Read(context.Context, api.Digest, int64) ([]byte, error) { return g, nil }
