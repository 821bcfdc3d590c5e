package launcher

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/realm-mesh/realm/internal/kit/config"
	"github.com/realm-mesh/realm/internal/kit/paths"
)

// Options say which node to bring up.
type Options struct {
	Home   paths.Home
	Config config.Node  // effective: defaults filled in, validated
	BinDir string       // folder of the daemons' binaries; "": $REALM_BIN_DIR, else beside this executable
	Out    io.Writer    // start-up problems, for people
	Log    *slog.Logger // what the launcher does
	// OnReady is called once, when all daemons are ready for the first time. Its
	// error stops the node. It may be nil.
	OnReady func(context.Context) error
	// Kill, when closed, ends all daemons at once, without a chance to finish. It may be nil.
	Kill <-chan struct{}
}

// EnvBinDir names the environment variable that says where the daemons' binaries are.
const EnvBinDir = "REALM_BIN_DIR"

// ErrAlreadyUp says that another launcher holds the home.
var ErrAlreadyUp = errors.New("this node is up already")

// Run brings the node up and keeps it up until ctx ends, somebody asks for "down",
// or the start fails. It returns when every daemon has ended.
func Run(ctx context.Context, o Options) error {
	return fmt.Errorf("bring up %s: %w", o.Home.Root(), ctx.Err())
}
