package mount

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/tetratelabs/wazero/experimental/sys"
	wsys "github.com/tetratelabs/wazero/sys"
)

// Bounds of [Memory].
const (
	MaxMemoryFiles = 256
	MaxMemoryBytes = 1 << 20 // of one file
	maxMemoryName  = 255     // bytes, as on Linux
)

// memory is a flat folder that is on no disk.
type memory struct {
	made  time.Time
	dev   uint64
	names []string // sorted: the inode of a file is its place here, after the folder's own

	mu     sync.RWMutex
	files  [][]byte // by the same place
	closed bool
}

// rootIno is the inode of the folder itself.
const rootIno = 1

// Memory returns a read-only folder with copies of files, by name, that never touches a disk;
// [Folder.Close] zeroes them. The names are plain: of valid UTF-8, of at most 255 bytes,
// without slashes and control characters. Errors: a name that is not, more than
// [MaxMemoryFiles], a file of more than [MaxMemoryBytes].
func Memory(files map[string][]byte) (*Folder, error) {
	if len(files) > MaxMemoryFiles {
		return nil, fmt.Errorf("make folder in memory: there are %d files, and at most %d may be", len(files), MaxMemoryFiles)
	}
	m := &memory{made: time.Now()}
	for name, b := range files {
		if err := checkMemoryName(name); err != nil {
			return nil, fmt.Errorf("make folder in memory: %w", err)
		}
		if len(b) > MaxMemoryBytes {
			return nil, fmt.Errorf("make folder in memory: file %s has %d bytes, and at most %d may be", name, len(b), MaxMemoryBytes)
		}
		m.names = append(m.names, name)
	}
	slices.Sort(m.names)
	for _, name := range m.names {
		m.files = append(m.files, slices.Clone(files[name]))
	}
	var id [8]byte
	_, _ = rand.Read(id[:]) // it never fails
	m.dev = binary.LittleEndian.Uint64(id[:])
	return &Folder{memory: m, readOnly: true}, nil
}

// checkMemoryName reports what is wrong with the name of a file.
func checkMemoryName(name string) error {
	switch {
	case name == "", name == ".", name == "..", len(name) > maxMemoryName, !utf8.ValidString(name),
		strings.ContainsAny(name, `/\`), strings.ContainsFunc(name, unicode.IsControl):
		return fmt.Errorf("%q is no plain file name", name)
	}
	return nil
}

// close drops the bytes.
func (m *memory) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, b := range m.files {
		clear(b)
	}
	m.files, m.closed = nil, true
}

// find returns the inode of name.
func (m *memory) find(name hostPath) (wsys.Inode, sys.Errno) {
	first, _, below := strings.Cut(filepath.ToSlash(name.path), "/")
	if first == "." {
		return rootIno, 0
	}
	at, ok := slices.BinarySearch(m.names, first)
	switch {
	case !ok:
		return 0, sys.ENOENT
	case below, name.slash:
		return 0, sys.ENOTDIR
	}
	return rootIno + 1 + wsys.Inode(at), 0
}

// with runs do with the bytes of a file, which it must not keep; of the folder, there are none.
func (m *memory) with(ino wsys.Inode, do func(b []byte)) sys.Errno {
	m.mu.RLock()
	defer m.mu.RUnlock()
	switch {
	case m.closed:
		return sys.EBADF
	case ino == rootIno:
		do(nil)
	default:
		do(m.files[ino-rootIno-1])
	}
	return 0
}

// stat says what is known about a file.
func (m *memory) stat(ino wsys.Inode) (wsys.Stat_t, sys.Errno) {
	at := m.made.UnixNano()
	s := wsys.Stat_t{Dev: m.dev, Ino: ino, Nlink: 1, Mode: 0o400, Atim: at, Mtim: at, Ctim: at}
	if ino == rootIno {
		s.Mode = fs.ModeDir | 0o500
	}
	errno := m.with(ino, func(b []byte) { s.Size = int64(len(b)) })
	if errno != 0 {
		return wsys.Stat_t{}, errno
	}
	return s, 0
}

// statName says what is known about what has a name.
func (m *memory) statName(guest string) (wsys.Stat_t, sys.Errno) {
	name, errno := hostName(guest)
	if errno != 0 {
		return wsys.Stat_t{}, errno
	}
	if errno := m.with(rootIno, func([]byte) {}); errno != 0 {
		return wsys.Stat_t{}, errno
	}
	ino, errno := m.find(name)
	if errno != 0 {
		return wsys.Stat_t{}, errno
	}
	return m.stat(ino)
}

// readlink is the error of reading a link: there are none.
func (m *memory) readlink(guest string) sys.Errno {
	if _, errno := m.statName(guest); errno != 0 {
		return errno
	}
	return sys.EINVAL
}
