package engine

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"

	"github.com/tetratelabs/wazero"
	wapi "github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"github.com/realm-mesh/realm/engine/meter"
	"github.com/realm-mesh/realm/engine/mount"
)

// WASI is the only module that guests may import from.
const WASI = wasi_snapshot_preview1.ModuleName

// HostCallFuel is what each call of the host costs, in units of fuel, beside a unit for
// each [meter.BytesPerFuel] that it moves.
const HostCallFuel = 128

// pathByteFuel is what a byte of a path costs: it may be one of a folder that is looked up.
const pathByteFuel = 64

// pieceBytes is how much the host moves before it looks whether the guest may go on: some
// tenths of a millisecond's work.
const pieceBytes = 1 << 20

// Bounds of what guests hand to a call of WASI. wazero has a copy of paths, and an object
// for each subscription, outside of the guest's memory; and it goes through any number of
// vectors and names of files before it returns.
const (
	maxPathBytes     = 4096 // as Linux has it
	maxVectors       = 1024 // as Linux has it
	maxSubscriptions = 1024
	maxNamesBytes    = 64 << 10 // of one fd_readdir
	maxDescriptor    = 1 << 12  // the highest number of a file: there is room for all below
)

// Error numbers of WASI.
const (
	errnoBadFile     = 8
	errnoFault       = 21
	errnoTooLarge    = 22
	errnoInvalid     = 28
	errnoIO          = 29
	errnoNameTooLong = 37
	errnoNoSpace     = 51
)

// bound is the most that a parameter of a function may be, and what else is returned.
type bound struct {
	param int
	most  uint32
	errno uint64
}

func path(lengths ...int) (out []bound) {
	for _, p := range lengths {
		out = append(out, bound{p, maxPathBytes, errnoNameTooLong})
	}
	return out
}

// bounds are those of the functions of WASI, by name.
func bounds(function string) []bound {
	switch function {
	case "fd_read", "fd_write", "fd_pread", "fd_pwrite":
		return []bound{{2, maxVectors, errnoInvalid}}
	case "fd_readdir":
		return []bound{{2, maxNamesBytes, errnoInvalid}}
	case "poll_oneoff":
		return []bound{{2, maxSubscriptions, errnoInvalid}}
	case "fd_renumber":
		return []bound{{0, maxDescriptor, errnoBadFile}, {1, maxDescriptor, errnoBadFile}}
	case "path_create_directory", "path_readlink", "path_remove_directory", "path_unlink_file":
		return path(2)
	case "path_filestat_get", "path_filestat_set_times", "path_open":
		return path(3)
	case "path_link":
		return path(3, 6)
	case "path_rename":
		return path(2, 5)
	case "path_symlink":
		return path(1, 4)
	}
	return nil
}

// theirs are wazero's functions of WASI, by name. They keep nothing of their own.
var theirs = sync.OnceValues(func() (map[string]wapi.FunctionDefinition, error) {
	ctx := context.Background()
	r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter())
	m, err := wasi_snapshot_preview1.NewBuilder(r).Compile(ctx)
	if err != nil {
		return nil, err
	}
	return m.ExportedFunctions(), r.Close(ctx)
})

// defineWASI defines what guests import: wazero's functions, of which each call is counted,
// and ends when the guest is to.
func defineWASI(ctx context.Context, r wazero.Runtime) error {
	functions, err := theirs()
	if err != nil {
		return fmt.Errorf("define %s: %w", WASI, err)
	}
	b := r.NewHostModuleBuilder(WASI)
	for name, def := range functions {
		do, ok := def.GoFunction().(wapi.GoModuleFunction)
		if !ok {
			return fmt.Errorf("define %s: %s is no function of the host", WASI, name)
		}
		if name == "random_get" {
			do = wapi.GoModuleFunc(randomGet)
		}
		b.NewFunctionBuilder().WithGoModuleFunction(&hostCall{do, bounds(name), name == "args_get" || name == "environ_get", written(name)}, def.ParamTypes(), def.ResultTypes()).Export(name)
	}
	if _, err := b.Instantiate(ctx); err != nil {
		return fmt.Errorf("define %s: %w", WASI, err)
	}
	return nil
}

// hostCall is a function of the host, counted.
type hostCall struct {
	do     wapi.GoModuleFunction
	bounds []bound
	texts  bool // it copies the arguments, or the environment
	wrote  int  // the parameter that says where to put how much was written; 0: none
}

// Call implements [wapi.GoModuleFunction].
func (h *hostCall) Call(ctx context.Context, m wapi.Module, stack []uint64) {
	guest := ctx.Value(instanceKey{}).(*Instance) //nolint:forcetypeassert // see [Instance.context]
	guest.turn.enter()
	budget := guest.budget
	if err := budget.Check(ctx); err != nil {
		panic(err) // which ends the guest: wazero returns it from the call
	}
	budget.Charge(HostCallFuel)
	for _, b := range h.bounds {
		n := uint32(stack[b.param])
		if n > b.most {
			stack[0] = b.errno
			guest.done(ctx, m)
			return
		}
		if b.errno == errnoNameTooLong {
			budget.Charge(uint64(n) * pathByteFuel)
		}
	}
	if h.texts {
		budget.Charge(guest.texts / meter.BytesPerFuel)
	}
	at := uint32(stack[h.wrote])
	guest.outcome = mount.Outcome{}
	h.do.Call(ctx, m, stack)
	h.tell(&guest.outcome, m, at, stack)
	guest.done(ctx, m)
}

// written is which parameter says where to put how much was written; 0: none.
func written(function string) int {
	switch function {
	case "fd_write":
		return 3
	case "fd_pwrite":
		return 4
	}
	return 0
}

// tell gives the guest what wazero has no word for. What was written counts, and the error
// that followed comes with the next call, as POSIX has it: wazero forgets the former.
func (h *hostCall) tell(o *mount.Outcome, m wapi.Module, at uint32, stack []uint64) {
	switch {
	case len(stack) == 0 || stack[0] == 0:
	case h.wrote > 0 && o.Wrote > 0:
		if m.Memory().WriteUint32Le(at, uint32(o.Wrote)) {
			stack[0] = 0
		}
	case stack[0] == errnoIO && o.Errno == mount.ENOSPC:
		stack[0] = errnoNoSpace
	case stack[0] == errnoIO && o.Errno == mount.EFBIG:
		stack[0] = errnoTooLarge
	}
}

// done is after a call of the host, before the guest goes on.
func (i *Instance) done(ctx context.Context, m wapi.Module) {
	i.budget.Settle(m)
	i.turn.leave(ctx)
	i.turn.pass(ctx)
}

// randomGet fills a part of the guest's memory, piece by piece.
func randomGet(ctx context.Context, m wapi.Module, stack []uint64) {
	b, ok := m.Memory().Read(uint32(stack[0]), uint32(stack[1]))
	if !ok {
		stack[0] = errnoFault
		return
	}
	w := ctx.Value(instanceKey{}).(*Instance).work //nolint:forcetypeassert // see [Instance.context]
	for len(b) > 0 {
		piece := b[:min(len(b), pieceBytes)]
		if !w.on(len(piece)) {
			stack[0] = errnoIO
			return
		}
		_, _ = rand.Read(piece) // it never fails
		b = b[len(piece):]
	}
	stack[0] = 0
}
