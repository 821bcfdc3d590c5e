package wasi

import (
	"io"
	"strings"

	"github.com/realm-mesh/realm/engine/component/wit"
)

func ioFunctions() map[string]map[string]Function {
	return map[string]map[string]Function{
		"wasi:io/error":   errorFunctions(),
		"wasi:io/poll":    pollFunctions(),
		"wasi:io/streams": merged(inputFunctions(), outputFunctions()),
	}
}

func cliFunctions() map[string]map[string]Function {
	none := plain(func(*call) (any, error) { return wit.None(), nil })
	return map[string]map[string]Function{
		"wasi:cli/environment": {
			"get-environment": plain(environment),
			"get-arguments":   plain(arguments),
			"initial-cwd":     none,
		},
		"wasi:cli/exit": {
			"exit": plain(func(c *call) (any, error) {
				status := get[wit.Choice](c, 0)
				if c.err != nil {
					return nil, c.err
				}
				return nil, ErrExit{uint8(status.Case)}
			}),
			"exit-with-code": plain(func(c *call) (any, error) {
				code := get[uint8](c, 0)
				if c.err != nil {
					return nil, c.err
				}
				return nil, ErrExit{code}
			}),
		},
		"wasi:cli/stdin":           {"get-stdin": plain(stdin)},
		"wasi:cli/stdout":          {"get-stdout": plain(func(c *call) (any, error) { return c.output(c.g.env.Stdout) })},
		"wasi:cli/stderr":          {"get-stderr": plain(func(c *call) (any, error) { return c.output(c.g.env.Stderr) })},
		"wasi:cli/terminal-input":  {},
		"wasi:cli/terminal-output": {},
		"wasi:cli/terminal-stdin":  {"get-terminal-stdin": none},
		"wasi:cli/terminal-stdout": {"get-terminal-stdout": none},
		"wasi:cli/terminal-stderr": {"get-terminal-stderr": none},
	}
}

func environment(c *call) (any, error) {
	size := 0
	out := make([]any, 0, len(c.g.env.Vars))
	for _, v := range c.g.env.Vars {
		size += len(v.Name) + len(v.Value)
		out = append(out, []any{valid(v.Name), valid(v.Value)})
	}
	return out, c.g.work(c.ctx, size)
}

func arguments(c *call) (any, error) {
	size := 0
	out := make([]any, 0, len(c.g.env.Args))
	for _, a := range c.g.env.Args {
		size += len(a)
		out = append(out, valid(a))
	}
	return out, c.g.work(c.ctx, size)
}

// stdin returns a stream of the guest's input, of which all that it asks for read on
// where another has stopped.
func stdin(c *call) (any, error) {
	g := c.g
	if g.env.Stdin == nil {
		return g.own(&inputStream{source: nothing{}}, 0)
	}
	if g.stdin == nil {
		p := newPipe(g)
		g.stdin = &piped{pipe: p, stop: func() {}, start: func() {
			g.beside.Go(func() { p.pump(g.env.Stdin) })
		}}
		g.closers = append(g.closers, func() {
			p.leave(errGone)
			if closer, ok := g.env.Stdin.(io.Closer); ok {
				closer.Close()
			}
		})
	}
	return g.own(&inputStream{source: g.stdin}, 0)
}

func (c *call) output(w io.Writer) (any, error) {
	if w == nil {
		w = io.Discard
	}
	return c.g.own(&outputStream{sink: written{w}}, 0)
}

// valid is s as a string of WIT.
func valid(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }
