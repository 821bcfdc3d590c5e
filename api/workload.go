package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Workload is what an intent of kind component or function asks to be kept
// ready: a [*Component] or a [*Function].
type Workload interface {
	Program() Program
	Started() bool // false: kept, but stopped
	// Instance names what an instance is made of: between versions with the same one
	// nothing has to be started anew.
	Instance() Digest
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
	Fuel        uint64 `json:"fuel,omitempty"`          // units of work of one call, request or run; 0: no limit
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

// Instance implements [Workload].
func (f *Function) Instance() Digest { return instance(f.Module) }

// Validate implements [Validator].
func (f *Function) Validate() error { return f.Module.Validate() }

// some is a list that is empty in one way only.
func some[T any](list []T) []T {
	if len(list) == 0 {
		return nil
	}
	return list
}

// instance hashes what an instance is made of.
func instance(parts ...any) Digest {
	b, err := json.Marshal(parts)
	if err != nil {
		panic(err) // strings and numbers: it cannot fail
	}
	return Sum(b)
}
