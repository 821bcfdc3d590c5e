package confine

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// A cell is a thread that is confined like the program, which it starts. It stays for one
// thing: a signal that it sends to all reaches no others than those that are confined with
// it, and these all at once, however fast they multiply.
type cell struct {
	started chan start
	kills   chan chan struct{}
	plan    *Plan
	reach   bool // signals to all reach nobody outside
}

type start struct {
	pid int
	err error
}

// behindDaemons is how nice programs are to the node that runs them.
const behindDaemons = 10

// newCell starts the program of a plan.
func newCell(p *Plan) *cell {
	c := &cell{started: make(chan start, 1), kills: make(chan chan struct{}), plan: p,
		reach: p.PIDSpace || p.User != nil || p.ABI >= scopeABI}
	go c.run()
	return c
}

// run owns the thread, which ends with the process.
func (c *cell) run() {
	runtime.LockOSThread()
	pid, err := c.start()
	c.started <- start{pid, err}
	for done := range c.kills {
		if c.reach {
			_ = unix.Kill(-1, unix.SIGKILL) // nobody is left
		}
		close(done)
	}
}

// kill kills the program and all that it has started.
func (c *cell) kill() {
	done := make(chan struct{})
	c.kills <- done
	<-done
	if !c.reach {
		KillChildren(os.Getpid())
	}
}

func (c *cell) start() (int, error) {
	p := c.plan
	_ = unix.Setpriority(unix.PRIO_PROCESS, 0, behindDaemons) // of this thread; it is a preference
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return 0, in(NoNewPrivs, fmt.Errorf("set no_new_privs: %w", err))
	}
	if p.ABI > 0 {
		if err := restrict(p.ABI, p.rules()); err != nil {
			return 0, in(Landlock, err)
		}
	}
	if err := dropUser(p.User); err != nil {
		return 0, in(OwnUser, err)
	}
	if p.Seccomp {
		if err := useFilter(); err != nil {
			return 0, in(Seccomp, err)
		}
	}
	if p.Try {
		return 0, nil
	}
	pid, err := syscall.ForkExec(p.Argv[0], p.Argv, &syscall.ProcAttr{
		Dir: p.Cwd, Env: p.Env, Files: []uintptr{0, 1, 2}, Sys: &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		err := fmt.Errorf("start %s: %w%s", p.Argv[0], err, hint(err))
		if scarce(err) {
			return 0, err
		}
		return 0, &ProgramError{err.Error()}
	}
	return pid, nil
}

// scarce reports whether the machine lacked something to start a program.
func scarce(err error) bool {
	for _, lack := range []error{syscall.EAGAIN, syscall.ENOMEM, syscall.EMFILE, syscall.ENFILE, syscall.ENOSPC, syscall.EIO, syscall.EPERM} {
		if errors.Is(err, lack) {
			return true
		}
	}
	return false
}

// hint says what is as a rule behind a program that does not start.
func hint(err error) string {
	switch {
	case errors.Is(err, syscall.ENOENT):
		return " (the file, or the interpreter that it names, is not among what the program may see)"
	case errors.Is(err, syscall.ENOEXEC):
		return " (it is no program for this machine)"
	case errors.Is(err, syscall.EACCES):
		return " (it is not executable, or lies in a folder that the program may not pass)"
	case errors.Is(err, syscall.E2BIG):
		return " (its arguments and environment are too long)"
	}
	return ""
}

// killAs kills all that a user may. It takes a thread along.
func killAs(id uintptr) error {
	runtime.LockOSThread() // not unlocked: the thread ends with its goroutine
	if unix.Gettid() == os.Getpid() {
		// The first thread does not end, and the process would be the user's from then on in
		// the eyes of others. It is held here, so that another one is taken.
		defer runtime.UnlockOSThread()
		failed := make(chan error)
		go func() { failed <- killAs(id) }()
		return <-failed
	}
	if _, _, e := unix.RawSyscall(unix.SYS_SETRESUID, id, id, id); e != 0 {
		return fmt.Errorf("kill the processes of user %d: %w", id, e)
	}
	if err := unix.Kill(-1, unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("kill the processes of user %d: %w", id, err)
	}
	return nil
}
