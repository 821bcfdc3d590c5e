package component

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/realm-mesh/realm/engine/meter"
	"github.com/realm-mesh/realm/engine/wasmtest"
)

// Sections of components, by their numbers.
const (
	secModule    = 1
	secCoreInst  = 2
	secComponent = 4
	secInst      = 5
	secAlias     = 6
	secType      = 7
	secCanon     = 8
	secImport    = 10
	secExport    = 11
)

var (
	join      = wasmtest.Join
	list      = wasmtest.List
	repeat    = wasmtest.Repeat
	component = wasmtest.Sections

	resource = join(byte(0x3f), byte(0x7f), byte(0)) // without destructor
)

func longName(i int) string { return strings.Repeat("a", 99_000) + fmt.Sprint(i) }

// drops is a section of n functions that drop handles of type 0: all different.
func drops(n int) []byte {
	return repeat(secCanon, n, func(int) []byte { return join(byte(3), 0) })
}

// bundles is a section of n core instances, the i-th with function i of the host as f.
func bundles(n int, names ...string) []byte {
	return repeat(secCoreInst, n, func(i int) []byte {
		b := join(byte(1), len(names))
		for _, name := range names {
			b = append(b, join(name, byte(0), i)...)
		}
		return b
	})
}

// users is a section of n instances of core module 0, each given another bundle for its
// imports from "a".
func users(n int) []byte {
	return repeat(secCoreInst, n, func(i int) []byte { return join(byte(0), 0, 1, "a", byte(0x12), i) })
}

// importer is a core module that imports names from "a", with data of so many bytes.
func importer(data int, names ...string) []byte {
	m := wasmtest.Module{MinPages: 1}
	for _, name := range names {
		m.Imports = append(m.Imports, wasmtest.Import{Module: "a", Name: name, Params: []byte{wasmtest.I32}})
	}
	for ; data > 0; data -= 1 << 10 {
		m.Data = append(m.Data, wasmtest.Data{Bytes: make([]byte, 1<<10)})
	}
	return m.Bytes()
}

// nested is a component of which 490 instances are made, each with what is in sections.
func nested(sections ...[]byte) []byte {
	return component(wasmtest.Section(secComponent, component(sections...)),
		repeat(secInst, 490, func(int) []byte { return join(byte(0), 0, 0) }))
}

// hostile are components that want more of who reads them than they have bytes.
var hostile = map[string]func() []byte{
	"a module with other imports each time": func() []byte {
		return component(list(secType, resource), wasmtest.Section(secModule, importer(1<<20, "f")), drops(190), bundles(190, "f"), users(190))
	},
	"an interface that is not there, with a long name and many functions": func() []byte {
		const n = 20_000
		t := join(byte(0x42), n+1, byte(1), byte(0x40), 0, byte(1), byte(0))
		for i := range n {
			t = append(t, join(byte(4), byte(0), fmt.Sprintf("f%d", i), byte(1), 0)...)
		}
		return component(list(secType, t), list(secImport, join(byte(0), "a:b/"+longName(0), byte(5), 0)))
	},
	"resources by nesting": func() []byte {
		return nested(repeat(secType, 2000, func(int) []byte { return resource }))
	},
	"types by nesting": func() []byte {
		return nested(repeat(secType, 2000, func(int) []byte { return join(byte(0x6f), 2, byte(0x7f), byte(0x7f)) }))
	},
	"cases by nesting": func() []byte {
		t := join(byte(0x71), 1000)
		for i := range 1000 {
			t = append(t, join(fmt.Sprintf("c%d", i), byte(0), byte(0))...)
		}
		return nested(repeat(secType, 2, func(int) []byte { return t }))
	},
	"aliases by nesting": func() []byte {
		names := make([]byte, 0)
		for i := range 2000 {
			names = append(names, join(fmt.Sprintf("f%d", i), byte(0), 0)...)
		}
		m := append(wasmtest.Header(), wasmtest.Section(1, join(1, byte(0x60), 0, 0))...)
		m = append(m, wasmtest.Section(3, join(1, 0))...)
		m = append(m, wasmtest.Section(7, append(join(2000), names...))...)
		m = append(m, wasmtest.Section(10, join(1, 2, 0, byte(0x0b)))...)
		return component(wasmtest.Section(secComponent, component(wasmtest.Section(secModule, m),
			list(secCoreInst, join(byte(0), 0, 0)),
			repeat(secAlias, 2000, func(i int) []byte { return join(byte(0), byte(0), byte(1), 0, fmt.Sprintf("f%d", i)) }))),
			repeat(secInst, 190, func(int) []byte { return join(byte(0), 0, 0) }))
	},
}

// TestParseIsBounded reads hostile components: whether they are taken or not, what that takes of
// memory is in proportion to their length.
func TestParseIsBounded(t *testing.T) {
	if _, err := host(); err != nil { // once for all
		t.Fatal(err)
	}
	for name, of := range hostile {
		t.Run(name, func(t *testing.T) {
			b := of()
			before := allocated()
			p, err := Parse(b, meter.DefaultCaps())
			var units, missing int
			if err == nil {
				for _, m := range p.Instrument() {
					units += len(m)
				}
				for _, m := range p.Missing() {
					missing += len(m)
				}
				p.Imports()
				p.Exports()
			}
			took := allocated() - before
			t.Logf("%d bytes: %d were allocated, %d instrumented, %d of what is missing: %.200v", len(b), took, units, missing, err)
			if most := int64(mostParsed + 100*len(b)); took > most {
				t.Errorf("that is more than %d", most)
			}
		})
	}
}

func allocated() int64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.TotalAlloc)
}

// TestSizeCountsWhatTheHostHas has an instance take room for what its core modules take of the
// host, although they have little themselves.
func TestSizeCountsWhatTheHostHas(t *testing.T) {
	const instances, segments = 190, 20_000
	m := append(wasmtest.Header(), repeat(11, segments, func(int) []byte { return join(byte(1), 0) })...) // passive, of nothing
	p, err := Parse(component(wasmtest.Section(secModule, m), repeat(secCoreInst, instances, func(int) []byte { return join(byte(0), 0, 0) })), meter.DefaultCaps())
	if err != nil {
		t.Fatal(err)
	}
	if least := int64(instances * segments * 24); p.Size() < least {
		t.Errorf("it says that it takes %d bytes, and takes more than %d", p.Size(), least)
	}
}
