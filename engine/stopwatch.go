package engine

import (
	"runtime"
	"time"
)

// stopwatch adds up the time that one goroutine takes of the processor. It keeps the
// goroutine on its thread while it runs, since it is threads that systems count.
type stopwatch struct {
	total, begun time.Duration
}

// start is called by the goroutine that is to be measured, and stop by the same one.
func (w *stopwatch) start() {
	runtime.LockOSThread()
	w.begun = threadTime()
}

func (w *stopwatch) stop() {
	w.total += threadTime() - w.begun
	runtime.UnlockOSThread()
}

// measure runs fn with the watch running.
func (w *stopwatch) measure(fn func() error) error {
	w.start()
	defer w.stop()
	return fn()
}
