package meter_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/tetratelabs/wazero"

	"github.com/realm-mesh/realm/engine/meter"
)

// endless is (module (func (export "f") (loop (br 0)))).
var endless = []byte("\x00asm\x01\x00\x00\x00\x01\x04\x01\x60\x00\x00\x03\x02\x01\x00\x07\x05\x01\x01f\x00\x00\x0a\x09\x01\x07\x00\x03\x40\x0c\x00\x0b\x0b")

func Example() {
	ctx := context.Background()
	r := wazero.NewRuntime(ctx)
	defer r.Close(ctx)
	if err := meter.Define(ctx, r); err != nil {
		log.Panic(err)
	}
	module, err := meter.Instrument(endless, meter.Options{})
	if err != nil {
		log.Panic(err)
	}
	budget := meter.NewBudget(1_000_000)
	ctx = meter.WithBudget(ctx, budget)
	m, err := r.Instantiate(ctx, module)
	if err != nil {
		log.Panic(err)
	}
	budget.Add(m)

	_, err = m.ExportedFunction("f").Call(ctx)
	fmt.Println(errors.Is(err, meter.ErrFuel), budget.Used())
	// Output: true 1000001
}

func ExampleNewBudget_deadline() {
	ctx := context.Background()
	r := wazero.NewRuntime(ctx)
	defer r.Close(ctx)
	if err := meter.Define(ctx, r); err != nil {
		log.Panic(err)
	}
	module, err := meter.Instrument(endless, meter.Options{})
	if err != nil {
		log.Panic(err)
	}
	ctx = meter.WithBudget(ctx, meter.NewBudget(0)) // as much fuel as there is time for
	m, err := r.Instantiate(ctx, module)
	if err != nil {
		log.Panic(err)
	}
	ctx, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	_, err = m.ExportedFunction("f").Call(ctx)
	fmt.Println(errors.Is(err, meter.ErrDeadline))
	// Output: true
}

func ExampleInstrument_refused() {
	_, err := meter.Instrument([]byte("\x00asm\x01\x00\x00\x00\x0d\x01\x00"), meter.Options{})
	var why *meter.Error
	fmt.Println(errors.As(err, &why), err)
	// Output: true byte 0x8: section 13 is not known
}
