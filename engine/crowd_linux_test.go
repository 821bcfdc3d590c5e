package engine

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/realm-mesh/realm/engine/mount"
	"github.com/realm-mesh/realm/engine/wasmtest"
)

// crowd starts many commands of one module, and returns how to end them.
func crowd(t testing.TB, m *Module, many int, args ...string) (end func()) {
	ctx, stop := context.WithCancelCause(t.Context())
	var all sync.WaitGroup
	for range many {
		all.Go(func() {
			if err := m.Run(ctx, Env{Args: args}); !errors.Is(err, errGone) {
				t.Error(err)
			}
		})
	}
	return func() {
		stop(errGone)
		all.Wait()
	}
}

// used is what this process has had of the processors.
func used(t testing.TB) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// status is a field of what the system says of this process: a number of bytes.
func status(t testing.TB, field string) int64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), field+":")
	kb, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return kb << 10
}

// TestSleepersAreNearlyFree: what sleeps holds no thread and takes no time.
func TestSleepersAreNearlyFree(t *testing.T) {
	const many = 200
	m := ready(t, wasmtest.Script(wasmtest.Forever(wasmtest.Sleep(time.Hour))), 64)
	before, created := runtime.NumGoroutine(), pprof.Lookup("threadcreate").Count()
	defer crowd(t, m, many)()
	deadline := time.Now().Add(20 * time.Second)
	for runtime.NumGoroutine() < before+2*many { // until they sleep, which is no event for anybody
		if time.Now().After(deadline) {
			t.Fatal("they have not started")
		}
		time.Sleep(10 * time.Millisecond)
	}
	if n := runtime.NumGoroutine() - before; n > 3*many {
		t.Errorf("%d goroutines for %d guests", n, many)
	}
	if n := pprof.Lookup("threadcreate").Count() - created; n > many/2 {
		t.Errorf("%d threads for %d guests", n, many)
	}
	runtime.GC()
	begun := used(t)
	time.Sleep(2 * time.Second)
	if took := used(t) - begun; took > 100*time.Millisecond {
		t.Errorf("asleep they take %s in 2 s", took)
	}
}

// TestMoreBusyCommandsThanThreads: those that never pause leave time to others, and
// stop when told to.
func TestMoreBusyCommandsThanThreads(t *testing.T) {
	e := New(NewCache(cacheDir))
	defer e.MakeRoom()()
	end := crowd(t, readyIn(t, e, wasmtest.Endless(), 16), 80)
	quick := readyIn(t, e, wasmtest.Nothing(), 16)
	for range 3 {
		if err := quick.Run(t.Context(), Env{}); err != nil {
			t.Error(err)
		}
	}
	begun := time.Now()
	end()
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("they stopped after %s", took)
	}
}

// open is how many descriptors this process has of a file.
func open(t *testing.T, path string) (n int) {
	t.Helper()
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if target, err := os.Readlink(filepath.Join("/proc/self/fd", f.Name())); err == nil && target == path {
			n++
		}
	}
	return n
}

// TestInstancesLeaveNothing ends guests that have a file open, in all ways.
func TestInstancesLeaveNothing(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "file")
	folder, err := mount.Open(dir, false)
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	const limit = 1024 // of memory, in MiB
	goGuest := ready(t, probe, limit)
	small := ready(t, wasmtest.Script(wasmtest.IfFile("file", []wasmtest.Step{wasmtest.Out("x"), wasmtest.Sleep(time.Hour)}, nil)), limit)
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // a collection would close files
	before := status(t, "VmSize")
	ways := map[string]struct {
		module *Module
		args   []string
		stop   bool // when it prints something
	}{
		"returns":   {goGuest, []string{"out=x"}, false},
		"exits":     {goGuest, []string{"exit=3"}, false},
		"panics":    {goGuest, []string{"panic=oh"}, false},
		"loops":     {goGuest, []string{"out=x", "loop"}, true},
		"sleeps":    {goGuest, []string{"out=x", "sleep=1h"}, true},
		"is asleep": {small, nil, true},
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, way := range ways {
		ctx, cancel := context.WithCancel(t.Context())
		env := Env{Args: append([]string{"probe", "open=/data/file"}, way.args...), Mounts: []Mount{{Guest: "/data", Folder: folder}}}
		if way.stop {
			env.Stdout = callOnWrite(cancel)
		}
		err := way.module.Run(ctx, env)
		cancel()
		if n := open(t, file); n != 0 || errors.Is(err, context.Canceled) != way.stop {
			t.Errorf("a guest that %s (%v) leaves %d files open", name, err, n)
		}
	}
	if text, err := os.ReadFile(file); string(text) != "opened\n" {
		t.Errorf("the file holds %q, %v", text, err)
	}
	if grown := (status(t, "VmSize") - before) >> 20; grown > int64(len(ways))*limit/2 {
		t.Errorf("%d instances of %d MiB leave %d MiB of address space in use", len(ways), limit, grown)
	}
}

// callOnWrite is a stream that calls a function when something is written, and goes on
// once all have heard of it.
type callOnWrite func()

func (f callOnWrite) Write(p []byte) (int, error) {
	f()
	time.Sleep(50 * time.Millisecond) // wazero learns of the end of a context in a goroutine of its own
	return len(p), nil
}

// BenchmarkSleeping measures what a guest takes that has started and sleeps.
func BenchmarkSleeping(b *testing.B) {
	const many = 200
	for name, c := range map[string]struct {
		wasm []byte
		args []string
	}{"small": {wasmtest.Script(wasmtest.Forever(wasmtest.Sleep(time.Hour))), nil}, "go": {probe, []string{"probe", "sleep=1h"}}} {
		b.Run(name, func(b *testing.B) {
			m := ready(b, c.wasm, 64)
			defer m.engine.MakeRoom()()
			debug.FreeOSMemory()
			memory := status(b, "RssAnon")
			for b.Loop() {
				end := crowd(b, m, many, c.args...)
				time.Sleep(3 * time.Second)
				debug.FreeOSMemory()
				b.ReportMetric(float64(status(b, "RssAnon")-memory)/1024/many, "KiB/guest")
				begun := used(b)
				time.Sleep(2 * time.Second)
				b.ReportMetric(float64(used(b)-begun)/float64(2*time.Second)*100, "%cpu")
				b.ReportMetric(float64(pprof.Lookup("threadcreate").Count()), "threads")
				end()
			}
		})
	}
}
