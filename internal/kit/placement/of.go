package placement

import (
	"cmp"

	"github.com/realm-mesh/realm/api"
)

// Of is what in, whose body is w, asks to be placed. Functions and components that
// answer requests hold no memory while nobody calls them.
func Of(in api.Intent, w api.Workload) Workload {
	out := Workload{Ref: in.Ref, Target: in.Target}
	if c, ok := w.(*api.Component); ok {
		out.Replicas = c.Replicas
		if c.Interface == api.InterfaceCommand {
			out.MemoryMB = cmp.Or(c.Module.Limits.MemoryMaxMB, api.DefaultMemoryMB)
		}
	}
	return out
}
