package native

import (
	"errors"
	"time"
)

// Ending says in a word how an execution ended.
type Ending string

// Endings.
const (
	Exited    Ending = "exited"    // by itself, with a code
	Signalled Ending = "signalled" // by a signal that nobody here sent
	TimedOut  Ending = "timeout"
	Stopped   Ending = "stopped" // by [Execution.Stop], or the machine going down
	Memory    Ending = "memory"  // had more than its limit
	Disk      Ending = "disk"    // wrote more than its limit, or filled the disk
	Failed    Ending = "failed"  // never started
)

// Result is how an execution ended.
type Result struct {
	Ending Ending `json:"ending"`
	// Reason says it for people where it is not Exited.
	Reason string `json:"reason,omitempty"`
	// Code is the exit code; -1 where there is none.
	Code   int    `json:"code"`
	Signal string `json:"signal,omitempty"` // that ended the program, such as "killed"

	Started time.Time `json:"started"`
	Ended   time.Time `json:"ended"`
	// CPU is the time of processors that all its processes had, as far as somebody waited
	// for them; MaxRSS the most memory of one process, in bytes.
	CPU    time.Duration `json:"cpu"`
	MaxRSS int64         `json:"max_rss"`
	// Lines is how many lines the program wrote, Dropped about how many of these the log has
	// not: older ones that were rotated away, some that came too fast or found no room.
	Lines   int64 `json:"lines"`
	Dropped int64 `json:"dropped,omitempty"`

	Confinement Confinement `json:"confinement"`
}

// Errors of [Attach] and [Execution.Wait].
var (
	// ErrLost says that the shim of an execution has gone without a result: it was killed,
	// or the machine went down. Nothing of the program runs any more.
	ErrLost = errors.New("the execution was lost: the process that watched it has gone without a result")
	// ErrPorts says that this system does not tell whose a port is.
	ErrPorts = errors.New("this system does not tell whose a port is: ports of services are served on Linux only")
	// ErrNone says that nothing was started in a folder.
	ErrNone = errors.New("nothing was started here")
)
