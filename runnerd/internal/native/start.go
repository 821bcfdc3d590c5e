package native

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/realm-mesh/realm/runnerd/internal/native/confine"
)

// ShimCommand is the argument with which runnerd is the shim of one execution; it calls
// itself so.
const ShimCommand = "job-shim"

// Ready is what a shim tells who started it, a line of JSON.
type Ready struct {
	Failed string `json:"failed,omitempty"` // why the program does not run
	// Program says that the program itself is to blame for that.
	Program bool  `json:"program,omitempty"`
	State   State `json:"state"`
}

// maxReady bounds it, in bytes.
const maxReady = 1 << 20

// Probe finds out what confines programs on this machine, by trying it. It takes some
// 50 ms: ask once.
func Probe(ctx context.Context) (Confinement, error) {
	exe, err := os.Executable()
	if err != nil {
		return Confinement{}, fmt.Errorf("find this program: %w", err)
	}
	return confine.Probe(ctx, exe)
}

// Start starts an execution, and returns when its program runs. From then on it needs
// nobody: it goes on when this process ends.
func Start(ctx context.Context, spec Spec) (*Execution, error) {
	if err := spec.Validate(); err != nil {
		return nil, &ProgramError{Reason: "start a program: " + err.Error()}
	}
	if err := spec.resolve(); err != nil {
		return nil, fmt.Errorf("start a program: %w", err)
	}
	if spec.Machine == nil {
		c, err := Probe(ctx)
		if err != nil {
			return nil, err
		}
		spec.Machine = &c
	}
	if err := permitted(&spec); err != nil {
		return nil, err
	}
	ready, err := launch(ctx, spec)
	if err != nil {
		return nil, fmt.Errorf("start a program: %w", err)
	}
	switch {
	case ready.Failed == "":
	case ready.Program:
		return nil, &ProgramError{Reason: ready.Failed}
	default:
		return nil, errors.New(ready.Failed)
	}
	return &Execution{dir: spec.Dir, state: ready.State}, nil
}

// permitted refuses what would run with less than the baseline, unless that is allowed.
// Where no machine of its kind has one, the owner knew that when native programs were allowed.
func permitted(s *Spec) error {
	missing := s.Machine.Baseline()
	if len(missing) == 0 || s.AllowLess || runtime.GOOS != "linux" {
		return nil
	}
	var words []string
	for _, l := range missing {
		words = append(words, l.Name+": "+l.Reason)
	}
	return fmt.Errorf("start a program: this machine cannot keep it in (%s)", strings.Join(words, "; "))
}

// launch starts the shim and waits for its word.
func launch(ctx context.Context, spec Spec) (Ready, error) {
	exe, err := os.Executable()
	if err != nil {
		return Ready{}, fmt.Errorf("find this program: %w", err)
	}
	words, err := os.OpenFile(filepath.Join(spec.Dir, wordsFile), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return Ready{}, err
	}
	defer words.Close()
	in, err := json.Marshal(spec)
	if err != nil {
		return Ready{}, err
	}
	cmd := exec.Command(exe, ShimCommand) //nolint:noctx // it outlives this process
	cmd.Dir, cmd.Env, cmd.Stderr = "/", shimEnv(), words
	detach(cmd)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return Ready{}, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return Ready{}, err
	}
	if err := cmd.Start(); err != nil {
		return Ready{}, err
	}
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })
	defer stop()
	_, _ = stdin.Write(in) // a shim that does not read it says why
	stdin.Close()
	var ready Ready
	err = json.NewDecoder(io.LimitReader(stdout, maxReady)).Decode(&ready)
	stdout.Close()
	// Its result tells how it went; somebody has to bury it.
	go func() { _ = cmd.Wait() }()
	if err != nil {
		return Ready{}, errors.Join(ctx.Err(), fmt.Errorf("the shim said nothing (%w)%s", err, lastWords(spec.Dir)))
	}
	return ready, nil
}

// lastWords are what a shim wrote before it ended.
func lastWords(dir string) string {
	b, err := os.ReadFile(filepath.Join(dir, wordsFile))
	if err != nil || len(b) == 0 {
		return ""
	}
	return ": " + string(b[:min(len(b), 1000)])
}
