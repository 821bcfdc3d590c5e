package shim

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/rotate"
	"github.com/realm-mesh/realm/runnerd/internal/logs"
)

// drain is how long output is read on after all of a program has ended.
const drain = 2 * time.Second

// output keeps what a program writes.
type output struct {
	path  string
	log   *logs.Log
	grown func()

	reading sync.WaitGroup
	ends    []*os.File // that are read
	lines   atomic.Int64
	ending  atomic.Bool // all of the program has ended
}

func newOutput(path string, grown func(), log *slog.Logger) *output {
	// Whose log it is matters to listeners alone, and there are none here.
	return &output{path: path, log: logs.Open(api.Ref{}, path, func(api.Ref, api.LogLine) {}, log), grown: grown}
}

// pipe returns the end of a pipe that the program writes to. The caller closes it when
// the program has it.
func (o *output) pipe(stream string) (*os.File, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("take output: %w", err)
	}
	o.ends = append(o.ends, r)
	o.reading.Go(func() { o.read(r, newFlood(o.log.Writer(stream))) })
	return w, nil
}

func (o *output) read(from *os.File, to *flood) {
	defer to.end()
	whole := true
	for b := make([]byte, 64<<10); ; {
		if to.leaving && !o.ending.Load() {
			_ = from.SetReadDeadline(time.Now().Add(floodCalm)) // without one it is told later
		}
		n, err := from.Read(b)
		if n > 0 {
			to.write(b[:n], time.Now())
			o.lines.Add(int64(bytes.Count(b[:n], []byte{'\n'})))
			whole = b[n-1] == '\n'
		}
		if errors.Is(err, os.ErrDeadlineExceeded) && !o.ending.Load() {
			to.settle()
			_ = from.SetReadDeadline(time.Time{})
			err = nil
		}
		o.grown()
		if err != nil {
			if !whole {
				o.lines.Add(1)
			}
			return
		}
	}
}

// end reads what is left; all of the program has ended.
func (o *output) end() error {
	o.ending.Store(true)
	var errs []error
	for _, r := range o.ends {
		errs = append(errs, r.SetReadDeadline(time.Now().Add(drain)))
	}
	o.reading.Wait()
	for _, r := range o.ends {
		r.Close()
	}
	o.log.Close()
	return errors.Join(errs...)
}

// count says how many lines were written, and about how many of them the files have not.
func (o *output) count() (lines, dropped int64) {
	lines = o.lines.Load()
	kept := int64(0)
	kept += countLines(o.path)
	for n := range rotate.Older {
		kept += countLines(o.path + "." + strconv.Itoa(n+1))
	}
	return lines, max(0, lines-kept)
}

func countLines(name string) int64 {
	f, err := os.Open(name)
	if err != nil {
		return 0
	}
	defer f.Close()
	n := int64(0)
	for b := make([]byte, 64<<10); ; {
		k, err := f.Read(b)
		n += int64(bytes.Count(b[:k], []byte{'\n'}))
		if err != nil {
			return n
		}
	}
}
