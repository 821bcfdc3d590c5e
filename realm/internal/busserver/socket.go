package busserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"sync"
)

// listen opens the socket at path, for this user alone. The caller holds the home's
// lock, so that a socket that is there is a stale one.
func listen(ctx context.Context, path string) (net.Listener, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("open the bus: %w", err)
	}
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("open the bus: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, fmt.Errorf("open the bus: %w", errors.Join(err, ln.Close()))
	}
	return ln, nil
}

// splice copies both ways until either side ends, and closes both.
func splice(a, b net.Conn) {
	var once sync.Once
	hangUp := func() {
		a.Close()
		b.Close()
	}
	var wg sync.WaitGroup
	for _, dir := range [2][2]net.Conn{{a, b}, {b, a}} {
		wg.Go(func() {
			defer once.Do(hangUp)
			_, _ = io.Copy(dir[0], dir[1]) // whatever ends it, the client connects again
		})
	}
	wg.Wait()
}
