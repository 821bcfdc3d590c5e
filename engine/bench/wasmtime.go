package main

import (
	"fmt"
	"math"

	"github.com/bytecodealliance/wasmtime-go/v37"
)

// onWasmtime makes a workload ready, with fuel or without.
func onWasmtime(w workload, fuel bool) (run, error) {
	config := wasmtime.NewConfig()
	config.SetConsumeFuel(fuel)
	engine := wasmtime.NewEngineWithConfig(config)
	store := wasmtime.NewStore(engine)
	store.SetWasi(wasmtime.NewWasiConfig())
	if fuel {
		if err := store.SetFuel(math.MaxUint64); err != nil {
			return nil, err
		}
	}
	module, err := wasmtime.NewModule(engine, w.module)
	if err != nil {
		return nil, err
	}
	linker := wasmtime.NewLinker(engine)
	if err := linker.DefineWasi(); err != nil {
		return nil, err
	}
	instance, err := linker.Instantiate(store, module)
	if err != nil {
		return nil, err
	}
	if init := instance.GetFunc(store, "_initialize"); init != nil {
		if _, err := init.Call(store); err != nil {
			return nil, err
		}
	}
	f := instance.GetFunc(store, w.export)
	if f == nil {
		return nil, fmt.Errorf("no export %q", w.export)
	}
	return func() (int32, error) {
		out, err := f.Call(store, w.n)
		if err != nil {
			return 0, err
		}
		result, ok := out.(int32)
		if !ok {
			return 0, fmt.Errorf("%T for a result", out)
		}
		return result, nil
	}, nil
}
