// Package lockfile lets one process at a time hold a file. The operating system
// lets go when the process ends, however it ends; the file itself stays.
package lockfile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/gofrs/flock"
)

// ErrHeld says that another process holds the file. The error that wraps it names
// that process, where it is known.
var ErrHeld = errors.New("held by another process")

// Lock is a file that this process holds.
type Lock struct{ f *flock.Flock }

// Try takes the file at path, made if need be, and writes the process id beside
// it; if it is taken the error is [ErrHeld].
func Try(path string) (*Lock, error) {
	l := &Lock{flock.New(path, flock.SetFlag(os.O_CREATE|os.O_RDWR), flock.SetPermissions(0o600))}
	taken, err := l.f.TryLock()
	if err == nil && !taken {
		err = fmt.Errorf("%w%s", ErrHeld, holder(path))
	}
	if err == nil {
		err = os.WriteFile(pidFile(path), []byte(strconv.Itoa(os.Getpid())+"\n"), 0o600)
	}
	if err != nil {
		l.Release()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return l, nil
}

// pidFile is where the holder writes its process id: Windows lets nobody read or
// write what is locked.
func pidFile(path string) string { return path + ".pid" }

// holder says which process wrote its id; the lock tells that it lives.
func holder(path string) string {
	b, err := os.ReadFile(pidFile(path))
	if err != nil || len(b) > 20 {
		return ""
	}
	if pid, err := strconv.Atoi(string(bytes.TrimSpace(b))); err == nil {
		return fmt.Sprintf(" (pid %d)", pid)
	}
	return ""
}

// waitEvery is how often Wait tries: no system tells when a lock is let go.
const waitEvery = 10 * time.Millisecond

// Wait is [Try] again and again until ctx ends.
func Wait(ctx context.Context, path string) (*Lock, error) {
	tick := time.NewTicker(waitEvery)
	defer tick.Stop()
	for {
		l, err := Try(path)
		if !errors.Is(err, ErrHeld) {
			return l, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-tick.C:
		}
	}
}

// Release lets go of the file.
func (l *Lock) Release() { _ = l.f.Close() } // the lock goes with the descriptor
