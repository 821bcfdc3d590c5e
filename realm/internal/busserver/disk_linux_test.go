package busserver

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/disk"
	"github.com/realm-mesh/realm/internal/kit/hosttest"
	"github.com/realm-mesh/realm/internal/kit/paths"
)

// smallHome is a home on a file system of its own with size bytes.
func smallHome(t *testing.T, size int) paths.Home {
	t.Helper()
	dir := hosttest.MountTmpfs(t, fmt.Sprintf("size=%d", size))
	h, err := paths.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Create(); err != nil {
		t.Fatal(err)
	}
	return h
}

// fill writes a file that leaves at most rest bytes free.
func fill(t *testing.T, h paths.Home, rest int64) (path string) {
	t.Helper()
	path = filepath.Join(h.Root(), "ballast")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	block := make([]byte, 4096)
	for {
		free, err := disk.Free(h.Root())
		if err != nil {
			t.Fatal(err)
		}
		if free <= rest {
			return path
		}
		if _, err := f.Write(block[:min(int64(len(block)), free)]); err != nil && !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
	}
}

// TestFullDisk fills the disk until a put fails, frees it, and wants the bus back
// with all that it had acknowledged.
func TestFullDisk(t *testing.T) {
	h := smallHome(t, 32<<20)
	s, err := Start(t.Context(), h, quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	intents := bucket(t, connect(t, h, api.Meshd), api.BucketIntents)
	seen := follow(t, bucket(t, connect(t, h, api.Runnerd), api.BucketIntents), ">")
	wantSteps(t, seen, "reset", "synced")
	put(t, intents, "before", "1")
	wantSteps(t, seen, "put before 1")

	ballast := fill(t, h, 64<<10)
	acknowledged := []string{"before"}
	value := []byte(strings.Repeat("x", 8<<10))
	for i := range 100 {
		key := fmt.Sprintf("full.%d", i)
		if err = intents.Put(within(t, 500*time.Millisecond), key, value); err != nil {
			break
		}
		acknowledged = append(acknowledged, key)
	}
	if err == nil {
		t.Fatal("puts on a full disk were acknowledged")
	}
	t.Logf("%d puts, then: %v", len(acknowledged), err)
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	freed := time.Now()
	for time.Since(freed) < 10*time.Second {
		if err = intents.Put(within(t, 500*time.Millisecond), "after", []byte("1")); err == nil {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if err != nil {
		t.Fatalf("the bus did not come back: %v", err)
	}
	t.Logf("back %v after there was room", time.Since(freed))
	for _, key := range acknowledged {
		if _, err := intents.Get(within(t, 5*time.Second), key); err != nil {
			t.Errorf("an acknowledged put is lost: %v", err)
		}
	}
	for step := ""; step != "put after 1"; {
		select {
		case step = <-seen:
		case <-time.After(10 * time.Second):
			t.Fatal("the watch did not resume")
		}
	}
}

// TestApplyOnFullDisk is [TestFullDisk] for many changes at once.
func TestApplyOnFullDisk(t *testing.T) {
	h := smallHome(t, 32<<20)
	s, err := Start(t.Context(), h, quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	intents := bucket(t, connect(t, h, api.Meshd), api.BucketIntents)
	value := strings.Repeat("x", 8<<10)
	apply(t, intents, values("before", 100, value))
	ballast := fill(t, h, 64<<10)
	if err := intents.Apply(within(t, 2*time.Second), values("full", 100, value), nil); err == nil {
		t.Fatal("changes on a full disk were acknowledged")
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	for freed := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		if err = intents.Apply(within(t, time.Second), values("after", 100, value), nil); err == nil {
			break
		}
		if time.Since(freed) > 10*time.Second {
			t.Fatalf("the bus did not come back: %v", err)
		}
	}
	got := contents(t, intents)
	for _, prefix := range []string{"before", "after"} {
		for key := range values(prefix, 100, "") {
			if got[key] != value {
				t.Errorf("%s is lost", key)
			}
		}
	}
}

func TestStartOnFullDisk(t *testing.T) {
	h := smallHome(t, 8<<20)
	ballast := fill(t, h, 1<<20)
	if _, err := Start(t.Context(), h, quiet); !errors.Is(err, disk.ErrFull) {
		t.Errorf("got %v, want ErrFull", err)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	s, err := Start(t.Context(), h, quiet)
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	if _, err := os.Stat(h.Socket(api.Launcher)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
}
