//go:build unix

package launcher

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/lockfile"
	"github.com/realm-mesh/realm/internal/kit/paths"
)

// alive reports whether a process runs, and does not just wait for somebody else
// to reap it.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)) // on Linux
	if err == nil && bytes.Contains(stat, []byte(") Z ")) {
		return false
	}
	return !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
}

func killHard(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

// TestNoOrphans kills a launcher in a process of its own: its daemons end, and the
// next launcher comes up at once, with new ones.
func TestNoOrphans(t *testing.T) {
	n := newNode(t)
	cmd := exec.Command(filepath.Join(n.opts.BinDir, launcherName))
	cmd.Env = append(os.Environ(), paths.EnvHome+"="+n.home.Root(), EnvBinDir+"="+n.opts.BinDir,
		"REALM_HTTP_LISTEN=127.0.0.1:0", "REALM_MANAGE_LISTEN=127.0.0.1:0")
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	for began := time.Now(); !allHeld(n.home); time.Sleep(5 * time.Millisecond) {
		if time.Since(began) > 30*time.Second {
			t.Fatal("the other launcher does not come up")
		}
	}
	c := n.cli()
	ps := n.ps(c)
	for _, d := range ps.Daemons { // reading does not wait for them to be ready
		if d.PID == 0 || ps.PID != cmd.Process.Pid {
			t.Fatalf("ps: %+v", ps)
		}
	}
	killHard(t, cmd.Process.Pid)
	_ = cmd.Wait()
	killed := time.Now()
	n.up() // at once: it waits for the last one's daemons
	t.Logf("launcher killed to a new node ready: %v", time.Since(killed))
	for _, d := range ps.Daemons { // they let go of their locks a moment before they are gone
		for alive(d.PID) && time.Since(killed) < 10*time.Second {
			time.Sleep(time.Millisecond)
		}
		if alive(d.PID) {
			t.Errorf("%s of the launcher that was killed is still there", d.Daemon)
		}
	}
	t.Logf("launcher killed to its daemons gone: %v", time.Since(killed))
	for _, d := range n.ps(n.cli()).Daemons {
		if d.State != api.DaemonReady || d.Restarts != 0 {
			t.Errorf("afterwards: %+v", d)
		}
	}
}

// allHeld reports whether all daemons of h run.
func allHeld(h paths.Home) bool {
	for _, d := range api.Daemons() {
		lock, err := lockfile.Try(h.DaemonLock(d))
		if err == nil {
			lock.Release()
		}
		if !errors.Is(err, lockfile.ErrHeld) {
			return false
		}
	}
	return true
}
