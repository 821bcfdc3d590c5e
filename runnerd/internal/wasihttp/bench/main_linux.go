package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"
)

// serveCommand is the argument that makes this program one of its servers.
const serveCommand = "serve"

type options struct {
	rounds  int
	round   time.Duration
	js, jco string
	profile string
	only    string
}

func main() {
	if err := begin(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func begin() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(os.Args) > 1 && os.Args[1] == serveCommand {
		return serve(ctx, os.Args[2:])
	}
	return run(ctx)
}

func run(ctx context.Context) error {
	var o options
	flag.IntVar(&o.rounds, "rounds", 5, "times that each server is asked")
	flag.DurationVar(&o.round, "round", 2*time.Second, "how long it is asked")
	flag.StringVar(&o.js, "js", "", "a component of StarlingMonkey (default: samples/build/hello-js.wasm, if it is there)")
	flag.StringVar(&o.jco, "jco", os.Getenv("JCO"), "the program jco (default: $JCO, or as it is found)")
	flag.StringVar(&o.only, "only", "", "the one table that is wanted: small, js, bodies")
	flag.StringVar(&o.profile, "profile", "", "folder for profiles of the servers")
	flag.Parse()
	if o.js == "" {
		o.js = exists("../samples/build/hello-js.wasm")
	}
	if o.jco == "" {
		o.jco, _ = exec.LookPath("jco")
	}
	dir, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b := &bench{options: o, dir: dir}
	for _, t := range b.tables() {
		if o.only == "" || o.only == t.name {
			err = errors.Join(err, b.table(ctx, t))
		}
	}
	return err
}

func exists(path string) string {
	if _, err := os.Stat(path); err != nil {
		return ""
	}
	return path
}
