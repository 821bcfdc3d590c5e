package confine

import (
	"slices"
	"strings"
)

// Layers, by name. Those of the baseline hold on every Linux that native programs run on.
const (
	NoNewPrivs = "no_new_privs"    // baseline
	Landlock   = "landlock"        // baseline: files
	Signals    = "landlock-scope"  // signals and abstract sockets
	Seccomp    = "seccomp"         // baseline: system calls
	Rlimits    = "rlimits"         // baseline
	Session    = "session"         // baseline: own session and process group, all of it killed at the end
	OwnUser    = "uid"             // baseline where the node runs as root
	MountSpace = "mount-namespace" // own /tmp, /tmp/assets, no other folders in sight
	PIDSpace   = "pid-namespace"   // no other processes in sight
	MemoryCap  = "cgroup-memory"
	PIDsCap    = "cgroup-pids"
	CPUCap     = "cgroup-cpu"
)

// Layer is one way in which a program is confined, or is not.
type Layer struct {
	Name   string `json:"name"`
	Holds  bool   `json:"holds"`
	Reason string `json:"reason,omitempty"` // why it does not hold, or how it does, for people
}

// Confinement is what holds on a machine, or for one execution.
type Confinement struct {
	Layers []Layer `json:"layers"`
	// UserSpace says that the namespaces are made in a user namespace, since the node
	// is not root.
	UserSpace bool `json:"user_namespace,omitempty"`
	// ABI is the version of Landlock; 0: there is none.
	ABI int `json:"landlock_abi,omitempty"`
}

// Has reports whether a layer holds.
func (c Confinement) Has(name string) bool {
	return slices.ContainsFunc(c.Layers, func(l Layer) bool { return l.Name == name && l.Holds })
}

// Missing returns the layers that do not hold, each with its reason.
func (c Confinement) Missing() []Layer {
	var out []Layer
	for _, l := range c.Layers {
		if !l.Holds {
			out = append(out, l)
		}
	}
	return out
}

// Baseline returns those of the missing layers without which programs of strangers
// should not run.
func (c Confinement) Baseline() []Layer {
	return slices.DeleteFunc(c.Missing(), func(l Layer) bool {
		return !slices.Contains([]string{NoNewPrivs, Landlock, Seccomp, Rlimits, Session, OwnUser}, l.Name)
	})
}

// String names what holds and what does not, in one line.
func (c Confinement) String() string {
	var holds, not []string
	for _, l := range c.Layers {
		if l.Holds {
			holds = append(holds, l.Name)
		} else {
			not = append(not, l.Name+" ("+l.Reason+")")
		}
	}
	s := "confined by " + strings.Join(holds, ", ")
	if len(holds) == 0 {
		s = "not confined"
	}
	if len(not) > 0 {
		s += "; without " + strings.Join(not, ", ")
	}
	return s
}

// Lose says that a layer does not hold after all.
func (c *Confinement) Lose(name string, err error) {
	c.Layers = slices.Clone(c.Layers)
	c.set(name, err, "")
}

// set adds a layer, or replaces it.
func (c *Confinement) set(name string, err error, how string) {
	l := Layer{Name: name, Holds: err == nil, Reason: how}
	if err != nil {
		l.Reason = err.Error()
	}
	i := slices.IndexFunc(c.Layers, func(l Layer) bool { return l.Name == name })
	if i < 0 {
		c.Layers = append(c.Layers, l)
		return
	}
	c.Layers[i] = l
}

// layerError is what went wrong with one layer.
type layerError struct {
	layer string
	err   error
}

func (e *layerError) Error() string { return e.err.Error() }
func (e *layerError) Unwrap() error { return e.err }

// in says which layer an error is of; nil stays nil.
func in(layer string, err error) error {
	if err == nil {
		return nil
	}
	return &layerError{layer, err}
}
