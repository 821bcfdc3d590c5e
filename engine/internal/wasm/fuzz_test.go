package wasm

import "testing"

// FuzzDecode looks for a module that panics, or that is accepted and not read to its end.
func FuzzDecode(f *testing.F) {
	n := 0
	modules(f, func(_ string, _ command, b []byte) {
		if n++; len(b) < 1<<12 && n%7 == 0 {
			f.Add(b)
		}
	}, "v2", "extended-const", "tail-call")
	features := Features{ExtendedConst: true, TailCalls: true}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Decode(b, features, DefaultCaps())
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
	})
}
