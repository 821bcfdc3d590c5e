package feed

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/realm-mesh/realm/api"
)

// MaxKept is how many notices a [Feed] keeps.
const MaxKept = 1024

// Feed is the news of a node. It is safe for use by several goroutines.
type Feed struct {
	now  func() time.Time
	life string

	mu        sync.Mutex
	last      uint64       // number of the newest notice; the first one has 1
	kept      []api.Notice // the latest, the newest at the end
	listeners map[*listener]struct{}
	peers     tracker[api.PeerID, standing]
	execs     tracker[string, api.JobNotice]
}

type listener struct{ send func(api.Notice) }

// New returns an empty Feed. What now returns first tells it from others.
func New(now func() time.Time) *Feed {
	return &Feed{now: now, life: strconv.FormatInt(now().UnixNano(), 36), listeners: map[*listener]struct{}{}}
}

// tell gives out a notice; f.mu is held.
func (f *Feed) tell(n api.Notice) {
	f.last++
	n.ID, n.Time = f.id(f.last), f.now().UTC()
	if len(f.kept) == MaxKept {
		f.kept = slices.Delete(f.kept, 0, 1)
	}
	f.kept = append(f.kept, n)
	for l := range f.listeners {
		l.send(n)
	}
}

func (f *Feed) id(n uint64) string { return f.life + "-" + strconv.FormatUint(n, 10) }

// Workload takes what runnerd tells of a program on this node. What cannot be read is
// another version's: there is nothing to tell.
func (f *Feed) Workload(_ string, data []byte) {
	e := new(api.Event)
	if api.DecodeFact(data, api.MaxMessage, e) != nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tell(api.Notice{Type: api.NoticeWorkload, Workload: e})
}

// Interrupted notes that the bus was away, and what programs told meanwhile with it.
func (f *Feed) Interrupted() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tell(api.Notice{Type: api.NoticeIncomplete, Why: "the node's bus was away for a moment: what programs did meanwhile is missing"})
}

// Position is a place among the notices: that of one of them. The zero Position is the
// beginning.
type Position struct {
	life   string
	number uint64
}

const maxID = 40 // bytes

// ParsePosition reads the ID of a notice.
func ParsePosition(id string) (Position, error) {
	life, number, ok := strings.Cut(id, "-")
	n, err := strconv.ParseUint(number, 10, 64)
	if !ok || err != nil || life == "" || len(id) > maxID {
		return Position{}, fmt.Errorf("%.60q is not the id of an event: want what the field id of one says", id)
	}
	return Position{life, n}, nil
}

// Join calls send, which must not wait, for each notice from now on until leave is called.
// past are those after from that are kept; whole is false where some between are not.
func (f *Feed) Join(from Position, send func(api.Notice)) (past []api.Notice, whole bool, leave func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	me := &listener{send}
	f.listeners[me] = struct{}{}
	past, whole = f.after(from)
	return past, whole, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.listeners, me)
	}
}

// After are the notices after a position that are kept, the oldest first; whole is false
// where some between are not.
func (f *Feed) After(from Position) (past []api.Notice, whole bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.after(from)
}

func (f *Feed) after(from Position) (past []api.Notice, whole bool) {
	first := f.last - uint64(len(f.kept)) // number of the one before the first that is kept
	switch {
	case from.life == "":
		return slices.Clone(f.kept), first == 0
	case from.life != f.life || from.number > f.last || from.number < first:
		return slices.Clone(f.kept), false
	}
	return slices.Clone(f.kept[from.number-first:]), true
}
