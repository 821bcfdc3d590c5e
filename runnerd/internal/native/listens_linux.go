package native

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"github.com/realm-mesh/realm/runnerd/internal/native/confine"
)

// Listens reports whether connections to a TCP port of this machine's loopback reach a
// process of the execution, and nobody else. It looks for the sockets that listen there
// (proc_net_tcp of the kernel's documentation) among the files of its processes.
func (e *Execution) Listens(port int) (bool, error) {
	sockets := map[string]bool{} // false: whose it is has not been seen
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		f, err := os.Open(table)
		if errors.Is(err, fs.ErrNotExist) {
			continue // a kernel without IPv6
		}
		if err != nil {
			return false, fmt.Errorf("look for port %d: %w", port, err)
		}
		err = listeners(f, port, sockets)
		f.Close()
		if err != nil {
			return false, fmt.Errorf("look for port %d: %w", port, err)
		}
	}
	if len(sockets) == 0 {
		return false, nil
	}
	own := 0
	for _, pid := range confine.Below(e.state.PID) {
		own += holds(pid, sockets)
	}
	return own == len(sockets), nil
}

// Columns of a line of the table, and what they hold.
const (
	columnLocal = 1
	columnState = 3
	columnInode = 9
	stateListen = "0A"
	maxTCPLine  = 1 << 10
)

// listeners adds the inodes of sockets that listen on port, of loopback or all addresses.
func listeners(r io.Reader, port int, to map[string]bool) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxTCPLine)
	lines.Scan() // the head
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) <= columnInode || f[columnState] != stateListen {
			continue
		}
		addr, digits, ok := strings.Cut(f[columnLocal], ":")
		if n, err := strconv.ParseUint(digits, 16, 16); !ok || err != nil || int(n) != port || !reachable(addr) {
			continue
		}
		to[f[columnInode]] = false
	}
	return lines.Err()
}

// reachable reports whether connections to loopback reach a local address of the table:
// words of 32 bits, each in the machine's order.
func reachable(text string) bool {
	b, err := hex.DecodeString(text)
	if err != nil || len(b)%4 != 0 {
		return false
	}
	for w := b; len(w) > 0; w = w[4:] {
		binary.NativeEndian.PutUint32(w, binary.BigEndian.Uint32(w))
	}
	addr, ok := netip.AddrFromSlice(b)
	addr = addr.Unmap()
	return ok && (addr.IsLoopback() || addr.IsUnspecified())
}

// holds marks the sockets that a process has, and returns how many it is the first to have.
func holds(pid int, sockets map[string]bool) (n int) {
	dir := "/proc/" + strconv.Itoa(pid) + "/fd"
	files, err := os.ReadDir(dir)
	if err != nil {
		return 0 // it has ended, or may not be looked at: then its sockets are not seen to be its own
	}
	for _, f := range files {
		to, err := os.Readlink(dir + "/" + f.Name())
		if err != nil {
			continue
		}
		inode, ok := strings.CutPrefix(to, "socket:[")
		inode = strings.TrimSuffix(inode, "]")
		if seen, listens := sockets[inode]; ok && listens && !seen {
			sockets[inode] = true
			n++
		}
	}
	return n
}
