//go:build linux

package native_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// TestAsUser has the tests run once more by a user who is not root, and says what fails of them alone.
func TestAsUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("this is another user than root already")
	}
	const user = 4242
	tmp := t.TempDir()
	pass(t, filepath.Dir(tmp))
	if err := os.Chown(tmp, user, user); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe(t), "-test.short", "-test.run", "^Test(Hostile|Endings|Limits|Listens|Stop|StarterIsKilled|ShimIsKilled|InitIsKilled|NotStarted)$")
	cmd.Env = []string{"TMPDIR=" + tmp, "PATH=" + os.Getenv("PATH"), "HOME=" + tmp}
	cmd.Dir = tmp
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: user, Gid: user}}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
