package mount

import (
	"fmt"
	"io/fs"
	"os"
	"sync"

	"github.com/tetratelabs/wazero/experimental/sys"
	wsys "github.com/tetratelabs/wazero/sys"
)

// block is what the smallest thing in a folder counts as; sizes are rounded up to it.
const block = 4096

// Quota bounds what is in a folder, for all guests that see it through folders that are
// [Folder.Bound] to it. A file counts as its size rounded up to 4096 bytes, and at least as
// that, so that names are bounded, too; a folder, a link, and each further name of a file
// as 4096. A file that was removed counts for as long as a guest has it open. What grows is
// refused with [ENOSPC] before it happens; of a write that does not fit, what does is
// written. What shrinks is never refused, also where the limit was lowered meanwhile.
//
// What others than guests do in the folder is not seen. A Quota is safe for use by several
// goroutines: names change one at a time, and so does each file.
type Quota struct {
	mu    sync.Mutex // guards what follows
	limit int64
	used  int64

	names sync.Mutex // held while a name changes; guards files
	files map[inode]*tracked
}

// inode names a file whatever it is called.
type inode struct{ dev, ino uint64 }

// tracked is a file that guests have open.
type tracked struct {
	users int  // under names
	gone  bool // it has no name any more; likewise

	mu     sync.Mutex // held while it grows or shrinks
	counts int64      // in Quota.used
}

// NewQuota counts what is below root, which may be more than limit already: then nothing
// grows until enough was removed.
func NewQuota(root *os.Root, limit int64) (*Quota, error) {
	q := &Quota{limit: limit, files: map[inode]*tracked{}}
	seen := map[inode]bool{}
	err := fs.WalkDir(root.FS(), ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || path == "." {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		q.used += cost(info)
		if st := wsys.NewStat_t(info); info.Mode().IsRegular() && st.Nlink > 1 {
			if id := (inode{st.Dev, st.Ino}); seen[id] {
				q.used += block - cost(info)
			} else {
				seen[id] = true
			}
		}
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
	return costOf(info.Size())
}

// costOf is what a file of so many bytes counts as.
func costOf(size int64) int64 {
	if size > 1<<62 {
		return 1 << 62
	}
	return max(block, (size+block-1)/block*block)
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

// reserve takes n bytes, if there are so many.
func (q *Quota) reserve(n int64) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if n > 0 && n > q.limit-q.used {
		return false
	}
	q.used += n
	return true
}

// reserveUpTo takes n bytes, or all there are in whole blocks.
func (q *Quota) reserveUpTo(n int64) int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	n = max(0, min(n, (q.limit-q.used)/block*block))
	q.used += n
	return n
}

// add counts n bytes more, whatever the limit is.
func (q *Quota) add(n int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.used += n
}

// named does what makes a new name, if there is room for one. A nil Quota has room for all.
func (q *Quota) named(do func() sys.Errno) sys.Errno {
	if q == nil {
		return do()
	}
	q.names.Lock()
	defer q.names.Unlock()
	if !q.reserve(block) {
		return ENOSPC
	}
	errno := do()
	if errno != 0 {
		q.add(-block)
	}
	return errno
}

// removed does what takes away what is called name, as look finds it, if anything is.
// keeps reports whether it stays all the same.
func (q *Quota) removed(look func() (fs.FileInfo, error), keeps func(fs.FileInfo) bool, do func() sys.Errno) sys.Errno {
	if q == nil {
		return do()
	}
	q.names.Lock()
	defer q.names.Unlock()
	info, err := look()
	errno := do()
	if errno != 0 || err != nil || keeps(info) {
		return errno
	}
	st := wsys.NewStat_t(info)
	switch t := q.files[inode{st.Dev, st.Ino}]; {
	case info.Mode().IsRegular() && st.Nlink > 1:
		q.add(-block) // one of its names
	case info.Mode().IsRegular() && t != nil:
		t.gone = true // it counts until it is closed
	default:
		q.add(-cost(info))
	}
	return 0
}

// opened does what opens a file, and perhaps makes or empties one, and counts the file from
// then on. look finds what is there before.
func (q *Quota) opened(look func() (fs.FileInfo, error), may bool, do func() (*os.File, error)) (*os.File, *tracked, error) {
	q.names.Lock()
	defer q.names.Unlock()
	before, err := look()
	fresh := err != nil && may
	if fresh && !q.reserve(block) {
		return nil, nil, errFull
	}
	f, err := do()
	if err != nil {
		if fresh {
			q.add(-block)
		}
		return nil, nil, err
	}
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return f, nil, err
	}
	st := wsys.NewStat_t(info)
	id := inode{st.Dev, st.Ino}
	t := q.files[id]
	if t == nil {
		t = &tracked{counts: block}
		if !fresh {
			t.counts = cost(before)
		}
		q.files[id] = t
	}
	t.users++
	t.mu.Lock()
	q.settle(t, info.Size())
	t.mu.Unlock()
	return f, t, nil
}

// closed does what closes a file.
func (q *Quota) closed(t *tracked, st wsys.Stat_t, do func() error) error {
	q.names.Lock()
	defer q.names.Unlock()
	err := do()
	if t.users--; t.users > 0 {
		return err
	}
	delete(q.files, inode{st.Dev, st.Ino})
	if t.gone {
		q.add(-t.counts)
	}
	return err
}

// settle counts t as it is; t.mu is held.
func (q *Quota) settle(t *tracked, size int64) {
	q.add(costOf(size) - t.counts)
	t.counts = costOf(size)
}

// grow takes what t needs to have its end at end, and returns where it may be at most, which
// is no less than size, where it is now; t.mu is held.
func (q *Quota) grow(t *tracked, size, end int64) int64 {
	want := costOf(end) - t.counts
	if end <= size || want <= 0 {
		return end
	}
	got := q.reserveUpTo(want)
	t.counts += got
	if got == want {
		return end
	}
	return max(size, t.counts)
}
