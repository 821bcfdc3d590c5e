package api

import (
	"errors"
	"fmt"
)

// RunCommand is the argument that makes runnerd run one module and end, without a node.
// What to run stands in the environment variable [EnvRun], as a [RunSpec].
const (
	RunCommand = "run"
	EnvRun     = "REALM_RUN"
)

// MaxRunSpec is the most bytes of a [RunSpec] in JSON: Linux takes 128 KiB for one variable
// of the environment, with its name.
const MaxRunSpec = 120 << 10

// RunSpec is one run of a module. Its standard streams are those of the process.
type RunSpec struct {
	File   string            `json:"file"`  // path of the module
	Cache  string            `json:"cache"` // folder of machine code, this user's alone
	Args   []string          `json:"args,omitempty"`
	Env    map[string]string `json:"env,omitempty"`
	Mounts []Mount           `json:"mounts,omitempty"`
	Limits Limits            `json:"limits,omitzero"`
	// Invoke is the export that is called, with Args as its arguments; empty: the module
	// is run as a command.
	Invoke string `json:"invoke,omitempty"`
	Stats  bool   `json:"stats,omitempty"` // say in the end what it has used
}

// Validate implements [Validator].
func (s *RunSpec) Validate() error {
	if s.File == "" || s.Cache == "" {
		return errors.New("run: file or cache is missing")
	}
	c := &Component{Args: s.Args, Env: s.Env, Mounts: s.Mounts}
	for _, check := range []func() error{s.Limits.Validate, c.validateArgs, c.validateMounts} {
		if err := check(); err != nil {
			return fmt.Errorf("run: %w", err)
		}
	}
	return nil
}
