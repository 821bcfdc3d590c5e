package engine

import (
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/engine/wasmtest"
)

var join = wasmtest.Join

// Sections of components, by their numbers.
const (
	secModule    = 1
	secCoreInst  = 2
	secComponent = 4
	secInst      = 5
	secAlias     = 6
	secCanon     = 8
)

// module is a core module, in a section of a component. It has the types () -> i32 and
// () -> ().
func module(sections ...[]byte) []byte {
	types := wasmtest.List(1, join(byte(0x60), 0, 1, byte(wasmtest.I32)), join(byte(0x60), 0, 0))
	return typed(append([][]byte{types}, sections...)...)
}

// typed is a core module, in a section of a component, with types of its own.
func typed(sections ...[]byte) []byte {
	return wasmtest.Section(secModule, append(wasmtest.Header(), slices.Concat(sections...)...))
}

// code is the section of functions' bodies; each is without locals, and without its end.
func code(bodies ...[]byte) []byte {
	return wasmtest.Repeat(10, len(bodies), func(i int) []byte {
		return join("\x00" + string(bodies[i]) + "\x0b")
	})
}

// runner is a core module that exports run, of a body, after what is in sections.
func runner(body []byte, sections ...[]byte) []byte {
	return module(append(sections, code(body))...)
}

func plain(body ...byte) []byte {
	return runner(body, wasmtest.List(3, join(0)), wasmtest.List(7, join("run", byte(0), 0)))
}

// instances are core instances of the modules with these numbers, which import nothing.
func instances(modules ...int) []byte {
	return wasmtest.Repeat(secCoreInst, len(modules), func(i int) []byte { return join(byte(0), modules[i], 0) })
}

// coreExport is an alias of a function that a core instance exports.
func coreExport(instance int, name string) []byte {
	return wasmtest.List(secAlias, join(byte(0), byte(0), byte(1), instance, name))
}

var (
	well    = []byte{0x41, 0}                      // i32.const 0
	forever = []byte{0x03, 0x40, 0x0c, 0, 0x0b, 0} // loop br 0 end unreachable
	grows   = []byte{0x03, 0x40, 0x41, 1, 0x40, 0, 0x41, 0x7f, 0x47, 0x0d, 0, 0x0b}
)

// within is a component in which another one, whose run has a body, exports run, and that
// lowers it, passes it through what is in sections, and lifts it again as core function f.
func within(body []byte, f int, sections ...[]byte) []byte {
	inner := slices.Concat(plain(body...), instances(0), coreExport(0, "run"), wasmtest.Lift(0), wasmtest.List(11, join(byte(0), "run", byte(1), 0, 0)))
	first := [][]byte{
		wasmtest.Section(secComponent, wasmtest.Sections(inner)),
		wasmtest.List(secInst, join(byte(0), 0, 0)),
		wasmtest.List(secAlias, join(byte(1), byte(0), 0, "run")),
		wasmtest.List(secCanon, join(byte(1), byte(0), 0, 0)), // lower
	}
	return append(wasmtest.Sections(append(first, sections...)...), wasmtest.Run(f, 1, 1)...)
}

// passes is what has a core module import function 0, as f of "a", and export it as g.
func passes() []byte {
	m := module(wasmtest.List(2, join("a", "f", byte(0), 0)), wasmtest.List(7, join("g", byte(0), 0)))
	return slices.Concat(m, wasmtest.List(secCoreInst,
		join(byte(1), 1, "f", byte(0), 0),
		join(byte(0), 0, 1, "a", byte(0x12), 0)), coreExport(1, "g"))
}

// TestFunctionsThatArePassedOn has a component lift functions that are no core module's own.
func TestFunctionsThatArePassedOn(t *testing.T) {
	for name, of := range map[string]func(body []byte) []byte{
		"lifted as it was lowered":     func(body []byte) []byte { return within(body, 0) },
		"exported by whom it is given": func(body []byte) []byte { return within(body, 1, passes()) },
	} {
		t.Run(name, func(t *testing.T) {
			if err := ready(t, of(well), 16).Run(t.Context(), Env{Fuel: 1_000_000}); err != nil {
				t.Errorf("it ends with %v", err)
			}
			err := ready(t, of(forever), 16).Run(t.Context(), Env{Fuel: 1_000_000})
			if late := new(FuelError); !errors.As(err, &late) {
				t.Errorf("without an end: %v", err)
			}
			ctx, cancel := WithDeadline(t.Context(), 50*time.Millisecond)
			defer cancel()
			err = ready(t, of(forever), 16).Run(ctx, Env{})
			if late := new(StoppedError); !errors.As(err, &late) {
				t.Errorf("without an end: %v", err)
			}
			err = ready(t, of([]byte{0}), 16).Run(t.Context(), Env{})
			if trap := new(Trap); !errors.As(err, &trap) || strings.Contains(err.Error(), "panic") {
				t.Errorf("with unreachable: %v", err)
			}
		})
	}
}

// starting is a core module with a memory, whose start function has a body.
func starting(body []byte, sections ...[]byte) []byte {
	return module(append([][]byte{wasmtest.List(3, join(1)), wasmtest.List(5, join(byte(0), 1)), wasmtest.Section(8, join(0))},
		append(sections, code(body))...)...)
}

// TestStartFunctionsAreBounded has core modules do at their instantiation what guests must not.
func TestStartFunctionsAreBounded(t *testing.T) {
	run := func(first []byte) []byte {
		return wasmtest.Runs(0, first, plain(well...), instances(0, 1), coreExport(1, "run"))
	}
	loop := ready(t, run(starting([]byte{0x03, 0x40, 0x0c, 0, 0x0b})), 16)
	if late := new(FuelError); !errors.As(loop.Run(t.Context(), Env{Fuel: 1_000_000}), &late) {
		t.Errorf("a loop")
	}
	ctx, cancel := WithDeadline(t.Context(), 50*time.Millisecond)
	defer cancel()
	if late := new(StoppedError); !errors.As(loop.Run(ctx, Env{}), &late) {
		t.Errorf("a loop, until the deadline")
	}
	if err := ready(t, run(starting([]byte{0x00})), 16).Run(t.Context(), Env{}); err == nil || strings.Contains(err.Error(), "panic") {
		t.Errorf("a trap: %v", err)
	}
	// The second one has a memory, too, and the first has taken all there is.
	greedy := wasmtest.Runs(0, starting(grows), starting(nil), plain(well...), instances(0, 1, 2), coreExport(2, "run"))
	err := ready(t, greedy, 16).Run(t.Context(), Env{})
	if full := new(MemoryError); !errors.As(err, &full) || strings.Contains(err.Error(), "panic") {
		t.Errorf("no room for the second memory: %v", err)
	}
}

// TestStacksAreShared has core modules call each other where each has called itself often: together
// they have no more of the host's memory for that than a few modules may.
func TestStacksAreShared(t *testing.T) {
	const modules = 180
	// f(n) calls itself with n-1, and at 0 what it imports with 7,000.
	f := []byte{0x20, 0, 0x45, 0x04, 0x40, 0x41, 0xd8, 0x36, 0x10, 0, 0x05, 0x20, 0, 0x41, 1, 0x6b, 0x10, 1, 0x0b}
	takes := join(byte(0x60), 1, byte(wasmtest.I32), 0)
	imports, exports := wasmtest.List(2, join("a", "f", byte(0), 0)), wasmtest.List(7, join("f", byte(0), 1))
	last := typed(wasmtest.List(1, takes), wasmtest.List(3, join(0)), wasmtest.List(7, join("f", byte(0), 0)), code(nil))
	others := typed(wasmtest.List(1, takes), imports, wasmtest.List(3, join(0)), exports, code(f))
	first := typed(wasmtest.List(1, takes, join(byte(0x60), 0, 1, byte(wasmtest.I32))), imports, wasmtest.List(3, join(1)),
		wasmtest.List(7, join("run", byte(0), 1)), code([]byte{0x41, 0xd8, 0x36, 0x10, 0, 0x41, 0}))
	m := ready(t, wasmtest.Runs(0, last, others, first, instances(0),
		wasmtest.Repeat(secCoreInst, modules, func(i int) []byte { return join(byte(0), 1, 1, "a", byte(0x12), i) }),
		wasmtest.List(secCoreInst, join(byte(0), 2, 1, "a", byte(0x12), modules)), coreExport(modules+1, "run")), 16)
	before := allocated()
	err := m.Run(t.Context(), Env{})
	if took := allocated() - before; took > 64<<20 {
		t.Errorf("%d bytes of the host's memory: %v", took, err)
	}
	if deep := new(StackError); !errors.As(err, &deep) {
		t.Errorf("it ends with %v", err)
	}
}

func allocated() int64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.TotalAlloc)
}

// TestFunctionsInTablesAreCharged has a core module call a function of the host that another one has
// put into a table: the one that calls pays.
func TestFunctionsInTablesAreCharged(t *testing.T) {
	const calls = 1000
	number := join(byte(0x60), 0, 1, byte(wasmtest.I64))
	runs := join(byte(0x60), 0, 1, byte(wasmtest.I32))
	first := typed(wasmtest.List(1, number), wasmtest.List(2, join("a", "f", byte(0), 0)), wasmtest.List(4, join(byte(0x70), byte(0), 1)),
		wasmtest.List(7, join("t", byte(1), 0)), wasmtest.List(9, join(byte(0), byte(0x41), byte(0), byte(0x0b), 1, 0)))
	// The loop calls element 0 of the table, and counts down.
	loop := append([]byte{0x41}, 0xe8, 0x07, 0x21, 0, 0x03, 0x40, 0x41, 0, 0x11, 0, 0, 0x1a, 0x20, 0, 0x41, 1, 0x6b, 0x22, 0, 0x0d, 0, 0x0b, 0x41, 0, 0x0b)
	second := typed(wasmtest.List(1, number, runs), wasmtest.List(2, join("a", "t", byte(1), byte(0x70), byte(0), 1)), wasmtest.List(3, join(1)),
		wasmtest.List(7, join("run", byte(0), 0)), wasmtest.List(10, join(string(append([]byte{1, 1, wasmtest.I32}, loop...)))))
	random := join(byte(0x42), 2, byte(1), byte(0x40), 0, byte(0), byte(0x77), byte(4), byte(0), "get-random-u64", byte(1), 0)
	sections := [][]byte{first, second,
		wasmtest.List(7, join(byte(0x6a), 0, 0), join(byte(0x40), 0, byte(0), 0), random),
		wasmtest.List(10, join(byte(0), "wasi:random/random@0.2.0", byte(5), 2)),
		wasmtest.List(secAlias, join(byte(1), byte(0), 0, "get-random-u64")),
		wasmtest.List(secCanon, join(byte(1), byte(0), 0, 0)),
		wasmtest.List(secCoreInst, join(byte(1), 1, "f", byte(0), 0), join(byte(0), 0, 1, "a", byte(0x12), 0), join(byte(0), 1, 1, "a", byte(0x12), 1)),
		coreExport(2, "run"),
		wasmtest.List(secCanon, join(byte(0), byte(0), 1, 0, 1)),
		wasmtest.List(secInst, join(byte(1), 1, byte(0), "run", byte(1), 1)),
		wasmtest.List(11, join(byte(0), "wasi:cli/run@0.2.0", byte(5), 1, 0)),
	}
	m := ready(t, wasmtest.Sections(sections...), 16)
	var used Usage
	if err := m.Run(t.Context(), Env{Used: func(u Usage) { used = u }}); err != nil {
		t.Fatal(err)
	}
	if used.Fuel < calls*HostCallFuel {
		t.Errorf("%d calls take %d units", calls, used.Fuel)
	}
	err := m.Run(t.Context(), Env{Fuel: calls * HostCallFuel / 2})
	if late := new(FuelError); !errors.As(err, &late) {
		t.Errorf("with half the fuel: %v", err)
	}
}
