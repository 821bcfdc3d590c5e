package shim

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/realm-mesh/realm/runnerd/internal/native"
	"github.com/realm-mesh/realm/runnerd/internal/native/confine"
)

// prepare makes what the program needs, and notes down what of it is to be removed.
func (s *shim) prepare() (confine.Plan, error) {
	spec, st := &s.spec, &s.state
	st.WorkDir, st.Confinement = spec.WorkDir, *spec.Machine
	p := confine.Plan{Argv: spec.Argv, WorkDir: spec.WorkDir, Assets: spec.Assets, Private: spec.Private,
		Files:   append([]string{spec.Argv[0]}, spec.Files...),
		Rlimits: confine.Rlimit{FileBytes: spec.Limits.DiskMB << 20, OpenFiles: spec.Limits.OpenFiles}}
	if err := s.user(&p); err != nil {
		return p, err
	}
	if err := s.folders(&p); err != nil {
		return p, err
	}
	if err := s.assets(&p); err != nil {
		return p, err
	}
	s.groups()
	s.limitProcesses(&p)
	p.Env = native.Environment(spec, p.Tmp, s.assetsDir(&p))
	if p.Root != "" {
		p.Env = native.Environment(spec, "/tmp", confine.AssetsDir)
	}
	if p.User == nil {
		return p, nil
	}
	for _, dir := range []string{p.WorkDir, p.Tmp, p.Shm} {
		if err := confine.Own(dir, p.User.ID, p.User.ID); err != nil {
			return p, err
		}
	}
	return p, nil
}

// user takes a user id for the program, where it gets one.
func (s *shim) user(p *confine.Plan) error {
	if !s.state.Confinement.Has(confine.OwnUser) {
		return nil
	}
	lease, err := confine.LeaseUser()
	if err != nil {
		return err
	}
	s.lease = lease
	s.state.User, p.User = lease.ID, &confine.User{ID: lease.ID}
	return nil
}

// folders makes /tmp, /dev/shm and the place of the root. With a root of its own the
// program sees them wherever they lie; else its user has to reach them.
func (s *shim) folders(p *confine.Plan) error {
	base := filepath.Join(s.spec.Dir, "private")
	s.state.Confinement.Apply(p, filepath.Join(base, "root"))
	if p.Root == "" && p.User != nil {
		base = filepath.Join(filepath.Dir(s.spec.WorkDir), name())
		if err := confine.Passable(s.spec.WorkDir, p.User.ID); err != nil {
			return err
		}
	}
	s.state.Temporary = []string{base}
	if err := os.RemoveAll(base); err != nil {
		return err
	}
	p.Tmp, p.Shm = filepath.Join(base, "tmp"), filepath.Join(base, "shm")
	for _, dir := range []string{base, p.Tmp, p.Shm, filepath.Join(base, "assets"), filepath.Join(base, "root")} {
		mode := os.FileMode(0o711)
		if dir == p.Tmp || dir == p.Shm {
			mode = 0o700
		}
		if err := os.Mkdir(dir, mode); err != nil {
			return fmt.Errorf("make the program's folders: %w", err)
		}
		if err := os.Chmod(dir, mode); err != nil {
			return fmt.Errorf("make the program's folders: %w", err)
		}
	}
	return nil
}

func (s *shim) assetsDir(p *confine.Plan) string { return filepath.Join(filepath.Dir(p.Tmp), "assets") }

// assets puts the assets, without a root of its own, into a folder: as links where the
// program may follow these, else as copies. So too its files.
func (s *shim) assets(p *confine.Plan) error {
	if p.Root != "" {
		return nil
	}
	dir := s.assetsDir(p)
	p.Shared = []string{dir}
	for i, a := range p.Assets {
		to := filepath.Join(dir, a.Name)
		if err := s.place(p, a.Path, to); err != nil {
			return fmt.Errorf("asset %s: %w", a.Name, err)
		}
		if link, err := os.Readlink(to); err != nil || link != a.Path {
			p.Assets[i].Path = to
		}
	}
	if p.User == nil {
		return nil
	}
	for i, f := range p.Files {
		if confine.Passable(f, p.User.ID) == nil {
			continue
		}
		to := filepath.Join(filepath.Dir(dir), fmt.Sprintf("%d-%s", i, filepath.Base(f)))
		if err := copyFile(f, to); err != nil {
			return fmt.Errorf("give the program %s: %w", f, err)
		}
		p.Files[i] = to
		p.Argv = slices.Clone(p.Argv)
		for n, arg := range p.Argv {
			if arg == f {
				p.Argv[n] = to
			}
		}
	}
	return nil
}

func (s *shim) place(p *confine.Plan, from, to string) error {
	if p.User == nil || confine.Passable(from, p.User.ID) == nil {
		return os.Symlink(from, to)
	}
	return copyFile(from, to)
}

// copyFile copies a file for others to read, and to execute where somebody may.
func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	mode := os.FileMode(0o444)
	if info.Mode()&0o111 != 0 {
		mode = 0o555
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Chmod(mode), out.Close())
}

// groups makes the control groups, as far as the machine has them.
func (s *shim) groups() {
	c, l := &s.state.Confinement, s.spec.Limits
	if !c.Has(confine.MemoryCap) && !c.Has(confine.PIDsCap) && !c.Has(confine.CPUCap) {
		return
	}
	groups, why := confine.MakeGroups(name())
	s.state.Groups = groups
	// The init and its threads are in the group, too.
	caps := confine.Caps{CPUs: l.CPUs, PIDs: l.PIDs + initThreads}
	if l.MemoryMB > 0 {
		caps.MemoryBytes = l.MemoryMB<<20 + initMemory
	}
	for controller, err := range groups.Limit(caps) {
		why[controller] = err
	}
	for controller, layer := range map[string]string{"memory": confine.MemoryCap, "pids": confine.PIDsCap, "cpu": confine.CPUCap} {
		if err := why[controller]; err != nil {
			c.Lose(layer, err)
		}
	}
}

// What the init has of its own.
const (
	initThreads = 24
	initMemory  = 24 << 20
)

// limitProcesses has the kernel count a user's processes: its own user's, or those of the
// user namespace, or else all that the node's user has.
func (s *shim) limitProcesses(p *confine.Plan) {
	n := s.spec.Limits.PIDs
	switch c := s.state.Confinement; {
	case p.User != nil:
	case os.Geteuid() == 0:
		return // the limit does not bind root
	case c.UserSpace && c.Has(confine.PIDSpace):
		n += initThreads
	default:
		n += confine.CountUser(os.Getuid()) + initThreads
	}
	p.Rlimits.Processes = n
}

// clean ends and removes all that is left of the execution.
func (s *shim) clean() error {
	confine.KillChildren(os.Getpid())
	reap()
	err := s.state.Clean()
	if s.lease != nil {
		s.lease.Release()
	}
	return err
}
