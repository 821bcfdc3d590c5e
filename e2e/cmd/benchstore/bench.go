package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

type bench struct {
	bin, ipfs, source, parent string

	sizes                    sizes
	rounds                   int
	nodes, swarmMiB          int
	swarmRounds, transferMiB int

	dir string // of what the part that runs now leaves; removed after it
}

// part is one of the things to measure.
type part struct {
	name string
	run  func(*bench, context.Context) error
}

func parts() []part {
	return []part{
		{"file", (*bench).file},
		{"swarm", (*bench).swarm},
		{"version", (*bench).version},
		{"memory", (*bench).memory},
	}
}

func names() []string {
	var all []string
	for _, p := range parts() {
		all = append(all, p.name)
	}
	return all
}

// run measures the parts that only names; all if it is empty.
func (b *bench) run(ctx context.Context, only string) error {
	chosen := names()
	if only != "" {
		chosen = strings.Split(only, ",")
	}
	for _, name := range chosen {
		if !slices.Contains(names(), name) {
			return fmt.Errorf("--only %q: want some of %s", name, strings.Join(names(), ", "))
		}
	}
	begin := time.Now()
	fmt.Printf("%d processors, %s/%s; load at the start: %s.\n", runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, load())
	for _, p := range parts() {
		if !slices.Contains(chosen, p.name) {
			continue
		}
		if err := b.measure(ctx, p); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	fmt.Printf("\nLoad at the end: %s. It took %s.\n", load(), time.Since(begin).Round(time.Second))
	return nil
}

// measure runs one part in a folder of its own.
func (b *bench) measure(ctx context.Context, p part) (err error) {
	if b.dir, err = os.MkdirTemp(b.parent, "realm-bench-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	return p.run(b, ctx)
}

// sizes are sizes of files, in MiB.
type sizes []int

func (s *sizes) String() string {
	var all []string
	for _, n := range *s {
		all = append(all, strconv.Itoa(n))
	}
	return strings.Join(all, ",")
}

// Set implements [flag.Value].
func (s *sizes) Set(text string) error {
	*s = nil
	for f := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(f)
		if err != nil || n < 1 {
			return errors.New("want numbers of MiB, with commas between")
		}
		*s = append(*s, n)
	}
	return nil
}
