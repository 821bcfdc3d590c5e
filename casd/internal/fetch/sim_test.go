package fetch

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
)

// world is seeds and fetchers whose plans decide what goes where, over lines that are
// simulated: in steps of time, the bytes of each line are shared by the batches on it.
// Each fetcher learns what others have, and do, a moment later.
type world struct {
	t       *testing.T
	now     time.Time
	random  *rand.Rand
	idx     api.BlobIndex
	members []*member
	news    []news
}

const (
	step  = 5 * time.Millisecond
	delay = 20 * time.Millisecond // until the others hear of a change
)

// member is a node. One without plan is a seed.
type member struct {
	name     string
	up, down float64 // bytes a second
	dead     func(now time.Time) bool
	plan     *plan
	offers   map[*member]*offer
	batches  []*flow
	sent     int64
	got      int64 // bytes, twice where they came twice
	done     time.Time
}

// flow is a batch on its way.
type flow struct {
	*batch
	from, to *member
	came     float64 // bytes of the chunk that is on its way
	gone     bool
}

// news is what others learn later.
type news struct {
	at   time.Time
	from *member
	what event
}

func newWorld(t *testing.T, seed uint64, size, chunk int64) *world {
	t.Helper()
	w := &world{t: t, now: time.Unix(1, 0), random: rand.New(rand.NewPCG(seed, 7))}
	w.idx.Size = size
	for at := int64(0); at < size; at += chunk {
		n := min(chunk, size-at)
		w.idx.Chunks = append(w.idx.Chunks, api.BlobInfo{SHA256: api.Sum(fmt.Append(nil, at)), Size: n})
	}
	return w
}

// seed adds a member that has the blob, fetcher one that has not.
func (w *world) seed(up float64) *member {
	m := &member{name: "seed", up: up}
	w.members = append(w.members, m)
	return m
}

func (w *world) fetcher(up, down float64) *member {
	m := &member{name: fmt.Sprint("fetcher ", len(w.members)), up: up, down: down, offers: map[*member]*offer{}}
	m.plan = newPlan(w.idx, w.idx.Chunks, uint64(len(w.members)*7919+1), rand.New(rand.NewPCG(w.random.Uint64(), 1)), func(e event) {
		w.news = append(w.news, news{w.now.Add(delay), m, e})
	})
	w.members = append(w.members, m)
	return m
}

// meet has everybody know everybody.
func (w *world) meet() {
	for _, m := range w.members {
		if m.plan == nil {
			continue
		}
		for i, other := range w.members {
			if other == m {
				continue
			}
			o := &offer{lot: uint64(i*7919 + 1), plan: m.plan, has: newBits(len(w.idx.Chunks)), helper: other.plan != nil}
			if other.plan == nil {
				o.has = allBits(len(w.idx.Chunks))
			}
			m.offers[other] = o
			m.plan.join(o, w.now)
		}
	}
}

// run goes on until all fetchers that live have all, and returns how long that took.
func (w *world) run(limit time.Duration) time.Duration {
	w.t.Helper()
	w.meet()
	began := w.now
	for w.busy() {
		if w.now.Sub(began) > limit {
			for _, m := range w.members {
				if m.plan != nil {
					w.t.Logf("%s: %d chunks are missing", m.name, m.plan.absent)
				}
			}
			w.t.Fatalf("not done within %v", limit)
		}
		w.tick()
	}
	return w.now.Sub(began)
}

func (w *world) busy() bool {
	return slices.ContainsFunc(w.members, func(m *member) bool { return m.plan != nil && m.plan.absent > 0 && !m.isDead(w.now) })
}

func (m *member) isDead(now time.Time) bool { return m.dead != nil && m.dead(now) }

// tick is one step of time.
func (w *world) tick() {
	w.now = w.now.Add(step)
	w.tellNews()
	for _, i := range w.random.Perm(len(w.members)) {
		w.ask(w.members[i])
	}
	w.move()
}

func (w *world) tellNews() {
	for len(w.news) > 0 && !w.news[0].at.After(w.now) {
		n := w.news[0]
		w.news = w.news[1:]
		for _, m := range w.members {
			o := m.offers[n.from]
			switch {
			case o == nil:
			case n.what.kind == eventGot:
				m.plan.got(o, n.what.chunk)
			case n.what.kind == eventBusy:
				m.plan.works(o, n.what.chunk, w.now)
			default:
				m.plan.idle(o, n.what.chunk)
			}
		}
	}
}

// ask has m's workers ask for what they can, as [transfer.bring] does.
func (w *world) ask(m *member) {
	if m.plan == nil || m.isDead(w.now) {
		return
	}
	for _, other := range w.members {
		o := m.offers[other]
		for o != nil && len(o.asked) < workers {
			b := m.plan.pick(o, amount(o, m.plan, w.now), w.now)
			if b == nil {
				break
			}
			m.plan.sends(b, w.now)
			f := &flow{batch: b, from: other, to: m}
			b.cancel = context.CancelCauseFunc(func(error) { f.gone = true })
			m.batches = append(m.batches, f)
		}
	}
}

// move sends bytes for a step.
func (w *world) move() {
	ups := map[*member]int{}
	for _, m := range w.members {
		for _, f := range m.batches {
			ups[f.from]++
		}
	}
	for _, m := range w.members {
		for _, f := range slices.Clone(m.batches) {
			if f.from.isDead(w.now) || m.isDead(w.now) {
				continue
			}
			n := min(f.from.up/float64(ups[f.from])*step.Seconds(), m.down/float64(len(m.batches))*step.Seconds(), float64(f.left)-f.came)
			f.from.sent += int64(n)
			m.got += int64(n)
			f.came += n
			for f.next < len(f.chunks) && f.came >= float64(m.plan.size(f.chunks[f.next])) {
				f.came -= float64(m.plan.size(f.chunks[f.next]))
				m.plan.came(f.batch, false, nil, w.now)
			}
		}
		m.batches = slices.DeleteFunc(m.batches, func(f *flow) bool {
			over := f.gone || f.next == len(f.chunks)
			if over {
				m.plan.over(f.batch, w.now)
			}
			return over
		})
		if m.plan != nil && m.plan.absent == 0 && m.done.IsZero() {
			m.done = w.now
		}
	}
}

const mb = 1e6

// The seed sends the blob about once, whatever the lines are, and the fetchers are
// done about as soon as the lines allow.
func TestSwarmInSimulation(t *testing.T) {
	const size = 256 << 20
	tests := []struct {
		name    string
		size    int64
		chunk   int64
		members func(w *world)
		ratio   float64 // the seeds send at most so many times the blob
		within  time.Duration
	}{
		{"five with equal lines", size, 512 << 10, func(w *world) {
			w.seed(100 * mb)
			for range 5 {
				w.fetcher(100*mb, 100*mb)
			}
		}, 1.05, 4 * time.Second},
		{"thirty with equal lines", size, 512 << 10, func(w *world) {
			w.seed(100 * mb)
			for range 30 {
				w.fetcher(100*mb, 100*mb)
			}
		}, 1.3, 8 * time.Second},
		{"a small blob", 4 << 20, 16 << 10, func(w *world) {
			w.seed(100 * mb)
			for range 5 {
				w.fetcher(100*mb, 100*mb)
			}
		}, 1.35, time.Second},
		{"a seed with a slow line", size / 4, 512 << 10, func(w *world) {
			w.seed(4 * mb)
			for range 5 {
				w.fetcher(40*mb, 40*mb)
			}
		}, 1.15, 22 * time.Second},
		{"two seeds", size, 512 << 10, func(w *world) {
			w.seed(100 * mb)
			w.seed(100 * mb)
			for range 4 {
				w.fetcher(100*mb, 100*mb)
			}
		}, 1.05, 4 * time.Second},
		{"one fetcher with a slow line", size / 4, 512 << 10, func(w *world) {
			w.seed(100 * mb)
			w.fetcher(mb, 10*mb)
			for range 3 {
				w.fetcher(100*mb, 100*mb)
			}
		}, 1.3, 12 * time.Second},
		{"fetchers that can send little", size / 4, 512 << 10, func(w *world) {
			w.seed(100 * mb)
			for range 4 {
				w.fetcher(mb, 100*mb)
			}
		}, 4.1, 8 * time.Second},
		{"one alone", size, 512 << 10, func(w *world) {
			w.seed(100 * mb)
			w.fetcher(100*mb, 100*mb)
		}, 1.01, 3 * time.Second},
		{"one whose seed dies when others have it all", size / 4, 512 << 10, func(w *world) {
			start := w.now
			s := w.seed(20 * mb)
			s.dead = func(now time.Time) bool { return now.Sub(start) > 4500*time.Millisecond }
			for range 4 {
				w.fetcher(100*mb, 100*mb)
			}
		}, 1.1, 9 * time.Second},
		{"one fetcher that dies", size / 4, 512 << 10, func(w *world) {
			start := w.now
			w.seed(50 * mb)
			w.fetcher(50*mb, 50*mb).dead = func(now time.Time) bool { return now.Sub(start) > 500*time.Millisecond }
			for range 4 {
				w.fetcher(50*mb, 50*mb)
			}
		}, 1.4, 9 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(3) {
				w := newWorld(t, seed, tt.size, tt.chunk)
				tt.members(w)
				took := w.run(tt.within)
				var sent, got int64
				fetchers := 0
				for _, m := range w.members {
					if m.plan == nil {
						sent += m.sent
					} else if !m.isDead(w.now) {
						got += m.got
						fetchers++
					}
				}
				ratio := float64(sent) / float64(tt.size)
				twice := float64(got)/float64(tt.size)/float64(fetchers) - 1
				t.Logf("%v; the seeds sent %.2f times the blob; %.1f %% came twice", took, ratio, 100*twice)
				if ratio > tt.ratio {
					t.Errorf("the seeds sent %.2f times the blob, at most %.2f", ratio, tt.ratio)
				}
				if twice > 0.1 {
					t.Errorf("%.1f %% came twice", 100*twice)
				}
			}
		})
	}
}
