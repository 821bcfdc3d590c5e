// Command bench is "make bench": it measures the built binaries on this machine
// and prints the table of docs/PERFORMANCE.md. Figures that belong together are
// taken in one run, alternately, so that a noisy machine hurts both alike.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"time"
)

func main() {
	os.Exit(run())
}

// runTimeout bounds the whole of it.
const runTimeout = 15 * time.Minute

func run() int {
	var b bench
	flag.StringVar(&b.bin, "bin", "bin", "folder of the built binaries")
	flag.StringVar(&b.samples, "samples", "samples/build", "folder of the built samples")
	flag.IntVar(&b.calls, "calls", 400, "calls of each kind")
	flag.IntVar(&b.pushes, "pushes", 10, "pushes of a 200 kB module")
	flag.IntVar(&b.jobs, "jobs", 0, "measure so many jobs, and nothing else")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, runTimeout)
	defer cancel()
	var err error
	if b.bin, err = filepath.Abs(b.bin); err == nil {
		err = b.run(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		return 1
	}
	return 0
}
