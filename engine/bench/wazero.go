package main

import (
	"context"
	"fmt"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"github.com/realm-mesh/realm/engine/meter"
)

// onWazero makes a workload ready, with meters or without.
func onWazero(ctx context.Context, w workload, metered bool) (run, error) {
	budget := meter.NewBudget(0)
	ctx = meter.WithBudget(ctx, budget)
	r := wazero.NewRuntime(ctx)
	if _, err := wasi_snapshot_preview1.Instantiate(ctx, r); err != nil {
		return nil, err
	}
	module := w.module
	if metered {
		if err := meter.Define(ctx, r); err != nil {
			return nil, err
		}
		var err error
		if module, err = meter.Instrument(module, meter.Options{}); err != nil {
			return nil, fmt.Errorf("instrument: %w", err)
		}
	}
	m, err := r.InstantiateWithConfig(ctx, module, wazero.NewModuleConfig().WithStartFunctions("_initialize"))
	if err != nil {
		return nil, err
	}
	if metered {
		budget.Add(m)
	}
	f := m.ExportedFunction(w.export)
	return func() (int32, error) {
		out, err := f.Call(ctx, uint64(uint32(w.n)))
		if err != nil {
			return 0, err
		}
		return int32(out[0]), nil
	}, nil
}
