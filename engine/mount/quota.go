package mount

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"sync"

	"github.com/tetratelabs/wazero/experimental/sys"
	wsys "github.com/tetratelabs/wazero/sys"
)

// block is what the smallest thing in a folder counts as; sizes are rounded up to it.
const block = 4096

// maxNames is how many names [NewQuota] counts.
const maxNames = 1 << 24

// Quota bounds what is in a folder, in bytes, for all guests that see it through folders
// that are [Folder.Bound] to it. A file counts as its size rounded up to 4096 bytes, also
// where it is sparse, and at least as that; so long as a guest has it open it counts, with
// a name or without. A folder, a symbolic link and each further name of a file (a hard link)
// count as 4096. What the host changes meanwhile is not seen, nor are names of a file
// outside of the folder. It is safe for use by several goroutines.
//
// What would use more than the limit gets [ENOSPC] before anything is done; of a write, what
// fits is written. What shrinks is never refused.
type Quota struct {
	names sync.Mutex // held while names are made and removed; taken first of all locks

	mu    sync.Mutex // taken last
	limit int64
	used  int64
	nodes map[node][]*inode // that are open
}

// node is which file something is, where the system says so; else many have the same.
type node struct{ dev, ino uint64 }

// inode is a file that is open, or is about to lose a name.
type inode struct {
	is   fs.FileInfo // as it was first seen: which file it is
	grow sync.Mutex  // held while the file changes its size, as systems do themselves
	size int64       // under grow: of the file

	users int  // under Quota.mu
	gone  bool // under Quota.mu: it has no name any more
}

// NewQuota counts what is below root, which may be more than limit already: then nothing
// grows until enough was removed. It follows no links. Errors: it cannot read a folder, or
// there are more than 16,777,216 names.
func NewQuota(root *os.Root, limit int64) (*Quota, error) {
	q := &Quota{limit: limit, nodes: map[node][]*inode{}}
	c := counter{seen: map[node]bool{}}
	for todo := []string{"."}; len(todo) > 0; {
		dir := todo[len(todo)-1]
		more, err := c.count(root, dir, todo[:len(todo)-1])
		if err != nil {
			return nil, fmt.Errorf("count what is in a folder: %w", err)
		}
		todo = more
	}
	q.used = c.used
	return q, nil
}

// counter counts what is in a folder.
type counter struct {
	used, names int64
	seen        map[node]bool // files with several names
}

// count counts what is in dir, and returns todo with the folders there.
func (c *counter) count(root *os.Root, dir string, todo []string) ([]string, error) {
	f, err := root.Open(dir)
	if err != nil {
		return todo, vanished(err)
	}
	defer f.Close()
	for {
		entries, err := f.ReadDir(batch)
		for _, e := range entries {
			info, err := e.Info()
			if err != nil {
				if err = vanished(err); err != nil {
					return nil, err
				}
				continue
			}
			if c.names++; c.names > maxNames {
				return nil, fmt.Errorf("there are more than %d names: remove some", maxNames)
			}
			c.used += c.cost(info)
			if info.IsDir() {
				todo = append(todo, filepath.Join(dir, e.Name()))
			}
		}
		if errors.Is(err, io.EOF) {
			return todo, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// cost is what a name counts as.
func (c *counter) cost(info fs.FileInfo) int64 {
	if !info.Mode().IsRegular() {
		return block
	}
	if id, links := identity(info); links > 1 {
		if c.seen[id] {
			return block
		}
		c.seen[id] = true
	}
	return cost(info.Size())
}

// vanished is nil if err is that something has vanished meanwhile.
func vanished(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// identity is which file info is of, and how many names it has.
func identity(info fs.FileInfo) (node, uint64) {
	s := wsys.NewStat_t(info)
	return node{s.Dev, s.Ino}, s.Nlink
}

// maxSize is the largest size of a file that is bounded.
const maxSize = math.MaxInt64 - block

// cost is what a file of a size, at most maxSize, counts as.
func cost(size int64) int64 { return max(block, (size+block-1)/block*block) }

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

// take counts n bytes, if there is room for them.
func (q *Quota) take(n int64) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if n > q.limit-q.used {
		return false
	}
	q.used += n
	return true
}

// give gives n bytes back.
func (q *Quota) give(n int64) {
	if n == 0 {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.used -= n
}

// enter is the file that look finds, which counts until [Quota.leave] even if it loses its
// name. It looks when no other guest changes the size of a file that is not open.
func (q *Quota) enter(look func() (fs.FileInfo, error)) (*inode, fs.FileInfo, sys.Errno) {
	q.mu.Lock()
	defer q.mu.Unlock()
	info, err := look()
	if err != nil {
		return nil, nil, pathErrno(err)
	}
	if !info.Mode().IsRegular() {
		return nil, info, 0
	}
	id, links := identity(info)
	for _, n := range q.nodes[id] {
		if os.SameFile(n.is, info) {
			n.users++
			return n, info, 0
		}
	}
	if links == 0 {
		return nil, nil, sys.ENOENT // it lost its last name, and counts no more
	}
	n := &inode{is: info, size: info.Size(), users: 1}
	q.nodes[id] = append(q.nodes[id], n)
	return n, info, 0
}

// leave ends what enter has begun; gone: the file has lost its last name meanwhile.
func (q *Quota) leave(n *inode, gone bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	n.gone = n.gone || gone
	if n.users--; n.users > 0 {
		return
	}
	if n.gone {
		q.used -= cost(n.size) // nobody changes it any more
	}
	id, _ := identity(n.is)
	for i, other := range q.nodes[id] {
		if other == n {
			q.nodes[id] = append(q.nodes[id][:i], q.nodes[id][i+1:]...)
		}
	}
	if len(q.nodes[id]) == 0 {
		delete(q.nodes, id)
	}
}
