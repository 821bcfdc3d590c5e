package config

import (
	"runtime"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/memory"
)

// overcommit is how many times the machine's memory the caps of programs may add up
// to where nothing else is set: few of them ever reach theirs.
const overcommit = 4

// Capacity is what the node declares that programs may have of it: its settings, and
// the machine's own measure where they say nothing. Where the OS does not tell how
// much memory there is, there is no limit.
func (n Node) Capacity() api.Capacity {
	c := api.Capacity{CPUs: n.CapacityCPUs, MemoryMB: n.CapacityMB}
	if c.CPUs == 0 {
		c.CPUs = runtime.NumCPU()
	}
	if physical, err := memory.Physical(); c.MemoryMB == 0 && err == nil {
		c.MemoryMB = overcommit * (physical >> 20)
	}
	return c
}
