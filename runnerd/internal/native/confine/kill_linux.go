package confine

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// process is what /proc says of one.
type process struct {
	pid, parent int
	state       byte
	began       uint64 // ticks since the machine started; with the id it names a process
}

// processes are all that there are now.
func processes() []process {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1) // as far as it can be read
	var out []process
	for _, n := range names {
		if pid, err := strconv.Atoi(n); err == nil {
			if p, ok := readProcess(pid); ok {
				out = append(out, p)
			}
		}
	}
	return out
}

func readProcess(pid int) (process, bool) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return process{}, false
	}
	// The second field is a name in brackets, which may hold anything.
	f := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
	if len(f) < 20 {
		return process{}, false
	}
	parent, err := strconv.Atoi(string(f[1]))
	if err != nil {
		return process{}, false
	}
	began, err := strconv.ParseUint(string(f[19]), 10, 64)
	return process{pid, parent, f[0][0], began}, err == nil
}

// Below returns the ids of the processes that descend from pid, and are not dead.
func Below(pid int) (out []int) {
	for _, p := range below(pid) {
		out = append(out, p.pid)
	}
	return out
}

// below returns the processes that descend from pid, and are not dead.
func below(pid int) []process {
	all := processes()
	in := map[int]bool{pid: true}
	for more := true; more; {
		more = false
		for _, p := range all {
			if in[p.parent] && !in[p.pid] {
				in[p.pid], more = true, true
			}
		}
	}
	var out []process
	for _, p := range all {
		if in[p.pid] && p.pid != pid && p.state != 'Z' && p.state != 'X' {
			out = append(out, p)
		}
	}
	return out
}

// KillChildren kills all that descends from pid, which must adopt orphans, and returns
// when nothing is left, or after so many rounds that somebody starts more than can be killed.
func KillChildren(pid int) {
	for range 1000 {
		left := below(pid)
		if len(left) == 0 {
			return
		}
		for _, p := range left {
			_ = unix.Kill(p.pid, unix.SIGSTOP) // so that it starts no more meanwhile
		}
		for _, p := range left {
			_ = unix.Kill(p.pid, unix.SIGKILL)
		}
	}
}

// Began tells processes with the same id apart: when a process began, in ticks since the
// machine started; 0: there is none.
func Began(pid int) uint64 {
	p, ok := readProcess(pid)
	if !ok || p.state == 'Z' || p.state == 'X' {
		return 0
	}
	return p.began
}

// KillAwait kills the process pid that began then, and returns when it has ended. The first
// process of a pid namespace ends after all others in it.
func KillAwait(pid int, began uint64, within time.Duration) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil { // a kernel before 5.3, or one that does not let us
		_ = unix.Kill(pid, unix.SIGKILL) // it may have ended
		return fmt.Errorf("await the end of process %d, which was killed: %w", pid, err)
	}
	defer unix.Close(fd)
	// A leader is a zombie while threads of its go on, so that its state does not count.
	if p, ok := readProcess(pid); !ok || p.began != began {
		return nil // the number is another one's by now
	}
	if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("kill process %d: %w", pid, err)
	}
	for deadline := time.Now().Add(within); ; {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(max(0, time.Until(deadline)).Milliseconds()))
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return fmt.Errorf("await the end of process %d: %w", pid, err)
		case n == 0:
			return fmt.Errorf("process %d has not ended %s after it was killed", pid, within)
		default:
			return nil
		}
	}
}

// KillMarked kills the processes of this process's user that have a variable in the
// environment that they were started with, and returns when there are none. It finds what
// does not hide: the last resort where an execution had no namespace, group or user of its
// own, and both processes that watched it are gone.
func KillMarked(variable string) {
	for range 1000 {
		found := false
		for _, p := range processes() {
			if p.pid == os.Getpid() || p.state == 'Z' || p.state == 'X' || !marked(p.pid, variable) {
				continue
			}
			_ = unix.Kill(p.pid, unix.SIGKILL) // it may have ended
			found = true
		}
		if !found {
			return
		}
	}
}

func marked(pid int, variable string) bool {
	at := "/proc/" + strconv.Itoa(pid)
	var st unix.Stat_t
	if err := unix.Stat(at, &st); err != nil || int(st.Uid) != os.Getuid() {
		return false
	}
	env, err := os.ReadFile(at + "/environ")
	return err == nil && slices.Contains(strings.Split(string(env), "\x00"), variable)
}
