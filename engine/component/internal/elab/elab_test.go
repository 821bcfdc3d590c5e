package elab

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/realm-mesh/realm/engine/component/internal/binary"
	"github.com/realm-mesh/realm/engine/component/wit"
)

// pollable is the resource that the host of the tests knows.
var pollable = &wit.Resource{Name: "pollable"}

func known(iface, name string) *wit.Resource {
	if iface == "wasi:io/poll" && name == "pollable" {
		return pollable
	}
	return nil
}

func tree(t *testing.T, name string) *binary.Component {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name+".wasm"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := binary.Decode(b, binary.DefaultCaps())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func plan(t *testing.T, name string) (*Plan, []*Module) {
	t.Helper()
	p, modules, err := Elaborate(tree(t, name), known, DefaultCaps())
	if err != nil {
		t.Fatal(err)
	}
	return p, modules
}

// TestModulesAreShared has instances that are alike be made of one module, although what
// satisfies their imports was made by other steps.
func TestModulesAreShared(t *testing.T) {
	p, modules := plan(t, "shared")
	if len(modules) != 2 || len(p.Steps) != 4 {
		t.Fatalf("%d modules, %d steps", len(modules), len(p.Steps))
	}
	users := p.Steps[2:]
	if users[0].Module != users[1].Module || !slices.Equal(users[0].Slots, []int{0}) || !slices.Equal(users[1].Slots, []int{1}) {
		t.Errorf("the users are made by %+v", users)
	}
	want := []Source{{Slot: 0, Name: "memory"}, {Slot: -1, Host: 0}}
	if got := modules[users[0].Module].Imports; !slices.Equal(got, want) {
		t.Errorf("imports %+v, want %+v", got, want)
	}
	h := p.Hosts[0]
	if h.Op != binary.Lower || h.Func.Interface != "wasi:io/poll" || h.Func.Name != "poll" || h.Func.Version != "0.2.0" || !h.Func.Imported() {
		t.Errorf("the host's function is %+v of %+v", h, h.Func)
	}
	if h.Options.Memory.Name != "memory" || h.Options.Memory.Step != 0 || h.Options.Realloc.Name != "realloc" || h.Options.PostReturn != nil {
		t.Errorf("options %+v", h.Options)
	}
	if got := h.Func.Type.Params[0].Type.Elem.Resource; got != pollable {
		t.Errorf("it takes a list of %v", got)
	}
	if got, want := h.Func.Type.String(), "func(in: list<borrow<pollable>>) -> list<u32>"; got != want {
		t.Errorf("its type is %s, want %s", got, want)
	}
}

// TestNestedComponents looks at two instances of a component that share a resource of
// the one that they are in.
func TestNestedComponents(t *testing.T) {
	p, modules := plan(t, "nested")
	if len(p.Instances) != 3 || len(p.Steps) != 3 || len(p.Hosts) != 4 {
		t.Fatalf("%d instances, %d steps, %d functions of the host", len(p.Instances), len(p.Steps), len(p.Hosts))
	}
	outer := p.Instances[0]
	if outer.Parent != nil || len(outer.Resources) != 1 || outer.Resources[0].Dtor.Name != "dtor" || outer.Resources[0].Name != "thing" {
		t.Fatalf("the outer instance is %+v", outer)
	}
	for n, inner := range p.Instances[1:] {
		lower, drop := p.Hosts[2*n], p.Hosts[2*n+1]
		if inner.Parent != outer || lower.Instance != inner || drop.Instance != inner {
			t.Errorf("instance %d is in %v", inner.Index, inner.Parent)
		}
		if lower.Op != binary.Lower || lower.Func.Imported() || lower.Func.Core.Name != "make" || lower.Func.Instance != outer {
			t.Errorf("it imports %+v", lower.Func)
		}
		thing := outer.Resources[0].Resource
		if drop.Op != binary.ResourceDrop || drop.Resource != thing || lower.Func.Type.Result.Resource != thing {
			t.Errorf("it drops %v and gets %v", drop.Resource, lower.Func.Type.Result)
		}
	}
	if len(modules) != 3 {
		t.Errorf("%d modules: those within import other functions of the host", len(modules))
	}
	for i, name := range []string{"thing", "a", "b"} {
		if p.Exports[i].Name != name {
			t.Errorf("export %d is %s", i, p.Exports[i].Name)
		}
	}
	if f := p.Exports[1].Instance[0]; f.Name != "go" || f.Func.Core.Step != 1 || f.Func.Instance != p.Instances[1] {
		t.Errorf("a exports %+v", f)
	}
}

func TestForeignImports(t *testing.T) {
	p, _ := plan(t, "foreign")
	want := []Foreign{{"example:store/bucket.bucket", "resource"}, {"plugin", "module"}}
	if !slices.Equal(p.Foreign, want) {
		t.Errorf("%v, want %v", p.Foreign, want)
	}
	if len(p.Imports) != 2 || p.Imports[0].Name != "log" || p.Imports[0].Interface != "" || p.Imports[1].Interface != "example:store/bucket" {
		t.Errorf("functions %+v", p.Imports)
	}
}

func TestGrowthIsBounded(t *testing.T) {
	for name, says := range map[string]string{"bomb": "instances", "chain": "levels"} {
		_, _, err := Elaborate(tree(t, name), known, DefaultCaps())
		if !errors.Is(err, ErrTooComplex) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	caps := DefaultCaps()
	caps.Work = 10
	if _, _, err := Elaborate(tree(t, "nested"), known, caps); !errors.Is(err, ErrTooComplex) {
		t.Errorf("with work for 10 definitions: %v", err)
	}
}
