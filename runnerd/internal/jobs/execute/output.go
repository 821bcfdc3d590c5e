package execute

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/realm-mesh/realm/api"
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
	reads  int           // readers that have not come to the end
	idle   chan struct{} // closed when there are none; nil: nobody waits for that
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

// note says at the end how many lines the log has not: nobody writes to it any more.
func (o *output) note(dropped int64) {
	w := o.writer(logs.Stderr)
	_, _ = fmt.Fprintf(w, "(%d of its lines were left out: it wrote more, or faster, than a log takes)\n", dropped) // it never fails
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

// reading counts a reader; it calls the func it gets when it is done.
func (o *output) reading() (done func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.reads++
	return func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.reads--; o.reads == 0 && o.idle != nil {
			close(o.idle)
			o.idle = nil
		}
	}
}

// settle waits until nobody reads, for that long at most.
func (o *output) settle(most time.Duration) {
	o.mu.Lock()
	if o.reads == 0 {
		o.mu.Unlock()
		return
	}
	if o.idle == nil {
		o.idle = make(chan struct{})
	}
	idle := o.idle
	o.mu.Unlock()
	late := time.NewTimer(most)
	defer late.Stop()
	select {
	case <-idle:
	case <-late.C:
	}
}

// move has the files lie at another path. Readers go on with what they have open.
func (o *output) move(to string) error {
	if to == o.path {
		return nil
	}
	from, dest := versions(o.path), versions(to)
	var errs []error
	for i := range from {
		if err := os.Rename(from[i], dest[i]); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (o *output) state() (change <-chan struct{}, over bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.change, o.over
}

// lines calls emit for what q asks for.
func (o *output) lines(ctx context.Context, q jobs.Lines, emit func(api.LogLine) error) error {
	defer o.reading()()
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
