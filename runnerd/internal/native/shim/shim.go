package shim

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"github.com/realm-mesh/realm/internal/kit/lockfile"
	"github.com/realm-mesh/realm/runnerd/internal/native"
	"github.com/realm-mesh/realm/runnerd/internal/native/confine"
)

// maxOrders bounds what the shim is told, in bytes.
const maxOrders = 32 << 20

// Main runs one execution: its Spec comes by in, and out is told once that it runs, or
// why not. It returns the exit code of the process.
func Main(in io.Reader, out io.WriteCloser) int {
	runtime.LockOSThread() // the program's first process dies with this thread
	signal.Ignore(syscall.SIGHUP, syscall.SIGPIPE, syscall.SIGINT)
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	s := &shim{log: log, ready: out}
	if err := json.NewDecoder(io.LimitReader(in, maxOrders)).Decode(&s.spec); err != nil {
		log.Error("the orders cannot be read", slog.Any("reason", err))
		return 1
	}
	if err := s.run(); err != nil {
		log.Error("an execution failed", slog.Any("reason", err))
		var fault *native.ProgramError
		s.tell(native.Ready{Failed: err.Error(), Program: errors.As(err, &fault)})
		return 1
	}
	return 0
}

// shim is one execution.
type shim struct {
	spec  native.Spec
	state native.State
	log   *slog.Logger
	ready io.WriteCloser // nil: it has been told
	out   *output
	lease *confine.Lease     // on the program's user id; nil: it has none of its own
	stops chan time.Duration // grace of each request to stop
}

// tell says once to who started this how it went.
func (s *shim) tell(r native.Ready) {
	if s.ready == nil {
		return
	}
	_ = json.NewEncoder(s.ready).Encode(r) // it may have gone: the execution goes on
	s.ready.Close()
	s.ready = nil
}

func (s *shim) run() error {
	lock, err := lockfile.Try(native.LockPath(s.spec.Dir))
	if err != nil {
		return fmt.Errorf("start a program: %w", err)
	}
	defer lock.Release()
	ln, err := native.Listen(s.spec.Dir)
	if err != nil {
		return err
	}
	s.stops = make(chan time.Duration, 1)
	control := newControl(ln, s.stops)
	go control.serve()
	terms := make(chan os.Signal, 1)
	signal.Notify(terms, syscall.SIGTERM) // the machine goes down
	go func() {
		for range terms {
			s.stop(s.spec.Grace)
		}
	}()
	s.out = newOutput(native.LogPath(s.spec.Dir), control.grown, s.log)
	result, err := s.execute()
	// Who sees the end of the stream finds the result: the socket goes last.
	defer control.close()
	defer os.Remove(native.SocketPath(s.spec.Dir))
	if err != nil {
		result = native.Result{Ending: native.Failed, Reason: err.Error(), Code: -1, Started: s.state.Started, Ended: time.Now().UTC()}
	}
	result.Confinement = s.state.Confinement
	return errors.Join(err, native.WriteResult(s.spec.Dir, result))
}

// stop asks the goroutine that decides to end the program.
func (s *shim) stop(grace time.Duration) {
	select {
	case s.stops <- grace:
	default: // it is asked already
	}
}

// execute runs the program, and leaves nothing of it.
func (s *shim) execute() (r native.Result, err error) {
	s.state.Started = time.Now().UTC()
	s.state.PID = os.Getpid()
	j, err := s.begin()
	if err != nil {
		return r, errors.Join(err, s.out.end())
	}
	s.tell(native.Ready{State: s.state})
	r = s.watch(j)
	err = s.clean()
	if err != nil {
		s.log.Warn("something of an execution is left", slog.Any("reason", err))
	}
	if err := s.out.end(); err != nil {
		s.log.Warn("its output was not read to the end", slog.Any("reason", err))
	}
	r.Started, r.Ended = s.state.Started, time.Now().UTC()
	r.Lines, r.Dropped = s.out.count()
	return r, nil
}
