package jobs

import (
	"context"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/logfile"
)

// executor carries out what the realm's program says, and has output in memory.
type executor struct {
	m     *node
	found []Found
	crash chan struct{} // closed: all that goes on is gone, and nothing is told

	mem       sync.Mutex
	logs      map[api.Exec]*memory
	tails     map[api.Exec]*memory
	kept      []api.Exec
	forgotten []api.Exec
	blob      string // what the store gives
	panics    bool
}

// memory is a log.
type memory struct {
	mu     sync.Mutex
	lines  []api.LogLine
	over   bool
	change chan struct{}
}

func (l *memory) add(over bool, lines ...api.LogLine) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, lines...)
	l.over = l.over || over
	close(l.change)
	l.change = make(chan struct{})
}

// each calls emit for what q asks for.
func (l *memory) each(ctx context.Context, q Lines, emit func(api.LogLine) error) error {
	for from := 0; ; {
		l.mu.Lock()
		some, over, change := l.lines[from:], l.over, l.change
		l.mu.Unlock()
		if from += len(some); from == len(some) && q.Tail >= 0 {
			some = some[max(0, len(some)-q.Tail):]
		}
		for _, line := range some {
			if q.Wants(&line) {
				if err := emit(line); err != nil {
					return err
				}
			}
		}
		if over || !q.Follow {
			return nil
		}
		select {
		case <-change:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// execution is one of them.
type execution struct {
	api.Exec
	order  Order
	report func(Change)
	log    *memory
	stop   chan Change
	crash  chan struct{}
	over   chan struct{}
}

func (x *execution) Stop(as api.ExecState, why string) {
	select {
	case x.stop <- Change{State: as, Reason: why}:
	default:
	}
}

func (x *execution) Over() <-chan struct{} { return x.over }

func (x *execution) say(text string) {
	x.log.add(false, api.LogLine{Time: time.Now(), Stream: logfile.Stdout, Line: text})
	time.Sleep(time.Millisecond) // lines have different times
}

// sleep goes on for d, and then ends well, unless it is stopped.
func (x *execution) sleep(d time.Duration) Change {
	select {
	case <-time.After(d):
		return Change{State: api.ExecSucceeded}
	case c := <-x.stop:
		return c
	case <-x.crash:
		return Change{}
	}
}

func (e *executor) Begin(o Order, report func(Change)) Execution {
	if e.panics {
		panic("a fault")
	}
	e.m.r.mu.Lock()
	e.m.r.begun[o.Exec]++
	e.m.r.mu.Unlock()
	return e.run(o.Exec, o, report)
}

func (e *executor) run(id api.Exec, o Order, report func(Change)) *execution {
	x := &execution{Exec: id, order: o, report: report, log: &memory{change: make(chan struct{})}, stop: make(chan Change, 1), crash: e.crash, over: make(chan struct{})}
	e.mem.Lock()
	e.logs[id] = x.log
	e.mem.Unlock()
	go func() {
		defer close(x.over)
		begun := time.Now()
		report(Change{State: api.ExecRunning, Started: begun})
		c := e.m.r.program(x)
		x.log.add(true)
		if c.State == "" {
			return // it was lost with its node
		}
		if c.Started, c.Ended = begun, time.Now(); c.Said == "" && c.Log.SHA256.IsZero() {
			var b []byte
			for _, l := range x.log.lines {
				b = logfile.Append(b, l)
			}
			c.Said = string(b)
		}
		e.mem.Lock()
		delete(e.logs, id)
		e.mem.Unlock()
		report(c)
	}()
	return x
}

func (e *executor) Recover() ([]Found, error) { return e.found, nil }

func (e *executor) Kept(x api.Exec) {
	e.mem.Lock()
	defer e.mem.Unlock()
	e.kept = append(e.kept, x)
}

func (e *executor) Forget(x api.Exec) {
	e.mem.Lock()
	defer e.mem.Unlock()
	e.forgotten = append(e.forgotten, x)
}

func (e *executor) Lines(ctx context.Context, x api.Exec, q Lines, emit func(api.LogLine) error) (bool, error) {
	e.mem.Lock()
	l := e.logs[x]
	if l == nil {
		if l = e.tails[x]; l != nil {
			q.Follow = false
		}
	}
	e.mem.Unlock()
	if l == nil {
		return false, nil
	}
	return true, l.each(ctx, q, emit)
}

func (e *executor) Keep(t *api.JobTail) error {
	e.mem.Lock()
	defer e.mem.Unlock()
	l := e.tails[t.Exec]
	if l == nil {
		l = &memory{change: make(chan struct{})}
		e.tails[t.Exec] = l
	}
	l.add(false, t.Lines...)
	return nil
}

func (e *executor) Drop(x api.Exec) {
	e.mem.Lock()
	defer e.mem.Unlock()
	delete(e.tails, x)
}

func (e *executor) Open(context.Context, api.BlobInfo) (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader(e.blob)), nil
}
