package keyagent

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"

	"go.uber.org/goleak"
)

// Names under which the test binary is another program.
const (
	agentName  = "agent-under-test"
	silentName = "silent-under-test" // ends without a word
	stuckName  = "stuck-under-test"  // never says that it is ready
)

func TestMain(m *testing.M) {
	switch filepath.Base(os.Args[0]) {
	case agentName:
		os.Exit(runAgent())
	case silentName:
		os.Exit(0)
	case stuckName:
		_, _ = io.Copy(io.Discard, os.Stdin)
		select {}
	}
	log.SetOutput(io.Discard) // the protocol's library tells what it refuses
	goleak.VerifyTestMain(m)
}

func runAgent() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := Run(ctx, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}
