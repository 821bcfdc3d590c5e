package elab

import (
	"github.com/realm-mesh/realm/engine/component/internal/binary"
	"github.com/realm-mesh/realm/engine/component/wit"
)

// Plan is how instances of a component are made. It is not changed once it is there, and
// does not refer to the bytes of the component.
type Plan struct {
	// Steps make core instances, in this order.
	Steps []Step
	// Instances are component instances, the outermost first, and each after its parent.
	Instances []*Instance
	// Hosts are the functions that core modules import of the host.
	Hosts []*Host
	// Items are what is named below of core instances and the host.
	Items []*Item
	// Imports are all functions that the component imports, used or not.
	Imports []*Func
	// Foreign is what the component imports that no host gives: modules, components,
	// values. Resources of the host are in the types of Imports.
	Foreign []Foreign
	// Exports are those of the component.
	Exports []Export
}

// Foreign is an import that is no function in an interface.
type Foreign struct{ Name, Kind string }

// Module is a core module that steps instantiate, and where its imports come from. A core
// module makes one for each way in which its imports are satisfied.
type Module struct {
	*binary.Module
	Imports []Source // as in Module.Imports
}

// Source is where an import comes from: an export of what stands at Slot of [Step.Slots],
// or, if Slot is negative, a function of the host.
type Source struct {
	Slot int
	Name string // of the export
	Host int    // index of Plan.Hosts
}

// Step makes an instance of a core module.
type Step struct {
	Module int   // number of a Module
	Slots  []int // indices of the steps that made what the imports come from
}

// Instance is an instance of a component: it has handles of its own.
type Instance struct {
	Index  int
	Parent *Instance // nil: the outermost
	// Resources that it defines.
	Resources []*Resource
}

// Resource is a resource that an instance defines.
type Resource struct {
	*wit.Resource
	Dtor *Item // a core function; nil: none
}

// Item is an export of a core instance, or a function of the host.
type Item struct {
	Index int    // of Plan.Items
	Step  int    // index of Plan.Steps; negative: Host
	Name  string // of the export
	Host  int    // index of Plan.Hosts
}

// Op is what a function of the host does.
type Op = binary.Op

// Host is a function that core modules import of the host.
type Host struct {
	Op       Op
	Instance *Instance     // whose handles it works on
	Func     *Func         // of binary.Lower
	Options  Options       // of binary.Lower
	Resource *wit.Resource // of the other operations
}

// Options of a function that was lifted or lowered.
type Options struct {
	Encoding   binary.Encoding
	Memory     *Item // nil: none; likewise the others
	Realloc    *Item
	PostReturn *Item
}

// Func is a function of a component: one that it imports from the host, or that was
// lifted from a core function.
type Func struct {
	Type *wit.Func

	// Interface and Name of an imported one: the interface without its version, such as
	// wasi:io/streams; empty for a function that the component imports by itself.
	Interface, Name string
	// Version of the interface, such as 0.2.3.
	Version string

	Core     *Item // of a lifted one
	Instance *Instance
	Options  Options
}

// Imported reports whether f is imported.
func (f *Func) Imported() bool { return f.Core == nil }

// Export is an export of a component, or of an instance that one exports.
type Export struct {
	Name     string
	Func     *Func         // or
	Instance []Export      // or
	Type     *wit.Type     // or
	Resource *wit.Resource // or nothing: a module or a component
}
