package confine

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// Process is an init that has been started, and waits for its plan.
type Process struct {
	cmd     *exec.Cmd
	orders  *os.File
	reports *os.File
	decoder *json.Decoder
}

// Begin starts exe as an init in the namespaces that c says. What the program writes goes
// to stdout and stderr. The init dies with the calling thread, which the caller has locked,
// or at the latest when the process ends.
func Begin(exe string, c Confinement, stdout, stderr *os.File) (*Process, error) {
	ordersEnd, orders, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	reports, reportsEnd, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, orders.Close(), ordersEnd.Close())
	}
	cmd := exec.Command(exe, InitCommand) //nolint:noctx // it ends with its orders
	cmd.Dir, cmd.Env = "/", []string{"GOTRACEBACK=none"}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	cmd.ExtraFiles = []*os.File{ordersEnd, reportsEnd}
	cmd.SysProcAttr = spaces(c)
	err = cmd.Start()
	ordersEnd.Close()
	reportsEnd.Close()
	if err != nil {
		orders.Close()
		reports.Close()
		return nil, fmt.Errorf("start the first process of a program: %w", err)
	}
	return &Process{cmd, orders, reports, json.NewDecoder(io.LimitReader(reports, 1<<20))}, nil
}

// spaces are the namespaces of a confinement.
func spaces(c Confinement) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setsid: true}
	if c.Has(MountSpace) {
		attr.Cloneflags |= syscall.CLONE_NEWNS
	}
	if c.Has(PIDSpace) {
		// All of the namespace dies with it. Elsewhere it has to live a little longer than who
		// started it, and kill what it started.
		attr.Pdeathsig = syscall.SIGKILL
		attr.Cloneflags |= syscall.CLONE_NEWPID | syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS
	}
	if c.UserSpace && attr.Cloneflags != 0 {
		// The same ids as outside, so that files are whose they were; the capabilities count
		// inside only, and are gone before the program starts.
		attr.Cloneflags |= syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getuid(), HostID: os.Getuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getgid(), HostID: os.Getgid(), Size: 1}}
		attr.AmbientCaps = []uintptr{unix.CAP_SYS_ADMIN, unix.CAP_SETPCAP}
	}
	return attr
}

// PID is the process id of the init.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Go tells the init what to start.
func (p *Process) Go(plan Plan) error {
	if err := json.NewEncoder(p.orders).Encode(plan); err != nil {
		return fmt.Errorf("tell what to start: %w", err)
	}
	return nil
}

// Order gives an order, [OrderTerm] or [OrderKill].
func (p *Process) Order(order byte) { _, _ = p.orders.Write([]byte{order}) } // it may have ended

// Next waits for the next report; [io.EOF]: the init has ended.
func (p *Process) Next() (Report, error) {
	var r Report
	err := p.decoder.Decode(&r)
	return r, err
}

// Kill kills the init, and with a pid namespace all that is in it.
func (p *Process) Kill() { _ = p.cmd.Process.Kill() } // it may have ended

// Wait waits for the end of the init, after its last report.
func (p *Process) Wait() error {
	p.orders.Close()
	p.reports.Close()
	return p.cmd.Wait()
}
