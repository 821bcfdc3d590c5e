package config

import (
	"runtime"
	"testing"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/memory"
)

func TestCapacity(t *testing.T) {
	physical, err := memory.Physical()
	if err != nil {
		t.Fatal(err)
	}
	own := api.Capacity{CPUs: runtime.NumCPU(), MemoryMB: 4 * (physical >> 20)}
	for name, c := range map[string]struct {
		node Node
		want api.Capacity
	}{
		"the machine's": {Node{}, own},
		"processors":    {Node{CapacityCPUs: 64}, api.Capacity{CPUs: 64, MemoryMB: own.MemoryMB}},
		"memory":        {Node{CapacityMB: 128}, api.Capacity{CPUs: own.CPUs, MemoryMB: 128}},
	} {
		got := c.node.Capacity()
		if got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
		if err := got.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
