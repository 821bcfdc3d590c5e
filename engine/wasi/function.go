package wasi

import (
	"context"
	"fmt"
	"maps"

	"github.com/realm-mesh/realm/engine/component/wit"
)

// Function is a function of the host. Handles in args have the rep that the host gave
// out; those in results have no Resource. The result is nil if the function has none.
// A []byte in args is the guest's memory: it must not be kept, nor changed.
type Function func(ctx context.Context, g *Guest, args []any) (any, error)

// Destructor drops a resource of the host which a guest has owned.
type Destructor func(ctx context.Context, g *Guest, rep uint32) error

// Functions are all functions of the host: by interface, without version ("wasi:io/poll"),
// and by name within it ("[method]pollable.block").
func Functions() map[string]map[string]Function {
	out := map[string]map[string]Function{}
	for _, of := range []func() map[string]map[string]Function{
		ioFunctions, clockFunctions, randomFunctions, cliFunctions, httpFunctions,
		filesystemFunctions, socketFunctions,
	} {
		maps.Copy(out, of())
	}
	return out
}

// Resources are the destructors of the host's resources: by interface and by name.
func Resources() map[string]map[string]Destructor {
	out := map[string]map[string]Destructor{
		"wasi:io/error":   {"error": drops[*ioError]},
		"wasi:io/poll":    {"pollable": drops[*pollable]},
		"wasi:io/streams": {"input-stream": drops[*inputStream], "output-stream": drops[*outputStream]},
		"wasi:filesystem/types": {
			"descriptor":             drops[*descriptor],
			"directory-entry-stream": drops[*entryStream],
		},
		"wasi:http/types": {
			"fields":                   drops[*fields],
			"incoming-request":         drops[*incomingRequest],
			"outgoing-request":         drops[*outgoingRequest],
			"request-options":          drops[*requestOptions],
			"response-outparam":        drops[*outparam],
			"incoming-response":        drops[*incomingResponse],
			"incoming-body":            drops[*incomingBody],
			"future-trailers":          drops[*futureTrailers],
			"outgoing-response":        drops[*outgoingResponse],
			"outgoing-body":            drops[*outgoingBody],
			"future-incoming-response": drops[*futureResponse],
		},
		"wasi:cli/terminal-input":  {"terminal-input": drops[*never]},
		"wasi:cli/terminal-output": {"terminal-output": drops[*never]},
	}
	maps.Copy(out, socketResources())
	return out
}

// merged has the functions of both.
func merged(a, b map[string]Function) map[string]Function {
	maps.Copy(a, b)
	return a
}

// drops drops a resource of a kind.
func drops[R resource](ctx context.Context, g *Guest, rep uint32) error {
	if err := g.work(ctx, 0); err != nil {
		return err
	}
	if _, err := at[R](g, wit.Handle{Rep: rep}); err != nil {
		return err
	}
	r, err := g.table.take(rep)
	if err != nil {
		return err
	}
	r.drop(g)
	return nil
}

// never is a resource that nobody can have.
type never struct{}

func (*never) drop(*Guest) {}

// at is the resource that a handle stands for.
func at[R resource](g *Guest, h wit.Handle) (R, error) {
	var none R
	e := g.table.entries[h.Rep]
	if e == nil {
		return none, trap("resource %d is not there", h.Rep)
	}
	r, ok := e.resource.(R)
	if !ok {
		return none, trap("resource %d is a %T, and no %T", h.Rep, e.resource, none)
	}
	return r, nil
}

// takes takes the resource that was handed over.
func takes[R resource](g *Guest, h wit.Handle) (R, error) {
	r, err := at[R](g, h)
	if err != nil {
		return r, err
	}
	_, err = g.table.take(h.Rep)
	return r, err
}

// arg is an argument. It is of its type if the linker has checked the guest's imports;
// an error says that it has not.
func arg[A any](args []any, n int) (a A, err error) {
	if n >= len(args) {
		return a, fmt.Errorf("call function of the host: argument %d of type %T is missing", n, a)
	}
	a, ok := args[n].(A)
	if !ok {
		return a, fmt.Errorf("call function of the host: argument %d is a %T, and should be a %T", n, args[n], a)
	}
	return a, nil
}

// call is a call of a function.
type call struct {
	ctx  context.Context //nolint:containedctx // of the call
	g    *Guest
	args []any
	err  error // the first that was wrong with an argument
}

// get is argument n of a call; check err after the last one.
func get[A any](c *call, n int) A {
	a, err := arg[A](c.args, n)
	if c.err == nil {
		c.err = err
	}
	return a
}

// borrowed is the resource that argument n borrows.
func borrowed[R resource](c *call, n int) R {
	h := get[wit.Handle](c, n)
	if c.err != nil {
		var none R
		return none
	}
	r, err := at[R](c.g, h)
	c.err = err
	return r
}

// handed is the resource that argument n hands over.
func handed[R resource](c *call, n int) R {
	r := borrowed[R](c, n)
	if c.err == nil {
		_, c.err = c.g.table.take(c.rep(n))
	}
	return r
}

// plain is a function whose arguments are got from the call.
func plain(do func(c *call) (any, error)) Function {
	return func(ctx context.Context, g *Guest, args []any) (any, error) {
		if err := g.work(ctx, 0); err != nil {
			return nil, err
		}
		return do(&call{ctx: ctx, g: g, args: args})
	}
}

// method is a function of a resource, its first argument. Any other the function gets
// from the call, from 1 on.
func method[R resource](do func(c *call, self R) (any, error)) Function {
	return plain(func(c *call) (any, error) {
		self := borrowed[R](c, 0)
		if c.err != nil {
			return nil, c.err
		}
		return do(c, self)
	})
}

// self is the rep of a method's resource.
func (c *call) self() uint32 { return c.rep(0) }

// rep is that of argument n, a handle.
func (c *call) rep(n int) uint32 {
	h, _ := c.args[n].(wit.Handle) // whoever asks has checked that
	return h.Rep
}

// optional is the value in argument n, an option.
func optional[A any](c *call, n int) (a A, some bool) {
	o := get[wit.Choice](c, n)
	if c.err != nil || !o.IsSome() {
		return a, false
	}
	a, c.err = arg[A]([]any{o.Value}, 0)
	return a, c.err == nil
}

// with1 is a method of one argument more.
func with1[R resource, A any](do func(c *call, self R, a A) (any, error)) Function {
	return method(func(c *call, self R) (any, error) {
		a := get[A](c, 1)
		if c.err != nil {
			return nil, c.err
		}
		return do(c, self, a)
	})
}
