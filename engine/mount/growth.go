package mount

import (
	"io"
	"os"
)

// room counts what a file of a size grows by when want bytes are written at off, and returns
// how many of them there is room for.
func (q *Quota) room(size, off, want int64) int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	has := cost(size)
	if off+want > has {
		free := max(0, q.limit-q.used) / block * block
		want = max(0, min(want, has-off+free))
	}
	if want > 0 {
		q.used += max(0, cost(off+want)-has)
	}
	return want
}

// bounded is write, counted, if the folder is; at is where it is going to write in a file of
// a size.
func (f *file) bounded(write func([]byte) (int, error), at func(size int64) (int64, error)) func([]byte) (int, error) {
	if f.inode == nil {
		return write
	}
	return func(b []byte) (int, error) {
		if len(b) == 0 {
			return write(b)
		}
		f.inode.grow.Lock()
		defer f.inode.grow.Unlock()
		off, err := at(f.inode.size)
		if err != nil {
			return 0, err
		}
		return f.grow(write, b, off)
	}
}

// grow writes what there is room for of b, at off, while it holds the file.
func (f *file) grow(write func([]byte) (int, error), b []byte, off int64) (int, error) {
	q, i, want := f.fs.folder.quota, f.inode, int64(len(b))
	if off > maxSize-want {
		return 0, EFBIG
	}
	fits := q.room(i.size, off, want)
	if fits == 0 {
		return 0, ENOSPC
	}
	was := max(cost(i.size), cost(off+fits))
	n, err := write(b[:fits])
	i.size = max(i.size, off+int64(n))
	if err != nil {
		i.look(f.host)
	} else if fits < want {
		err = ENOSPC
	}
	q.give(was - cost(i.size))
	return n, err
}

// look finds out how large the file is, after something failed.
func (i *inode) look(f *os.File) {
	if info, err := f.Stat(); err == nil {
		i.size = min(info.Size(), maxSize)
	}
}

// truncate sets the size of a file that counts.
func (f *file) truncate(size int64) error {
	q, i := f.fs.folder.quota, f.inode
	if size > maxSize {
		return EFBIG
	}
	i.grow.Lock()
	defer i.grow.Unlock()
	was := cost(i.size)
	if more := cost(size) - was; more > 0 {
		if !q.take(more) {
			return ENOSPC
		}
		was += more
	}
	err := f.host.Truncate(size)
	if err != nil {
		i.look(f.host)
	} else {
		i.size = size
	}
	q.give(was - cost(i.size))
	return err
}

// next is where the next write goes.
func (f *file) next(int64) (int64, error) {
	return f.host.Seek(0, io.SeekCurrent)
}

// end is where the next write goes that appends.
func (f *file) end(size int64) (int64, error) { return size, toEnd(f.host) }
