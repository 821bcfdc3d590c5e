package component

import (
	"context"
	"errors"
	"strings"

	"github.com/realm-mesh/realm/engine/component/internal/elab"
	"github.com/realm-mesh/realm/engine/component/wit"
)

// Entries of components.
var (
	runEntry    = name{"wasi:cli/run", "run"}
	handleEntry = name{"wasi:http/incoming-handler", "handle"}
)

// IsCommand reports whether the component exports wasi:cli/run.
func (c *Component) IsCommand() bool { return c.run != nil }

// IsHandler reports whether the component exports wasi:http/incoming-handler.
func (c *Component) IsHandler() bool { return c.handle != nil }

// entry is a function that the component exports in an interface; nil: it does not.
func (in *interfaces) entry(p *elab.Plan, want name) *elab.Func {
	for _, x := range p.Exports {
		iface, v, _ := strings.Cut(x.Name, "@")
		if iface != want.iface || !strings.HasPrefix(v, version) || strings.Contains(v, "-") {
			continue
		}
		for _, f := range x.Instance {
			if f.Name == want.name && f.Func != nil && wit.SameFunc(f.Func.Type, in.entries[want]) {
				return f.Func
			}
		}
	}
	return nil
}

// Run runs wasi:cli/run, and reports whether the program says that it went well.
func (i *Instance) Run(ctx context.Context) (ok bool, err error) {
	v, err := i.call(ctx, i.linked.run)
	result, _ := v.(wit.Choice)
	return result.IsOk(), err
}

// Handle calls wasi:http/incoming-handler with what the guest was given for it
// (wasi.Guest): both belong to the component from then on.
func (i *Instance) Handle(ctx context.Context, request, out wit.Handle) error {
	_, err := i.call(ctx, i.linked.handle, request, out)
	return err
}

// ErrNoEntry says that a component does not export what is called: see
// [Component.IsCommand] and [Component.IsHandler].
var ErrNoEntry = errors.New("the component has no such entry")

// call calls a function that the component exports.
func (i *Instance) call(ctx context.Context, f *elab.Func, args ...any) (any, error) {
	if f == nil {
		return nil, ErrNoEntry
	}
	return i.lift(f).Call(i.context(ctx), args)
}
