package compile

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/runnerd/internal/sandbox"
)

// Command is the argument that makes runnerd the child.
const Command = "compile"

// result is what the child says. A child that ends without one was killed or
// broke down, and the module is to blame.
type result struct {
	Refused string `json:"refused,omitempty"` // why the compiler does not take the module
	Failed  string `json:"failed,omitempty"`  // why it could not do its work: a full disk
}

func (*result) Validate() error { return nil }

// exitUsage is the child's exit code when it is called wrongly.
const exitUsage = 2

// Child is the main function of the child and returns its exit code. args are
// those after [Command]: the cache folder.
func Child(args []string, in io.Reader, out io.Writer) int {
	if len(args) != 1 {
		fmt.Fprintf(os.Stderr, "usage: runnerd %s CACHE (runnerd calls this by itself)\n", Command)
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
	err = sandbox.Compile(context.Background(), sandbox.NewCache(args[0]), wasm)
	switch {
	case err == nil:
		return reply(out, result{})
	case errors.Is(err, sandbox.ErrRefused):
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
	if size > api.MaxModule {
		return nil, fmt.Errorf("receive module: %w: %d bytes", api.ErrTooLarge, size)
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
