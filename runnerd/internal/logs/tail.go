package logs

import (
	"slices"
	"sync"

	"github.com/realm-mesh/realm/api"
)

// Tail keeps the last lines that it is told, shortened to what a fact may carry. It
// is safe for use by several goroutines.
type Tail struct {
	mu    sync.Mutex
	lines []string // the oldest first
}

// Lines returns the last lines.
func (t *Tail) Lines() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.lines)
}

func (t *Tail) add(line string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.lines) == api.MaxTail {
		t.lines = slices.Delete(t.lines, 0, 1)
	}
	t.lines = append(t.lines, clip(line, api.MaxTailLine))
}

func (t *Tail) clear() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lines = nil
}
