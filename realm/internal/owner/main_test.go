package owner

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/realm-mesh/realm/realm/internal/keyagent"
)

// agentName is the name under which the test binary is a key agent.
const agentName = "agent-under-test"

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == agentName {
		if err := keyagent.Run(context.Background(), os.Stdin, os.Stdout); err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}
