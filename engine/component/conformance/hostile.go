package main

import (
	"context"
	"fmt"
	"io"
	"io/fs"

	"github.com/realm-mesh/realm/engine"
)

// hostileGuest is a component that calls the host as no compiler would.
type hostileGuest struct{ name, does, must string }

const hostileFolder = "component/testdata/text"

func hostileGuests() []hostileGuest {
	return []hostileGuest{
		{"endless", "writes for ever", "stops: fuel"},
		{"freed", "uses a handle that it has dropped", "traps: no handle"},
		{"guess", "uses a handle that it was never given", "traps: no handle"},
		{"handles", "takes handles for ever", "traps: 16384 resources"},
		{"length", "gives a list of 4 GiB, which it does not have", "traps: a list takes 4294967295 bytes"},
		{"pointer", "gives a list that is not in its memory", "traps: not in the memory"},
		{"random", "asks for 2^60 random bytes", "traps: random"},
		{"realloc", "allocates what is not in its memory", "traps: not in the memory"},
		{"reentry", "calls the host while the host has it allocate", "traps: called an import"},
		{"result", "wants a result at an odd address", "traps: not aligned"},
		{"result-end", "wants a result at the end of its memory", "traps: not in the memory"},
		{"twice", "drops a handle twice", "traps: no handle"},
	}
}

// runHostile runs one; the error says how it ended otherwise than it must.
func (h *host) runHostile(ctx context.Context, files fs.FS, g hostileGuest) error {
	wasm, err := fs.ReadFile(files, hostileFolder+"/hostile-"+g.name+".wasm")
	if err != nil {
		return fmt.Errorf("read component: %w", err)
	}
	return verdict(g.must, h.run(ctx, wasm, engine.Env{Args: []string{"hostile"}, Stdout: io.Discard}))
}
