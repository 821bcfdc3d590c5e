package forward

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/gatewayd/internal/route"
)

const (
	// decay is how fast it is forgotten how long a member took: after that time it counts
	// for 1/e.
	decay = 10 * time.Second
	// leastCost and farthest bound what the way to a member counts for.
	leastCost = time.Millisecond
	farthest  = time.Second
	// nearTime is by how much a member may be worse than the best one, beside twice that.
	nearTime = 2 * time.Millisecond
	// ejectFirst is how long a member is not asked that has lost a request; each further
	// one in a row doubles that, up to ejectMost.
	ejectFirst = time.Second
	ejectMost  = 30 * time.Second
	// remembered is of how many members something is known, at most.
	remembered = 4096
	// budget is how many requests may be repeated at once, and earned what each request
	// adds to it: where all fails, repeating makes it worse.
	budget = 100
	earned = 0.2
)

// balancer knows how other members have answered this node lately, and chooses among
// them. It is safe for use by several goroutines.
type balancer struct {
	mu      sync.Mutex
	members map[api.PeerID]*conduct
	tokens  float64 // repetitions that may be made
}

// conduct is that of one member.
type conduct struct {
	inFlight int           // requests that it has not begun to answer
	took     time.Duration // to the first byte: a moving average that follows peaks at once
	at       time.Time     // of took
	lost     int           // requests in a row
	until    time.Time     // it is not asked, if it need not be
}

func newBalancer() *balancer { return &balancer{members: map[api.PeerID]*conduct{}, tokens: budget} }

// order is in which order members are asked. The first one is the better of two at random
// among the near ones, by how long it takes and how much it is doing: with many who choose, the best of all
// would be everybody's (M. Mitzenmacher, "The power of two choices in randomized load
// balancing", 2001). Those that have lost requests come last, if they are at most half.
func (b *balancer) order(all []route.Member, now time.Time) []api.PeerID {
	b.mu.Lock()
	list := make([]choice, 0, len(all))
	for _, m := range all {
		list = append(list, b.choice(m, now))
	}
	b.mu.Unlock()
	slices.SortStableFunc(list, func(x, y choice) int { return cmp.Compare(x.cost, y.cost) })
	good := sink(list)
	if near := near(list[:good]); near > 2 {
		// The lower of two different places among those sorted by cost is the better one.
		i, j := rand.IntN(near), rand.IntN(near-1)
		if j >= i {
			j++
		}
		at := min(i, j)
		first := list[at]
		copy(list[1:at+1], list[:at])
		list[0] = first
	}
	ids := make([]api.PeerID, len(list))
	for i, c := range list {
		ids[i] = c.peer
	}
	return ids
}

// sink puts those that have lost requests behind the others, if they are at most half, and
// returns how many others there are.
func sink(list []choice) (good int) {
	for _, c := range list {
		if !c.out {
			good++
		}
	}
	if 2*good < len(list) {
		return len(list)
	}
	slices.SortStableFunc(list, func(x, y choice) int {
		switch {
		case x.out == y.out:
			return 0
		case y.out:
			return -1
		}
		return 1
	})
	return good
}

// near is how many of those that are sorted by cost are not much worse than the first.
func near(sorted []choice) int {
	for i, c := range sorted {
		if c.cost > 2*sorted[0].cost+float64(nearTime) {
			return i
		}
	}
	return len(sorted)
}

// choice is a member that can be asked.
type choice struct {
	peer api.PeerID
	cost float64
	out  bool // it has lost requests lately
}

func (b *balancer) choice(m route.Member, now time.Time) choice {
	way := float64(min(max(m.RTT, leastCost), farthest))
	c := b.members[m.Peer]
	if c == nil {
		return choice{peer: m.Peer, cost: way}
	}
	return choice{m.Peer, max(way, c.average(now)) * float64(c.inFlight+1), now.Before(c.until)}
}

// average is how long the member takes, as far as that still counts.
func (c *conduct) average(now time.Time) float64 {
	return float64(c.took) * math.Exp(-float64(now.Sub(c.at))/float64(decay))
}

// outcome is how an attempt with a member has ended.
type outcome int

const (
	answered outcome = iota // by its program, or by a refusal that is not its fault
	left                    // by the one who asked: it says nothing of the member
	lost                    // the member or the way to it has failed
)

// begin notes that a member is asked. done must be called when it has begun to answer, or
// does not; it reports whether the member is not asked any more for a while.
func (b *balancer) begin(p api.PeerID, now time.Time) (done func(how outcome, now time.Time) (ejected bool)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.members[p]
	if c == nil {
		b.sweep(now)
		c = &conduct{at: now}
		b.members[p] = c
	}
	c.inFlight++
	return func(how outcome, end time.Time) bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		c.inFlight--
		return c.note(how, end.Sub(now), end)
	}
}

func (c *conduct) note(how outcome, took time.Duration, now time.Time) (ejected bool) {
	switch how {
	case left:
		return false
	case lost:
		if now.Before(c.until) {
			return false // it was asked before the one that has told
		}
		c.lost++
		c.until = now.Add(min(ejectFirst<<min(c.lost-1, 10), ejectMost))
		return true
	case answered:
	}
	c.lost, c.until = 0, time.Time{}
	before := c.average(now)
	share := math.Exp(-float64(now.Sub(c.at)) / float64(decay))
	if before > float64(took) {
		took = time.Duration(before*share + float64(took)*(1-share))
	}
	c.took, c.at = took, now
	return false
}

// sweep forgets members of which nothing counts, when there are too many; b.mu is held.
func (b *balancer) sweep(now time.Time) {
	if len(b.members) < remembered {
		return
	}
	for p, c := range b.members {
		if c.inFlight == 0 && now.Sub(c.at) > decay && !now.Before(c.until) {
			delete(b.members, p)
		}
	}
}

// asked adds what one request earns to the budget of repetitions.
func (b *balancer) asked() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tokens = min(b.tokens+earned, budget)
}

// repeat takes one repetition from the budget; false: there is none.
func (b *balancer) repeat() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}
