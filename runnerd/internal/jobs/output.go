package jobs

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/logfile"
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
		if err := f.lines(ctx, &list[i], sel.Lines); err != nil && !(errors.Is(err, ErrNoOutput) && len(list) > 1) {
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
	root, run, err := f.m.book.Resolve(f.sel.Job)
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

// follow writes lines as they come, of all executions at once.
func (f *follower) follow(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	defer wg.Wait()
	first := true
	for {
		news := f.m.news()
		list, over, err := f.executions()
		if err != nil {
			return err
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

// lines writes the output of one execution, from the first that has it: this node, its
// member, those that keep its last lines, the store.
func (f *follower) lines(ctx context.Context, rec *api.JobRecord, q Lines) error {
	x := rec.Exec()
	wrote := false
	emit := func(l api.LogLine) error {
		f.mu.Lock()
		defer f.mu.Unlock()
		wrote = true
		q.Since = l.Time
		return f.emit(api.JobLogLine{Run: x.Run, Epoch: x.Epoch, Peer: x.Peer, LogLine: l})
	}
	self := f.m.cfg.Self
	if x.Peer == self {
		if found, err := f.m.cfg.Output.Lines(ctx, x, q, emit); found || err != nil {
			return err
		}
	} else if f.m.isUp(x.Peer) {
		if err := f.remote(ctx, x.Peer, rec, q, emit); err == nil || ctx.Err() != nil {
			return err
		}
	}
	if rec.Said != "" {
		return stored(strings.NewReader(rec.Said), q, emit)
	}
	if !rec.Log.SHA256.IsZero() {
		if err := f.stored(ctx, rec, q, emit); err == nil || wrote || ctx.Err() != nil {
			return err
		}
	}
	for _, p := range rec.Keepers {
		if wrote {
			q.Tail = -1 // what was written is before Since
		}
		if p == self {
			if found, err := f.m.cfg.Output.Lines(ctx, x, q, emit); found || err != nil {
				return err
			}
		} else if f.m.isUp(p) && f.remote(ctx, p, rec, q, emit) == nil {
			return nil
		}
	}
	if wrote || rec.Started.IsZero() || rec.Peer == self {
		return ctx.Err()
	}
	return fmt.Errorf("%s of run %s: %w", x.Peer.Short(), x.Run, ErrNoOutput)
}

// remote writes what another member has.
func (f *follower) remote(ctx context.Context, p api.PeerID, rec *api.JobRecord, q Lines, emit func(api.LogLine) error) error {
	v := url.Values{api.QueryHere: {"1"}, api.QueryRun: {string(rec.Run)}, api.QueryEpoch: {strconv.Itoa(rec.Epoch)}, api.QueryPeer: {string(rec.Peer)}}
	if q.Tail >= 0 {
		v.Set(api.QueryTail, strconv.Itoa(q.Tail))
	}
	if !q.Since.IsZero() {
		v.Set(api.QuerySince, q.Since.Format(time.RFC3339Nano))
	}
	if q.Match != nil {
		v.Set(api.QueryGrep, q.Match.String())
	}
	if q.Follow {
		v.Set(api.QueryFollow, "1")
	}
	resp, err := f.m.cfg.Peers.Logs(ctx, p, api.PathJobLogs(rec.Root.String())+"?"+v.Encode())
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return read(resp.Body, func(raw []byte) error {
		var l api.JobLogLine
		if err := api.Decode(raw, maxLine, &l); err != nil {
			return err
		}
		return emit(l.LogLine)
	})
}

// maxLine caps a line of output in JSON, in bytes.
const maxLine = 8 * api.MaxLogLine

// read calls fn for each line of r that has anything in it.
func read(r io.Reader, fn func([]byte) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		if len(lines.Bytes()) == 0 {
			continue // so that a connection without news stays known to be there
		}
		if err := fn(lines.Bytes()); err != nil {
			return err
		}
	}
	return lines.Err()
}

// stored writes what of an output is in the store.
func (f *follower) stored(ctx context.Context, rec *api.JobRecord, q Lines, emit func(api.LogLine) error) error {
	b, err := f.m.cfg.Blobs.Open(ctx, rec.Log)
	if err != nil {
		return err
	}
	defer b.Close()
	return stored(b, q, emit)
}

// stored writes the lines of a log that q asks for.
func stored(log io.Reader, q Lines, emit func(api.LogLine) error) error {
	var last []api.LogLine
	err := read(log, func(raw []byte) error {
		l, ok := logfile.Parse(string(raw))
		switch {
		case !ok || !q.Wants(&l):
			return nil
		case q.Tail < 0:
			return emit(l)
		}
		if last = append(last, l); len(last) > 2*q.Tail {
			last = slices.Clone(last[len(last)-q.Tail:])
		}
		return nil
	})
	if err != nil || q.Tail < 0 {
		return err
	}
	for _, l := range last[max(0, len(last)-q.Tail):] {
		if err := emit(l); err != nil {
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
