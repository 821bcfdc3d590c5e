package confine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Rights of Landlock to a file; a folder has more.
const (
	toFile = unix.LANDLOCK_ACCESS_FS_EXECUTE | unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_READ_FILE |
		unix.LANDLOCK_ACCESS_FS_TRUNCATE | unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
	toRead  = unix.LANDLOCK_ACCESS_FS_EXECUTE | unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_READ_DIR
	toWrite = toRead | unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_TRUNCATE | unix.LANDLOCK_ACCESS_FS_REFER |
		unix.LANDLOCK_ACCESS_FS_REMOVE_DIR | unix.LANDLOCK_ACCESS_FS_REMOVE_FILE | unix.LANDLOCK_ACCESS_FS_MAKE_DIR |
		unix.LANDLOCK_ACCESS_FS_MAKE_REG | unix.LANDLOCK_ACCESS_FS_MAKE_FIFO | unix.LANDLOCK_ACCESS_FS_MAKE_SYM
	toDevice = unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
)

// landlockABI is the version of Landlock that the kernel has; 0 and why: none.
func landlockABI() (int, error) {
	v, _, e := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	switch {
	case errors.Is(e, unix.ENOSYS), errors.Is(e, unix.EOPNOTSUPP):
		return 0, errors.New("this kernel has no Landlock, or did not start with it: Linux 5.13 with lsm=landlock,… has it")
	case e != 0:
		return 0, fmt.Errorf("ask for landlock: %w", e)
	}
	return int(v), nil
}

// ruleset says what is denied unless a rule allows it, by what the kernel knows.
func ruleset(abi int) unix.LandlockRulesetAttr {
	a := unix.LandlockRulesetAttr{Handled_access_fs: unix.LANDLOCK_ACCESS_FS_MAKE_SYM<<1 - 1}
	for from, more := range map[int]uint64{2: unix.LANDLOCK_ACCESS_FS_REFER, 3: unix.LANDLOCK_ACCESS_FS_TRUNCATE,
		5: unix.LANDLOCK_ACCESS_FS_IOCTL_DEV, 9: unix.LANDLOCK_ACCESS_FS_RESOLVE_UNIX} {
		if abi >= from {
			a.Handled_access_fs |= more
		}
	}
	if abi >= scopeABI {
		a.Scoped = unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | unix.LANDLOCK_SCOPE_SIGNAL
	}
	return a
}

// scopeABI is the version of Landlock that keeps signals and abstract sockets in.
const scopeABI = 6

// Rule allows something of a path and what lies below it.
type rule struct {
	path   string
	rights uint64
}

// restrict puts the calling thread under Landlock. It must have no_new_privs.
func restrict(abi int, rules []rule) error {
	attr := ruleset(abi)
	// A kernel takes a longer struct than it knows as long as the rest is zero.
	r, _, e := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr), 0)
	if e != 0 {
		return fmt.Errorf("make landlock rules: %w", e)
	}
	set := int(r)
	defer unix.Close(set)
	for _, r := range rules {
		if err := addRule(set, r, attr.Handled_access_fs); err != nil {
			return err
		}
	}
	if _, _, e := unix.RawSyscall(unix.SYS_LANDLOCK_RESTRICT_SELF, uintptr(set), 0, 0); e != 0 {
		return fmt.Errorf("use landlock rules: %w", e)
	}
	return nil
}

func addRule(set int, r rule, handled uint64) error {
	fd, err := unix.Open(r.path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // nor will anybody see it
	}
	if err != nil {
		return fmt.Errorf("allow %s: %w", r.path, err)
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return fmt.Errorf("allow %s: %w", r.path, err)
	}
	rights := r.rights & handled
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		rights &= toFile
	}
	attr := unix.LandlockPathBeneathAttr{Allowed_access: rights, Parent_fd: int32(fd)}
	if _, _, e := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(set), unix.LANDLOCK_RULE_PATH_BENEATH, uintptr(unsafe.Pointer(&attr)), 0, 0, 0); e != 0 {
		return fmt.Errorf("allow %s: %w", r.path, os.NewSyscallError("landlock_add_rule", e))
	}
	return nil
}

// rules are what a program of the plan may do with files.
func (p *Plan) rules() []rule {
	private := resolvedAll(p.Private) // with a root of its own they are out of sight, too
	var out []rule
	for _, tree := range append(systemTrees(), "/proc") {
		for _, path := range carve(tree, private) {
			out = append(out, rule{path, toRead})
		}
	}
	for _, f := range systemFiles() {
		out = append(out, rule{f, toRead})
	}
	for _, d := range devices {
		out = append(out, rule{"/dev/" + d, toDevice})
	}
	for _, f := range p.Files {
		out = append(out, rule{f.Name, toRead})
	}
	out = append(out, rule{p.WorkDir, toWrite})
	if p.Root != "" {
		// What is in sight may be listed: nothing else is there.
		return append(out, rule{"/", unix.LANDLOCK_ACCESS_FS_READ_DIR}, rule{"/tmp", toWrite}, rule{"/var/tmp", toWrite}, rule{"/dev/shm", toWrite}, rule{AssetsDir, toRead})
	}
	for _, dir := range p.Shared {
		out = append(out, rule{dir, toRead})
	}
	for _, a := range p.Assets {
		out = append(out, rule{a.Path, toRead})
	}
	return append(out, rule{p.Tmp, toWrite})
}
