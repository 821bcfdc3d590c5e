package engine

import (
	"testing"

	"github.com/realm-mesh/realm/engine/wasmtest"
)

// BenchmarkFresh is a call of a tiny function in an instance of its own, one after another.
func BenchmarkFresh(b *testing.B) {
	m := ready(b, wasmtest.Functions(wasmtest.Identity("f", wasmtest.I64)), 16)
	for b.Loop() {
		i, err := m.New(b.Context(), Env{Used: func(Usage) {}})
		if err != nil {
			b.Fatal(err)
		}
		if err := i.Call(b.Context(), "f", []uint64{7}); err != nil {
			b.Fatal(err)
		}
		i.Close()
	}
}

// BenchmarkStopwatch is what measuring the processor time of a call costs.
func BenchmarkStopwatch(b *testing.B) {
	var w stopwatch
	for b.Loop() {
		_ = w.measure(func() error { return nil })
	}
}
