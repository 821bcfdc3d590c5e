package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/realm-mesh/realm/internal/kit/local"
)

// httpSwarm is a server of files, and clients that each download from it alone.
type httpSwarm struct {
	dir  string
	addr string
	give atomic.Int64 // bytes
	end  context.CancelFunc
	done chan error
}

func newHTTPSwarm(ctx context.Context, dir string) (*httpSwarm, error) {
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	ctx, end := context.WithCancel(context.WithoutCancel(ctx))
	s := &httpSwarm{dir: dir, addr: ln.Addr().String(), end: end, done: make(chan error, 1)}
	srv := &http.Server{Handler: http.FileServer(http.Dir(dir)), ReadHeaderTimeout: time.Second}
	go func() { s.done <- local.ServeUntil(ctx, srv, ln, time.Second) }()
	return s, nil
}

func (s *httpSwarm) stop() error {
	s.end()
	return <-s.done
}

func (s *httpSwarm) offer(_ context.Context, file string) (string, error) {
	return filepath.Base(file), nil
}

func (s *httpSwarm) take(ctx context.Context, i int, id string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.addr+"/"+id, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("download: %s", resp.Status)
	}
	f, err := os.Create(filepath.Join(s.dir, fmt.Sprint("downloaded", i)))
	if err != nil {
		return err
	}
	n, err := io.Copy(f, resp.Body)
	s.give.Add(n)
	return errors.Join(err, f.Close())
}

func (s *httpSwarm) sent(context.Context) (int64, error) { return s.give.Load(), nil }

func (s *httpSwarm) pids() []int { return []int{os.Getpid()} }
