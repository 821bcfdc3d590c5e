// Command bench measures what meters cost, beside wazero without them and beside
// wasmtime with fuel and without: workloads in C and in Go, all four by turns.
//
//	cd engine/bench && GOWORK=off go run . [--rounds 11]
//
// It is a module of its own, since nothing else needs wasmtime.
package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"math"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"time"
)

var began = time.Now()

// run does a workload once and returns its result.
type run func() (int32, error)

// The ways to run a workload, in the order of the table.
const (
	plain = iota
	metered
	wasmtimePlain
	wasmtimeFuel
	ways
)

func main() {
	rounds := flag.Int("rounds", 11, "times that each way is taken; the medians count")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := measure(ctx, max(*rounds, 1)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func measure(ctx context.Context, rounds int) error {
	runtime.LockOSThread() // whose clock is looked at
	c, golang, err := load(ctx)
	if err != nil {
		return err
	}
	fmt.Println("| workload | wazero | with meters | wasmtime | with fuel | meters cost | fuel costs | with meters / wasmtime with fuel |")
	fmt.Println("| --- | --- | --- | --- | --- | --- | --- | --- |")
	for _, set := range []struct {
		name string
		all  []workload
	}{{"in C", c}, {"in Go", golang}} {
		slices.SortFunc(set.all, func(a, b workload) int { return cmp.Compare(a.name, b.name) })
		var ratios [3][]float64
		for _, w := range set.all {
			took, err := one(ctx, w, rounds)
			if err != nil {
				return fmt.Errorf("%s: %w", w.name, err)
			}
			costs := [3]float64{took[metered] / took[plain], took[wasmtimeFuel] / took[wasmtimePlain], took[metered] / took[wasmtimeFuel]}
			for i, r := range costs {
				ratios[i] = append(ratios[i], r)
			}
			fmt.Printf("| %s | %.1f ms | %.1f ms | %.1f ms | %.1f ms | %.2f | %.2f | %.2f |\n", w.name,
				took[plain], took[metered], took[wasmtimePlain], took[wasmtimeFuel], costs[0], costs[1], costs[2])
		}
		fmt.Printf("| **%s: geometric mean, most** | | | | | **%s** | **%s** | **%s** |\n", set.name, sum(ratios[0]), sum(ratios[1]), sum(ratios[2]))
	}
	return nil
}

func sum(ratios []float64) string {
	logs := 0.0
	for _, r := range ratios {
		logs += math.Log(r)
	}
	return fmt.Sprintf("%.2f, %.2f", math.Exp(logs/float64(len(ratios))), slices.Max(ratios))
}

// one gives the medians of a workload in milliseconds. All ways must have one result.
func one(ctx context.Context, w workload, rounds int) (medians [ways]float64, err error) {
	var runs [ways]run
	for i, make := range []func() (run, error){
		func() (run, error) { return onWazero(ctx, w, false) },
		func() (run, error) { return onWazero(ctx, w, true) },
		func() (run, error) { return onWasmtime(w, false) },
		func() (run, error) { return onWasmtime(w, true) },
	} {
		if runs[i], err = make(); err != nil {
			return medians, err
		}
	}
	var took [ways][]float64
	for round := range rounds + 1 { // the first warms up
		var results [ways]int32
		for i, r := range runs {
			start := clock()
			if results[i], err = r(); err != nil {
				return medians, err
			}
			if round > 0 {
				took[i] = append(took[i], (clock()-start).Seconds()*1000)
			}
		}
		if slices.Max(results[:]) != slices.Min(results[:]) {
			return medians, fmt.Errorf("results differ: %v", results)
		}
	}
	for i := range took {
		slices.Sort(took[i])
		medians[i] = took[i][rounds/2]
	}
	return medians, ctx.Err()
}
