// Command demo is "make demo": three nodes on this machine, a program pushed to
// one of them and called on another. Every step is checked; the first that does
// not hold ends the demo with an error.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	os.Exit(run())
}

func run() int {
	var d demo
	flag.StringVar(&d.bin, "bin", "bin", "folder of the built binaries")
	flag.StringVar(&d.samples, "samples", "samples/build", "folder of the built samples")
	flag.BoolVar(&d.once, "once", false, "end after the last step instead of waiting for Ctrl-C")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := d.run(ctx); err != nil {
		if ctx.Err() != nil {
			fmt.Println("Interrupted; everything is stopped.")
			return 130
		}
		fmt.Fprintln(os.Stderr, "demo:", err)
		return 1
	}
	return 0
}
