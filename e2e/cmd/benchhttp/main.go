// Command benchhttp is "make bench-http": it measures what stands between a client and a
// program that answers at once, beside net/http alone, beside one more process behind Go's
// reverse proxy, and beside jco where it is. All of it is processes of its own on this
// machine, asked in turn, so that a noisy machine hurts all alike; medians over the rounds.
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

func main() { os.Exit(run()) }

// runTimeout bounds the whole of it.
const runTimeout = 15 * time.Minute

func run() int {
	var b bench
	var serve, at, to string
	flag.StringVar(&b.bin, "bin", "bin", "folder of the built binaries")
	flag.StringVar(&b.samples, "samples", "samples/build", "folder of the built samples")
	flag.StringVar(&b.jco, "jco", os.Getenv("JCO"), "the program jco (default: $JCO; without it, nothing is measured of it)")
	flag.IntVar(&b.rounds, "rounds", 5, "how often each is asked")
	flag.DurationVar(&b.time, "time", 3*time.Second, "how long each time")
	flag.IntVar(&b.clients, "clients", 64, "connections, each with one request at a time")
	flag.StringVar(&serve, "serve", "", "for the bench itself: be the server plain or proxy")
	flag.StringVar(&at, "at", "", "for the bench itself: where to serve, NETWORK:ADDRESS")
	flag.StringVar(&to, "to", "", "for the bench itself: the socket behind a proxy")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, runTimeout)
	defer cancel()
	var err error
	if serve != "" {
		err = serveOne(serve, at, to)
	} else if b.bin, err = filepath.Abs(b.bin); err == nil {
		err = b.run(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "benchhttp:", err)
		return 1
	}
	return 0
}
