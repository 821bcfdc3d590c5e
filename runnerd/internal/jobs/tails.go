package jobs

import (
	"context"
	"slices"
	"time"

	"github.com/realm-mesh/realm/api"
)

const (
	tellEvery = 500 * time.Millisecond // new lines are sent on at most so often
	tellWait  = 2 * time.Second
)

// tell sends what an execution of this node's writes to members that keep it, as long as
// it goes on. What ends before the first lines are due is told by its record.
func (m *Manager) tell(ctx context.Context, x api.Exec, over <-chan struct{}) {
	ctx, cancel := context.WithCancel(ctx)
	lines := make(chan api.LogLine, api.MaxTailLines)
	defer func() {
		cancel()
		for range lines { // until it is closed
		}
	}()
	go func() {
		defer close(lines)
		// What cannot be read cannot be told either; whoever asks this node is told why.
		_, _ = m.cfg.Output.Lines(ctx, x, Lines{Tail: -1, Follow: true}, func(l api.LogLine) error {
			select {
			case lines <- l:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}()
	t := &teller{m: m, x: x, told: map[api.PeerID]int{}}
	due := time.NewTimer(tellEvery)
	defer due.Stop()
	for {
		select {
		case l, more := <-lines:
			if !more {
				return
			}
			t.add(l)
		case <-due.C:
			t.send(ctx)
			due.Reset(tellEvery)
		case <-over:
			return
		}
	}
}

// teller has the last lines of an execution, numbered from its first one.
type teller struct {
	m     *Manager
	x     api.Exec
	first int // number of kept[0]
	kept  []api.LogLine
	size  int                // bytes of kept
	told  map[api.PeerID]int // number of the next line for a member
}

func (t *teller) add(l api.LogLine) {
	t.kept = append(t.kept, l)
	for t.size += lineSize(l); t.size > api.KeptTail; t.first++ {
		t.size -= lineSize(t.kept[0])
		t.kept = t.kept[1:]
	}
}

// lineSize is about how many bytes a log has of a line.
func lineSize(l api.LogLine) int {
	return len(l.Line) + len("2006-01-02T15:04:05.000000000Z stdout \n")
}

// send brings members up to date, new ones among them.
func (t *teller) send(ctx context.Context) {
	next := t.first + len(t.kept)
	if next == 0 {
		return // nothing was said
	}
	keepers, job := t.m.keepers(t.x)
	for _, p := range keepers {
		for from := max(t.told[p], t.first); from < next; {
			some := t.kept[from-t.first:]
			some = some[:min(len(some), fitting(some))]
			if !t.one(ctx, p, &api.JobTail{Job: job, Exec: t.x, Lines: some}) {
				break
			}
			from += len(some)
			t.told[p] = from
		}
	}
	var kept []api.PeerID
	for _, p := range keepers {
		if t.told[p] > 0 {
			kept = append(kept, p)
		}
	}
	t.m.kept(t.x, kept)
}

// fitting is how many lines go into one message.
func fitting(lines []api.LogLine) int {
	const most = api.MaxMessage / 4 // JSON may make several bytes of one
	size := 0
	for i, l := range lines {
		if size += lineSize(l); i > 0 && size > most || i == api.MaxTailLines {
			return i
		}
	}
	return len(lines)
}

func (t *teller) one(ctx context.Context, p api.PeerID, tail *api.JobTail) bool {
	ctx, cancel := context.WithTimeout(ctx, tellWait)
	defer cancel()
	return t.m.cfg.Peers.Tail(ctx, p, tail) == nil
}

// keepers are who is to keep the last lines of an execution of this node's.
func (m *Manager) keepers(x api.Exec) ([]api.PeerID, api.Name) {
	m.mu.Lock()
	defer m.mu.Unlock()
	job, _ := m.book.Job(x.Root)
	return m.planner.Keepers(x), idOf(job.Name)
}

// kept records who keeps them.
func (m *Manager) kept(x api.Exec, by []api.PeerID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	o := m.own[x]
	if o == nil || slices.Equal(o.rec.Keepers, by) {
		return
	}
	o.rec.Keepers = by
	o.rec.Seq++
	m.put(o.rec)
}
