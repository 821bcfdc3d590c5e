// Command benchstore is "make bench-store": it measures the store of built
// binaries beside other programs that do the like, and prints the tables of
// docs/PERFORMANCE.md. Figures that belong together are taken in one run,
// alternately, so that a noisy machine hurts both alike.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

func main() {
	os.Exit(run())
}

// runTimeout bounds the whole of it.
const runTimeout = 30 * time.Minute

func run() int {
	b := bench{sizes: sizes{30, 256, 1024}}
	only := flag.String("only", "", "what to measure, with commas between: "+strings.Join(names(), ", ")+" (default all)")
	flag.StringVar(&b.bin, "bin", "bin", "folder of the built binaries")
	flag.StringVar(&b.ipfs, "ipfs", "", "kubo's ipfs; without it, nothing is compared with kubo")
	flag.StringVar(&b.source, "source", ".", "folder of this repository, for the binaries of which new versions are built")
	flag.StringVar(&b.parent, "dir", "", "folder on the disk to measure (default the system's for temporary files)")
	flag.Var(&b.sizes, "sizes", "sizes of files that are put and got, in MiB")
	flag.IntVar(&b.rounds, "rounds", 5, "times that each file is put and got")
	flag.IntVar(&b.nodes, "nodes", 6, "nodes of the swarm, the seed included")
	flag.IntVar(&b.swarmMiB, "swarm", 256, "size of the blob that the swarm fetches, in MiB")
	flag.IntVar(&b.swarmRounds, "swarm-rounds", 3, "times that the swarm fetches one")
	flag.IntVar(&b.transferMiB, "transfer", 4096, "size of the blob during whose transfer memory is read, in MiB")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, runTimeout)
	defer cancel()
	var err error
	if b.bin, err = filepath.Abs(b.bin); err == nil {
		err = b.run(ctx, *only)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "benchstore:", err)
		return 1
	}
	return 0
}
