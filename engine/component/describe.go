package component

import "github.com/realm-mesh/realm/engine/component/internal/elab"

// Interface is an interface that a component imports or exports, with its functions, or a
// function that it imports or exports by itself.
type Interface struct {
	Name      string   // with its version; of a function, its name
	Functions []string // each as WIT has it
	Func      string   // of a function by itself, its type
}

// Imports are what the component imports, in its order.
func (c *Component) Imports() (out []Interface) {
	for _, f := range c.plan.Imports {
		if f.Interface == "" {
			out = append(out, Interface{Name: f.Name, Func: f.Type.String()})
			continue
		}
		full := versioned(f.Interface, f.Version)
		if n := len(out); n == 0 || out[n-1].Name != full {
			out = append(out, Interface{Name: full})
		}
		last := &out[len(out)-1]
		last.Functions = append(last.Functions, f.Name+": "+f.Type.String())
	}
	return out
}

// Exports are what the component exports, in its order.
func (c *Component) Exports() (out []Interface) {
	for _, x := range c.plan.Exports {
		switch {
		case x.Func != nil:
			out = append(out, Interface{Name: x.Name, Func: x.Func.Type.String()})
		case x.Instance != nil:
			out = append(out, Interface{Name: x.Name, Functions: functionsOf(x.Instance)})
		}
	}
	return out
}

func functionsOf(exports []elab.Export) (out []string) {
	for _, x := range exports {
		if x.Func != nil {
			out = append(out, x.Name+": "+x.Func.Type.String())
		}
	}
	return out
}

// Modules is how many core modules an instance of the component has.
func (c *Component) Modules() int { return len(c.plan.Steps) }
