package confine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// probeTimeout bounds one try of the probe.
const probeTimeout = 10 * time.Second

// Probe finds out what holds for programs on this machine, by trying. exe is a program
// which calls [Init] when its first argument is [InitCommand]. It takes 20 to 100 ms.
func Probe(ctx context.Context, exe string) (Confinement, error) {
	// The init dies with the thread that started it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	dir, err := os.MkdirTemp("", "realm-job-probe-")
	if err != nil {
		return Confinement{}, fmt.Errorf("probe: %w", err)
	}
	defer os.RemoveAll(dir)
	c := Confinement{}
	c.expect()
	user := c.expectUser()
	if user != nil {
		defer user.Release()
	}
	for range len(c.Layers) + 1 {
		layer, err := c.try(ctx, exe, dir, user)
		if err == nil {
			return c, c.probeGroups()
		}
		if layer == "" || !c.Has(layer) {
			return c, fmt.Errorf("probe: %w", err)
		}
		c.without(layer, err)
	}
	return c, errors.New("probe: it does not come to an end")
}

// expect takes it that everything holds which the kernel says it has.
func (c *Confinement) expect() {
	var err error
	c.set(NoNewPrivs, nil, "")
	c.ABI, err = landlockABI()
	c.set(Landlock, err, "version "+strconv.Itoa(c.ABI))
	c.set(Signals, scoped(c.ABI), "")
	err = nil
	if !hasFilter {
		err = fmt.Errorf("realm has no filter for %s", runtime.GOARCH)
	}
	c.set(Seccomp, err, "")
	c.set(Rlimits, nil, "")
	c.set(Session, nil, "")
	c.set(MountSpace, nil, "")
	c.set(PIDSpace, nil, "")
	c.UserSpace = os.Geteuid() != 0
}

func scoped(abi int) error {
	if abi >= scopeABI {
		return nil
	}
	return errors.New("Linux 6.12 has it") //nolint:staticcheck // a name
}

// expectUser takes a user id when the node is root. Else the layer is none of the machine's.
func (c *Confinement) expectUser() *Lease {
	if os.Geteuid() != 0 {
		return nil
	}
	l, err := LeaseUser()
	c.set(OwnUser, err, "")
	return l
}

// without takes a layer out which does not hold.
func (c *Confinement) without(layer string, err error) {
	c.set(layer, err, "")
	switch layer {
	case Landlock:
		c.ABI = 0
		c.set(Signals, errors.New("there is no Landlock"), "")
	case PIDSpace: // the kernel makes all of them or none
		c.set(MountSpace, err, "")
	}
}

// try confines a thread as c says, and starts nothing. An error is of a layer, as a rule.
func (c *Confinement) try(ctx context.Context, exe, dir string, user *Lease) (string, error) {
	plan := Plan{Try: true, WorkDir: filepath.Join(dir, "work"), Tmp: filepath.Join(dir, "tmp"), Shm: filepath.Join(dir, "shm")}
	c.Apply(&plan, filepath.Join(dir, "root"))
	if plan.User == nil && c.Has(OwnUser) {
		plan.User = &User{user.ID}
	}
	for _, d := range []string{plan.WorkDir, plan.Tmp, plan.Shm, filepath.Join(dir, "root")} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return "", err
		}
	}
	p, err := Begin(exe, *c, nil, nil)
	if err != nil {
		return PIDSpace, explainSpaces(err)
	}
	stop := context.AfterFunc(ctx, p.Kill)
	defer stop()
	late := time.AfterFunc(probeTimeout, p.Kill)
	defer late.Stop()
	err = p.Go(plan)
	r, told := p.Next()
	ended := p.Wait()
	if r.Tried {
		return "", nil
	}
	if r.Failed != "" {
		return r.Layer, errors.New(r.Failed)
	}
	return "", cmp.Or(err, ctx.Err(), fmt.Errorf("the first process of a program says nothing: %w", errors.Join(told, ended)))
}

// explainSpaces says what is as a rule behind namespaces that cannot be made.
func explainSpaces(err error) error {
	switch {
	case errors.Is(err, unix.EPERM) && os.Geteuid() == 0:
		return errors.New("this container may not make namespaces: it lacks CAP_SYS_ADMIN")
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES), errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EUSERS):
		return fmt.Errorf("the node is not root, and this machine does not let others make user namespaces (%w)", err)
	}
	return err
}

// Apply puts the layers that hold into a plan. root is the empty folder for its root.
func (c *Confinement) Apply(p *Plan, root string) {
	p.ABI, p.Seccomp, p.PIDSpace = c.ABI, c.Has(Seccomp), c.Has(PIDSpace)
	if c.Has(MountSpace) {
		p.Root = root
	}
}

// probeGroups makes control groups, and removes them.
func (c *Confinement) probeGroups() error {
	g, why := MakeGroups("realm-job-probe-" + strconv.Itoa(os.Getpid()))
	for controller, err := range g.Limit(Caps{MemoryBytes: 1 << 30, PIDs: 1 << 10, CPUs: 1}) {
		why[controller] = err
	}
	for i, name := range []string{MemoryCap, PIDsCap, CPUCap} {
		c.set(name, why[controllers[i]], "")
	}
	return g.Remove()
}
