//go:build linux

package native_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/realm-mesh/realm/runnerd/internal/native"
)

// owner is the user that a file belongs to.
func owner(info os.FileInfo) int { return int(info.Sys().(*syscall.Stat_t).Uid) }

// running are the processes with a token among their arguments.
func running(token string) []int {
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	var out []int
	for _, d := range dirs {
		b, err := os.ReadFile(d + "/cmdline")
		if err == nil && slices.Contains(strings.Split(string(b), "\x00"), token) {
			pid, _ := strconv.Atoi(filepath.Base(d))
			out = append(out, pid)
		}
	}
	return out
}

// targets are what the hostile program knows of the node.
type targets struct {
	PID            int
	Secret, Other  string // files
	Folders        []string
	Socket, Packet string // of streams, of datagrams
	Abstract       string
	SetUID         string
}

// starter is a runnerd: it starts an execution, and waits to be killed.
func starter(spec string) int {
	var s native.Spec
	if err := json.Unmarshal([]byte(spec), &s); err != nil {
		fmt.Println(err)
		return 1
	}
	if _, err := native.Start(context.Background(), s); err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("started")
	time.Sleep(time.Minute)
	return 0
}

// hostile does what its first argument says; the last one is the token.
func hostile(args []string) int {
	switch args[0] {
	case "attack":
		var t targets
		if err := json.Unmarshal([]byte(args[1]), &t); err != nil {
			fmt.Println(err)
			return 1
		}
		attack(t)
	case "listen": // on an address, by a grandchild that has left its parents
		if len(args) < 4 {
			cmd := exec.Command("/proc/self/exe", append(os.Args[1:len(os.Args)-1], "child", os.Args[len(os.Args)-1])...)
			cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
			cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
			if err := cmd.Start(); err != nil {
				fmt.Println(err)
				return 1
			}
			time.Sleep(time.Minute)
		}
		ln, err := net.Listen("tcp", args[1])
		if err != nil {
			fmt.Println(err)
			return 1
		}
		defer ln.Close()
		_, port, _ := net.SplitHostPort(ln.Addr().String())
		fmt.Println(port)
		time.Sleep(time.Minute)
	case "bomb":
		for {
			cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
			cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
			if err := cmd.Start(); err != nil {
				time.Sleep(time.Millisecond)
			}
		}
	case "hog":
		for kept := [][]byte{}; ; {
			b := make([]byte, 4<<20)
			for i := 0; i < len(b); i += 4096 {
				b[i] = 1
			}
			kept = append(kept, b)
		}
	case "unlinked":
		fill(true)
	case "fill":
		fill(false)
	case "litter":
		for i := 0; ; i++ {
			if err := os.WriteFile("f"+strconv.Itoa(i), nil, 0o600); err != nil {
				time.Sleep(time.Millisecond)
			}
		}
	case "dig":
		for {
			if os.Mkdir("d", 0o700) != nil || os.Chdir("d") != nil {
				time.Sleep(time.Second)
			}
		}
	}
	return 0
}

// fill writes files without end.
func fill(unlink bool) {
	b := make([]byte, 1<<20)
	for i := 0; ; i++ {
		f, err := os.Create(filepath.Join(os.TempDir(), "big"+strconv.Itoa(i)))
		if err != nil {
			time.Sleep(time.Second)
			continue
		}
		if unlink {
			os.Remove(f.Name())
		}
		for range 4 {
			_, _ = f.Write(b)
		}
		time.Sleep(time.Millisecond)
	}
}

// attack tries all that it can think of, and tells what it was let.
func attack(t targets) {
	try := func(what string, err error) {
		if err == nil {
			fmt.Println("LET:", what)
		} else {
			fmt.Printf("denied: %s: %v\n", what, err)
		}
	}
	fds, err := os.ReadDir("/proc/self/fd")
	for _, fd := range fds {
		to, err := os.Readlink("/proc/self/fd/" + fd.Name())
		if n, _ := strconv.Atoi(fd.Name()); n > 2 && err == nil && !strings.HasPrefix(to, "anon_inode:") && !strings.HasPrefix(to, "/proc/") {
			fmt.Println("LET: descriptor", fd.Name(), to)
		}
	}
	if err != nil {
		fmt.Println("cannot list descriptors:", err)
	}
	for _, f := range []string{t.Secret, t.Other, "/etc/shadow", fmt.Sprintf("/proc/%d/environ", t.PID), fmt.Sprintf("/proc/%d/mem", t.PID), "/proc/1/environ", "/proc/kcore"} {
		_, err := readSome(f)
		try("read "+f, err)
	}
	for _, d := range t.Folders { // of this name there may be others in its own /tmp: the test looks
		_ = os.WriteFile(filepath.Join(d, "hostile"), nil, 0o600)
	}
	for _, d := range []string{"/", "/usr", "/etc", "/proc", "/sys", "/dev"} {
		f, err := os.Create(filepath.Join(d, "hostile"))
		try("write "+d, err)
		if err == nil {
			f.Close()
		}
	}
	for _, f := range []string{t.Secret, "/etc/passwd", "/proc/self/oom_score_adj", "/proc/sys/kernel/core_pattern"} {
		f, err := os.OpenFile(f, os.O_WRONLY, 0)
		try("open to write", err)
		if err == nil {
			f.Close()
		}
	}
	try("link", os.Link("/etc/passwd", "passwd"))
	try("rename", os.Rename(t.Secret, "secret"))
	try("remove", os.Remove(t.Secret))
	sockets(t, try)
	others(t, try)
	for _, e := range os.Environ() {
		fmt.Println("env", e)
	}
	fmt.Println("done")
}

func readSome(path string) (int, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	n, err := f.Read(make([]byte, 100))
	if n == 0 && err == nil || err != nil {
		return n, errors.Join(err, errors.New("nothing"))
	}
	return n, nil
}

func sockets(t targets, try func(string, error)) {
	for _, a := range []string{t.Socket, "@" + t.Abstract} {
		c, err := net.Dial("unix", a)
		try("connect to "+a, err)
		if err == nil {
			c.Close()
		}
	}
	for name, s := range map[string][3]int{"unix": {unix.AF_UNIX, unix.SOCK_DGRAM, 0}, "netlink": {unix.AF_NETLINK, unix.SOCK_RAW, 0},
		"packet": {unix.AF_PACKET, unix.SOCK_RAW, 0}, "vsock": {unix.AF_VSOCK, unix.SOCK_STREAM, 0}, "raw": {unix.AF_INET, unix.SOCK_RAW, 1}, "alg": {unix.AF_ALG, unix.SOCK_SEQPACKET, 0}} {
		_, err := unix.Socket(s[0], s[1], s[2])
		try("socket "+name, err)
	}
	if pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM, 0); err == nil {
		try("send by a pair", unix.Sendto(pair[0], []byte("x"), 0, &unix.SockaddrUnix{Name: t.Packet}))
	}
	if pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0); err != nil {
		fmt.Println("LOST: a pair of sockets:", err)
	} else {
		try("connect a pair", unix.Connect(pair[0], &unix.SockaddrUnix{Name: t.Socket}))
	}
	_, _, e := unix.Syscall(unix.SYS_IO_URING_SETUP, 4, 0, 0)
	try("io_uring", refused(e, unix.ENOSYS))
	if c, err := net.Listen("tcp", "127.0.0.1:0"); err != nil {
		fmt.Println("LOST: the network:", err)
	} else {
		c.Close()
	}
}

// refused is an error if a call was refused with that, and not for what it was asked.
func refused(e, with unix.Errno) error {
	if e == with {
		return e
	}
	return nil
}

func others(t targets, try func(string, error)) {
	try("signal the node", unix.Kill(t.PID, 0))
	try("trace the node", unix.PtraceAttach(t.PID))
	for name, nr := range map[string]uintptr{"process_vm_readv": unix.SYS_PROCESS_VM_READV, "keyctl": unix.SYS_KEYCTL, "bpf": unix.SYS_BPF, "mount": unix.SYS_MOUNT,
		"setns": unix.SYS_SETNS, "kexec": unix.SYS_KEXEC_LOAD, "perf": unix.SYS_PERF_EVENT_OPEN, "userfaultfd": unix.SYS_USERFAULTFD, "fsopen": unix.SYS_FSOPEN,
		"module": unix.SYS_FINIT_MODULE, "reboot": unix.SYS_REBOOT, "chroot": unix.SYS_CHROOT, "handle": unix.SYS_OPEN_BY_HANDLE_AT, "pidfd_getfd": unix.SYS_PIDFD_GETFD} {
		_, _, e := unix.RawSyscall6(nr, ^uintptr(0), 0, 0, 0, 0, 0)
		try(name, refused(e, unix.EPERM))
	}
	try("unshare", unix.Unshare(unix.CLONE_NEWUSER))
	_, _, e := unix.RawSyscall6(unix.SYS_CLONE, unix.CLONE_NEWUSER|uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
	try("clone a user namespace", refused(e, unix.EPERM))
	_, _, e = unix.RawSyscall(unix.SYS_CLONE3, 0, 0, 0)
	try("clone3", refused(e, unix.ENOSYS))
	_, _, e = unix.RawSyscall(unix.SYS_SETRESUID, 0, 0, 0)
	if e == 0 {
		fmt.Println("LET: become root")
	}
	if b, err := exec.Command(t.SetUID, "-u").Output(); err == nil && strings.TrimSpace(string(b)) == "0" {
		fmt.Println("LET: a setuid program is root")
	} else {
		fmt.Printf("denied: setuid program: %s %v\n", b, err)
	}
	if b, err := exec.Command("/bin/sh", "-c", "echo fine >/dev/stdout; echo x >/dev/null; ls /usr >/dev/null && ls -d . && cat $REALM_ASSETS/note").CombinedOutput(); err != nil {
		fmt.Printf("LOST: a shell: %s %v\n", b, err)
	}
}
