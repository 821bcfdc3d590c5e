package pins

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/atomicfile"
)

// ErrNotPinned says that there is no such pin on this node.
var ErrNotPinned = errors.New("not pinned on this node")

// Pins are those of a node. They are safe for use by several goroutines.
type Pins struct {
	dir string
	log *slog.Logger

	mu  sync.RWMutex
	set map[api.Digest]struct{} // what the files say
}

// New returns the pins in dir. It touches nothing; [Pins.Load] comes first.
func New(dir string, log *slog.Logger) *Pins {
	return &Pins{dir: dir, log: log, set: map[api.Digest]struct{}{}}
}

// Load makes the folder if need be, and reads which pins there are.
func (p *Pins) Load() error {
	if err := errors.Join(os.MkdirAll(p.dir, 0o700), atomicfile.SyncDir(filepath.Dir(p.dir))); err != nil {
		return fmt.Errorf("load pins: %w", err)
	}
	entries, err := os.ReadDir(p.dir)
	if err != nil {
		return fmt.Errorf("load pins: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range entries {
		d, err := api.ParseDigest(e.Name())
		if err != nil {
			p.log.Warn("a file among the pins is none; remove it", "file", filepath.Join(p.dir, e.Name()))
			continue
		}
		p.set[d] = struct{}{}
	}
	return nil
}

// Has reports whether d is pinned.
func (p *Pins) Has(d api.Digest) bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	_, ok := p.set[d]
	return ok
}

// All lists the pins, in no order.
func (p *Pins) All() []api.Digest {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return slices.Collect(maps.Keys(p.set))
}

// Add pins d, and returns once that is durable. Pinned already, it stays so.
func (p *Pins) Add(d api.Digest) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	f, err := os.OpenFile(p.path(d), os.O_WRONLY|os.O_CREATE, 0o600)
	if err == nil {
		err = errors.Join(f.Sync(), f.Close(), atomicfile.SyncDir(p.dir))
	}
	if err != nil {
		if _, before := p.set[d]; !before {
			os.Remove(p.path(d)) // else it would be pinned from the next start on
		}
		return fmt.Errorf("pin blob %s: %w", d.Short(), err)
	}
	p.set[d] = struct{}{}
	return nil
}

// Remove takes a pin away, else returns [ErrNotPinned].
func (p *Pins) Remove(d api.Digest) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	err := os.Remove(p.path(d))
	if errors.Is(err, fs.ErrNotExist) {
		delete(p.set, d)
		err = ErrNotPinned
	}
	if err == nil {
		err = atomicfile.SyncDir(p.dir)
	}
	if err != nil {
		return fmt.Errorf("unpin blob %s: %w", d.Short(), err)
	}
	delete(p.set, d)
	return nil
}

func (p *Pins) path(d api.Digest) string { return filepath.Join(p.dir, d.String()) }
