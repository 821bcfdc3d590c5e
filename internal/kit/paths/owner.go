package paths

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// EnvOwnerKey names the environment variable that says where the owner's key is.
const EnvOwnerKey = "REALM_OWNER_KEY"

// OwnerKey is where a person keeps the key of their realm: $REALM_OWNER_KEY, else
// the platform's configuration folder. It is no part of any home.
func OwnerKey() (string, error) {
	if p := os.Getenv(EnvOwnerKey); p != "" {
		return p, nil
	}
	dir, err := configDir()
	if err != nil {
		return "", fmt.Errorf("find the owner key: %w; set %s", err, EnvOwnerKey)
	}
	return filepath.Join(dir, "owner.pem"), nil
}

// Contexts is where a person keeps what they call their realms, TOML.
func Contexts() (string, error) {
	dir, err := configDir()
	if err != nil {
		return "", fmt.Errorf("find the contexts: %w", err)
	}
	return filepath.Join(dir, "contexts.toml"), nil
}

// configDir is where programs keep what a person has set, by each platform's convention.
func configDir() (string, error) {
	dir, err := os.UserConfigDir()
	return filepath.Join(dir, "realm"), err
}

// RetiredOwnerKey is where the owner key that lay at path is kept once another one
// has taken its place; n counts from 1.
func RetiredOwnerKey(path string, n int) string { return path + ".retired-" + strconv.Itoa(n) }

// OwnerRotation is where a rotation of the owner key at path is kept until it is
// done, so that it can be resumed.
func OwnerRotation(path string) string { return path + ".rotation" }

// KeyAgent is where the process lies that holds an unlocked owner key: a short
// folder of the user's own, named after the key's file.
type KeyAgent struct{ dir string }

// keyAgentSocket is the name of the socket in that folder.
const keyAgentSocket = "/key.sock"

// OpenKeyAgent finds the place for the key in keyFile. It creates nothing.
func OpenKeyAgent(keyFile string) (KeyAgent, error) {
	abs, err := filepath.Abs(keyFile)
	if err != nil {
		return KeyAgent{}, fmt.Errorf("find the key agent of %s: %w", keyFile, err)
	}
	dir := shortRun(abs)
	if len(dir)+len(keyAgentSocket) > maxSocket {
		return KeyAgent{}, fmt.Errorf("find the key agent of %s: %s is too long for a Unix socket (at most %d characters); choose a shorter XDG_RUNTIME_DIR", keyFile, dir, maxSocket-len(keyAgentSocket))
	}
	return KeyAgent{dir}, nil
}

// Dir is the agent's folder.
func (a KeyAgent) Dir() string { return a.dir }

// Socket is where the agent listens.
func (a KeyAgent) Socket() string { return filepath.Join(a.dir, keyAgentSocket) }

// Create makes the folder, readable by this user alone.
func (a KeyAgent) Create() error {
	if err := os.MkdirAll(a.dir, 0o700); err != nil {
		return fmt.Errorf("create the key agent's folder: %w", err)
	}
	return a.Check()
}

// Check refuses a folder that another user has made or could enter. Where there
// is none it is [os.ErrNotExist].
func (a KeyAgent) Check() error {
	if err := checkPrivate(a.dir); err != nil {
		return fmt.Errorf("check the key agent's folder: %w", err)
	}
	return nil
}
