package function

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/engine"
	"github.com/realm-mesh/realm/engine/wasmtest"
	"github.com/realm-mesh/realm/runnerd/internal/program"
)

func component(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("../../../engine/component/testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A command gives back what it is given, to the byte.
func TestText(t *testing.T) {
	copies := newFunction(t, wasmtest.Script(wasmtest.Copy()), "copy", api.Limits{})
	if copies.Export() != "a command" {
		t.Error(copies.Export())
	}
	rust := newFunction(t, component(t, "rust-command.wasm"), "cat", api.Limits{})
	rust.args = []string{"cat", "cat"}
	most := `"` + strings.Repeat("x", api.MaxText) + `"`
	for in, want := range map[string]string{
		`"hello\n"`: `"hello\n"`, `""`: `""`, `"21"`: `"21"`, `21`: `"21"`, `-0.0`: `"-0.0"`, `9007199254740993`: `"9007199254740993"`,
		`"<a> & \"b\" \\ \u00e9\u0000\ud83d\ude00"`: `"<a> & \"b\" \\ é\u0000😀"`, `"\ufffd\\ud800"`: "\"\ufffd\\\\ud800\"",
		`{ "a" : [1, null] }`: `"{\"a\":[1,null]}"`, `null`: `"null"`, `true`: `"true"`, most: most,
	} {
		for name, f := range map[string]*Function{"core module": copies, "component": rust} {
			if got, err := call(t.Context(), f, in); err != nil || got != want {
				t.Errorf("%s, %.60s: got %.60s, %v; want %.60s", name, in, got, err, want)
			}
		}
	}
	if got, err := call(t.Context(), copies); err != nil || got != `""` {
		t.Errorf("no argument: got %s, %v", got, err)
	}
	for in, says := range map[string]string{
		"\"\xff\"": "no UTF-8", "[\"\xc0\"]": "no UTF-8", `"\ud800"`: `holds \ud800`, `"a\\\udc00b"`: `holds \udc00`, `"\ud800\ud800"`: `holds \ud800`, `"`: "no JSON", `{`: "no JSON",
	} {
		var bad *ArgumentError
		if got, err := call(t.Context(), copies, in); !errors.As(err, &bad) || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: got %s, %v; want an error that says %q", in, got, err, says)
		}
	}
	if _, err := call(t.Context(), copies, "1", "2"); err == nil || !strings.Contains(err.Error(), "2 arguments given, and it is a command") {
		t.Error(err)
	}
}

// How commands fail is told.
func TestTextEnds(t *testing.T) {
	long := wasmtest.Out(strings.Repeat("x", 1<<10))
	for name, c := range map[string]struct {
		steps []wasmtest.Step
		as    any
		says  string
		tail  []string
	}{
		"exit code":   {[]wasmtest.Step{wasmtest.Out("half"), wasmtest.Err("no such town\nsorry"), wasmtest.Leave(3)}, new(*engine.ExitError), "exit code 3", []string{"no such town", "sorry"}},
		"trap":        {[]wasmtest.Step{wasmtest.Err("oh"), wasmtest.Fault()}, new(*engine.Trap), "trap", []string{"oh"}},
		"endless":     {[]wasmtest.Step{wasmtest.Forever(wasmtest.Sleep(time.Millisecond))}, new(*engine.DeadlineError), "--epoch-ms", nil},
		"too much":    {[]wasmtest.Step{wasmtest.Forever(long)}, new(*OutputError), "more than 64 KiB", nil},
		"no UTF-8":    {[]wasmtest.Step{wasmtest.Out("ab\xffcd")}, new(*OutputError), "byte 3 ", nil},
		"a half rune": {[]wasmtest.Step{wasmtest.Out("é"[:1])}, new(*OutputError), "byte 1 ", nil},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFunction(t, wasmtest.Script(c.steps...), "f", api.Limits{EpochMS: 300})
			got, err := call(t.Context(), f, `"in"`)
			if !errors.As(err, c.as) || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("got %.60s, %T %v; want %T that says %q", got, err, err, c.as, c.says)
			}
			var failed *FailedError
			if errors.As(err, &failed) && !slices.Equal(failed.Tail, c.tail) {
				t.Errorf("tail is %q, want %q", failed.Tail, c.tail)
			}
		})
	}
	t.Run("code 0 by exit", func(t *testing.T) {
		f := newFunction(t, wasmtest.Script(wasmtest.Out("ok"), wasmtest.Leave(0)), "f", api.Limits{})
		if got, err := call(t.Context(), f); err != nil || got != `"ok"` {
			t.Error(got, err)
		}
	})
	t.Run("component", func(t *testing.T) {
		f := newFunction(t, component(t, "rust-command.wasm"), "f", api.Limits{})
		f.args = []string{"f", "exit", "4"}
		if _, err := call(t.Context(), f); err == nil {
			t.Error("an exit code is no failure")
		}
	})
	t.Run("fuel", func(t *testing.T) {
		f := newFunction(t, wasmtest.Script(wasmtest.Forever(wasmtest.Sleep(1))), "f", api.Limits{Fuel: 1e6})
		var fuel *engine.FuelError
		if _, err := call(t.Context(), f); !errors.As(err, &fuel) || !strings.Contains(err.Error(), "--fuel") {
			t.Error(err)
		}
	})
}

func TestCallerThatLeavesStopsTheCommand(t *testing.T) {
	f := newFunction(t, wasmtest.Script(wasmtest.Forever(wasmtest.Sleep(time.Millisecond))), "f", api.Limits{})
	gone := errors.New("gone")
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(50*time.Millisecond, func() { cancel(gone) })
	begun := time.Now()
	if _, err := call(ctx, f); !errors.Is(err, gone) || time.Since(begun) > 600*time.Millisecond {
		t.Errorf("%v after %s", err, time.Since(begun))
	}
}

// What is no command, and has nothing to call, is refused.
func TestNoCommand(t *testing.T) {
	hello, err := os.ReadFile("../../../samples/hello-http/hello-http.wasm")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		wasm []byte
		says string
	}{
		"answers HTTP":   {hello, "push it with realm push"},
		"no entry":       {wasmtest.Component(), "without wasi:cli/run"},
		"no such export": {wasmtest.Functions(wasmtest.Identity("malloc", wasmtest.I32)), "is no command"},
		"a wrong _start": {wasmtest.Functions(wasmtest.Identity("_start", wasmtest.I32)), "of type (i32) -> (i32)"},
		"several":        {wasmtest.Functions(wasmtest.Func{Export: "_start"}, wasmtest.Func{Export: "a"}, wasmtest.Func{Export: "b"}), "several others (a, b)"},
	} {
		var refused *program.RefusedError
		if _, err := tryNew(t, c.wasm, "f", api.Limits{}); !errors.As(err, &refused) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", name, err, c.says)
		}
	}
}

// FuzzInput: what is read of an argument is the text that it stands for, or refused;
// it is never another text.
func FuzzInput(f *testing.F) {
	for _, s := range []string{`"a"`, `"\u00e9\ud83d\ude00"`, `"\ud800"`, `"\ud800\u0041"`, `"\\ud800"`, "\"\ufffd\"", "\"\xff\"", `{"a":[1, 2]}`, `"\u00zz"`, `"`, ` 1`, `"\n\"\/"`, `"\uDC00\uD800"`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		text, err := input([]json.RawMessage{raw})
		if err != nil {
			return
		}
		if !utf8.ValidString(text) {
			t.Fatalf("%q is read as %q", raw, text)
		}
		if raw[0] != '"' {
			if !json.Valid([]byte(text)) {
				t.Fatalf("%q is read as %q", raw, text)
			}
			return
		}
		if made := strings.Count(text, "\ufffd"); made != strings.Count(string(raw), "\ufffd")+strings.Count(strings.ToLower(string(raw)), `\ufffd`) &&
			!strings.Contains(string(raw), `\\`) {
			t.Fatalf("%q is read as %q", raw, text)
		}
		// What is read comes back the same as a result.
		quoted, err := quote([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if again, err := input([]json.RawMessage{quoted}); err != nil || again != text {
			t.Fatalf("%q is written as %s, and read as %q, %v", text, quoted, again, err)
		}
	})
}

// BenchmarkText is one call after another of a command that copies a line.
func BenchmarkText(b *testing.B) {
	f := newFunction(b, wasmtest.Script(wasmtest.Copy()), "f", api.Limits{})
	for b.Loop() {
		if got, err := call(b.Context(), f, `"hello"`); err != nil || got != `"hello"` {
			b.Fatal(got, err)
		}
	}
}
