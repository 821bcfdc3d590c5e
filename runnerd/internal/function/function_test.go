package function

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/engine"
	"github.com/realm-mesh/realm/engine/enginetest"
	"github.com/realm-mesh/realm/engine/meter"
	"github.com/realm-mesh/realm/engine/wasmtest"
	"github.com/realm-mesh/realm/runnerd/internal/logs"
	"github.com/realm-mesh/realm/runnerd/internal/program"
)

var double []byte

var rig enginetest.Rig

func TestMain(m *testing.M) {
	enginetest.Main(m, &rig, func() (err error) {
		double, err = wasmtest.Sample("double", true)
		return err
	})
}

func newLog(t testing.TB, name api.Name) *logs.Log {
	l := logs.Open(api.Ref{Kind: api.KindFunction, Name: name}, filepath.Join(t.TempDir(), "log"),
		func(api.Ref, api.LogLine) {}, slog.New(slog.DiscardHandler))
	t.Cleanup(l.Close)
	return l
}

func tryNew(t testing.TB, wasm []byte, name api.Name, l api.Limits) (*Function, error) {
	t.Helper()
	m := rig.Ready(t, wasm, 64)
	f, err := New(t.Context(), m, name, l, newLog(t, name), program.Account{})
	if err != nil {
		m.Release()
		return nil, err
	}
	t.Cleanup(f.Close)
	return f, nil
}

func newFunction(t testing.TB, wasm []byte, name api.Name, l api.Limits) *Function {
	t.Helper()
	f, err := tryNew(t, wasm, name, l)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func call(ctx context.Context, f *Function, args ...string) (string, error) {
	raw := make([]json.RawMessage, len(args))
	for i, a := range args {
		raw[i] = json.RawMessage(a)
	}
	result, err := f.Call(ctx, raw)
	return string(result), err
}

func TestNumbersStayExact(t *testing.T) {
	f := map[string]*Function{}
	for name, typ := range map[string]byte{"i32": wasmtest.I32, "i64": wasmtest.I64, "f32": wasmtest.F32, "f64": wasmtest.F64} {
		f[name] = newFunction(t, wasmtest.Functions(wasmtest.Identity(name, typ)), api.Name(name), api.Limits{})
	}
	for _, c := range []struct{ typ, in, want string }{
		{"i32", "21", "21"}, {"i32", "-2147483648", "-2147483648"}, {"i32", "2147483647", "2147483647"},
		{"i32", "2147483648", "-2147483648"}, {"i32", "4294967295", "-1"}, {"i32", `"-7"`, "-7"}, {"i32", "2.1e1", "21"}, {"i32", "-0", "0"},
		{"i64", "9007199254740993", "9007199254740993"}, {"i64", "9223372036854775807", "9223372036854775807"},
		{"i64", "-9223372036854775808", "-9223372036854775808"}, {"i64", "18446744073709551615", "-1"},
		{"i64", `"9223372036854775807"`, "9223372036854775807"}, {"i64", "1e3", "1000"}, {"i64", "5.0", "5"}, {"i64", `"+5"`, "5"},
		{"f64", "0.1", "0.1"}, {"f64", "1.7976931348623157e308", "1.7976931348623157e+308"}, {"f64", "5e-324", "5e-324"},
		{"f64", "-0", "-0"}, {"f64", "9007199254740993", "9007199254740992"}, {"f64", "100", "100"}, {"f64", "1e21", "1e+21"},
		{"f64", "123456789012345680000", "123456789012345680000"}, {"f64", "0.000001", "0.000001"}, {"f64", "1e-7", "1e-07"},
		{"f64", `"NaN"`, `"NaN"`}, {"f64", `"Inf"`, `"+Inf"`}, {"f64", `"-Infinity"`, `"-Inf"`}, {"f64", "1e-400", "0"},
		{"f32", "0.1", "0.1"}, {"f32", "16777217", "16777216"}, {"f32", "3.4028235e38", "3.4028235e+38"}, {"f32", `"-Inf"`, `"-Inf"`},
		{"f32", "1e-45", "1e-45"},
	} {
		got, err := call(t.Context(), f[c.typ], c.in)
		if err != nil || got != c.want || !json.Valid([]byte(got)) {
			t.Errorf("%s %s: got %s, %v; want %s", c.typ, c.in, got, err, c.want)
		}
	}
	for _, c := range []struct{ typ, in, says string }{
		{"i32", "4294967296", "does not fit i32"}, {"i32", "-2147483649", "does not fit i32"}, {"i32", "1.5", "no integer"},
		{"i32", "1e400", "no integer"}, {"i32", `""`, "no number"}, {"i32", "true", "no number"}, {"i32", "null", "no number"},
		{"i32", "[1]", "no number"}, {"i32", `"0x10"`, "no number"}, {"i32", `"1_000"`, "no number"}, {"i32", `" 1"`, "no number"},
		{"i32", `"NaN"`, "no number"}, {"i32", `"1.2.3"`, "no number"}, {"i32", `"1-2"`, "no number"},
		{"i64", "18446744073709551616", "does not fit i64"}, {"i64", "-9223372036854775809", "does not fit i64"},
		{"i64", "9223372036854775807.0", "no integer"}, {"i64", "1e19", "no integer"},
		{"f64", "1e309", "does not fit f64"}, {"f64", `"nan"`, "no number"}, {"f64", "{}", "no number"}, {"f64", `"0x1p-2"`, "no number"},
		{"f64", `"` + strings.Repeat("1", 2000) + `"`, "too long"},
		{"f32", "3.5e38", "does not fit f32"},
	} {
		_, err := call(t.Context(), f[c.typ], c.in)
		var bad *ArgumentError
		if !errors.As(err, &bad) || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "argument 1 of "+c.typ+"("+c.typ) {
			t.Errorf("%s %.40s: got %v, want an error that says %q", c.typ, c.in, err, c.says)
		}
	}
}

func TestSeveralAndNone(t *testing.T) {
	swap := wasmtest.Func{Export: "swap", Params: []byte{wasmtest.I32, wasmtest.F64}, Results: []byte{wasmtest.F64, wasmtest.I32}, Code: []byte{0x20, 1, 0x20, 0}}
	f := newFunction(t, wasmtest.Functions(swap), "swap", api.Limits{})
	if got, err := call(t.Context(), f, "1", "2.5"); err != nil || got != "[2.5,1]" {
		t.Error(got, err)
	}
	for _, args := range [][]string{{}, {"1"}, {"1", "2", "3"}} {
		if _, err := call(t.Context(), f, args...); err == nil || !strings.Contains(err.Error(), "swap(i32, f64) -> (f64, i32): give 2") {
			t.Errorf("%d arguments: %v", len(args), err)
		}
	}
	nothing := newFunction(t, wasmtest.Functions(wasmtest.Func{Export: "nothing"}), "nothing", api.Limits{})
	if got, err := call(t.Context(), nothing); err != nil || got != "null" {
		t.Error(got, err)
	}
}

func TestExportIsFound(t *testing.T) {
	id := func(names ...string) []byte {
		var fs []wasmtest.Func
		for _, n := range names {
			if n == "_start" {
				fs = append(fs, wasmtest.Func{Export: n, Code: []byte{0x00}}) // it would trap
			} else {
				fs = append(fs, wasmtest.Identity(n, wasmtest.I32))
			}
		}
		return wasmtest.Functions(fs...)
	}
	for name, c := range map[string]struct {
		wasm []byte
		want string // export, or what the error says
		ok   bool
	}{
		"same name":         {id("other", "my-func"), "my-func(", true},
		"with underscores":  {id("other", "my_func"), "my_func(", true},
		"the only one":      {id("whatever"), "whatever(", true},
		"beside _start":     {id("_start", "whatever"), "whatever(", true},
		"beside malloc":     {id("malloc", "free", "whatever", "__new"), "whatever(", true},
		"none":              {id("malloc"), "exports no function to call", false},
		"several":           {id("a", "b"), "several others (a, b)", false},
		"takes a reference": {wasmtest.Functions(wasmtest.Func{Export: "my-func", Params: []byte{0x6f}}), "externref", false},
		"takes a vector":    {wasmtest.Functions(wasmtest.Func{Export: "my-func", Params: []byte{0x7b}}), "v128", false},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := tryNew(t, c.wasm, "my-func", api.Limits{})
			if !c.ok {
				var refused *program.RefusedError
				if !errors.As(err, &refused) || !strings.Contains(err.Error(), c.want) {
					t.Fatalf("got %v", err)
				}
				return
			}
			if err != nil || !strings.HasPrefix(f.Export(), c.want) {
				t.Fatal(f.Export(), err)
			}
			if got, err := call(t.Context(), f, "5"); err != nil || got != "5" {
				t.Error(got, err)
			}
		})
	}
}

func TestStockGo(t *testing.T) {
	f := newFunction(t, double, "double", api.Limits{})
	for in, want := range map[string]string{"21": "42", "-3": "-6", "4611686018427387903": "9223372036854775806", `"4"`: "8"} {
		if got, err := call(t.Context(), f, in); err != nil || got != want {
			t.Errorf("double(%s): %s, %v", in, got, err)
		}
	}
	if f.Export() != "double(i64) -> (i64)" {
		t.Error(f.Export())
	}
}

func TestCallsEnd(t *testing.T) {
	loop := []byte{0x03, 0x40, 0x0c, 0, 0x0b}
	f := func(code ...byte) []byte { return wasmtest.Functions(wasmtest.Func{Export: "f", Code: code}) }
	exit := wasmtest.Module{MinPages: 1, Funcs: []wasmtest.Func{{Export: "f", Results: []byte{wasmtest.I32}, Code: []byte{0x41, 0, 0x10, 0, 0x41, 9}}},
		Imports: []wasmtest.Import{{Module: engine.WASI, Name: "proc_exit", Params: []byte{wasmtest.I32}}}}.Bytes()
	for name, c := range map[string]struct {
		wasm []byte
		as   any
	}{
		"loop": {f(loop...), new(*engine.DeadlineError)},
		"trap": {f(0x00), new(*engine.Trap)},
		"exit": {exit, new(*engine.ExitError)},
	} {
		t.Run(name, func(t *testing.T) {
			fn := newFunction(t, c.wasm, "f", api.Limits{EpochMS: 100})
			begun := time.Now()
			if _, err := call(t.Context(), fn); !errors.As(err, c.as) {
				t.Errorf("%T: %v", err, err)
			}
			if took := time.Since(begun); took > 600*time.Millisecond {
				t.Errorf("took %s", took)
			}
		})
	}
}

func TestCallerThatLeavesStopsTheCall(t *testing.T) {
	f := newFunction(t, wasmtest.Functions(wasmtest.Func{Export: "f", Code: []byte{0x03, 0x40, 0x0c, 0, 0x0b}}), "f", api.Limits{})
	gone := errors.New("gone")
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(50*time.Millisecond, func() { cancel(gone) })
	begun := time.Now()
	if _, err := call(ctx, f); !errors.Is(err, gone) || time.Since(begun) > 600*time.Millisecond {
		t.Errorf("%v after %s", err, time.Since(begun))
	}
}

func TestModuleThatCannotBeginIsRefused(t *testing.T) {
	for name, wasm := range map[string][]byte{
		"init traps":   wasmtest.Functions(wasmtest.Func{Export: "_initialize", Code: []byte{0x00}}, wasmtest.Func{Export: "f"}),
		"unknown WASI": wasmtest.Module{Imports: []wasmtest.Import{{Module: engine.WASI, Name: "no_such_call"}}, Funcs: []wasmtest.Func{{Export: "f"}}, MinPages: 1}.Bytes(),
		"data outside": wasmtest.Module{Funcs: []wasmtest.Func{{Export: "f"}}, MinPages: 1, Data: []wasmtest.Data{{Offset: 1 << 20, Bytes: []byte("x")}}}.Bytes(),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := tryNew(t, wasm, "f", api.Limits{})
			var refused *program.RefusedError
			if !errors.As(err, &refused) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestEveryCallIsFresh has many callers of a counter that must never count past 1.
func TestEveryCallIsFresh(t *testing.T) {
	count := wasmtest.Func{Export: "count", Results: []byte{wasmtest.I32}, Code: []byte{
		0x41, 0, 0x41, 0, 0x28, 2, 0, 0x41, 1, 0x6a, 0x36, 2, 0, 0x41, 0, 0x28, 2, 0}}
	f := newFunction(t, wasmtest.Functions(count), "count", api.Limits{})
	ends := make(chan error)
	for range 8 {
		go func() {
			for range 100 {
				if got, err := call(t.Context(), f); err != nil || got != "1" {
					ends <- fmt.Errorf("got %s, %w", got, err)
					return
				}
			}
			ends <- nil
		}()
	}
	for range 8 {
		if err := <-ends; err != nil {
			t.Error(err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"21", "-1", `"9223372036854775807"`, "1e308", `"NaN"`, `"-Inf"`, "0.1", `"\u0031"`, "1e999999999", "--1", `"`} {
		f.Add(s)
	}
	sig := oneOfEach()
	f.Fuzz(func(t *testing.T, s string) {
		for _, one := range sig {
			stack, err := encode("f", one, []json.RawMessage{json.RawMessage(s)})
			if err != nil {
				continue
			}
			// What is written reads back as the same word.
			text := decode(one, stack)
			again, err := encode("f", one, []json.RawMessage{text})
			if err != nil {
				t.Fatalf("%s of %q is not read back: %v", text, s, err)
			}
			if second := decode(one, again); string(second) != string(text) {
				t.Fatalf("%q is %s and then %s", s, text, second)
			}
		}
	})
}

func oneOfEach() []meter.Signature {
	var out []meter.Signature
	for _, t := range []meter.ValueType{meter.I32, meter.I64, meter.F32, meter.F64} {
		out = append(out, meter.Signature{Params: []meter.ValueType{t}, Results: []meter.ValueType{t}})
	}
	return out
}

// BenchmarkDouble is one call of the sample after another. The first is from an
// empty pool.
func BenchmarkDouble(b *testing.B) {
	f := newFunction(b, double, "double", api.Limits{})
	took := make([]time.Duration, 0, b.N)
	for b.Loop() {
		begun := time.Now()
		if got, err := call(b.Context(), f, "21"); err != nil || got != "42" {
			b.Fatal(got, err)
		}
		took = append(took, time.Since(begun))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
}

// BenchmarkTiny is one call after another of a module that does nothing, each in an instance
// of its own.
func BenchmarkTiny(b *testing.B) {
	f := newFunction(b, wasmtest.Functions(wasmtest.Identity("f", wasmtest.I64)), "f", api.Limits{})
	for b.Loop() {
		if got, err := call(b.Context(), f, "21"); err != nil || got != "21" {
			b.Fatal(got, err)
		}
	}
}

// BenchmarkInstantiate is what a call costs that finds nothing ready.
func BenchmarkInstantiate(b *testing.B) {
	f := newFunction(b, double, "double", api.Limits{})
	for b.Loop() {
		g, err := f.instantiate(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		g.close()
	}
}
