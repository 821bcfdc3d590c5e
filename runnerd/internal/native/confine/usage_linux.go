package confine

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// entryBytes is what a file takes at least, of the tables of its file system.
const entryBytes = 1 << 10

// ErrTooDeep says that folders lie too deep in one another to be counted.
var ErrTooDeep = errors.New("its folders lie more than 512 deep in one another")

// DiskUsage is what folders take on the disk, in bytes. It stops counting beyond most.
func DiskUsage(most int64, dirs ...string) (int64, error) {
	u := &usage{most: most, linked: map[uint64]bool{}}
	for _, dir := range dirs {
		root, err := os.OpenRoot(dir)
		if err != nil {
			return u.bytes, err
		}
		err = u.add(root, maxDepth)
		root.Close()
		if err != nil && !errors.Is(err, errEnough) {
			return u.bytes, err
		}
	}
	return u.bytes, nil
}

var errEnough = errors.New("enough")

type usage struct {
	bytes, most int64
	linked      map[uint64]bool // files with several names, which count once
}

func (u *usage) add(dir *os.Root, depth int) error {
	if depth == 0 {
		return ErrTooDeep
	}
	return each(dir, func(e fs.DirEntry) error {
		info, err := dir.Lstat(e.Name())
		if err != nil {
			return err
		}
		u.file(info)
		if u.most > 0 && u.bytes > u.most {
			return errEnough
		}
		if !info.IsDir() {
			return nil
		}
		sub, err := dir.OpenRoot(e.Name())
		if err != nil {
			return nil // it is none any more, or closed even to this process
		}
		defer sub.Close()
		return u.add(sub, depth-1)
	})
}

func (u *usage) file(info fs.FileInfo) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return
	}
	if st.Nlink > 1 && !info.IsDir() {
		if u.linked[st.Ino] {
			return
		}
		u.linked[st.Ino] = true
	}
	u.bytes += max(st.Blocks*512, entryBytes)
}

// OpenDeleted is what files take on the disk that have no name any more, and are kept by
// the processes below pid, in bytes.
func OpenDeleted(pid int) int64 {
	u := &usage{linked: map[uint64]bool{}}
	for _, p := range below(pid) {
		dir := "/proc/" + strconv.Itoa(p.pid) + "/fd"
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue
		}
		for _, e := range entries {
			at := dir + "/" + e.Name()
			to, err := os.Readlink(at)
			if err != nil || !strings.HasSuffix(to, " (deleted)") || strings.HasPrefix(to, "/memfd:") {
				continue
			}
			if info, err := os.Stat(at); err == nil && info.Mode().IsRegular() {
				if st, ok := info.Sys().(*syscall.Stat_t); ok && !u.linked[st.Ino] {
					u.linked[st.Ino] = true
					u.bytes += st.Blocks * 512
				}
			}
		}
	}
	return u.bytes
}

// Resident is the memory that the processes below pid have for themselves, in bytes.
func Resident(pid int) int64 {
	var pages int64
	for _, p := range below(pid) {
		b, err := os.ReadFile("/proc/" + strconv.Itoa(p.pid) + "/statm")
		if err != nil {
			continue
		}
		f := bytes.Fields(b)
		if len(f) < 3 {
			continue
		}
		resident, err1 := strconv.ParseInt(string(f[1]), 10, 64)
		shared, err2 := strconv.ParseInt(string(f[2]), 10, 64)
		if err1 == nil && err2 == nil {
			pages += resident - shared
		}
	}
	return pages * int64(os.Getpagesize())
}

// CountUser is how many processes and threads a user has.
func CountUser(id int) int {
	n := 0
	for _, p := range processes() {
		at := "/proc/" + strconv.Itoa(p.pid)
		if info, err := os.Stat(at); err == nil {
			if st, ok := info.Sys().(*syscall.Stat_t); ok && int(st.Uid) == id {
				if threads, err := os.ReadDir(at + "/task"); err == nil {
					n += len(threads)
				}
			}
		}
	}
	return n
}
