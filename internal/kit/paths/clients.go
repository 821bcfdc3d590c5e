package paths

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// Clients is the folder of the homes that commands make for a while, on a machine
// where no node is up: one for each command that runs.
type Clients struct{ dir string }

// OpenClients makes the folder, for this user alone.
func OpenClients() (Clients, error) {
	dir := filepath.Join(os.TempDir(), "realm-"+strconv.Itoa(os.Getuid())+"-clients")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return Clients{}, fmt.Errorf("create the folder of temporary homes: %w", err)
	}
	if err := checkPrivate(dir); err != nil {
		return Clients{}, fmt.Errorf("create the folder of temporary homes: %w", err)
	}
	return Clients{dir}, nil
}

// Lock is held by who makes a home, or removes those that were left behind.
func (c Clients) Lock() string { return filepath.Join(c.dir, "lock") }

// New makes the folder of a home.
func (c Clients) New() (Home, error) {
	dir, err := os.MkdirTemp(c.dir, "home-")
	if err != nil {
		return Home{}, fmt.Errorf("create a temporary home: %w", err)
	}
	h, err := Open(dir)
	if err != nil {
		os.Remove(dir)
		return Home{}, err
	}
	return h, nil
}

// Homes lists the homes that are there.
func (c Clients) Homes() ([]Home, error) {
	dirs, err := filepath.Glob(filepath.Join(c.dir, "home-*"))
	if err != nil {
		return nil, fmt.Errorf("list temporary homes: %w", err)
	}
	var out []Home
	for _, d := range dirs {
		h, err := Open(d)
		if err != nil {
			return nil, err
		}
		out = append(out, h)
	}
	return out, nil
}
