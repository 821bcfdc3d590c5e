package jobs

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/realm-mesh/realm/api"
)

// ErrNoOutput is returned for executions of which nothing can be had: their member is not
// there, nobody keeps lines of it, and it left no log.
var ErrNoOutput = errors.New("nothing of its output can be had now")

// Selection says whose output is asked for.
type Selection struct {
	Job   string     // as a person names it, perhaps with a run
	Run   api.RunKey // "": of all runs
	Epoch int        // 0: the execution of each run that counts
	Lines
}

// follower writes the output of a job to one reader.
type follower struct {
	m    *Manager
	sel  Selection
	emit func(api.JobLogLine) error

	mu   sync.Mutex // held while emit is called
	seen map[api.Exec]bool
}

// Follow writes the output of a job, from wherever it is, until all was written, or, where
// sel follows, the job has ended.
func (m *Manager) Follow(ctx context.Context, sel Selection, emit func(api.JobLogLine) error) error {
	f := &follower{m: m, sel: sel, emit: emit, seen: map[api.Exec]bool{}}
	list, _, err := f.executions()
	if err != nil {
		return err
	}
	switch {
	case sel.Follow:
		return f.follow(ctx)
	case sel.Tail >= 0:
		return f.tail(ctx, list)
	}
	for i := range list {
		if err := f.lines(ctx, &list[i], sel.Lines); err != nil && (!errors.Is(err, ErrNoOutput) || len(list) == 1) {
			return err
		}
	}
	return nil
}

// executions are those that are asked for, by when they were claimed; over: there will
// be no others.
func (f *follower) executions() (list []api.JobRecord, over bool, err error) {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	root, run, err := f.m.resolve(f.sel.Job)
	if err != nil {
		return nil, false, err
	}
	run = cmp.Or(f.sel.Run, run)
	st, _ := f.m.book.Status(root, f.m.cfg.Now())
	over = st.State.Ended()
	for _, r := range st.RunList {
		if run == "" || r.Run == run {
			list = append(list, f.pick(&r, st.Type == api.JobService)...)
			over = over || run != "" && r.State.Ended()
		}
	}
	slices.SortFunc(list, func(a, b api.JobRecord) int {
		return cmp.Or(a.Claimed.Compare(b.Claimed), cmp.Compare(a.Run, b.Run), a.Exec().Compare(b.Exec()))
	})
	return list, over, nil
}

// pick is which executions of a run are shown: the accepted one, or the newest that has
// begun; all of them where the reader follows, or the run is a service's.
func (f *follower) pick(r *api.JobRun, service bool) (out []api.JobRecord) {
	for _, x := range slices.Backward(r.Executions) {
		switch {
		case x.State == api.ExecMoved || x.State == api.ExecSkipped || x.Cause == api.CauseVerdict:
			continue
		case f.sel.Epoch != 0 && x.Epoch != f.sel.Epoch:
			continue
		case f.sel.Epoch == 0 && !f.sel.Follow && !service && r.Accepted != nil && *r.Accepted != x.Exec():
			continue
		}
		if out = append(out, x.JobRecord); !f.sel.Follow && !service {
			break
		}
	}
	return out
}

// tail writes the last lines of all executions together.
func (f *follower) tail(ctx context.Context, list []api.JobRecord) error {
	var all []api.JobLogLine
	want := f.sel.Tail
	emit := f.emit
	var failed error
	for i := len(list) - 1; i >= 0 && len(all) < want; i-- {
		var some []api.JobLogLine
		f.emit = func(l api.JobLogLine) error { some = append(some, l); return nil }
		q := f.sel.Lines
		q.Tail = want - len(all)
		if err := f.lines(ctx, &list[i], q); err != nil {
			failed = err
		}
		all = append(some, all...)
	}
	if len(all) == 0 && failed != nil {
		return failed
	}
	for _, l := range all {
		if err := emit(l); err != nil {
			return err
		}
	}
	return nil
}

// follow writes what is there, and then lines as they come, of all executions at once.
func (f *follower) follow(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	var wg sync.WaitGroup
	defer func() {
		cancel(nil)
		wg.Wait()
	}()
	first := true
	for {
		news := f.m.news()
		list, over, err := f.executions()
		if err != nil {
			return err
		}
		if first {
			if err := f.past(ctx, list); err != nil {
				return err
			}
		}
		for i := range list {
			rec := list[i]
			if f.seen[rec.Exec()] {
				continue
			}
			f.seen[rec.Exec()] = true
			q := f.sel.Lines
			if !first {
				q.Tail = -1
			}
			wg.Go(func() {
				if err := f.lines(ctx, &rec, q); err != nil && !errors.Is(err, ErrNoOutput) {
					cancel(err)
				}
			})
		}
		if first = false; over {
			wg.Wait()
			return context.Cause(ctx)
		}
		select {
		case <-news:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// past writes what had been written by executions that ended before the reader came, in
// their order; a tail is of all of them together.
func (f *follower) past(ctx context.Context, list []api.JobRecord) error {
	var ended []api.JobRecord
	for i := range list {
		if list[i].State.Ended() {
			ended = append(ended, list[i])
			f.seen[list[i].Exec()] = true
		}
	}
	if f.sel.Tail >= 0 {
		emit := f.emit
		defer func() { f.emit = emit }()
		if err := f.tail(ctx, ended); err != nil && !errors.Is(err, ErrNoOutput) {
			return err
		}
		return nil
	}
	for i := range ended {
		if err := f.lines(ctx, &ended[i], f.sel.Lines); err != nil && !errors.Is(err, ErrNoOutput) {
			return err
		}
	}
	return nil
}

// Here writes what this node itself has of one execution.
func (m *Manager) Here(ctx context.Context, x api.Exec, q Lines, emit func(api.JobLogLine) error) error {
	found, err := m.cfg.Output.Lines(ctx, x, q, func(l api.LogLine) error {
		return emit(api.JobLogLine{Run: x.Run, Epoch: x.Epoch, Peer: x.Peer, LogLine: l})
	})
	if err == nil && !found {
		return ErrNoOutput
	}
	return err
}

// news is closed when something about a job may have changed.
func (m *Manager) news() <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.change
}

// isUp reports whether p is there, as far as this node knows.
func (m *Manager) isUp(p api.PeerID) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.planner.IsUp(p)
}
