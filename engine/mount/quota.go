package mount

import (
	"fmt"
	"io/fs"
	"os"
	"sync"
)

// block is what the smallest thing in a folder counts as; sizes are rounded up to it.
const block = 4096

// Quota bounds what is in a folder, in bytes, for all guests that see it through folders
// that are [Folder.Bound] to it. Each name counts as its size rounded up to 4096 bytes, and
// at least as that. It is safe for use by several goroutines.
type Quota struct {
	mu    sync.Mutex
	limit int64
	used  int64
}

// NewQuota counts what is below root, which may be more than limit already: then nothing
// grows until enough was removed.
func NewQuota(root *os.Root, limit int64) (*Quota, error) {
	q := &Quota{limit: limit}
	err := fs.WalkDir(root.FS(), ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || path == "." {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		q.used += cost(info)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("count what is in a folder: %w", err)
	}
	return q, nil
}

// cost is what a name counts as.
func cost(info fs.FileInfo) int64 {
	if !info.Mode().IsRegular() {
		return block
	}
	return max(block, (info.Size()+block-1)/block*block)
}

// Limit is the most that may be used, in bytes.
func (q *Quota) Limit() int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.limit
}

// SetLimit changes the limit, which may be below what is used.
func (q *Quota) SetLimit(bytes int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.limit = bytes
}

// Used is how much is used, in bytes.
func (q *Quota) Used() int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.used
}
