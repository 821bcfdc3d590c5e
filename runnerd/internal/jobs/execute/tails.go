package execute

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/disk"
	"github.com/realm-mesh/realm/internal/kit/logfile"
	"github.com/realm-mesh/realm/runnerd/internal/jobs"
)

// maxTails is how many executions of others this node keeps lines of.
const maxTails = 10_000

// tails keeps the last lines of what other members execute, in case these are lost: two
// files for each execution, of which the older one goes when the newer has KeptTail bytes.
type tails struct {
	dir string

	mu    sync.Mutex
	count int // of executions; -1: not known yet
}

func newTails(dir string) *tails { return &tails{dir: dir, count: -1} }

func (t *tails) path(x api.Exec) string {
	return filepath.Join(t.dir, x.Root.String()[:20]+"."+string(x.Run)+"."+strconv.Itoa(x.Epoch)+"."+string(x.Peer))
}

// keep adds lines.
func (t *tails) keep(tail *api.JobTail) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	path := t.path(tail.Exec)
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := t.room(); err != nil {
			return err
		}
	case err != nil:
		return err
	case info.Size() > api.KeptTail:
		if err := os.Rename(path, path+".1"); err != nil {
			return err
		}
	}
	var b []byte
	for _, l := range tail.Lines {
		b = logfile.Append(b, l)
	}
	if err := disk.Room(t.dir, int64(len(b)), disk.ReserveBulk); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Close())
}

// room counts one more execution; t.mu is held.
func (t *tails) room() error {
	if t.count < 0 {
		entries, err := os.ReadDir(t.dir)
		if err != nil {
			return err
		}
		t.count = len(entries)
	}
	if t.count >= maxTails {
		return fmt.Errorf("this node keeps the output of %d executions of others, and no more", maxTails)
	}
	t.count++
	return nil
}

// lines calls emit for what q asks for; false: nothing is kept of x.
func (t *tails) lines(ctx context.Context, x api.Exec, q jobs.Lines, emit func(api.LogLine) error) (bool, error) {
	path := t.path(x)
	if _, err := os.Stat(path); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil
		}
		return false, err
	}
	return true, ended(path).lines(ctx, q, emit)
}

// drop removes what is kept of x.
func (t *tails) drop(x api.Exec) {
	t.mu.Lock()
	defer t.mu.Unlock()
	path := t.path(x)
	if os.Remove(path) == nil && t.count > 0 {
		t.count--
	}
	_ = os.Remove(path + ".1") // it need not be there
}
