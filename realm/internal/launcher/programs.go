package launcher

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/config"
	"github.com/realm-mesh/realm/internal/kit/daemon"
	"github.com/realm-mesh/realm/internal/kit/paths"
	"github.com/realm-mesh/realm/realm/internal/supervisor"
)

// EnvBinDir names the environment variable that says where the daemons' binaries are.
const EnvBinDir = "REALM_BIN_DIR"

// binDir is the folder of the daemons' binaries: the argument, else $REALM_BIN_DIR,
// else where this executable lies.
func binDir(dir string) (string, error) {
	if dir == "" {
		dir = os.Getenv(EnvBinDir)
	}
	if dir != "" {
		return filepath.Abs(dir)
	}
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find the daemons: %w: set %s", err, EnvBinDir)
	}
	if resolved, err := filepath.EvalSymlinks(self); err == nil {
		self = resolved
	}
	return filepath.Dir(self), nil
}

// programs are the daemons of a home, in the order in which they start.
func programs(o Options) ([]supervisor.Program, error) {
	dir, err := binDir(o.BinDir)
	if err != nil {
		return nil, err
	}
	env := environ(os.Environ(), o.Home, o.Config)
	var out []supervisor.Program
	for _, d := range api.Daemons() {
		if o.Daemons != nil && !slices.Contains(o.Daemons, d) {
			continue
		}
		path, err := find(dir, d)
		if err != nil {
			return nil, err
		}
		out = append(out, supervisor.Program{Name: d, Path: path, Env: env, Dir: o.Home.Root()})
	}
	return out, nil
}

func find(dir string, d api.Daemon) (path string, err error) {
	path, err = exec.LookPath(filepath.Join(dir, string(d)))
	if err != nil {
		return "", fmt.Errorf("find the daemon %s: %w: put all commands of Realm into one folder (make build does), or set %s", d, err, EnvBinDir)
	}
	return path, nil
}

// Find returns where the binary of a daemon is: in $REALM_BIN_DIR, else beside this
// executable.
func Find(d api.Daemon) (path string, err error) {
	dir, err := binDir("")
	if err != nil {
		return "", err
	}
	return find(dir, d)
}

// EnvEnrollToken names the environment variable with the token of an invite.
const EnvEnrollToken = "REALM_ENROLL_TOKEN"

// secrets are variables of the command line that no daemon needs to know.
var secrets = []string{EnvEnrollToken, "REALM_PASSPHRASE", "REALM_NEW_PASSPHRASE"}

// environ is the environment of a daemon: that of the launcher without its secrets,
// and the settings are the effective ones.
func environ(inherited []string, h paths.Home, n config.Node) []string {
	var out []string
	for _, v := range inherited {
		key, _, _ := strings.Cut(v, "=")
		if !config.IsSetting(v) && !slices.Contains(secrets, key) && key != paths.EnvHome && key != daemon.EnvLifeline {
			out = append(out, v)
		}
	}
	out = append(out, n.Environ()...)
	return append(out, paths.EnvHome+"="+h.Root(), daemon.EnvLifeline+"=1")
}
