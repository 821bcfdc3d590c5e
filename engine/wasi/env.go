package wasi

import (
	"context"
	"crypto/rand"
	"io"
	"time"

	"github.com/realm-mesh/realm/engine/mount"
)

// Env is what a guest has of its host. The zero Env is a host that gives nothing but
// clocks and random numbers.
type Env struct {
	Args []string // the first is the program's name
	Vars []Var

	// Stdin is read by a goroutine of the guest's, which [Guest.Close] waits for. If it is
	// an [io.Closer] it is closed then, and must thereby end a Read that waits.
	Stdin io.Reader
	// Stdout and Stderr are written to within Idle. A guest whose context ends goes on
	// when Write returns.
	Stdout, Stderr io.Writer

	Mounts []Mount // without any there is no file system
	Sender Sender  // of requests; without one they are denied

	// Now is the time; nil: [time.Now]. Rand is where random bytes are from; nil: the system.
	Now  func() time.Time
	Rand io.Reader

	// Idle calls wait, once, which waits for something else than the guest's own work: a
	// guest gives up its turn meanwhile. Nil: wait is just called.
	Idle func(ctx context.Context, wait func())
	// Work is told of work on the host: of n bytes to be moved, or something as long as
	// that. Its error ends the guest. Nil: work costs nothing.
	Work func(ctx context.Context, n uint64) error

	Limits Limits
}

// Var is an environment variable.
type Var struct{ Name, Value string }

// Mount is a folder of the host, and where a guest sees it. The guest opens views of it;
// the folder must outlive the guest.
type Mount struct {
	Guest  string // absolute path, with slashes
	Folder *mount.Folder
}

// Limits bound what a guest may have of the host. A limit of 0 is that of [DefaultLimits].
type Limits struct {
	Resources   int // that it holds at a time
	FieldsBytes int // of names and values in one set of headers or trailers
	FieldsTotal int // of those in all that it holds, and of paths and authorities
	PipeBytes   int // waiting in one direction of a body or stream
	Requests    int // of its own under way at a time
	Unsent      int // bodies of requests and responses that it writes before it sends them
}

// DefaultLimits are far from what programs need, and near to what a host can spare.
var DefaultLimits = Limits{
	Resources:   16 << 10,
	FieldsBytes: 64 << 10,
	FieldsTotal: 4 << 20,
	PipeBytes:   64 << 10,
	Requests:    64,
	Unsent:      256,
}

func (l Limits) orDefault() Limits {
	for _, f := range []struct {
		is  *int
		def int
	}{
		{&l.Resources, DefaultLimits.Resources}, {&l.FieldsBytes, DefaultLimits.FieldsBytes},
		{&l.FieldsTotal, DefaultLimits.FieldsTotal}, {&l.PipeBytes, DefaultLimits.PipeBytes},
		{&l.Requests, DefaultLimits.Requests},
		{&l.Unsent, DefaultLimits.Unsent},
	} {
		if *f.is <= 0 {
			*f.is = f.def
		}
	}
	return l
}

const (
	// maxMove is the most that one call moves, whatever the guest asks for.
	maxMove = 64 << 10
	// maxPollables is the most that one call waits for.
	maxPollables = 16 << 10
	// maxRandom is the most random bytes of one call, which cannot return fewer.
	maxRandom = 1 << 20
	// maxText is the longest name, path or address of a guest.
	maxText = 16 << 10
	// callWork is what a call costs that moves no bytes to speak of.
	callWork = 512
)

// withDefaults fills in what may be left out.
func (e Env) withDefaults() Env {
	if e.Now == nil {
		e.Now = time.Now
	}
	if e.Rand == nil {
		e.Rand = rand.Reader
	}
	if e.Idle == nil {
		e.Idle = func(_ context.Context, wait func()) { wait() }
	}
	if e.Work == nil {
		e.Work = func(context.Context, uint64) error { return nil }
	}
	e.Limits = e.Limits.orDefault()
	return e
}
