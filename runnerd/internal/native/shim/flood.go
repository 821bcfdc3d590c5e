package shim

import (
	"bytes"
	"fmt"
	"time"

	"github.com/realm-mesh/realm/runnerd/internal/logs"
)

// What goes into the log of what a program writes faster than anybody could read.
const (
	floodBurst = 16 << 20  // bytes at once
	floodRate  = 4 << 20   // bytes a second after that
	floodLast  = 128 << 10 // bytes that are kept of what is left out, at least: its end may say why
	floodCalm  = time.Second
)

// flood passes output on to a log, but for the middle of what comes too fast: a program
// shall wait for its log no longer than others for the processor.
type flood struct {
	to   *logs.Writer
	room float64 // bytes that may be written now
	at   time.Time

	leaving bool   // something is being left out
	lines   int64  // how many lines, without those in last
	last    []byte // the end of it
}

func newFlood(to *logs.Writer) *flood {
	return &flood{to: to, room: floodBurst, at: time.Now()}
}

// write takes what a program wrote.
func (f *flood) write(b []byte, now time.Time) {
	f.room = min(floodBurst, f.room+floodRate*now.Sub(f.at).Seconds())
	f.at = now
	if f.leaving && f.room > floodBurst/4 {
		f.settle()
	}
	if !f.leaving && f.room >= float64(len(b)) {
		f.room -= float64(len(b))
		_, _ = f.to.Write(b) // it never fails
		return
	}
	if !f.leaving {
		f.leaving = true
		f.to.Flush()
	}
	f.last = append(f.last, b...)
	if n := len(f.last) - floodLast; n > floodLast {
		f.lines += int64(bytes.Count(f.last[:n], []byte{'\n'}))
		f.last = append(f.last[:0], f.last[n:]...)
	}
}

// settle writes the end of what was left out, and how much it was.
func (f *flood) settle() {
	if !f.leaving {
		return
	}
	last := f.last
	if cut, rest, ok := bytes.Cut(last, []byte{'\n'}); ok && len(rest) > 0 {
		f.lines++
		last = last[len(cut)+1:]
	}
	_, _ = fmt.Fprintf(f.to, "(%d lines came too fast and are left out here)\n", f.lines)
	_, _ = f.to.Write(last)
	f.room -= float64(len(last))
	f.leaving, f.lines, f.last = false, 0, f.last[:0]
}

// end writes what is held back.
func (f *flood) end() {
	f.settle()
	f.to.Flush()
}
