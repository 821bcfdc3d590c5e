package wasi_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/engine/component/wit"
	"github.com/realm-mesh/realm/engine/wasi"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	functions = wasi.Functions()
	resources = wasi.Resources()
)

// guest calls functions of the host as an instance would.
type guest struct {
	*wasi.Guest
	t   *testing.T
	ctx context.Context //nolint:containedctx // of all calls
}

func newGuest(t *testing.T, env wasi.Env) *guest {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	g := &guest{wasi.New(env), t, ctx}
	t.Cleanup(func() { g.Close(); cancel() })
	return g
}

// try calls a function, "io/poll poll".
func (g *guest) try(name string, args ...any) (any, error) {
	face, f, _ := strings.Cut(name, " ")
	do := functions["wasi:"+face][f]
	if do == nil {
		panic("there is no function " + name)
	}
	return do(g.ctx, g.Guest, args)
}

// call calls a function that does not end the guest.
func (g *guest) call(name string, args ...any) any {
	v, err := g.try(name, args...)
	if err != nil {
		g.t.Errorf("%s: %v", name, err)
		panic(err)
	}
	return v
}

func (g *guest) handle(name string, args ...any) wit.Handle {
	return as[wit.Handle](g.call(name, args...))
}

// ok calls a function whose result is to go well.
func (g *guest) ok(name string, args ...any) any {
	c := as[wit.Choice](g.call(name, args...))
	if !c.IsOk() {
		g.t.Errorf("%s: error %v", name, c.Value)
		panic(name)
	}
	return c.Value
}

// fails calls a function whose result is an error.
func (g *guest) fails(name string, args ...any) any {
	c := as[wit.Choice](g.call(name, args...))
	if c.IsOk() {
		g.t.Errorf("%s: went well: %v", name, c.Value)
	}
	return c.Value
}

// traps calls a function that is to end the guest.
func (g *guest) traps(name string, args ...any) {
	g.t.Helper()
	_, err := g.try(name, args...)
	if trap := (wasi.Trap{}); !errors.As(err, &trap) {
		g.t.Errorf("%s: %v, want a trap", name, err)
	}
}

func (g *guest) tryDrop(resource string, h wit.Handle) error {
	face, name, _ := strings.Cut(resource, " ")
	return resources["wasi:"+face][name](g.ctx, g.Guest, h.Rep)
}

func (g *guest) drop(resource string, h wit.Handle) {
	g.t.Helper()
	if err := g.tryDrop(resource, h); err != nil {
		g.t.Errorf("drop %s: %v", resource, err)
	}
}

func as[T any](v any) T { return v.(T) }

const (
	in  = "io/streams [method]input-stream."
	out = "io/streams [method]output-stream."
)

// readAll reads a stream to its end.
func (g *guest) readAll(stream wit.Handle) (string, any) {
	var text strings.Builder
	for {
		c := as[wit.Choice](g.call(in+"blocking-read", stream, uint64(1)<<63))
		if !c.IsOk() {
			return text.String(), as[wit.Choice](c.Value)
		}
		text.Write(as[[]byte](c.Value))
	}
}

var closed = wit.Choice{Case: 1}

func TestFunctionsAndResourcesAreThoseOfTheTypes(t *testing.T) {
	list, err := os.ReadFile("testdata/functions.txt")
	if err != nil {
		t.Fatal(err)
	}
	// What guests export.
	missing := map[string]bool{"wasi:cli/run func run": true, "wasi:http/incoming-handler func handle": true}
	known := map[string]bool{}
	for line := range strings.Lines(string(list)) {
		f := strings.Fields(line)
		face, kind, name := f[0], f[1], f[2]
		line := strings.TrimSpace(line)
		known[line] = true
		has := kind == "func" && functions[face][name] != nil || kind == "resource" && resources[face][name] != nil
		if has == missing[line] {
			t.Errorf("%s: there: %v", line, has)
		}
		if !strings.Contains(string(wasi.Types), strings.TrimPrefix(face, "wasi:")) || !strings.Contains(string(wasi.Types), name) {
			t.Errorf("%s is not among the types", line)
		}
	}
	if !strings.HasPrefix(string(wasi.Types), "\x00asm\x0d\x00\x01\x00") {
		t.Error("the types are no component")
	}
	for face, fs := range functions {
		for name := range fs {
			if !known[face+" func "+name] {
				t.Errorf("%s has a function %s that is not WASI's", face, name)
			}
		}
	}
	for face, rs := range resources {
		for name := range rs {
			if !known[face+" resource "+name] {
				t.Errorf("%s has a resource %s that is not WASI's", face, name)
			}
		}
	}
}

// Functions are called with what a linker has checked. Should it not have, they say so.
func TestFunctionsSayThatArgumentsAreOfOtherTypes(t *testing.T) {
	g := newGuest(t, wasi.Env{Stdin: strings.NewReader("")})
	h := g.handle("cli/stdin get-stdin")
	for face, fs := range functions {
		for name, f := range fs {
			for _, args := range [][]any{nil, {nil}, {h}, {h, nil, nil, nil}, {wit.Handle{}, h}, {uint64(1), "x"}, {[]any{nil}}, {h, h, h, h, h}, {wit.Some(nil)}} {
				_, err := f(g.ctx, g.Guest, args)
				if len(args) == 0 && err == nil && strings.HasPrefix(name, "[method]") {
					t.Errorf("%s %s took nothing for a handle", face, name)
				}
			}
		}
	}
}
