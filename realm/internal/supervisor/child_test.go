package supervisor

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// envChild makes the test binary a child with that behaviour.
const envChild = "SUPERVISOR_TEST_CHILD"

func TestMain(m *testing.M) {
	if role := os.Getenv(envChild); role != "" {
		os.Exit(child(role))
	}
	goleak.VerifyTestMain(m)
}

// child behaves as role says. It is ready when it has written "ready PID".
func child(role string) int {
	ready := func() { fmt.Println("ready", os.Getpid()) }
	switch role {
	case "serve": // until it is told to end
		ready()
		_, _ = io.Copy(io.Discard, os.Stdin)
	case "crash": // before it is ready
		fmt.Fprintln(os.Stderr, `level=ERROR msg=stopped daemon=casd error="disk \"a\" is broken"`)
		return 1
	case "panic":
		panic("out of ideas")
	case "short": // ready, but not for long
		ready()
		time.Sleep(20 * time.Millisecond)
		return 1
	case "config":
		fmt.Fprintln(os.Stderr, `level=ERROR msg=stopped error="invalid setting: owner"`)
		return 78
	case "silent": // never ready
		_, _ = io.Copy(io.Discard, os.Stdin)
	case "deaf": // takes no request to end
		signal.Ignore(syscall.SIGTERM)
		ready()
		select {}
	case "parent": // leaves a child of its own behind, which holds its output open
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), envChild+"=deaf")
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		if err := cmd.Start(); err != nil {
			return 1
		}
		_, _ = io.Copy(io.Discard, os.Stdin)
	case "chatty":
		fmt.Println("short")
		fmt.Fprintln(os.Stderr, strings.Repeat("x", 1<<20))
		fmt.Print("no line feed")
		return 1
	}
	return 0
}
