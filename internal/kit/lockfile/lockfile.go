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
)

// ErrHeld says that another process holds the file. The error that wraps it names
// that process, where it is known.
var ErrHeld = errors.New("held by another process")

// Lock is a file that this process holds.
type Lock struct{ f *os.File }

// Try takes the file at path, made if need be, and writes the process id into it;
// if it is taken the error is [ErrHeld].
func Try(path string) (*Lock, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	if err := tryLock(f); err != nil {
		if errors.Is(err, ErrHeld) {
			err = fmt.Errorf("%w%s", ErrHeld, holder(f))
		}
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
	}
	l := &Lock{f}
	pid := strconv.Itoa(os.Getpid())
	if err := errors.Join(f.Truncate(0), writeAt(f, pid)); err != nil {
		l.Release()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return l, nil
}

func writeAt(f *os.File, s string) error {
	_, err := f.WriteAt([]byte(s+"\n"), 0)
	return err
}

// holder says which process wrote its id into f; the lock tells that it lives.
func holder(f *os.File) string {
	var b [20]byte
	n, _ := f.ReadAt(b[:], 0) // a file without an id names nobody
	if pid, err := strconv.Atoi(string(bytes.TrimSpace(b[:n]))); err == nil {
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
func (l *Lock) Release() { l.f.Close() }
