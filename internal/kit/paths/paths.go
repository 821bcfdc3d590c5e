// Package paths knows where everything of a node and of its owner lies. No other
// package joins a path inside a home.
package paths

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"

	"github.com/realm-mesh/realm/api"
)

// Home is the folder of one node. Two nodes on one machine differ in it.
type Home struct {
	root string
	run  string // sockets
}

// EnvHome names the environment variable that overrides the default home.
const EnvHome = "REALM_HOME"

// maxSocket is the longest path of a Unix socket that all platforms take
// (sun_path holds 104 bytes on macOS, 108 on Linux, both with a final NUL).
const maxSocket = 103

// longestSocket is as long as any file name that [Home.Socket] returns.
const longestSocket = "/gatewayd.sock"

// Open resolves the home dir: the argument, else $REALM_HOME, else the
// platform's data folder + "realm". It creates nothing.
//
// Sockets lie in a folder of the home, or, where that path is too long for a
// Unix socket, in a short folder of the user's own named after the home.
func Open(dir string) (Home, error) {
	if dir == "" {
		dir = os.Getenv(EnvHome)
	}
	if dir == "" {
		data, err := dataDir()
		if err != nil {
			return Home{}, fmt.Errorf("find the data folder: %w; set %s", err, EnvHome)
		}
		dir = filepath.Join(data, "realm")
	}
	root, err := filepath.Abs(dir)
	if err != nil {
		return Home{}, fmt.Errorf("open home %s: %w", dir, err)
	}
	h := Home{root: root, run: filepath.Join(root, "run")}
	if len(h.run)+len(longestSocket) > maxSocket {
		h.run = shortRun(root)
		if len(h.run)+len(longestSocket) > maxSocket {
			return Home{}, fmt.Errorf("open home %s: its path is too long for a Unix socket (at most %d characters), and so is %s; choose a shorter %s or XDG_RUNTIME_DIR",
				root, maxSocket-len(longestSocket)-len("/run"), h.run, EnvHome)
		}
	}
	return h, nil
}

func shortRun(root string) string {
	sum := sha256.Sum256([]byte(root))
	base := "realm-" + hex.EncodeToString(sum[:6])
	if d := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(d) {
		return filepath.Join(d, base)
	}
	return filepath.Join(os.TempDir(), "realm-"+strconv.Itoa(os.Getuid())+"-"+base[len("realm-"):])
}

// dataDir is where programs keep their data, by each platform's convention.
func dataDir() (string, error) {
	switch runtime.GOOS {
	case "windows":
		if d := os.Getenv("LOCALAPPDATA"); d != "" {
			return d, nil
		}
		return "", errors.New("LOCALAPPDATA is not set")
	case "darwin":
		home, err := os.UserHomeDir()
		return filepath.Join(home, "Library", "Application Support"), err
	}
	if d := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(d) {
		return d, nil
	}
	home, err := os.UserHomeDir()
	return filepath.Join(home, ".local", "share"), err
}

// Create makes the folders of the home, readable by this user alone.
func (h Home) Create() error {
	for _, d := range []string{h.root, h.run, h.Keys(), h.DaemonLogs()} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return fmt.Errorf("create home %s: %w", h.root, err)
		}
	}
	if err := checkPrivate(h.run); err != nil {
		return fmt.Errorf("create home %s: %w", h.root, err)
	}
	return nil
}

// Root is the home itself.
func (h Home) Root() string { return h.root }

// Config is the node's settings, TOML.
func (h Home) Config() string { return filepath.Join(h.root, "config.toml") }

// Lock is held by the launcher while the node is up.
func (h Home) Lock() string { return filepath.Join(h.root, "lock") }

// ClientLock is held by the command that has made the home for a while.
func (h Home) ClientLock() string { return filepath.Join(h.root, "client.lock") }

// Ports holds the ports that were chosen once and are kept.
func (h Home) Ports() string { return filepath.Join(h.root, "ports.json") }

// NodeKey is the node's private key: its peer id.
func (h Home) NodeKey() string { return filepath.Join(h.Keys(), "node.pem") }

// Pin is the realm and owner key that the node trusts.
func (h Home) Pin() string { return filepath.Join(h.root, "trust.json") }

// Proof is the intents that make this node a member, to show to others.
func (h Home) Proof() string { return filepath.Join(h.root, "membership.json") }

// EnrollToken is the text of the invite with which the node becomes a member; it is
// removed when it has.
func (h Home) EnrollToken() string { return filepath.Join(h.root, "enroll.token") }

// Clock is the latest time that the node has seen: its clock goes on from there.
func (h Home) Clock() string { return filepath.Join(h.root, "clock.json") }

// Marks is the high-water marks of the intents that daemon d has accepted.
func (h Home) Marks(d api.Daemon) string { return filepath.Join(h.State(d), "marks.log") }

// LastGood is the intent of a workload that runnerd last brought to run.
func (h Home) LastGood(r api.Ref) string {
	return filepath.Join(h.State(api.Runnerd), "good", string(r.Kind), string(r.Name)+".json")
}

// Policy is what this machine allows jobs to do: package policy.
func (h Home) Policy() string { return filepath.Join(h.root, "policy.json") }

// Jobs is the folder of what runnerd executes.
func (h Home) Jobs() string { return filepath.Join(h.State(api.Runnerd), "jobs") }

// JobTails is the folder of output that is kept for other members.
func (h Home) JobTails() string { return filepath.Join(h.State(api.Runnerd), "tails") }

// JobVotes is the file of votes that this node has given as an elector.
func (h Home) JobVotes() string { return filepath.Join(h.State(api.Runnerd), "votes.log") }

// JobsOver is the file of runs that have ended and whose records are not kept any more.
func (h Home) JobsOver() string { return filepath.Join(h.State(api.Runnerd), "over.log") }

// Files is the folder of files that programs are shown, each by the digest of its archive.
func (h Home) Files() string { return filepath.Join(h.root, "cache", "files") }

// Work is the folder of what replicas have only while they run.
func (h Home) Work() string { return filepath.Join(h.State(api.Runnerd), "work") }

// Volumes is the folder of the state of programs.
func (h Home) Volumes() string { return filepath.Join(h.root, "volumes") }

// Holdings is what runnerd knows of the volumes of other members.
func (h Home) Holdings() string { return filepath.Join(h.State(api.Runnerd), "holdings.json") }

// SecretKeys is the folder of keys of secrets that other members have passed on, sealed.
func (h Home) SecretKeys() string { return filepath.Join(h.State(api.Runnerd), "secrets") }

// Keys is the folder of the node's secrets.
func (h Home) Keys() string { return filepath.Join(h.root, "keys") }

// BusSeed is the nkey seed with which d logs in to the bus.
func (h Home) BusSeed(d api.Daemon) string { return filepath.Join(h.Keys(), "bus-"+string(d)+".nk") }

// Token is what callers of the daemons' HTTP sockets show.
func (h Home) Token() string { return filepath.Join(h.Keys(), "token") }

// Bus is the folder of the bus's streams.
func (h Home) Bus() string { return filepath.Join(h.root, "bus") }

// State is the folder in which d keeps what is its own.
func (h Home) State(d api.Daemon) string { return filepath.Join(h.root, string(d)) }

// Cache is the folder of what d can make again at any time.
func (h Home) Cache(d api.Daemon) string { return filepath.Join(h.root, "cache", string(d)) }

// DaemonLogs is the folder of the daemons' own logs.
func (h Home) DaemonLogs() string { return filepath.Join(h.root, "logs", "daemons") }

// DaemonLog is the current log of d; older ones lie beside it.
func (h Home) DaemonLog(d api.Daemon) string {
	return filepath.Join(h.DaemonLogs(), string(d)+".log")
}

// AccessLog is where gatewayd writes a line for each request, if it is told to.
func (h Home) AccessLog() string { return filepath.Join(h.root, "logs", "access.log") }

// WorkloadLogs is the folder of the logs of all workloads: KIND/NAME.log.
func (h Home) WorkloadLogs() string { return filepath.Join(h.root, "logs", "workloads") }

// WorkloadLog is the current log of a workload; older ones lie beside it.
func (h Home) WorkloadLog(r api.Ref) string {
	return filepath.Join(h.WorkloadLogs(), string(r.Kind), string(r.Name)+".log")
}

// Run is the folder of the sockets.
func (h Home) Run() string { return h.run }

// Socket is the Unix socket of d; the launcher's is the bus.
func (h Home) Socket(d api.Daemon) string {
	if d == api.Launcher {
		return filepath.Join(h.run, "bus.sock")
	}
	return filepath.Join(h.run, string(d)+".sock")
}

// DaemonLock is held by d while it runs: after a launcher was killed its daemons
// need a moment to end, and the next ones must wait for that.
func (h Home) DaemonLock(d api.Daemon) string { return filepath.Join(h.run, string(d)+".lock") }
