package engine

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/realm-mesh/realm/engine/meter"
)

// CompileCommand is the argument that makes a program the child of a [Compiler].
const CompileCommand = "compile"

// result is what the child says. A child that ends without one was killed or
// broke down, and the module is to blame.
type result struct {
	Refused string `json:"refused,omitempty"` // why the compiler does not take the module
	Failed  string `json:"failed,omitempty"`  // why it could not do its work: a full disk
}

// exitUsage is the child's exit code when it is called wrongly.
const exitUsage = 2

// Child is the main function of the child and returns its exit code. args are
// those after [CompileCommand]: the cache folder.
func Child(args []string, in io.Reader, out io.Writer) int {
	if len(args) != 1 {
		fmt.Fprintf(os.Stderr, "usage: %s CACHE (the program calls itself so)\n", CompileCommand)
		return exitUsage
	}
	if err := limitSelf(); err != nil {
		return reply(out, result{Failed: err.Error()})
	}
	wasm, err := receive(in)
	if err != nil {
		return reply(out, result{Failed: err.Error()})
	}
	go func() {
		_, _ = io.Copy(io.Discard, in) // ends with the parent
		os.Exit(1)
	}()
	err = Compile(context.Background(), NewCache(args[0]), wasm)
	switch {
	case err == nil:
		return reply(out, result{})
	case errors.Is(err, ErrRefused):
		return reply(out, result{Refused: firstLine(err.Error())})
	default:
		return reply(out, result{Failed: err.Error()})
	}
}

func reply(out io.Writer, r result) int {
	if err := json.NewEncoder(out).Encode(r); err != nil {
		return 1 // the parent has gone
	}
	return 0
}

func receive(in io.Reader) ([]byte, error) {
	var size uint64
	if err := binary.Read(in, binary.BigEndian, &size); err != nil {
		return nil, fmt.Errorf("receive module: %w", err)
	}
	if most := meter.DefaultCaps().Module; size > uint64(most) {
		return nil, fmt.Errorf("receive module: %d bytes, at most %d", size, most)
	}
	wasm := make([]byte, size)
	if _, err := io.ReadFull(in, wasm); err != nil {
		return nil, fmt.Errorf("receive module: %w", err)
	}
	return wasm, nil
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(strings.TrimSpace(s), "\n")
	s = strings.ToValidUTF8(s, "?")
	return s[:min(len(s), maxReason)]
}

// maxReason is the longest reason from the child that is told on, in bytes.
const maxReason = 300
