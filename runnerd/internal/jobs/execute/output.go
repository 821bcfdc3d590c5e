package execute

import (
	"bufio"
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/logfile"
	"github.com/realm-mesh/realm/internal/kit/rotate"
	"github.com/realm-mesh/realm/runnerd/internal/jobs"
	"github.com/realm-mesh/realm/runnerd/internal/logs"
)

// output is the log of an execution, which one writes and several read, also while it grows.
type output struct {
	path string
	log  *logs.Log

	mu     sync.Mutex
	change chan struct{} // closed, and replaced, when there is more
	over   bool          // there will be no more
}

func newOutput(path string) *output {
	return &output{path: path, change: make(chan struct{}),
		log: logs.Open(api.Ref{}, path, func(api.Ref, api.LogLine) {}, slog.New(slog.DiscardHandler))}
}

// ended is the log of an execution that is over.
func ended(path string) *output { return &output{path: path, over: true} }

// writer returns a writer for one stream.
func (o *output) writer(stream string) *growing { return &growing{o.log.Writer(stream), o} }

// growing is a [logs.Writer] whose readers are told.
type growing struct {
	*logs.Writer
	of *output
}

// Write implements [io.Writer].
func (g *growing) Write(p []byte) (int, error) {
	n, err := g.Writer.Write(p)
	g.of.grown()
	return n, err
}

// grown tells readers that there may be more.
func (o *output) grown() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.tell()
}

func (o *output) tell() {
	close(o.change)
	o.change = make(chan struct{})
}

// close says that there will be no more.
func (o *output) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.over {
		o.log.Close()
		o.over = true
		o.tell()
	}
}

func (o *output) state() (change <-chan struct{}, over bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.change, o.over
}

// lines calls emit for what q asks for.
func (o *output) lines(ctx context.Context, q jobs.Lines, emit func(api.LogLine) error) error {
	r := &reader{path: o.path}
	defer r.close()
	change, over := o.state()
	last := newLast(q.Tail)
	err := r.each(func(l api.LogLine) error {
		switch {
		case !q.Wants(&l):
			return ctx.Err()
		case q.Tail >= 0:
			last.add(l)
			return nil
		}
		return emit(l)
	})
	if err != nil {
		return err
	}
	for _, l := range last.list() {
		if err := emit(l); err != nil {
			return err
		}
	}
	for q.Follow && !over {
		select {
		case <-change:
		case <-ctx.Done():
			return ctx.Err()
		}
		change, over = o.state()
		err := r.each(func(l api.LogLine) error {
			if !q.Wants(&l) {
				return ctx.Err()
			}
			return emit(l)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// size is how many bytes the log has.
func (o *output) size() (sum int64, err error) {
	for _, path := range versions(o.path) {
		info, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return sum, err
		}
		sum += info.Size()
	}
	return sum, nil
}

// copy writes all of it; nobody writes to it any more.
func (o *output) copy(to io.Writer) error {
	for _, path := range versions(o.path) {
		f, err := os.Open(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		_, err = io.Copy(to, f)
		f.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

func (o *output) remove() {
	for _, path := range versions(o.path) {
		_ = os.Remove(path) // with the folder, else
	}
}

// versions are the files of a log, the oldest first.
func versions(path string) []string {
	out := make([]string, 0, rotate.Older+1)
	for n := rotate.Older; n > 0; n-- {
		out = append(out, path+"."+strconv.Itoa(n))
	}
	return append(out, path)
}

// last keeps the last lines.
type last struct {
	most int
	held []api.LogLine
}

func newLast(n int) *last { return &last{most: max(n, 0)} }

func (l *last) add(line api.LogLine) {
	if l.held = append(l.held, line); len(l.held) >= 2*l.most+64 {
		l.held = append(l.held[:0], l.list()...)
	}
}

func (l *last) list() []api.LogLine { return l.held[max(0, len(l.held)-l.most):] }

// reader reads a log that grows and is rotated, each line once.
type reader struct {
	path string
	f    *os.File // the newest that was read; nil: none yet
	buf  *bufio.Reader
	part string // of a line whose end is not there yet
}

func (r *reader) close() {
	if r.f != nil {
		r.f.Close()
	}
}

// each calls fn for the lines that are there and were not read.
func (r *reader) each(fn func(api.LogLine) error) error {
	if r.f != nil {
		if err := r.drain(fn); err != nil {
			return err
		}
	}
	for {
		next, err := r.next()
		if err != nil || next == nil {
			return err
		}
		if r.f != nil { // what was written to it before it was rotated
			if err := r.drain(fn); err != nil {
				next.Close()
				return err
			}
		}
		r.close()
		r.f, r.buf, r.part = next, bufio.NewReaderSize(next, 64<<10), ""
		if err := r.drain(fn); err != nil {
			return err
		}
	}
}

// drain reads on in the current file, to its end.
func (r *reader) drain(fn func(api.LogLine) error) error {
	for {
		s, err := r.buf.ReadString('\n')
		r.part += s
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		line := strings.TrimSuffix(r.part, "\n")
		r.part = ""
		if l, ok := logfile.Parse(line); ok {
			if err := fn(l); err != nil {
				return err
			}
		}
	}
}

// next opens the file after the current one; nil: that is the newest.
func (r *reader) next() (*os.File, error) {
	paths := versions(r.path)
	from := 0
	if r.f != nil {
		mine, err := r.f.Stat()
		if err != nil {
			return nil, err
		}
		for i, p := range paths {
			if info, err := os.Stat(p); err == nil && os.SameFile(info, mine) {
				from = i + 1
			}
		}
	}
	for _, p := range paths[from:] {
		f, err := os.Open(p)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		return f, err
	}
	return nil, nil
}
