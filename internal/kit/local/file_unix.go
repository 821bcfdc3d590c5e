//go:build unix

package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"syscall"
)

// ReceiveFiles returns a listener whose callers may send open files: see [File].
func ReceiveFiles(ln net.Listener) net.Listener { return receiving{ln} }

type receiving struct{ net.Listener }

func (l receiving) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if u, ok := c.(*net.UnixConn); ok {
		return &receiver{UnixConn: u}, err
	}
	return c, err
}

// receiver is a connection that takes files, one at a time: each is closed when the next
// one comes, or the connection ends, unless somebody has taken it. So a caller that has
// no token yet can have it hold one.
type receiver struct {
	*net.UnixConn

	mu     sync.Mutex
	file   *os.File // that nobody has taken
	closed bool
}

// Read implements [io.Reader].
func (r *receiver) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return r.UnixConn.Read(b)
	}
	var beside [rightsSize]byte
	n, size, _, _, err := r.ReadMsgUnix(b, beside[:])
	if errors.Is(err, io.EOF) {
		err = io.EOF // as from a plain read
	}
	if err != nil {
		return max(n, 0), err // it may be -1
	}
	for _, f := range filesOf(beside[:size]) {
		r.keep(f)
	}
	return n, nil
}

// rightsSize has room for more descriptors than the one that is wanted: some systems
// lose those that do not fit.
const rightsSize = 64

func filesOf(beside []byte) (all []*os.File) {
	messages, err := syscall.ParseSocketControlMessage(beside)
	if err != nil {
		return nil // no message, or none of this kind
	}
	for i := range messages {
		fds, err := syscall.ParseUnixRights(&messages[i])
		if err != nil {
			continue
		}
		for _, fd := range fds {
			all = append(all, os.NewFile(uintptr(fd), "file of the caller"))
		}
	}
	return all
}

// keep has f wait for somebody to take it.
func (r *receiver) keep(f *os.File) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		discard(f)
		return
	}
	discard(r.file)
	r.file = f
}

func (r *receiver) take() *os.File {
	r.mu.Lock()
	defer r.mu.Unlock()
	f := r.file
	r.file = nil
	return f
}

// Close implements [io.Closer].
func (r *receiver) Close() error {
	r.mu.Lock()
	discard(r.file)
	r.file, r.closed = nil, true
	r.mu.Unlock()
	return r.UnixConn.Close()
}

// discard closes a file that nobody has used, if there is one.
func discard(f *os.File) {
	if f != nil {
		_ = f.Close() // nothing was written to it
	}
}

// sender is a connection that sends a file along with what is written to it first.
type sender struct {
	*net.UnixConn
	file *os.File // nil: it was sent
}

// Write implements [io.Writer].
func (s *sender) Write(b []byte) (n int, err error) {
	if s.file != nil && len(b) > 0 {
		if n, err = s.send(b); err != nil || n == len(b) {
			return n, err
		}
	}
	m, err := s.UnixConn.Write(b[n:])
	return n + m, err
}

// send writes as much of b as goes at once.
func (s *sender) send(b []byte) (n int, err error) {
	raw, err := s.file.SyscallConn()
	if err != nil {
		return 0, err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		n, _, failed = s.WriteMsgUnix(b, syscall.UnixRights(int(fd)), nil)
	})
	if err = errors.Join(err, failed); err != nil {
		return max(n, 0), fmt.Errorf("send file: %w", err)
	}
	s.file = nil
	return n, nil
}

// carrier returns a transport for one request, with which the file goes.
func carrier(dial dialer, f *os.File) http.RoundTripper {
	return &http.Transport{
		DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) {
			c, err := dial(ctx, addr)
			if err != nil {
				return nil, err
			}
			return &sender{c, f}, nil
		},
		DisableKeepAlives:  true,
		DisableCompression: true,
	}
}
