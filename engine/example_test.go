package engine_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/realm-mesh/realm/engine"
	"github.com/realm-mesh/realm/engine/wasmtest"
)

// twice is (module (func (export "twice") (param i64) (result i64) …)).
func twice() []byte {
	return wasmtest.Module{Funcs: []wasmtest.Func{{Export: "twice", Params: []byte{wasmtest.I64}, Results: []byte{wasmtest.I64},
		Code: []byte{0x20, 0, 0x20, 0, 0x7c}}}}.Bytes() // local.get 0, local.get 0, i64.add
}

// A program that uses the engine is also the child that compiles: its main begins with
//
//	if len(os.Args) > 1 && os.Args[1] == engine.CompileCommand {
//		os.Exit(engine.Child(os.Args[2:], os.Stdin, os.Stdout))
//	}
func Example() {
	ctx := context.Background()
	self, err := os.Executable()
	if err != nil {
		log.Panic(err)
	}
	dir, err := os.MkdirTemp("", "cache-")
	if err != nil {
		log.Panic(err)
	}
	defer os.RemoveAll(dir)
	e, c := engine.New(engine.NewCache(dir)), engine.NewCompiler(self, dir)

	module, err := e.Prepare(ctx, c, twice(), 16)
	if err != nil {
		log.Panic(err)
	}
	defer module.Release()
	for _, fuel := range []uint64{100, 2} {
		instance, err := module.New(ctx, engine.Env{Fuel: fuel})
		if err != nil {
			log.Panic(err)
		}
		stack := []uint64{21}
		err = instance.Call(ctx, "twice", stack)
		instance.Close()
		if short := new(engine.FuelError); errors.As(err, &short) {
			fmt.Println(err)
			continue
		}
		fmt.Println(stack[0], err)
	}
	// Output:
	// 42 <nil>
	// out of fuel after 3 units of 2
}
