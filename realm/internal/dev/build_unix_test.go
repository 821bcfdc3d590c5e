//go:build unix

package dev

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

var errEnough = errors.New("enough")

// A build that is told to end leaves nothing of itself behind.
func TestBuildEnds(t *testing.T) {
	dir := folder(t, nil)
	b, err := Find(dir, "sleep 300 & echo $! > child; mv child started; wait", "", "")
	if err != nil {
		t.Fatal(err)
	}
	w, err := Watch(dir, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	over := make(chan error, 1)
	go func() { over <- w.Run(ctx) }()
	go func() {
		<-w.Saved
		cancel(errEnough)
	}()
	if _, err := b.Build(ctx, nil); !errors.Is(err, errEnough) {
		t.Fatalf("got %v", err)
	}
	if err := <-over; err != nil {
		t.Error(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "started"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	// It has been told to end: whoever inherits it buries it.
	for end := time.Now().Add(10 * time.Second); syscall.Kill(pid, 0) == nil && !buried(pid); {
		if time.Now().After(end) {
			t.Fatalf("process %d goes on", pid)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// buried reports whether a process has ended, and only its entry is left.
func buried(pid int) bool {
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	return err == nil && strings.Contains(string(stat), ") Z ")
}
