package api

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"
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

// ServePatience is how long requests on their way get when a run that serves is told to end.
const ServePatience = 5 * time.Second

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
	// Serve is the address where it answers HTTP, until it is told to end; empty: it runs once.
	Serve string `json:"serve,omitempty"`
	// AllowHosts is where a component may send requests to: [ValidateAllowHosts].
	AllowHosts []string `json:"allow_hosts,omitempty"`
}

// Validate implements [Validator].
func (s *RunSpec) Validate() error {
	if s.File == "" || s.Cache == "" {
		return errors.New("run: file or cache is missing")
	}
	c := &Component{Args: s.Args, Env: s.Env, Mounts: s.Mounts}
	hosts := func() error { return ValidateAllowHosts(s.AllowHosts) }
	for _, check := range []func() error{s.validateServe, s.Limits.Validate, c.validateArgs, c.validateMounts, hosts} {
		if err := check(); err != nil {
			return fmt.Errorf("run: %w", err)
		}
	}
	return nil
}

func (s *RunSpec) validateServe() error {
	if s.Serve == "" {
		return nil
	}
	if s.Invoke != "" {
		return errors.New("serve and invoke: it answers requests, or one of its exports is called; which?")
	}
	if s.Stats {
		return errors.New("serve and stats: stats tell of one run, and each request is one")
	}
	_, port, err := net.SplitHostPort(s.Serve)
	if _, bad := strconv.ParseUint(port, 10, 16); err != nil || bad != nil {
		return fmt.Errorf("serve %.80q: want an address with a port, such as 127.0.0.1:8080 (port 0: one that is free)", s.Serve)
	}
	return nil
}
