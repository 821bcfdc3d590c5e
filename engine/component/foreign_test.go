package component

import (
	"slices"
	"testing"

	"github.com/realm-mesh/realm/engine/meter"
	"github.com/realm-mesh/realm/engine/wasmtest"
)

// TestWhatIsForeignIsMissing uses what is in modules and components that are imported, which no
// host has: they are said to be missing, and nothing else happens.
func TestWhatIsForeignIsMissing(t *testing.T) {
	instance := join(byte(0x42), 2, byte(1), byte(0x40), 0, byte(1), byte(0), byte(4), byte(0), "f", byte(1), 0) // with a function f
	of := join(byte(0x41), 2, byte(1), instance, byte(4), byte(0), "i", byte(5), 0)                              // component with such an instance i
	imported := slices.Concat(list(secType, of), list(secImport, join(byte(0), "c", byte(4), 0)), list(secInst, join(byte(0), 0, 0)),
		list(secAlias, join(byte(5), byte(0), 0, "i")), list(secAlias, join(byte(1), byte(0), 1, "f")))
	module := join(byte(0x50), 3, byte(1), byte(0x60), 0, 0, byte(3), "f", byte(0), 0, byte(3), "m", byte(2), byte(0), 1)
	core := slices.Concat(list(3, module), list(secImport, join(byte(0), "m", byte(0), byte(0x11), 0)), list(secCoreInst, join(byte(0), 0, 0)),
		list(secAlias, join(byte(0), byte(0), byte(1), 0, "f"), join(byte(0), byte(2), byte(1), 0, "m")))
	user := wasmtest.Section(secModule, wasmtest.Module{Imports: []wasmtest.Import{{Module: "a", Name: "f"}}}.Bytes())
	use := slices.Concat(user, list(secCoreInst, join(byte(1), 1, "f", byte(0), 0), join(byte(0), 1, 1, "a", byte(0x12), 1)))
	hidden := slices.Concat(list(3, module), list(secType, join(byte(0x42), 2, byte(2), byte(0), byte(0x10), byte(2), 1, 0, byte(4), byte(0), "m", byte(0), byte(0x11), 0)),
		list(secImport, join(byte(0), "wasi:io/poll@0.2.0", byte(5), 0)), list(secAlias, join(byte(0), byte(0x11), byte(0), 0, "m")), list(secCoreInst, join(byte(0), 0, 0)))
	for name, b := range map[string][]byte{
		"a component":                        imported,
		"a function of it that is lowered":   slices.Concat(imported, list(secCanon, join(byte(1), byte(0), 0, 0))),
		"a function of it that is exported":  slices.Concat(imported, list(secExport, join(byte(0), "g", byte(1), 0, 0))),
		"an instance of it that is exported": slices.Concat(imported, list(secExport, join(byte(0), "j", byte(5), 1, 0))),
		"a module":                           core,
		"a module of an interface":           hidden,
		"a function of it that is used":      slices.Concat(core, use),
		"a function of it that is lifted": slices.Concat(core, list(secType, join(byte(0x40), 0, byte(1), byte(0))),
			list(secCanon, join(byte(0), byte(0), 0, 0, 0))),
		"its memory": slices.Concat(core, list(secType, join(byte(0x40), 0, byte(1), byte(0))), list(secCanon, join(byte(0), byte(0), 0, 1, byte(3), 0, 0))),
	} {
		p, err := Parse(component(b), meter.DefaultCaps())
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if len(p.Missing()) == 0 {
			t.Errorf("%s: nothing is missing", name)
		}
		p.Imports()
		p.Exports()
	}
	// Resources are made where there is an instance that has them.
	for _, of := range []byte{0x41, 0x42} {
		b := component(list(secType, join(of, 2, byte(1), resource, byte(4), byte(0), "r", byte(3), byte(0), 0)))
		if _, err := Parse(b, meter.DefaultCaps()); err == nil {
			t.Errorf("a resource in a type %#x is taken", of)
		}
	}
}
