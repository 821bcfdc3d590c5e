// Command conformance runs components of which it is known what has to come of them, and writes
// docs/CONFORMANCE.md. It runs in the folder of the module engine:
//
//	go run ./component/conformance ../docs/CONFORMANCE.md
//
// What is held to the rules is what users of the engine have: components are read, compiled and run by the
// public packages, with meters and limits. The document says nothing of when and where that was, so that
// a test can hold it to what would be written.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 1 {
		return errors.New("usage: conformance FILE")
	}
	r, err := Conform(context.Background(), os.DirFS("."))
	if err != nil {
		return err
	}
	if len(r.Wrong) > 0 {
		return errors.New(strings.Join(r.Wrong, "\n"))
	}
	return os.WriteFile(args[0], []byte(r.Document()), 0o644) //nolint:gosec // a document, for all to read
}
