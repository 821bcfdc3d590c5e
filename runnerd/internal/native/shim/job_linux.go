package shim

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"github.com/realm-mesh/realm/internal/kit/disk"
	"github.com/realm-mesh/realm/runnerd/internal/native"
	"github.com/realm-mesh/realm/runnerd/internal/native/confine"
)

// confined is a job whose first process is package confine's init.
type confined struct {
	s     *shim
	init  *confine.Process
	done  chan ended
	watch []string // folders whose size counts
	cap   bool     // the kernel watches the memory
}

// begin starts the program of a Spec.
func (s *shim) begin() (job, error) {
	confine.CloseOnExec()
	if err := confine.Adopt(); err != nil {
		return nil, fmt.Errorf("adopt what the program leaves: %w", err)
	}
	plan, err := s.prepare()
	if err != nil {
		return nil, errors.Join(err, s.clean())
	}
	j := &confined{s: s, done: make(chan ended, 1), watch: []string{plan.WorkDir, plan.Tmp, plan.Shm},
		cap: s.state.Confinement.Has(confine.MemoryCap)}
	if err := j.start(plan); err != nil {
		return nil, errors.Join(err, s.clean())
	}
	return j, nil
}

// start starts the init, writes down that there is one, and tells it to go on.
func (j *confined) start(plan confine.Plan) error {
	exe, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	stdout, err := j.s.out.pipe("stdout")
	if err != nil {
		return err
	}
	defer stdout.Close()
	stderr, err := j.s.out.pipe("stderr")
	if err != nil {
		return err
	}
	defer stderr.Close()
	if plan.User != nil {
		// A program may open its output anew, as /dev/stderr.
		if err := errors.Join(stdout.Chown(plan.User.ID, plan.User.ID), stderr.Chown(plan.User.ID, plan.User.ID)); err != nil {
			return fmt.Errorf("give the program its output: %w", err)
		}
	}
	if j.init, err = confine.Begin(exe, j.s.state.Confinement, stdout, stderr); err != nil {
		return err
	}
	if err := j.goOn(plan); err != nil {
		j.init.Kill()
		_ = j.init.Wait() // it was killed
		return err
	}
	return nil
}

func (j *confined) goOn(plan confine.Plan) error {
	st := &j.s.state
	st.Init = j.init.PID()
	st.Began = confine.Began(st.Init)
	if err := st.Groups.Add(st.Init); err != nil {
		j.s.loseGroups(err)
		j.cap = false
	}
	if err := native.WriteState(j.s.spec.Dir, *st); err != nil {
		return err
	}
	if err := j.init.Go(plan); err != nil {
		return err
	}
	r, err := j.init.Next()
	if err != nil {
		return fmt.Errorf("the first process of the program ended: %w", err)
	}
	switch {
	case r.Failed == "":
	case r.Program:
		return &native.ProgramError{Reason: r.Failed}
	default:
		return errors.New(r.Failed)
	}
	go j.hear()
	return nil
}

// hear waits for the report of the init, and its end.
func (j *confined) hear() {
	var e ended
	r, err := j.init.Next()
	for err == nil && !r.Exited {
		r, err = j.init.Next()
	}
	if err != nil && !errors.Is(err, io.EOF) {
		e.failed = err.Error()
	}
	ended := j.init.Wait()
	if !r.Exited {
		e.code, e.failed = -1, fmt.Sprintf("its first process was killed (%v)", ended)
		j.done <- e
		return
	}
	status := syscall.WaitStatus(r.Status)
	e.code = status.ExitStatus()
	if status.Signaled() {
		e.code, e.signal = -1, status.Signal().String()
	}
	e.cpu, e.maxRSS = time.Duration(r.CPU), r.MaxRSS
	j.done <- e
}

func (j *confined) ended() <-chan ended { return j.done }
func (j *confined) term()               { j.init.Order(confine.OrderTerm) }

func (j *confined) kill(force bool) {
	if !force {
		j.init.Order(confine.OrderKill)
		return
	}
	j.init.Kill()
	j.s.state.Groups.Kill()
}

func (j *confined) excess() (native.Ending, string) {
	l := j.s.spec.Limits
	if how, why := j.verdict(); how != "" {
		return how, why
	}
	if l.MemoryMB > 0 && !j.cap && confine.Resident(j.init.PID()) > l.MemoryMB<<20 {
		return tooMuchMemory(l.MemoryMB)
	}
	used, err := confine.DiskUsage(l.DiskMB<<20, j.watch...)
	if errors.Is(err, confine.ErrTooDeep) {
		return native.Disk, err.Error()
	}
	used += confine.OpenDeleted(j.init.PID())
	if l.DiskMB > 0 && used > l.DiskMB<<20 {
		return native.Disk, fmt.Sprintf("it wrote more than its limit of %d MB", l.DiskMB)
	}
	if free, err := disk.Free(j.s.spec.WorkDir); err == nil && free < disk.ReserveBulk && used > disk.ReserveState {
		return native.Disk, "the disk of the node is nearly full, and it has a part in that"
	}
	return "", ""
}

func (j *confined) verdict() (native.Ending, string) {
	if j.cap && j.s.state.Groups.OutOfMemory() {
		return tooMuchMemory(j.s.spec.Limits.MemoryMB)
	}
	return "", ""
}

func tooMuchMemory(mb int64) (native.Ending, string) {
	return native.Memory, fmt.Sprintf("it had more memory than its limit of %d MB", mb)
}

// name is one that no other execution has had.
func name() string { return "realm-job-" + rand.Text() }
