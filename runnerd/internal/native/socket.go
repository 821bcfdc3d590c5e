package native

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
)

// maxSocket is the longest path of a Unix socket that all systems take.
const maxSocket = 103

// Control is what a caller asks of a shim, a line of JSON. What comes back is one byte
// each time that the log has grown, and the end of the stream when the shim ends.
type Control struct {
	StopMillis *int64 `json:"stop_ms,omitempty"` // stop, and kill after so long
}

// SocketPath is the socket of the execution in dir.
func SocketPath(dir string) string { return filepath.Join(dir, socketFile) }

// Listen opens the socket of the execution in dir.
func Listen(dir string) (*net.UnixListener, error) {
	path := SocketPath(dir)
	os.Remove(path) // of a shim that started nothing
	var ln *net.UnixListener
	err := atShort(path, func(short string) error {
		var err error
		ln, err = net.ListenUnix("unix", &net.UnixAddr{Name: short, Net: "unix"})
		if err == nil {
			ln.SetUnlinkOnClose(false) // by then the short path leads nowhere
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listen for orders: %w", err)
	}
	return ln, nil
}

// dial reaches the shim of the execution in dir.
func dial(dir string) (*net.UnixConn, error) {
	var conn *net.UnixConn
	err := atShort(SocketPath(dir), func(short string) error {
		var err error
		conn, err = net.DialUnix("unix", nil, &net.UnixAddr{Name: short, Net: "unix"})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reach the shim: %w", err)
	}
	return conn, nil
}

// atShort calls fn with a path of the file that is short enough for a socket.
func atShort(path string, fn func(string) error) error {
	if len(path) <= maxSocket {
		return fn(path)
	}
	tmp, err := os.MkdirTemp("", "realm-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	link := filepath.Join(tmp, "d")
	if err := os.Symlink(filepath.Dir(path), link); err != nil {
		return err
	}
	return fn(filepath.Join(link, filepath.Base(path)))
}
