package keyagent

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/realm-mesh/realm/api"
)

// MaxLife is the longest that a key can be unlocked for.
const MaxLife = 24 * time.Hour

// startPatience is how long a new agent may take to say that it is there.
const startPatience = 15 * time.Second

// Options are what [Start] needs.
type Options struct {
	Key     ed25519.PrivateKey
	KeyFile string // for whose key the agent is
	Life    time.Duration
	Args    []string // with which this program ends up in [Run]; the first is its name
	Env     []string // of the agent; no secrets
}

// Start has a new process hold the key until the time that it returns. An agent
// that holds the key of the same file ends first. The process outlives this one.
func Start(ctx context.Context, o Options) (until time.Time, err error) {
	if o.Life < time.Second || o.Life > MaxLife {
		return time.Time{}, fmt.Errorf("start key agent: for %s: want 1s to %s", o.Life, MaxLife)
	}
	until = time.Now().Round(0).Add(o.Life)
	file, err := filepath.Abs(o.KeyFile) // the agent works in another folder
	if err != nil {
		return time.Time{}, fmt.Errorf("start key agent: %w", err)
	}
	msg, err := json.Marshal(handover{o.Key.Seed(), file, until})
	if err != nil {
		return time.Time{}, fmt.Errorf("start key agent: %w", err)
	}
	defer clear(msg)
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	if err := launch(ctx, o, msg); err != nil {
		return time.Time{}, fmt.Errorf("start key agent: %w", err)
	}
	return until, nil
}

// launch starts the process, hands msg over, and waits until it is ready; one that
// does not get there is killed.
func launch(ctx context.Context, o Options, msg []byte) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	// Not bound to ctx: the agent is to outlive it.
	cmd := exec.CommandContext(context.WithoutCancel(ctx), self)
	cmd.Args, cmd.Env, cmd.Dir = o.Args, o.Env, rootDir()
	detach(cmd)
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() }) // upon which out ends
	err = greet(in, out, msg)
	if !stop() {
		err = errors.Join(context.Cause(ctx), err)
	}
	if err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
		return err
	}
	return cmd.Process.Release()
}

func greet(in io.WriteCloser, out io.ReadCloser, msg []byte) error {
	defer out.Close()
	_, err := in.Write(msg)
	if err = errors.Join(err, in.Close()); err != nil {
		return fmt.Errorf("hand the key over: %w", err)
	}
	b, err := api.ReadAll(out, maxHandover)
	if err != nil {
		return fmt.Errorf("hear from it: %w", err)
	}
	if len(b) == 0 {
		return errors.New("it ended without a word")
	}
	var r reply
	return api.Decode(b, maxHandover, &r)
}
