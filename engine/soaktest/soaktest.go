// Package soaktest has tests do something very often, and hold what a process has
// against what it had after a part of that.
package soaktest

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"testing"
	"time"
)

const (
	// slackBytes and slackGoroutines are how much more a process may have at one look
	// than at another.
	slackBytes      = 12 << 20
	slackGoroutines = 5
)

// Held is what a process has.
type Held struct {
	Heap       int64 // bytes in use
	Resident   int64 // bytes; 0 where the system does not tell
	Goroutines int
}

// Soak is something that a test does very often.
type Soak struct {
	Most int           // how often, at most
	For  time.Duration // how long, at most; more than 0
	Look func() Held   // at the process, once it has given back what it does not use
}

// Flat calls do, with 0, 1 and so on, and fails the test if the process has more in the
// end than it had after a tenth. It returns how often it was done.
func (s Soak) Flat(t testing.TB, do func(i int)) (done int) {
	t.Helper()
	var took time.Duration // without the looks
	var early Held
	since := 0
	for done < s.Most && took < s.For {
		begun := time.Now()
		do(done)
		took += time.Since(begun)
		if done++; since == 0 && (done >= s.Most/10 || took > s.For/10) {
			since, early = done, s.Look()
		}
	}
	late := s.Look()
	t.Logf("%d times in %v; heap %d to %d bytes, resident %d to %d, goroutines %d to %d, since %d times", done, took.Round(time.Second),
		early.Heap, late.Heap, early.Resident, late.Resident, early.Goroutines, late.Goroutines, since)
	if late.Heap > early.Heap+slackBytes || late.Resident > early.Resident+slackResident || late.Goroutines > early.Goroutines+slackGoroutines {
		t.Error("that is more and more")
	}
	return done
}

// Here looks at this process, once it has given back what it does not use.
func Here(t testing.TB) Held {
	t.Helper()
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return Held{int64(m.HeapInuse), Resident(t, os.Getpid()), runtime.NumGoroutine()} //nolint:gosec // far less
}

// Resident is how many bytes of a process are in memory, 0 where /proc does not tell.
func Resident(t testing.TB, pid int) int64 {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "statm"))
	if err != nil {
		return 0
	}
	pages, err := strconv.ParseInt(string(bytes.Fields(b)[1]), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}
