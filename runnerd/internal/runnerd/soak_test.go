package runnerd

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"net/http"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/engine/soaktest"
	"github.com/realm-mesh/realm/engine/wasmtest"
	"github.com/realm-mesh/realm/internal/kit/bus"
)

// soak bounds the test below, which is longer the longer it is: see make soak.
var soak = flag.Duration("soak", time.Second, "how long the test of flat memory may go on")

const (
	soakPushes = 10_000
	// slackDisk is how many bytes more the files may have after all pushes than early on.
	slackDisk = 1 << 20
)

// TestManyPushesLeaveNothing has ten thousand different versions of a function pushed,
// run and called, or as many as there is time for.
func TestManyPushesLeaveNothing(t *testing.T) {
	n := newNode(t)
	n.start()
	facts := n.follow(double)
	var files []int64 // at each look
	done := soaktest.Soak{Most: soakPushes, For: *soak, Look: func() soaktest.Held {
		files = append(files, n.files())
		return n.held()
	}}.Flat(t, func(i int) {
		n.forgetBlobs() // nobody needs the last one any more
		n.push(double, &api.Function{Module: n.program(wasmtest.Numbered("double", int32(i)))})
		n.awaitFact(facts, n.prev[double].Seq)
		if got, want := n.call("double", "[]"), fmt.Sprintf(`200 {"result":%d}`, i); got != want {
			t.Fatalf("push %d: %s, want %s", i, got, want)
		}
	})
	t.Logf("files without the bus's and the cache have %d bytes, then %d; the cache has %d, of %d programs",
		files[0], files[1], n.size(n.home.Cache(api.Runnerd)), done)
	if files[1] > files[0]+slackDisk {
		t.Error("files grow with every push")
	}
}

// follow tells what this node says of ref, until the test ends.
func (n *node) follow(ref api.Ref) <-chan api.WorkloadFact {
	n.Helper()
	facts, ended := make(chan api.WorkloadFact), make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	bucket := n.bucket(api.BucketWorkloads)
	go func() {
		defer close(facts)
		ended <- bucket.Watch(ctx, api.KeyWorkload(ref, n.self), func(ev bus.Event) error {
			var f api.WorkloadFact
			if ev.Kind != bus.Put {
				return nil
			}
			if err := json.Unmarshal(ev.Value, &f); err != nil {
				return err
			}
			select {
			case facts <- f:
			case <-ctx.Done():
			}
			return nil
		})
	}()
	n.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			n.Error(err)
		}
	})
	return facts
}

// awaitFact waits until a version runs.
func (n *node) awaitFact(facts <-chan api.WorkloadFact, seq uint64) {
	n.Helper()
	late := time.After(time.Minute)
	for {
		select {
		case f, ok := <-facts:
			switch {
			case !ok || f.Seq == seq && f.State == api.StateFailed:
				n.Fatalf("version %d: %s", seq, f.Reason)
			case f.Seq == seq && f.State == api.StateRunning:
				return
			}
		case <-late:
			n.Fatalf("version %d does not run", seq)
		}
	}
}

func (n *node) forgetBlobs() {
	n.mu.Lock()
	defer n.mu.Unlock()
	clear(n.blobs)
}

// held is what the daemon has, once it has given back what it does not use: it does so
// by itself when no program has come for a while.
func (n *node) held() soaktest.Held {
	n.Helper()
	begun := float64(time.Now().UnixNano()) / 1e9
	late := time.Now().Add(time.Minute)
	for n.metric("go_memstats_last_gc_time_seconds") < begun+tidyAfter.Seconds()-0.5 {
		if time.Now().After(late) {
			n.Fatal("the daemon does not tidy up after programs were loaded")
		}
		time.Sleep(100 * time.Millisecond)
	}
	return soaktest.Held{Heap: int64(n.metric("go_memstats_heap_inuse_bytes")), Resident: soaktest.Resident(n, n.cmd.Process.Pid), Goroutines: int(n.metric("go_goroutines"))}
}

// metric is the value of a series without labels.
func (n *node) metric(name string) float64 {
	n.Helper()
	_, body := n.request(http.MethodGet, "/metrics", "")
	found := regexp.MustCompile("(?m)^" + name + " (.+)$").FindStringSubmatch(body)
	if found == nil {
		n.Fatalf("there is no %s", name)
	}
	v, err := strconv.ParseFloat(found[1], 64)
	n.check(err)
	return v
}

// files is how many bytes the files of the home have that are runnerd's to bound in any
// number of pushes: not the bus's, nor the cache's, which has a bound of its own.
func (n *node) files() int64 {
	return n.size(n.home.Root()) - n.size(n.home.Bus()) - n.size(n.home.Cache(api.Runnerd))
}

func (n *node) size(dir string) (sum int64) {
	n.Helper()
	n.check(filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		info, err := e.Info()
		if err == nil {
			sum += info.Size()
		}
		return err
	}))
	return sum
}
