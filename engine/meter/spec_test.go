package meter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
)

// value is a value in a test of the specification.
type value struct {
	Type  string          `json:"type"`
	Lane  string          `json:"lane_type"`
	Value json.RawMessage `json:"value"`
}

// command is one step of such a test.
type command struct {
	Type     string `json:"type"`
	Line     int    `json:"line"`
	Filename string `json:"filename"`
	Name     string `json:"name"`
	As       string `json:"as"`
	Action   struct {
		Type   string  `json:"type"`
		Module string  `json:"module"`
		Field  string  `json:"field"`
		Args   []value `json:"args"`
	} `json:"action"`
	Expected []value `json:"expected"`
	Text     string  `json:"text"`
	Kind     string  `json:"module_type"`
}

func suiteDir(t testing.TB, suite string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/tetratelabs/wazero").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	return filepath.Join(strings.TrimSpace(string(out)), "internal", "integration_test", "spectest", suite, "testdata")
}

var features = Features{ExtendedConst: true, TailCalls: true}

const wazeroFeatures = api.CoreFeaturesV2 | experimental.CoreFeaturesExtendedConst | experimental.CoreFeaturesTailCall

// runtimes are wazero's two engines.
func runtimes(t *testing.T, fn func(t *testing.T, c wazero.RuntimeConfig, compiled bool)) {
	t.Run("compiler", func(t *testing.T) { fn(t, wazero.NewRuntimeConfigCompiler().WithCoreFeatures(wazeroFeatures), true) })
	t.Run("interpreter", func(t *testing.T) {
		fn(t, wazero.NewRuntimeConfigInterpreter().WithCoreFeatures(wazeroFeatures), false)
	})
}

// TestSpecification runs the tests of the specification with meters: everything is as it
// is without them.
func TestSpecification(t *testing.T) {
	for suite, least := range map[string]int{"v2": 40_000, "extended-const": 50, "tail-call": 50} {
		dir := suiteDir(t, suite)
		scripts, err := filepath.Glob(filepath.Join(dir, "*.json"))
		if err != nil || len(scripts) == 0 {
			t.Fatalf("no tests in %s: %v", dir, err)
		}
		t.Run(suite, func(t *testing.T) {
			runtimes(t, func(t *testing.T, c wazero.RuntimeConfig, compiled bool) {
				calls := 0
				for _, s := range scripts {
					w := newSpec(t, dir, filepath.Base(s), c, compiled)
					w.run()
					calls += w.calls
				}
				if t.Logf("%d calls", calls); calls < least {
					t.Errorf("%d calls, want %d or more", calls, least)
				}
			})
		})
	}
}

// spec runs one script.
type spec struct {
	budget   *Budget
	slow     *counter // in place of meters
	t        *testing.T
	dir      string
	script   string
	compiled bool
	ctx      context.Context //nolint:containedctx // of the budget, for as long as the test
	r        wazero.Runtime
	last     api.Module
	named    map[string]api.Module
	all      []api.Module
	calls    int
}

func newSpec(t *testing.T, dir, script string, c wazero.RuntimeConfig, compiled bool) *spec {
	t.Helper()
	budget := NewBudget(0)
	ctx := WithBudget(t.Context(), budget)
	w := &spec{budget: budget, t: t, dir: dir, script: script, compiled: compiled, ctx: ctx}
	w.r = wazero.NewRuntimeWithConfig(ctx, c)
	if err := Define(ctx, w.r); err != nil {
		t.Fatal(err)
	}
	w.host()
	return w
}

func newSlowSpec(t *testing.T, dir, script string, c wazero.RuntimeConfig) *spec {
	t.Helper()
	w := &spec{slow: new(counter), t: t, dir: dir, script: script, compiled: true, ctx: t.Context()}
	w.r = wazero.NewRuntimeWithConfig(w.ctx, c)
	if err := w.slow.define(w.ctx, w.r); err != nil {
		t.Fatal(err)
	}
	w.host()
	return w
}

// host makes what the tests import.
func (w *spec) host() {
	w.t.Helper()
	w.named = map[string]api.Module{}
	b, err := os.ReadFile(filepath.Join(w.dir, "..", "..", "testdata", "spectest.wasm"))
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.r.InstantiateWithConfig(w.ctx, b, wazero.NewModuleConfig().WithName("spectest")); err != nil {
		w.t.Fatal(err)
	}
}

func (w *spec) errorf(c command, format string, args ...any) {
	w.t.Helper()
	w.t.Errorf("%s:%d: %s: %s", w.script, c.Line, c.Type, fmt.Sprintf(format, args...))
}

func (w *spec) run() {
	defer w.r.Close(w.ctx)
	for _, c := range w.commands() {
		w.step(c)
	}
}

func (w *spec) commands() []command {
	w.t.Helper()
	raw, err := os.ReadFile(filepath.Join(w.dir, w.script))
	if err != nil {
		w.t.Fatal(err)
	}
	var script struct{ Commands []command }
	if err := json.Unmarshal(raw, &script); err != nil {
		w.t.Fatal(err)
	}
	for i := range script.Commands {
		if c := &script.Commands[i]; c.Type == "module" {
			c.As = registered(c.Name, script.Commands[i+1:])
		}
	}
	return script.Commands
}

// registered is the name by which later modules import one of that name: wazero gives a
// module its name when it is instantiated.
func registered(name string, later []command) string {
	for _, c := range later {
		switch {
		case c.Type == "register" && c.Name == name:
			return c.As
		case c.Type == "module" && name == "":
			return ""
		}
	}
	return name
}

func (w *spec) step(c command) {
	switch c.Type {
	case "module":
		m, err := w.instantiate(c)
		if err != nil {
			w.errorf(c, "%s: %v", c.Filename, err)
		}
		if w.last = m; m != nil {
			w.all = append(w.all, m)
			if w.budget != nil {
				w.budget.Add(m)
			}
		}
		if c.Name != "" {
			w.named[c.Name] = m
		}
	case "register": // see registered
	case "action", "assert_return":
		got, err := w.act(c)
		if err != nil {
			w.errorf(c, "%s: %v", c.Action.Field, err)
		} else if want := c.Expected; !matches(want, got) {
			w.errorf(c, "%s gives %x, want %s", c.Action.Field, got, want)
		}
	case "assert_trap":
		if _, err := w.act(c); err == nil || errors.Is(err, ErrStack) {
			w.errorf(c, "%s: %v, want %s", c.Action.Field, err, c.Text)
		}
	case "assert_exhaustion":
		// wazero's interpreter has a limit of its own, of 2,000 calls.
		if _, err := w.act(c); !errors.Is(err, ErrStack) && (w.compiled || !strings.Contains(fmt.Sprint(err), "stack overflow")) {
			w.errorf(c, "%s: %v, want ErrStack", c.Action.Field, err)
		}
	case "assert_unlinkable", "assert_uninstantiable":
		_, plain := w.r.InstantiateWithConfig(w.ctx, w.file(c), wazero.NewModuleConfig().WithName("").WithStartFunctions())
		if _, err := w.instantiate(c); (err == nil) != (plain == nil) {
			w.errorf(c, "%s: %v; without meters: %v", c.Filename, err, plain)
		}
	case "assert_invalid", "assert_malformed": // the decoder's
	default:
		w.errorf(c, "not known")
	}
}

func (w *spec) file(c command) []byte {
	b, err := os.ReadFile(filepath.Join(w.dir, c.Filename))
	if err != nil {
		w.t.Fatal(err)
	}
	return b
}

func (w *spec) instantiate(c command) (api.Module, error) {
	instrument := func(b []byte) ([]byte, error) { return Instrument(b, Options{Features: features}) }
	if w.slow != nil {
		instrument = counted
	}
	metered, err := instrument(w.file(c))
	if err != nil {
		return nil, err
	}
	return w.r.InstantiateWithConfig(w.ctx, metered, wazero.NewModuleConfig().WithName(c.As).WithStartFunctions())
}

// act calls a function, or reads a global.
func (w *spec) act(c command) ([]uint64, error) {
	m := w.last
	if c.Action.Module != "" {
		m = w.named[c.Action.Module]
	}
	if m == nil {
		return nil, errors.New("there is no module")
	}
	w.calls++
	if c.Action.Type == "get" {
		return []uint64{m.ExportedGlobal(c.Action.Field).Get()}, nil
	}
	var args []uint64
	for _, a := range c.Action.Args {
		for _, p := range patterns(a) {
			args = append(args, p.bits)
		}
	}
	f := m.ExportedFunction(c.Action.Field)
	if f == nil {
		return nil, fmt.Errorf("no function %q", c.Action.Field)
	}
	out, err := f.Call(w.ctx, args...)
	if err != nil {
		for _, m := range w.all {
			Recover(m, Options{})
		}
	}
	return out, err
}

// pattern is what 64 bits of a result have to be.
type pattern struct{ mask, bits uint64 }

// patterns are those of a value: two of a v128, else one. Of a NaN, that is all that counts.
func patterns(v value) (out []pattern) {
	var text string
	if err := json.Unmarshal(v.Value, &text); err == nil {
		return []pattern{number(v.Type, text)}
	}
	var lanes []string
	if err := json.Unmarshal(v.Value, &lanes); err != nil || v.Type != "v128" {
		return nil
	}
	width := 128 / len(lanes)
	out = make([]pattern, 2)
	for i, l := range lanes {
		p, at := number(v.Lane, l), i*width
		mask := uint64(math.MaxUint64) >> (64 - width)
		out[at/64].mask |= (p.mask & mask) << (at % 64)
		out[at/64].bits |= (p.bits & mask) << (at % 64)
	}
	return out
}

func number(kind, text string) pattern {
	if strings.HasPrefix(text, "nan:") {
		if kind == "f32" {
			return pattern{0x7fc00000, 0x7fc00000}
		}
		return pattern{0x7ff8 << 48, 0x7ff8 << 48}
	}
	if text == "null" {
		return pattern{math.MaxUint64, 0}
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		i, _ := strconv.ParseInt(text, 10, 64)
		n = uint64(i)
	}
	if kind == "externref" {
		n++ // 0 is null
	}
	mask := uint64(math.MaxUint64)
	if kind == "i32" || kind == "f32" {
		mask = math.MaxUint32
	}
	return pattern{mask, n & mask}
}

func matches(want []value, got []uint64) bool {
	var all []pattern
	for _, v := range want {
		all = append(all, patterns(v)...)
	}
	if len(all) != len(got) {
		return false
	}
	for i, p := range all {
		if got[i]&p.mask != p.bits {
			return false
		}
	}
	return true
}
