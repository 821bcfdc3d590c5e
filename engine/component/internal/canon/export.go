package canon

import (
	"context"

	"github.com/tetratelabs/wazero/api"
)

// Export returns the function that m exports by a name, nil if there is none, such that
// it may be called while it is being called: destructors are, and what a component
// exports to those within it. Functions of wazero must not be; other ones that are given
// to this package are only fit where that does not happen.
func Export(m api.Module, name string) api.Function {
	f := m.ExportedFunction(name)
	if f == nil {
		return nil
	}
	return &export{Function: f, module: m, name: name}
}

type export struct {
	api.Function // the first one
	module       api.Module
	name         string
	busy         bool
	idle         []api.Function // others, while the first one is busy
}

// maxIdle is how many functions are kept: each has a stack.
const maxIdle = 4

func (e *export) CallWithStack(ctx context.Context, stack []uint64) error {
	if !e.busy {
		e.busy = true
		defer func() { e.busy = false }()
		return e.Function.CallWithStack(ctx, stack)
	}
	var f api.Function
	if n := len(e.idle); n > 0 {
		f, e.idle = e.idle[n-1], e.idle[:n-1]
	} else {
		f = e.module.ExportedFunction(e.name)
	}
	err := f.CallWithStack(ctx, stack)
	if len(e.idle) < maxIdle {
		e.idle = append(e.idle, f)
	}
	return err
}

func (e *export) Call(ctx context.Context, params ...uint64) ([]uint64, error) {
	def := e.Definition()
	stack := make([]uint64, max(len(params), len(def.ParamTypes()), len(def.ResultTypes())))
	copy(stack, params)
	if err := e.CallWithStack(ctx, stack); err != nil {
		return nil, err
	}
	return stack[:len(def.ResultTypes())], nil
}
