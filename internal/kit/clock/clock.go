// Package clock is a node's clock, which does not go back: not when the machine's
// clock is set back, and not over a restart. What has expired stays expired.
//
// The latest time that was seen is kept in a file. While the machine's clock is
// behind it, time stands still until the machine has caught up. Nothing is ordered
// by this clock; it says what has expired, and what was issued in the future.
package clock

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/atomicfile"
)

const (
	every   = time.Minute // how often the file is written, at most
	maxFile = 1 << 10     // bytes of it
	// tolerance is how far the machine's clock may be behind before people are told.
	tolerance = time.Minute
)

// Clock tells the time of a node. Its methods are safe for use by several goroutines.
type Clock struct {
	path    string
	machine func() time.Time

	mu      sync.Mutex
	floor   time.Time // the latest time that was told
	written time.Time // the latest time that the file is known to hold
	corrupt error     // why the file could not be used when it was opened
	failed  error     // why it could not be written last
}

// Open makes a clock that goes on from the time in the file at path, which need not
// exist. A file that cannot be used is a warning, and the clock is the machine's.
func Open(path string) *Clock { return open(path, machine()) }

func open(path string, machine func() time.Time) *Clock {
	c := &Clock{path: path, machine: machine}
	c.floor, c.corrupt = read(path)
	c.written = c.floor
	return c
}

// Now is the machine's time, or the latest that this node has seen if that is later.
// About once a minute it writes that to disk.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t := c.machine().Round(0).UTC(); t.After(c.floor) {
		c.floor = t
	}
	if c.floor.Sub(c.written) >= every {
		c.write()
	}
	return c.floor
}

// Behind is how far the machine's clock is behind what this node has seen; 0 when it
// is not.
func (c *Clock) Behind() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return max(0, c.floor.Sub(c.machine()))
}

// Warnings say, in words for people, what is wrong with the clock.
func (c *Clock) Warnings() (out []string) {
	behind := c.Behind()
	c.mu.Lock()
	defer c.mu.Unlock()
	if behind > tolerance {
		out = append(out, fmt.Sprintf("the clock of this machine is %s behind what this node has seen, and nothing expires here until it has caught up: set the clock; if it was ahead before, stop the node and remove %s",
			behind.Round(time.Second), c.path))
	}
	if c.corrupt != nil {
		out = append(out, fmt.Sprintf("the latest time that this node has seen is lost (%v): check that the clock of this machine is right", c.corrupt))
	}
	if c.failed != nil {
		out = append(out, fmt.Sprintf("the latest time that this node has seen cannot be kept (%v): make room on the disk, or mend its rights", c.failed))
	}
	return out
}

// Close writes the time to disk.
func (c *Clock) Close() error {
	c.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.floor.After(c.written) {
		c.write()
	}
	return c.failed
}

// write puts the latest time on disk. A later one that is there is left.
func (c *Clock) write() {
	if there, err := read(c.path); err == nil && !there.Before(c.floor) {
		c.floor, c.written, c.failed = there, there, nil
		return
	}
	b, err := json.Marshal(file{c.floor})
	if err == nil {
		err = atomicfile.Write(c.path, append(b, '\n'), 0o600)
	}
	c.written, c.failed = c.floor, nil // also after a failure: it is tried again in a minute
	if err != nil {
		c.failed = fmt.Errorf("write clock: %w", err)
	}
}

type file struct {
	Latest time.Time `json:"latest"`
}

// Validate implements [api.Validator].
func (f *file) Validate() error {
	if f.Latest.IsZero() {
		return errors.New("latest is missing")
	}
	return nil
}

// read returns the zero time for a file that does not exist.
func read(path string) (time.Time, error) {
	r, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("read clock: %w", err)
	}
	defer r.Close()
	b, err := api.ReadAll(r, maxFile)
	if err != nil {
		return time.Time{}, fmt.Errorf("read clock %s: %w", path, err)
	}
	var f file
	if err := api.Decode(b, maxFile, &f); err != nil {
		return time.Time{}, fmt.Errorf("read clock %s: %w", path, err)
	}
	return f.Latest.UTC(), nil
}
