package wasm

import (
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
)

// smallCaps are such that what comes out of a fuzzer cannot make wazero take long.
func smallCaps() Caps {
	c := DefaultCaps()
	c.Module, c.Elements, c.Locals, c.Nesting = 1<<16, 1<<16, 1000, 200
	return c
}

// FuzzDecode looks for a module that panics, and for one that is accepted here and not
// by wazero, which would mean that one of the two reads it differently.
func FuzzDecode(f *testing.F) {
	n := 0
	modules(f, func(_ string, _ command, b []byte) {
		if n++; len(b) < 1<<12 && n%7 == 0 {
			f.Add(b)
		}
	}, "v2", "extended-const", "tail-call")
	features := Features{ExtendedConst: true, TailCalls: true}
	r := wazero.NewRuntimeWithConfig(f.Context(), wazero.NewRuntimeConfigInterpreter().
		WithCoreFeatures(api.CoreFeaturesV2|experimental.CoreFeaturesExtendedConst|experimental.CoreFeaturesTailCall))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Decode(b, features, smallCaps())
		if err != nil {
			return
		}
		for i := range m.Bodies {
			end := 0
			for s := m.Bodies[i].Instrs(m); ; {
				in, ok := s.Next()
				if !ok {
					break
				}
				end = in.End
			}
			if end != len(m.Bodies[i].Code) {
				t.Errorf("body %d was accepted, and is read up to byte %d of %d", i, end, len(m.Bodies[i].Code))
			}
		}
		if len(m.Custom) > 0 {
			return // wazero looks into some of them
		}
		c, err := r.CompileModule(t.Context(), b)
		if err != nil {
			t.Fatalf("accepted, and refused by wazero: %v", err)
		}
		if err := c.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
