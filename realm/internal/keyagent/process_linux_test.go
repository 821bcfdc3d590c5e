package keyagent

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// pid is that of the process at the other end.
func pid(t *testing.T, conn net.Conn) int {
	t.Helper()
	raw, err := conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var cred *unix.Ucred
	if ctlErr := raw.Control(func(fd uintptr) { cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }); ctlErr != nil || err != nil {
		t.Fatal(ctlErr, err)
	}
	return int(cred.Pid)
}

// exited waits for the end of a process that this one has started.
func exited(t *testing.T, pid int) unix.WaitStatus {
	t.Helper()
	done := make(chan unix.WaitStatus, 1)
	go func() {
		var st unix.WaitStatus
		for err := error(unix.EINTR); errors.Is(err, unix.EINTR); {
			_, err = unix.Wait4(pid, &st, 0, nil)
		}
		done <- st
	}()
	select {
	case st := <-done:
		return st
	case <-time.After(10 * time.Second):
		t.Fatalf("process %d does not end", pid)
		return 0
	}
}

// The process is detached, says nothing of the key to those who look at it, and is
// really gone when it was told to go.
func TestProcessFromOutside(t *testing.T) {
	for name, end := range map[string]func(s *started, pid int) error{
		"locked": func(s *started, _ int) error { _, err := s.Lock(); return err },
		"told":   func(_ *started, pid int) error { return unix.Kill(pid, unix.SIGTERM) },
	} {
		t.Run(name, func(t *testing.T) {
			file, at := newPlace(t)
			inherited := inherit(t)
			s := start(t, options(file, time.Minute), at)
			p := pid(t, s.conn)
			if sid, err := unix.Getsid(p); err != nil || sid != p {
				t.Errorf("in session %d, %v; want one of its own", sid, err)
			}
			lookForKey(t, fmt.Sprintf("/proc/%d/", p))
			lookForFiles(t, fmt.Sprintf("/proc/%d/fd/", p), inherited.Name())
			if wd, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", p)); err == nil && wd != "/" {
				t.Errorf("it works in %s", wd)
			}
			if err := end(s, p); err != nil {
				t.Fatal(err)
			}
			if st := exited(t, p); !st.Exited() || st.ExitStatus() != 0 {
				t.Errorf("ended with %v", st)
			}
			s.ends(t, time.Second)
		})
	}
}

// inherit opens a file as a shell would have for this process.
func inherit(t *testing.T) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "inherited"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if _, err := unix.FcntlInt(f.Fd(), unix.F_SETFD, 0); err != nil {
		t.Fatal(err)
	}
	return f
}

func lookForFiles(t *testing.T, dir, inherited string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if to, err := os.Readlink(dir + e.Name()); err == nil && to == inherited {
			t.Errorf("it holds %s open", to)
		}
	}
}

func lookForKey(t *testing.T, proc string) {
	t.Helper()
	args, err := os.ReadFile(proc + "cmdline")
	if err != nil || string(args) != agentName+"\x00" {
		t.Errorf("arguments %q, %v", args, err)
	}
	env, err := os.ReadFile(proc + "environ")
	if err != nil && !os.IsPermission(err) {
		t.Error(err)
	}
	for _, form := range []string{string(held.Seed()), hex.EncodeToString(held.Seed()), base64.StdEncoding.EncodeToString(held.Seed())} {
		if bytes.Contains(env, []byte(form)) {
			t.Errorf("the key is in its environment: %q", env)
		}
	}
	limits, err := os.ReadFile(proc + "limits")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(limits, []byte("Max core file size        0                    0 ")) {
		t.Errorf("core dumps are allowed:\n%s", limits)
	}
}

// What a killed agent leaves on disk is in nobody's way.
func TestKilled(t *testing.T) {
	file, at := newPlace(t)
	s := start(t, options(file, time.Minute), at)
	p := pid(t, s.conn)
	if err := unix.Kill(p, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	exited(t, p)
	if _, err := s.Until(public); !errors.Is(err, ErrNotRunning) {
		t.Errorf("asked a dead agent: %v", err)
	}
	if was, err := s.Lock(); err != nil || was {
		t.Errorf("locked a dead agent: %v, %v", was, err)
	}
	next := start(t, options(file, time.Minute), at)
	if _, err := next.Until(public); err != nil {
		t.Error(err)
	}
}
