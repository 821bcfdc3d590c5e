package confine

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// Descriptors of the init.
const (
	fdOrders  = 3 // the plan as a line of JSON, then orders
	fdReports = 4
)

// Init is the first process of an execution; see the package's doc. It returns the exit
// code of the process.
func Init() int {
	reports := os.NewFile(fdReports, "reports")
	i := &initer{orders: bufio.NewReaderSize(os.NewFile(fdOrders, "orders"), 64<<10), tell: json.NewEncoder(reports)}
	CloseOnExec()
	// Caught, and not ignored: the program would inherit that.
	signal.Notify(make(chan os.Signal, 1))
	if err := i.run(); err != nil {
		r := Report{Failed: err.Error()}
		if of := (*layerError)(nil); errors.As(err, &of) {
			r.Layer = of.layer
		}
		if fault := (*ProgramError)(nil); errors.As(err, &fault) {
			r.Program = true
		}
		_ = i.tell.Encode(r) // who would hear it has gone, else
		return 1
	}
	return 0
}

// initer is the state of an init.
type initer struct {
	plan   Plan
	orders *bufio.Reader
	tell   *json.Encoder
	cell   *cell

	mu   sync.Mutex
	main int // process id of the program; 0: it has been waited for
}

func (i *initer) run() error {
	line, err := i.orders.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("read what to start: %w", err)
	}
	if err := json.Unmarshal(line, &i.plan); err != nil {
		return fmt.Errorf("read what to start: %w", err)
	}
	if err := i.stand(); err != nil {
		return err
	}
	if i.plan.Try {
		_, err := i.confine()
		if err != nil {
			return err
		}
		return i.tell.Encode(Report{Tried: true})
	}
	if i.main, err = i.confine(); err != nil {
		return err
	}
	go i.obey() // who started this may have gone: then there are no orders, and it kills
	_ = i.tell.Encode(Report{Started: i.main})
	return i.reap()
}

// stand makes this process what the plan's program is started from.
func (i *initer) stand() error {
	if i.plan.Root != "" {
		if err := enterRoot(&i.plan); err != nil {
			return in(MountSpace, err)
		}
	}
	if i.plan.PIDSpace {
		_ = unix.Sethostname([]byte("job")) // as it is, where the name has no namespace
	} else if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return in(Session, fmt.Errorf("adopt what the program leaves: %w", err))
	}
	return in(Rlimits, i.plan.Rlimits.apply())
}

// confine starts the program from a thread that is confined, and returns its process id.
func (i *initer) confine() (int, error) {
	// Whatever uses up memory, it is the program that has to go, and no daemon.
	score, _ := os.OpenFile("/proc/self/oom_score_adj", os.O_RDWR, 0)
	if score != nil {
		defer score.Close()
		_, _ = score.WriteString("1000") // it is a preference
	}
	i.cell = newCell(&i.plan)
	started := <-i.cell.started
	if score != nil {
		_, _ = score.WriteString("0")
	}
	if started.err != nil {
		return 0, started.err
	}
	// From now on the program may look for this process.
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return 0, fmt.Errorf("keep others from looking into the init: %w", err)
	}
	return started.pid, nil
}

// obey carries out orders until there are no more, and then kills.
func (i *initer) obey() {
	for {
		order, err := i.orders.ReadByte()
		switch {
		case err != nil:
			if !errors.Is(err, io.EOF) {
				_ = i.tell.Encode(Report{Failed: err.Error()})
			}
			i.cell.kill()
			return
		case order == OrderKill:
			i.cell.kill()
		case order == OrderTerm:
			i.mu.Lock()
			if i.main != 0 {
				_ = unix.Kill(-i.main, unix.SIGTERM) // it may have ended
			}
			i.mu.Unlock()
		}
	}
}

// reap waits for the program, kills what it leaves, and tells how it ended.
func (i *initer) reap() error {
	var status syscall.WaitStatus
	for {
		var st syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &st, 0, nil)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil {
			return fmt.Errorf("wait for the program: %w", err)
		}
		if pid == i.main {
			status = st
			break
		}
	}
	i.mu.Lock()
	i.main = 0
	i.mu.Unlock()
	for i.cell.kill(); ; {
		_, err := syscall.Wait4(-1, nil, 0, nil)
		if errors.Is(err, syscall.ECHILD) {
			break
		}
	}
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_CHILDREN, &used); err != nil {
		return fmt.Errorf("ask what was used: %w", err)
	}
	return i.tell.Encode(Report{Exited: true, Status: int(status), CPU: used.Utime.Nano() + used.Stime.Nano(), MaxRSS: used.Maxrss << 10})
}

// apply sets limits for this process and all that it starts.
func (l Rlimit) apply() error {
	set := map[int]uint64{syscall.RLIMIT_CORE: 0}
	if l.FileBytes > 0 {
		set[syscall.RLIMIT_FSIZE] = uint64(l.FileBytes)
	}
	if l.OpenFiles > 0 {
		set[syscall.RLIMIT_NOFILE] = uint64(l.OpenFiles)
	}
	if l.Processes > 0 {
		set[unix.RLIMIT_NPROC] = uint64(l.Processes)
	}
	for what, n := range set {
		var is syscall.Rlimit
		if err := syscall.Getrlimit(what, &is); err != nil {
			return fmt.Errorf("read limit %d: %w", what, err)
		}
		n = min(n, is.Max) // nobody but root may raise it
		if err := syscall.Setrlimit(what, &syscall.Rlimit{Cur: n, Max: n}); err != nil {
			return fmt.Errorf("limit %d to %d: %w", what, n, err)
		}
	}
	return nil
}
