package plan

import (
	"cmp"
	"container/heap"
	"reflect"
	"slices"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/placement"
	"github.com/realm-mesh/realm/runnerd/internal/jobs/book"
)

// Pauses, and how long things are waited for.
const (
	Settle    = 10 * time.Second       // after a member came up, others are asked before anything is claimed
	AwayFor   = 5 * time.Second        // a member is away so long before its runs are taken over
	PullAfter = 300 * time.Millisecond // a run waits at its home so long before others ask for it
	GiveFor   = 5 * time.Second        // a run that was given away is not begun here for so long
	RefuseFor = time.Minute            // a member that has moved a run is not asked again for so long
	Grace     = time.Minute            // an instant is missed when nobody could begin it for so long
	Steady    = 5 * time.Minute        // a service that was up for so long begins its backoff anew

	askFor     = 3 * time.Second // answers to a claim
	voteFor    = 10 * time.Second
	objected   = time.Second // pause after an objection
	repeat     = 2 * time.Second
	takeFor    = 2 * time.Second
	askedPeers = 3
	maxWaiting = api.MaxParallelism // runs of a recurring job that have not ended
)

// Member is what this node knows of a member, itself included.
type Member struct {
	placement.Member
	Host     string
	Platform string // GOOS/GOARCH
	Powers   api.Powers
	Live     bool
}

func (m *Member) up() bool { return m.Live && !m.RunnerDown }

// Room is what a node sets aside for runs.
type Room struct {
	CPUMilli int
	MemoryMB int64 // 0: no limit
}

// RoomOf is what a member with that capacity has for jobs.
func RoomOf(c api.Capacity) Room { return Room{max(1, c.CPUs) * 1000, c.MemoryMB} }

// Claim is an execution that this node is to begin: when Ask and Electors are empty, now,
// by writing its record, before Plan is called again. Else its answer comes first.
type Claim struct {
	Exec  api.Exec
	Cause api.ExecCause
	// Ask are members to be asked with [api.JobClaims]; [Planner.Asked] takes what they say.
	Ask []api.PeerID
	// Electors are those of whom a majority has to give its vote; [Planner.Voted] takes
	// the outcome. Votes that are no majority are to be given back by the caller.
	Electors []api.PeerID
	Round    int64 // of the vote: [api.JobVote]
}

// Stop is an execution of this node's own that is to end.
type Stop struct {
	Exec api.Exec
	As   api.ExecState // what its record is to say, unless it ends by itself before
	Why  string
}

// Verdict is a run of which this node is to write a record without executing it, before
// Plan is called again.
type Verdict struct {
	Exec  api.Exec
	State api.ExecState // [api.ExecSkipped], or [api.ExecFailed] with [api.CauseVerdict]
	Cause api.ExecCause
	Why   string
}

// Take is a [api.JobTake] to be sent; [Planner.Took] takes the answer.
type Take struct {
	From api.PeerID
	Runs []api.JobClaim
}

// Release is a won vote that is given back.
type Release struct {
	Exec     api.Exec
	Electors []api.PeerID
	Round    int64
}

// Plan is what is to be done now.
type Plan struct {
	Claims   []Claim
	Stops    []Stop
	Verdicts []Verdict
	Takes    []Take
	// Release are won votes of executions that are not begun after all.
	Release []Release
	Wake    time.Time // when to ask again if nothing happens; zero: never
}

// Planner makes plans for the node self.
type Planner struct {
	self api.PeerID
	book *book.Book

	members   []Member // by peer id
	index     map[api.PeerID]int
	changed   map[api.PeerID]time.Time // when a member's being up changed last
	roster    *placement.Roster
	revision  int // of the roster
	began     time.Time
	unsettled time.Time // until then others are asked

	jobs   map[api.Digest]*jobPlan
	runs   map[book.ID]*runPlan
	dirty  map[book.ID]bool
	queue  queue // runs that wait here for room
	wakes  wakes
	timers timers // of recurring jobs

	held     map[book.ID]Room // set aside for runs that are about to be begun
	holding  Room             // their sum
	pulls    map[book.ID]*runPlan
	takes    map[api.PeerID]taking
	stopping map[api.Exec]bool
	releases []Release
}

// taking is a question to another member.
type taking struct {
	until time.Time // no other before
	runs  []book.ID // set aside for
}

// New returns a Planner for self, and makes it the outlook of b.
func New(self api.PeerID, b *book.Book) *Planner {
	p := &Planner{self: self, book: b, index: map[api.PeerID]int{}, changed: map[api.PeerID]time.Time{}, jobs: map[api.Digest]*jobPlan{},
		runs: map[book.ID]*runPlan{}, dirty: map[book.ID]bool{}, held: map[book.ID]Room{}, pulls: map[book.ID]*runPlan{},
		takes: map[api.PeerID]taking{}, stopping: map[api.Exec]bool{}, roster: placement.NewRoster(nil)}
	b.SetOutlook(p)
	return p
}

// SetMembers says who the members are, self among them.
func (p *Planner) SetMembers(members []Member, now time.Time) {
	members = slices.Clone(members)
	slices.SortFunc(members, func(a, b Member) int { return cmp.Compare(a.Peer, b.Peer) })
	if p.began.IsZero() {
		p.began, p.unsettled = now, now.Add(Settle)
	}
	index, up, news := make(map[api.PeerID]int, len(members)), []api.PeerID(nil), false
	for i := range members {
		m := &members[i]
		index[m.Peer] = i
		if m.up() {
			up = append(up, m.Peer)
		}
		old, was := p.member(m.Peer)
		if was && old.up() == m.up() {
			continue
		}
		p.changed[m.Peer], news = now, true
		if m.up() && m.Peer != p.self {
			p.unsettled = now.Add(Settle)
		}
	}
	for i := range p.members {
		if _, stays := index[p.members[i].Peer]; !stays {
			p.changed[p.members[i].Peer], news = now, true
		}
	}
	if !sameFacts(p.members, members) {
		p.roster, news = placement.NewRoster(placed(members)), true
		p.revision++
	}
	p.members, p.index = members, index
	if news {
		p.book.SetUp(up)
		for id := range p.runs {
			p.dirty[id] = true
		}
	}
}

// awaySince is since when a member is not up; one that was never seen, since this node is.
func (p *Planner) awaySince(peer api.PeerID) time.Time {
	if t, known := p.changed[peer]; known {
		return t
	}
	return p.began
}

func placed(members []Member) []placement.Member {
	out := make([]placement.Member, 0, len(members))
	for i := range members {
		out = append(out, members[i].Member)
	}
	return out
}

// sameFacts reports whether rankings over all members stay as they are.
func sameFacts(a, b []Member) bool {
	return slices.EqualFunc(a, b, func(x, y Member) bool {
		x.Live, x.RunnerDown, x.Host = y.Live, y.RunnerDown, y.Host
		return reflect.DeepEqual(x, y)
	})
}

func (p *Planner) member(peer api.PeerID) (*Member, bool) {
	i, ok := p.index[peer]
	if !ok {
		return nil, false
	}
	return &p.members[i], true
}

func (p *Planner) isUp(peer api.PeerID) bool {
	m, ok := p.member(peer)
	return peer == p.self || ok && m.up()
}

// Plan says what to do at now, where this node has that room for runs in all.
func (p *Planner) Plan(now time.Time, room Room) Plan {
	var out Plan
	if p.began.IsZero() {
		return out // nobody is known yet, not even self
	}
	p.book.Advance(now)
	p.collect(now)
	for p.wakes.due(now) {
		p.dirty[heap.Pop(&p.wakes).(*runPlan).id] = true
	}
	p.looked(now, &out)
	free := p.free(room)
	p.begin(now, &free, &out)
	p.pull(now, free, &out)
	out.Release = append(out.Release, p.releases...)
	p.releases = nil
	out.Wake = p.next(now)
	return out
}

// collect takes in what has changed in the book, and instants that have come.
func (p *Planner) collect(now time.Time) {
	_, jobs := p.take()
	for _, root := range jobs {
		p.setJob(root, now)
	}
	for p.timers.due(now) {
		p.tick(heap.Pop(&p.timers).(*jobPlan), now)
	}
	p.take()
}

func (p *Planner) take() (runs []book.ID, jobs []api.Digest) {
	runs, jobs = p.book.Changed()
	for _, id := range runs {
		p.dirty[id] = true
	}
	return runs, jobs
}

// looked decides about all runs that have changed, those issued first before others.
func (p *Planner) looked(now time.Time, out *Plan) {
	for len(p.dirty) > 0 {
		ids := make([]book.ID, 0, len(p.dirty))
		for id := range p.dirty {
			ids = append(ids, id)
		}
		p.dirty = map[book.ID]bool{} // clearing one costs what it once held
		slices.SortFunc(ids, book.ID.Compare)
		for _, id := range ids {
			p.stop(id, out)
			p.look(id, now, out)
		}
		p.take()
	}
}

// stop has own executions end that nobody wants any more.
func (p *Planner) stop(id book.ID, out *Plan) {
	for _, rec := range p.book.Executions(id) {
		x := rec.Exec()
		if x.Peer != p.self {
			continue
		}
		as, why, fenced := p.book.Fenced(x)
		switch {
		case rec.State.Ended():
			delete(p.stopping, x)
		case fenced && !p.stopping[x]:
			p.stopping[x] = true
			out.Stops = append(out.Stops, Stop{x, as, why})
		}
	}
}

// next is when Plan is to be called again.
func (p *Planner) next(now time.Time) time.Time {
	var at time.Time
	for _, t := range []time.Time{p.book.Expiry(), p.wakes.first(), p.timers.first()} {
		at = earlier(at, t)
	}
	for _, t := range p.takes {
		if t.until.After(now) {
			at = earlier(at, t.until)
		}
	}
	return at
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
