package admit

import (
	"strings"
	"testing"

	"github.com/realm-mesh/realm/api"
)

// TestBound wants what owners say to hold up to what the node gives, and the node's own
// where they say nothing.
func TestBound(t *testing.T) {
	function := func(l api.Limits) api.Workload { return &api.Function{Module: api.Program{Limits: l}} }
	web := func(l api.Limits) api.Workload {
		return &api.Component{Interface: api.InterfaceCGI, Module: api.Program{Limits: l}}
	}
	command := func(l api.Limits) api.Workload { return &api.Component{Module: api.Program{Limits: l}} }
	own := Config{Unsaid: api.Limits{MemoryMaxMB: 64, Fuel: 1000, EpochMS: 500}, Most: api.Limits{MemoryMaxMB: 128, Fuel: 2000, EpochMS: 900}}
	said := api.Limits{MemoryMaxMB: 100, Fuel: 1500, EpochMS: 800}
	for name, c := range map[string]struct {
		Config
		w    api.Workload
		want api.Limits
		why  string
	}{
		"nothing is said":                  {Config{}, function(api.Limits{}), api.Limits{MemoryMaxMB: 256, EpochMS: 10_000}, ""},
		"nothing is said of a command":     {Config{}, command(api.Limits{}), api.Limits{MemoryMaxMB: 256}, ""},
		"the owner says it":                {Config{}, web(said), said, ""},
		"the owner says it, and may":       {own, web(said), said, ""},
		"the node says it":                 {own, web(api.Limits{}), own.Unsaid, ""},
		"the node says it of a command":    {own, command(api.Limits{}), api.Limits{MemoryMaxMB: 64, Fuel: 1000}, ""},
		"the most is below what is unsaid": {Config{Most: own.Most}, function(api.Limits{}), own.Most, ""},
		"too much memory":                  {own, function(api.Limits{MemoryMaxMB: 129}), api.Limits{}, "at most 128 to a program: realm configure --program-memory-max-mb"},
		"too much fuel":                    {own, command(api.Limits{Fuel: 2001}), api.Limits{}, "at most 2000: realm configure --program-fuel-max"},
		"too late a deadline":              {own, command(api.Limits{EpochMS: 901}), api.Limits{}, "at most 900: realm configure --program-epoch-max-ms"},
	} {
		t.Run(name, func(t *testing.T) {
			before := c.w.Program().Limits
			w, err := New(c.Config).Bound(c.w)
			switch {
			case c.why != "":
				if err == nil || !strings.Contains(err.Error(), c.why) {
					t.Errorf("%v, want %q", err, c.why)
				}
			case err != nil || w.Program().Limits != c.want:
				t.Errorf("%+v, %v; want %+v", w.Program().Limits, err, c.want)
			}
			if c.w.Program().Limits != before {
				t.Error("the workload itself was changed")
			}
		})
	}
}
