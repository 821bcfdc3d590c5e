package keyagent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/realm-mesh/realm/internal/kit/paths"
)

// Run is an agent: it reads the key from in, says on out when callers can reach it
// (and closes out), and returns when its time is over or ctx ends.
func Run(ctx context.Context, in io.Reader, out io.WriteCloser) error {
	signal.Ignore(syscall.SIGPIPE) // of out, where nobody waits any more: an error, then
	l, err := open(ctx, in)
	if err != nil {
		return errors.Join(err, tell(out, reply{Error: err.Error()}))
	}
	if err := tell(out, reply{}); err != nil {
		err = errors.Join(err, l.Close())
		l.remove()
		return err
	}
	return l.server.serve(ctx, l)
}

func tell(out io.WriteCloser, r reply) error {
	err := json.NewEncoder(out).Encode(r)
	if err = errors.Join(err, out.Close()); err != nil {
		return fmt.Errorf("tell that the key agent is ready: %w", err)
	}
	return nil
}

// listener is an agent that callers can reach.
type listener struct {
	net.Listener
	server *server
	at     paths.KeyAgent
	socket fs.FileInfo // as it was made
}

// open makes this process fit to hold a key, reads it, and listens.
func open(ctx context.Context, in io.Reader) (*listener, error) {
	if err := harden(); err != nil {
		return nil, fmt.Errorf("protect memory: %w", err)
	}
	h, err := readHandover(in)
	if err != nil {
		return nil, fmt.Errorf("take the key over: %w", err)
	}
	end := newDeadline(h.Until, newClock())
	if left := end.left(); left > MaxLife {
		return nil, fmt.Errorf("live for %s: at most %s", left, MaxLife)
	}
	s, err := newServer(h.key(), end)
	if err != nil {
		return nil, err
	}
	at, err := paths.OpenKeyAgent(h.KeyFile)
	if err != nil {
		return nil, err
	}
	return listen(ctx, at, s)
}

// listen takes the place of an agent that is there, alive or dead. Of two that
// come at once the one whose socket was replaced ends by itself.
func listen(ctx context.Context, at paths.KeyAgent, s *server) (*listener, error) {
	if _, err := NewClient(at).Lock(); err != nil {
		return nil, err
	}
	if err := at.Create(); err != nil {
		return nil, err
	}
	if err := os.Remove(at.Socket()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("remove the socket of a dead key agent: %w", err)
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "unix", at.Socket())
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false) // it may be another's by then
	err = os.Chmod(at.Socket(), 0o600)
	if err == nil {
		var fi fs.FileInfo
		if fi, err = os.Lstat(at.Socket()); err == nil {
			return &listener{l, s, at, fi}, nil
		}
	}
	return nil, errors.Join(fmt.Errorf("listen: %w", err), l.Close())
}

// present reports whether the socket that callers find is this one's.
func (l *listener) present() bool {
	fi, err := os.Lstat(l.at.Socket())
	// The time as well: file systems give the number of a removed file to the next.
	return err == nil && os.SameFile(fi, l.socket) && fi.ModTime().Equal(l.socket.ModTime())
}

// remove leaves nothing behind, but what is another's.
func (l *listener) remove() {
	if l.present() {
		os.Remove(l.at.Socket())
	}
	os.Remove(l.at.Dir()) // fails while there is something in it: meant
}
