// Package hosttest says what a test needs of the machine that it runs on.
//
// A test that lacks something is skipped with the reason, and "make test" lists
// it at its end. With REALM_TEST_REQUIRE=docker,tmpfs,… (or "all") a machine
// that was promised to have it fails the test instead.
package hosttest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// EnvRequire names the environment variable that lists what must not be missing.
const EnvRequire = "REALM_TEST_REQUIRE"

// Capability is something that not every machine has.
type Capability string

// The capabilities.
const (
	Docker    Capability = "docker"    // a Docker Engine that answers, and compose
	Tmpfs     Capability = "tmpfs"     // the right to mount a small tmpfs: root on Linux
	Multicast Capability = "multicast" // an interface that carries mDNS
	Emulator  Capability = "emulator"  // qemu's user-mode emulation of arm64
	Firewall  Capability = "firewall"  // the right to drop packets on loopback: root and iptables on Linux
)

// Need skips the test, or fails it where the capability is required, if this
// machine lacks it.
func Need(t testing.TB, c Capability) {
	t.Helper()
	err := look(c)
	if err == nil {
		return
	}
	required := strings.Split(os.Getenv(EnvRequire), ",")
	if slices.Contains(required, string(c)) || slices.Contains(required, "all") {
		t.Fatalf("%s is required by %s, but %v", c, EnvRequire, err)
	}
	t.Skipf("needs %s: %v", c, err)
}

func look(c Capability) error {
	switch c {
	case Docker:
		return lookDocker()
	case Tmpfs:
		if runtime.GOOS != "linux" || os.Getuid() != 0 {
			return fmt.Errorf("mounting takes root on Linux, this is uid %d on %s", os.Getuid(), runtime.GOOS)
		}
		return nil
	case Multicast:
		return lookMulticast()
	case Emulator:
		return lookEmulator()
	case Firewall:
		return lookFirewall()
	}
	return fmt.Errorf("capability %q is not known", c)
}

func lookFirewall() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for _, program := range []string{"iptables", "ip6tables"} {
		if out, err := exec.CommandContext(ctx, program, "-w", "-S", "INPUT").CombinedOutput(); err != nil {
			return fmt.Errorf("%s cannot be used: %s", program, firstLine(out, err))
		}
	}
	return nil
}

func lookDocker() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if out, err := exec.CommandContext(ctx, "docker", "info", "--format", "{{.ServerVersion}}").CombinedOutput(); err != nil {
		return fmt.Errorf("no Docker Engine answers: %s", firstLine(out, err))
	}
	if exec.CommandContext(ctx, "docker", "compose", "version").Run() == nil {
		return nil
	}
	if out, err := exec.CommandContext(ctx, "docker-compose", "version").CombinedOutput(); err != nil {
		return fmt.Errorf("there is no compose: %s", firstLine(out, err))
	}
	return nil
}

func firstLine(out []byte, err error) string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	return strings.TrimSpace(err.Error() + " " + line)
}

func lookEmulator() error {
	var err error
	for _, name := range []string{"qemu-aarch64-static", "qemu-aarch64"} {
		if _, err = exec.LookPath(name); err == nil {
			return nil
		}
	}
	return fmt.Errorf("%w (Debian: qemu-user-static)", err)
}
