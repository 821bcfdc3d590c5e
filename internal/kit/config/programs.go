package config

import (
	"fmt"
	"math"

	"github.com/realm-mesh/realm/api"
)

// ProgramLimits are what a program may use whose owner says nothing of it, and what owners
// may give to one on this node. Zero values: what package api has.
func (n Node) ProgramLimits() (unsaid, most api.Limits) {
	return api.Limits{MemoryMaxMB: n.ProgramMemoryMB, Fuel: n.ProgramFuel, EpochMS: n.ProgramEpochMS},
		api.Limits{MemoryMaxMB: n.ProgramMemoryMaxMB, Fuel: n.ProgramFuelMax, EpochMS: n.ProgramEpochMaxMS}
}

func (n Node) validateProgramLimits() error {
	unsaid, most := n.ProgramLimits()
	for name, l := range map[string]api.Limits{"program_memory_mb, program_fuel, program_epoch_ms": unsaid,
		"program_memory_max_mb, program_fuel_max, program_epoch_max_ms": most} {
		if err := l.Validate(); err != nil {
			return fmt.Errorf("%w: %s: %w", ErrInvalid, name, err)
		}
	}
	for _, c := range []struct {
		name         string
		unsaid, most uint64
	}{
		{"memory_mb", uint64(unsaid.MemoryMaxMB), uint64(most.MemoryMaxMB)}, //nolint:gosec // validated
		{"fuel", unsaid.Fuel, most.Fuel},
		{"epoch_ms", uint64(unsaid.EpochMS), uint64(most.EpochMS)}, //nolint:gosec // validated
	} {
		if c.most == 0 {
			c.most = math.MaxUint64
		}
		if c.unsaid > c.most {
			return fmt.Errorf("%w: program_%s %d is more than the most that a program may have, %d", ErrInvalid, c.name, c.unsaid, c.most)
		}
	}
	return nil
}
