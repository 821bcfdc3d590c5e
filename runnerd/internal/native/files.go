package native

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/realm-mesh/realm/internal/kit/atomicfile"
	"github.com/realm-mesh/realm/runnerd/internal/native/confine"
)

// Files in the folder of an execution, beside those of the shim alone.
const (
	stateFile  = "state.json"
	resultFile = "result.json"
	lockFile   = "shim.lock"
	socketFile = "ctl"
	logFile    = "output.log"
	wordsFile  = "shim.err" // what the shim itself had to say
)

// maxFile bounds what is read of a file here, in bytes.
const maxFile = 1 << 20

// State is what the shim writes down before the program starts, so that it can be found
// again, and what it leaves removed.
type State struct {
	PID         int            `json:"pid"` // of the shim
	Init        int            `json:"init"`
	Began       uint64         `json:"began"` // of the init: tells it from a later process of that id
	User        int            `json:"user,omitempty"`
	Groups      confine.Groups `json:"groups"`
	Assets      string         `json:"assets"` // the value of REALM_ASSETS
	WorkDir     string         `json:"work_dir"`
	Temporary   []string       `json:"temporary,omitempty"` // folders to be removed
	Started     time.Time      `json:"started"`
	Confinement Confinement    `json:"confinement"`
}

// WriteState keeps the state in an execution's folder.
func WriteState(dir string, s State) error { return write(dir, stateFile, s) }

// WriteResult keeps the result in an execution's folder, on the disk.
func WriteResult(dir string, r Result) error { return write(dir, resultFile, r) }

// ReadState reads the state of an execution; fs.ErrNotExist: it has none.
func ReadState(dir string, s *State) error { return read(dir, stateFile, s) }

// ReadResult reads the result of an execution; fs.ErrNotExist: it has none.
func ReadResult(dir string) (Result, error) {
	var r Result
	return r, read(dir, resultFile, &r)
}

func write(dir, name string, v any) error {
	b, err := json.Marshal(v)
	if err == nil {
		err = atomicfile.Write(filepath.Join(dir, name), b, 0o600)
	}
	if err != nil {
		return fmt.Errorf("write %s of an execution: %w", name, err)
	}
	return nil
}

func read(dir, name string, v any) error {
	path := filepath.Join(dir, name)
	info, err := os.Stat(path)
	if err == nil && info.Size() > maxFile {
		err = errors.New("it is too long")
	}
	var b []byte
	if err == nil {
		b, err = os.ReadFile(path)
	}
	if err == nil {
		err = json.Unmarshal(b, v)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read %s of an execution: %w", name, err)
	}
	return err
}

// LogPath is the log of the execution in dir; package logs reads it.
func LogPath(dir string) string { return filepath.Join(dir, logFile) }

// LockPath is the file that the shim holds while it lives.
func LockPath(dir string) string { return filepath.Join(dir, lockFile) }
