package confine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// A root is the file system that a program sees, while it is being built.
type root struct {
	dir  string // where it is mounted
	plan *Plan
}

// enterRoot builds the root of a plan in this process's mount namespace and makes it the
// root of the process.
func enterRoot(p *Plan) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("keep mounts private: %w", err)
	}
	if err := unix.Mount("tmpfs", p.Root, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=755,size=4m"); err != nil {
		return fmt.Errorf("mount a root: %w", err)
	}
	r := &root{p.Root, p}
	for _, step := range []func() error{r.system, r.devices, r.proc, r.scratch, r.hide, r.own, r.assets, r.enter} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (r *root) at(path string) string { return filepath.Join(r.dir, path) }

// system shows the system's own folders.
func (r *root) system() error {
	for _, p := range systemTrees() {
		info, err := os.Lstat(p)
		if err != nil {
			continue // it was there a moment ago
		}
		if info.Mode()&fs.ModeSymlink != 0 {
			to, err := os.Readlink(p)
			if err != nil {
				return fmt.Errorf("show %s: %w", p, err)
			}
			if err := os.MkdirAll(filepath.Dir(r.at(p)), 0o755); err != nil {
				return fmt.Errorf("show %s: %w", p, err)
			}
			if err := os.Symlink(to, r.at(p)); err != nil {
				return fmt.Errorf("show %s: %w", p, err)
			}
			continue
		}
		if err := r.bind(p, p, false); err != nil {
			return err
		}
	}
	for _, f := range systemFiles() {
		if err := r.bind(f, f, false); err != nil {
			return err
		}
	}
	return nil
}

func (r *root) devices() error {
	for _, d := range devices {
		if err := r.bindDevice("/dev/" + d); err != nil {
			return err
		}
	}
	for link, to := range map[string]string{"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"} {
		if err := os.Symlink(to, r.at("/dev/"+link)); err != nil {
			return fmt.Errorf("make devices: %w", err)
		}
	}
	return r.bind(r.plan.Shm, "/dev/shm", true)
}

// proc shows the processes of the pid namespace, where there is one, or else those of the
// machine: Landlock and the user id keep what is in them.
func (r *root) proc() error {
	if !r.plan.PIDSpace {
		return r.bind("/proc", "/proc", false)
	}
	if err := os.MkdirAll(r.at("/proc"), 0o555); err != nil {
		return fmt.Errorf("make /proc: %w", err)
	}
	if err := unix.Mount("proc", r.at("/proc"), "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	return nil
}

func (r *root) scratch() error {
	if err := r.bind(r.plan.Tmp, "/tmp", true); err != nil {
		return err
	}
	return r.bind(r.plan.Tmp, "/var/tmp", true)
}

// hide covers what is private in the folders that are shown.
func (r *root) hide() error {
	for _, p := range resolvedAll(r.plan.Private) {
		if !inTrees(p) {
			continue
		}
		info, err := os.Lstat(r.at(p))
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return fmt.Errorf("hide %s: %w", p, err)
		case info.IsDir():
			err = unix.Mount("tmpfs", r.at(p), "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=711,size=64k")
		case info.Mode()&fs.ModeSymlink == 0:
			err = unix.Mount("/dev/null", r.at(p), "", unix.MS_BIND, "")
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("hide %s: %w", p, err)
		}
	}
	return nil
}

// own shows the working folder and the program.
func (r *root) own() error {
	if err := r.bind(r.plan.WorkDir, r.plan.WorkDir, true); err != nil {
		return err
	}
	for _, f := range r.plan.Files {
		if at := f.Name; at == f.Path && (inTrees(at) && !r.hidden(at) || within(r.plan.WorkDir, at)) {
			continue // it is in sight
		}
		if err := r.bind(f.Path, f.Name, false); err != nil {
			return err
		}
	}
	return nil
}

func (r *root) hidden(path string) bool {
	for _, p := range resolvedAll(r.plan.Private) {
		if within(p, path) {
			return true
		}
	}
	return false
}

func (r *root) assets() error {
	dir := r.at(AssetsDir)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make assets: %w", err)
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=755,size=256k"); err != nil {
		return fmt.Errorf("make assets: %w", err)
	}
	for _, a := range r.plan.Assets {
		if err := r.bind(a.Path, filepath.Join(AssetsDir, a.Name), false); err != nil {
			return err
		}
	}
	return readOnly(dir, 0)
}

// bind shows a host's path at another one: to be written, or read alone.
func (r *root) bind(from, to string, write bool) error {
	if err := r.point(from, to); err != nil {
		return fmt.Errorf("show %s: %w", to, err)
	}
	at := r.at(to)
	if err := unix.Mount(from, at, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("show %s: %w", to, err)
	}
	attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV}
	if !write {
		attr.Attr_set |= unix.MOUNT_ATTR_RDONLY
	}
	if err := unix.MountSetattr(unix.AT_FDCWD, at, unix.AT_RECURSIVE, &attr); err != nil {
		return fmt.Errorf("show %s: set what holds for it: %w", to, err)
	}
	return nil
}

// bindDevice is bind for a device, which must stay one.
func (r *root) bindDevice(path string) error {
	if _, err := os.Stat(path); err != nil {
		return nil //nolint:nilerr // a small container may not have it
	}
	if err := r.point(path, path); err != nil {
		return fmt.Errorf("show %s: %w", path, err)
	}
	if err := unix.Mount(path, r.at(path), "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("show %s: %w", path, err)
	}
	return nil
}

// point makes what from can be mounted on.
func (r *root) point(from, to string) error {
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	at := r.at(to)
	if info.IsDir() {
		return os.MkdirAll(at, 0o755)
	}
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(at, os.O_CREATE|os.O_RDONLY, 0o444)
	if err != nil {
		return err
	}
	return f.Close()
}

// enter makes it the root of this process, and lets the one before go.
func (r *root) enter() error {
	if err := readOnly(r.dir, 0); err != nil {
		return err
	}
	if err := unix.Chdir(r.dir); err != nil {
		return fmt.Errorf("enter the root: %w", err)
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("enter the root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("leave the root before: %w", err)
	}
	return unix.Chdir("/")
}

func readOnly(path string, flags uint) error {
	attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}
	if err := unix.MountSetattr(unix.AT_FDCWD, path, flags, &attr); err != nil {
		return fmt.Errorf("make %s read-only: %w", strconv.Quote(path), err)
	}
	return nil
}
