package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// workload is a function of a module that takes how much to do. n makes it some 20 ms.
type workload struct {
	name   string
	module []byte
	export string
	n      int32
}

var inC = map[string]int32{"fib": 29, "sieve": 1 << 20, "sha256": 20_000, "matmul": 4, "nbody": 40_000, "quicksort": 1 << 16,
	"interpreter": 200_000, "chase": 4 << 20, "mandelbrot": 200}

var inGo = map[string]int32{"go_sha256": 20, "go_json": 600, "go_sort": 20_000, "go_trees": 20, "go_text": 12}

// load reads the workloads in C, and builds those in Go.
func load(ctx context.Context) (c, golang []workload, err error) {
	for name, n := range inC {
		b, err := os.ReadFile(filepath.Join("..", "meter", "testdata", "bench", name+".wasm"))
		if err != nil {
			return nil, nil, fmt.Errorf("%w: run this in engine/bench", err)
		}
		c = append(c, workload{name, b, "run", n})
	}
	guests, err := build(ctx)
	if err != nil {
		return nil, nil, err
	}
	for name, n := range inGo {
		golang = append(golang, workload{name, guests, name, n})
	}
	return c, golang, nil
}

func build(ctx context.Context) ([]byte, error) {
	dir, err := os.MkdirTemp("", "guests")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "guests.wasm")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildmode=c-shared", "-o", file, "./guests")
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the workloads in Go: %w\n%s", err, out)
	}
	return os.ReadFile(file)
}
