package jobs

import (
	"bufio"
	"context"
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
	"github.com/realm-mesh/realm/runnerd/internal/jobs/book"
)

// Pauses before an execution is asked for its output again, that did not give all of it:
// at least, and where nothing is heard of it.
const (
	againSoon = 200 * time.Millisecond
	againLate = time.Second
)

// source is where the output of one execution comes from: this node, its member, those
// that keep its last lines, the store. A line that was written is not asked for again.
type source struct {
	*follower
	rec    api.JobRecord
	q      Lines
	wrote  bool
	failed error // of the reader's side: there is nobody to write for
}

// lines writes the output of one execution. Where q follows it goes on until the execution
// is over, also when its member is away for a moment.
func (f *follower) lines(ctx context.Context, rec *api.JobRecord, q Lines) error {
	s := &source{follower: f, rec: *rec, q: q}
	for {
		news := f.m.news()
		final := s.look()
		whole := s.direct(ctx)
		switch {
		case s.failed != nil:
			return s.failed
		case whole || ctx.Err() != nil:
			return ctx.Err()
		case final || !q.Follow:
			return s.rest(ctx)
		}
		if err := pause(ctx, news); err != nil {
			return err
		}
	}
}

// pause waits for news, or a moment.
func pause(ctx context.Context, news <-chan struct{}) error {
	soon, late := time.NewTimer(againSoon), time.NewTimer(againLate)
	defer soon.Stop()
	defer late.Stop()
	select {
	case <-soon.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-news:
	case <-late.C:
	case <-ctx.Done():
	}
	return ctx.Err()
}

// look reads what is known of the execution now. final: its member will write no more, or
// nobody waits for that.
func (s *source) look() (final bool) {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	x := s.rec.Exec()
	rec, known := s.m.book.Record(x)
	if !known {
		return true
	}
	s.rec = rec
	if rec.State.Ended() || !s.m.book.Known(x.Root) {
		return true
	}
	v := s.m.book.Run(x.Root, x.Run)
	list := s.m.book.Executions(book.ID{Root: x.Root, Run: x.Run})
	return v.State.Ended() || list[len(list)-1].Epoch > x.Epoch
}

// line writes one line.
func (s *source) line(l api.LogLine) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wrote, s.q.Since, s.q.Tail = true, l.Time, -1 // what comes later is newer
	s.failed = s.emit(api.JobLogLine{Run: s.rec.Run, Epoch: s.rec.Epoch, Peer: s.rec.Peer, LogLine: l})
	return s.failed
}

// direct writes what the member of the execution has, and reports whether that is all.
func (s *source) direct(ctx context.Context) (whole bool) {
	if s.rec.Peer == s.m.cfg.Self {
		found, err := s.m.cfg.Output.Lines(ctx, s.rec.Exec(), s.q, s.line)
		return found && err == nil
	}
	return s.m.isUp(s.rec.Peer) && s.remote(ctx, s.rec.Peer) == nil
}

// rest writes what others have of an execution whose member has not all of it, or is away.
func (s *source) rest(ctx context.Context) error {
	if s.rec.Said != "" {
		return stored(strings.NewReader(s.rec.Said), s.q, s.line)
	}
	if !s.rec.Log.SHA256.IsZero() {
		if err := s.stored(ctx); err == nil || s.failed != nil || ctx.Err() != nil {
			return err
		}
	}
	for _, p := range s.rec.Keepers {
		if s.failed != nil || ctx.Err() != nil {
			break
		}
		if p == s.m.cfg.Self {
			if found, err := s.m.cfg.Output.Lines(ctx, s.rec.Exec(), s.q, s.line); found && err == nil {
				return nil
			}
		} else if s.m.isUp(p) && s.remote(ctx, p) == nil {
			return nil
		}
	}
	switch {
	case s.failed != nil:
		return s.failed
	case s.wrote || s.silent() || ctx.Err() != nil:
		return ctx.Err()
	}
	return fmt.Errorf("%s of run %s: %w", s.rec.Peer.Short(), s.rec.Run, ErrNoOutput)
}

// silent reports whether the execution has written nothing, as far as its record tells.
func (s *source) silent() bool {
	return s.rec.Started.IsZero() || s.rec.State.Ended() && s.rec.State != api.ExecLost && s.rec.Log.SHA256.IsZero()
}

// whenDown calls cancel when p is not up any more.
func (m *Manager) whenDown(ctx context.Context, p api.PeerID, cancel func()) {
	for {
		news := m.news()
		if !m.isUp(p) {
			cancel()
			return
		}
		select {
		case <-news:
		case <-ctx.Done():
			return
		}
	}
}

// remote writes what another member has.
func (s *source) remote(ctx context.Context, p api.PeerID) error {
	rec, q := &s.rec, s.q
	if q.Follow {
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(ctx)
		var watch sync.WaitGroup
		defer watch.Wait()
		defer cancel()
		watch.Go(func() { s.m.whenDown(ctx, p, cancel) })
	}
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
	resp, err := s.m.cfg.Peers.Logs(ctx, p, api.PathJobLogs(rec.Root.String())+"?"+v.Encode())
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return read(resp.Body, func(raw []byte) error {
		var l api.JobLogLine
		if err := api.Decode(raw, maxLine, &l); err != nil {
			return err
		}
		return s.line(l.LogLine)
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
func (s *source) stored(ctx context.Context) error {
	b, err := s.m.cfg.Blobs.Open(ctx, s.rec.Log)
	if err != nil {
		return err
	}
	defer b.Close()
	return stored(b, s.q, s.line)
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
