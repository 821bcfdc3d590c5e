package api

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Workload is what an intent of kind component or function asks to be kept
// ready: a [*Component] or a [*Function].
type Workload interface {
	Program() Program
	Started() bool // false: kept, but stopped
}

// Program is a Wasm module and what it may use.
type Program struct {
	Blob   Digest `json:"blob"`   // the module's bytes
	Size   int64  `json:"size"`   // bytes
	Limits Limits `json:"limits"` // per instance
}

// Limits bound one instance of a program. Zero values mean the node's default.
type Limits struct {
	MemoryMaxMB int    `json:"memory_max_mb,omitempty"` // linear memory, MiB
	Fuel        uint64 `json:"fuel,omitempty"`          // units of work; reserved, must be 0
	EpochMS     int64  `json:"epoch_ms,omitempty"`      // deadline of one invocation, milliseconds
}

// Defaults and ceilings of [Limits].
const (
	DefaultMemoryMB = 256
	MaxMemoryMB     = 4096 // what 32-bit Wasm can address
	DefaultDeadline = 10 * time.Second
	MaxEpochMS      = int64(24 * time.Hour / time.Millisecond)
)

// Validate implements [Validator].
func (l Limits) Validate() error {
	switch {
	case l.MemoryMaxMB < 0 || l.MemoryMaxMB > MaxMemoryMB:
		return fmt.Errorf("memory_max_mb %d: want 1 to %d", l.MemoryMaxMB, MaxMemoryMB)
	case l.EpochMS < 0 || l.EpochMS > MaxEpochMS:
		return fmt.Errorf("epoch_ms %d: want 1 to %d", l.EpochMS, MaxEpochMS)
	case l.Fuel != 0:
		return errors.New("fuel is not metered by this version: leave it out")
	}
	return nil
}

// Validate implements [Validator].
func (p Program) Validate() error {
	if p.Blob.IsZero() {
		return errors.New("blob is missing")
	}
	if p.Size <= 0 || p.Size > MaxModule {
		return fmt.Errorf("size %d: want 1 to %d bytes", p.Size, MaxModule)
	}
	return p.Limits.Validate()
}

// Interface says how a component is spoken to.
type Interface string

// The interfaces of this version.
const (
	InterfaceCommand Interface = ""    // a replica runs _start and goes on until it ends
	InterfaceCGI     Interface = "cgi" // one fresh instance per HTTP request, by RFC 3875
)

// Component is the body of a [KindComponent] intent: a WASI command that runs on
// every matching member.
type Component struct {
	Module    Program           `json:"program"`
	Interface Interface         `json:"interface,omitempty"`
	Args      []string          `json:"args,omitempty"` // after the program's name
	Env       map[string]string `json:"env,omitempty"`
	Stopped   bool              `json:"stopped,omitempty"`
}

// Limits of a component's arguments and environment, in bytes all together.
const maxArgsEnv = 32 << 10

// Program implements [Workload].
func (c *Component) Program() Program { return c.Module }

// Started implements [Workload].
func (c *Component) Started() bool { return !c.Stopped }

// Validate implements [Validator].
func (c *Component) Validate() error {
	if c.Interface != InterfaceCommand && c.Interface != InterfaceCGI {
		return fmt.Errorf("interface %.40q: want cgi, or none", c.Interface)
	}
	total := 0
	for _, a := range c.Args {
		if strings.ContainsRune(a, 0) {
			return errors.New("args: an argument holds a NUL")
		}
		total += len(a) + 1
	}
	for k, v := range c.Env {
		if k == "" || strings.ContainsAny(k, "=\x00") || strings.ContainsRune(v, 0) {
			return fmt.Errorf("env %.80q: want NAME without '=', and no NULs", k)
		}
		total += len(k) + len(v) + 2
	}
	if total > maxArgsEnv {
		return fmt.Errorf("args and env: %d bytes, at most %d", total, maxArgsEnv)
	}
	return c.Module.Validate()
}

// Function is the body of a [KindFunction] intent: a module whose export is
// called with numbers, in a fresh instance per call, on any member.
type Function struct {
	Module  Program `json:"program"`
	Stopped bool    `json:"stopped,omitempty"`
}

// Program implements [Workload].
func (f *Function) Program() Program { return f.Module }

// Started implements [Workload].
func (f *Function) Started() bool { return !f.Stopped }

// Validate implements [Validator].
func (f *Function) Validate() error { return f.Module.Validate() }
