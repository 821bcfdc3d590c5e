package placement_test

import (
	"testing"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/placement"
)

func TestOf(t *testing.T) {
	limits := api.Program{Limits: api.Limits{MemoryMaxMB: 64}}
	in := api.Intent{Ref: api.Ref{Kind: api.KindComponent, Name: "x"}, Target: api.Target{Tags: []string{"edge"}}}
	for name, c := range map[string]struct {
		body             api.Workload
		replicas, memory int
	}{
		"a command":                      {&api.Component{Module: limits, Replicas: 3}, 3, 64},
		"a command that says no limit":   {&api.Component{}, 0, api.DefaultMemoryMB},
		"what answers requests":          {&api.Component{Module: limits, Interface: api.InterfaceCGI, Replicas: 2}, 2, 0},
		"a function runs on all members": {&api.Function{Module: limits}, 0, 0},
	} {
		w := placement.Of(in, c.body)
		if w.Ref != in.Ref || len(w.Target.Tags) != 1 || w.Replicas != c.replicas || w.MemoryMB != c.memory {
			t.Errorf("%s: %+v", name, w)
		}
	}
}
