package shim

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
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
	p := confine.Plan{Argv: spec.Argv, WorkDir: spec.WorkDir, Cwd: filepath.Join(spec.WorkDir, spec.Cwd), Assets: spec.Assets, Private: spec.Private,
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
	tmp := p.Tmp
	st.Assets = s.assetsDir(&p)
	if p.Root != "" {
		tmp, st.Assets = "/tmp", confine.AssetsDir
	}
	p.Env = native.Environment(spec, tmp, st.Assets)
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

// assets sees to it that the program can read its assets and files: those that its user
// may not are copied. Without a root of its own the assets are links in a folder.
func (s *shim) assets(p *confine.Plan) error {
	dir := s.assetsDir(p)
	p.Assets = slices.Clone(p.Assets)
	for i, a := range p.Assets {
		to := filepath.Join(dir, a.Name)
		switch open := s.open(p, a.Path); {
		case open && p.Root == "":
			if err := os.Symlink(a.Path, to); err != nil {
				return fmt.Errorf("asset %s: %w", a.Name, err)
			}
		case !open:
			if err := copyFile(a.Path, to); err != nil {
				return fmt.Errorf("asset %s: %w", a.Name, err)
			}
			p.Assets[i].Path = to
		}
	}
	if p.Root == "" {
		p.Shared = []string{dir}
	}
	return s.files(p)
}

func (s *shim) files(p *confine.Plan) error {
	for i, f := range append([]string{s.spec.Argv[0]}, s.spec.Files...) {
		file := confine.Asset{Name: f, Path: f}
		if !s.open(p, f) {
			file.Path = filepath.Join(filepath.Dir(p.Tmp), fmt.Sprintf("%d-%s", i, filepath.Base(f)))
			if err := copyFile(f, file.Path); err != nil {
				return fmt.Errorf("give the program %s: %w", f, err)
			}
			if p.Root == "" { // then it cannot be seen where it was
				file.Name = file.Path
				p.Argv = slices.Clone(p.Argv)
				for n, arg := range p.Argv {
					if arg == f {
						p.Argv[n] = file.Path
					}
				}
			}
		}
		p.Files = append(p.Files, file)
	}
	return nil
}

// open reports whether the program's user can read a file where it is.
func (s *shim) open(p *confine.Plan, path string) bool {
	if p.User == nil || within(p.WorkDir, path) {
		return true // the folder becomes the user's
	}
	info, err := os.Stat(path)
	if err != nil {
		return true // it says so itself when it is started
	}
	need := os.FileMode(0o004)
	if info.Mode()&0o111 != 0 {
		need = 0o005
	}
	return info.Mode()&need == need && (p.Root != "" || confine.Passable(path, p.User.ID) == nil)
}

func within(folder, path string) bool {
	rel, err := filepath.Rel(folder, path)
	return err == nil && filepath.IsLocal(rel)
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

// loseGroups goes on without control groups: limits are watched from here.
func (s *shim) loseGroups(err error) {
	for _, layer := range []string{confine.MemoryCap, confine.PIDsCap, confine.CPUCap} {
		s.state.Confinement.Lose(layer, err)
	}
	if err := s.state.Groups.Remove(); err != nil {
		s.log.Warn("control groups are left", slog.Any("reason", err))
	}
	s.state.Groups = confine.Groups{}
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
