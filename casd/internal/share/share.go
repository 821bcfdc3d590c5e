package share

import (
	"context"
	"math"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Config bounds a queue.
type Config struct {
	Rate   float64       // bytes a second of all turns; 0: no bound
	AtOnce int           // turns at once
	Each   int           // turns at once of one flow
	Slow   time.Duration // after which a turn counts against its own flow alone
}

// burst is how many bytes may go at once after a pause: a quarter of a second's, and
// at least as much as keeps small turns from waiting for a timer each.
func (c Config) burst() int { return max(int(c.Rate/4), 64<<10) }

// Queue hands out turns. It is safe for use by several goroutines.
type Queue struct {
	cfg   Config
	limit *rate.Limiter // nil: no bound

	mu     sync.Mutex
	clock  float64 // virtual time: the start of the turn that was handed out last
	given  int     // turns that have not ended
	turns  int     // of these, those that count against AtOnce
	flows  map[string]*flow
	wait   int         // asks in all flows
	credit int64       // bytes that were paid for and not moved
	timer  *time.Timer // set while turns wait for their second
}

// flow is who has turns, waits for some, or has had its share for a while to come.
type flow struct {
	end   float64 // virtual time at which its last ask ends
	turns int
	asks  []*ask // in order
}

type ask struct {
	start, end float64 // virtual time
	n          int64
	given      chan struct{} // closed with the turn
}

// New makes a queue.
func New(cfg Config) *Queue {
	q := &Queue{cfg: cfg, flows: map[string]*flow{}}
	if cfg.Rate > 0 {
		q.limit = rate.NewLimiter(rate.Limit(cfg.Rate), cfg.burst())
	}
	return q
}

// Turn waits for a turn of n bytes for a flow, whose weight says how many bytes it
// gets beside others' (1 is the least). The caller calls done, once, when the bytes
// have gone. The only error is that of ctx.
func (q *Queue) Turn(ctx context.Context, name string, weight int, n int64) (done func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	a := q.ask(name, weight, n)
	select {
	case <-a.given:
		return q.began(name), nil
	case <-ctx.Done():
	}
	if q.withdraw(name, a) {
		return nil, ctx.Err()
	}
	q.began(name)() // it was given meanwhile
	return nil, ctx.Err()
}

// Waiting is how many turns are waited for.
func (q *Queue) Waiting() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.wait
}

func (q *Queue) ask(name string, weight int, n int64) *ask {
	q.mu.Lock()
	defer q.mu.Unlock()
	f := q.flows[name]
	if f == nil {
		f = &flow{}
		q.flows[name] = f
	}
	a := &ask{start: max(q.clock, f.end), n: n, given: make(chan struct{})}
	a.end = a.start + float64(n)/float64(max(weight, 1))
	f.end = a.end
	f.asks = append(f.asks, a)
	q.wait++
	q.give()
	return a
}

// withdraw takes back an ask, unless its turn has been given. The flow's later asks
// move up.
func (q *Queue) withdraw(name string, a *ask) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	f := q.flows[name]
	i := -1
	if f != nil {
		i = slices.Index(f.asks, a)
	}
	if i < 0 {
		return false
	}
	f.asks = slices.Delete(f.asks, i, i+1)
	f.end = a.start
	for _, later := range f.asks[i:] {
		later.start, later.end = f.end, f.end+later.end-later.start
		f.end = later.end
	}
	q.wait--
	q.tidy()
	return true
}

// began returns what ends a turn that was given.
func (q *Queue) began(name string) (done func()) {
	counts := true // against AtOnce; guarded by q.mu
	slow := time.AfterFunc(q.cfg.Slow, func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		if counts {
			counts = false
			q.turns--
			q.give()
		}
	})
	return func() {
		slow.Stop()
		q.mu.Lock()
		defer q.mu.Unlock()
		if counts {
			counts = false
			q.turns--
		}
		q.given--
		q.flows[name].turns--
		q.give()
		q.tidy()
	}
}

// give hands out turns while there are some. mu is held.
func (q *Queue) give() {
	for q.turns < q.cfg.AtOnce && q.wait > 0 && q.paid() {
		f := q.next()
		if f == nil {
			return
		}
		a := f.asks[0]
		f.asks = f.asks[1:]
		f.turns++
		q.given++
		q.turns++
		q.wait--
		q.clock = a.start
		q.pay(a.n)
		close(a.given)
	}
}

// next is the flow whose first ask is due; nil when all that wait have as many turns
// as they may. Flows that want nothing and owe nothing are forgotten.
func (q *Queue) next() *flow {
	var due *flow
	for name, f := range q.flows {
		if f.turns == 0 && len(f.asks) == 0 && f.end <= q.clock {
			delete(q.flows, name)
			continue
		}
		if len(f.asks) > 0 && f.turns < q.cfg.Each && (due == nil || f.asks[0].start < due.asks[0].start) {
			due = f
		}
	}
	return due
}

// paid reports whether the bytes of earlier turns have had their time; where they
// have not, it has turns given then.
func (q *Queue) paid() bool {
	if q.limit == nil {
		return true
	}
	debt := 1 - q.limit.Tokens()
	if debt <= 0 {
		return true
	}
	if q.timer == nil {
		q.timer = time.AfterFunc(time.Duration(math.Ceil(debt/q.cfg.Rate*float64(time.Second))), func() {
			q.mu.Lock()
			defer q.mu.Unlock()
			q.timer = nil
			q.give()
		})
	}
	return false
}

// Refund takes note that n bytes fewer were moved than a turn was for: later turns get
// them.
func (q *Queue) Refund(n int64) {
	if q.limit == nil || n <= 0 {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.credit += n
}

// pay takes a turn's bytes from the seconds to come. A turn may have more than the
// burst; the next one waits for longer then.
func (q *Queue) pay(n int64) {
	if q.limit == nil {
		return
	}
	spared := min(n, q.credit)
	q.credit -= spared
	n -= spared
	now := time.Now()
	for n > 0 {
		part := min(n, int64(q.limit.Burst()))
		q.limit.ReserveN(now, int(part))
		n -= part
	}
}

// tidy forgets all flows once there is nothing to divide: nobody owes anything then.
func (q *Queue) tidy() {
	if q.given == 0 && q.wait == 0 {
		clear(q.flows)
		q.clock = 0
	}
}
