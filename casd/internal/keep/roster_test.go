package keep

import (
	"slices"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
)

var t0 = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

const wait = 30 * time.Second

func live(i int, changes ...func(*api.PeerRecord)) api.PeerRecord {
	rec := api.PeerRecord{PeerFact: api.PeerFact{Peer: peerID(i)}, Live: true, Connected: true, Since: t0}
	for _, c := range changes {
		c(&rec)
	}
	return rec
}

func dead(r *api.PeerRecord)        { r.Live, r.Connected = false, false }
func self(r *api.PeerRecord)        { r.Self = true }
func client(r *api.PeerRecord)      { r.Client = true }
func drained(r *api.PeerRecord)     { r.Drained = true }
func full(r *api.PeerRecord)        { r.Full = true }
func casdDown(r *api.PeerRecord)    { r.Down = api.DaemonList{api.Casd} }
func runnerdDown(r *api.PeerRecord) { r.Down = api.DaemonList{api.Runnerd} }

func since(at time.Time) func(*api.PeerRecord) {
	return func(r *api.PeerRecord) { r.Since = at }
}

// expect checks who can keep blobs, and when that may change by itself.
func (r *roster) expect(t *testing.T, what string, now time.Time, next time.Time, want ...int) {
	t.Helper()
	all, at := r.candidates(now)
	var ids []api.PeerID
	for _, c := range all {
		ids = append(ids, c.peer)
	}
	var wanted []api.PeerID
	for _, i := range want {
		wanted = append(wanted, peerID(i))
	}
	slices.Sort(wanted)
	if !slices.Equal(ids, wanted) || !at.Equal(next) {
		t.Errorf("%s: %v until %s, want %v until %s", what, ids, at, wanted, next)
	}
}

func TestWhoCanKeep(t *testing.T) {
	r := newRoster(wait)
	for i, rec := range []api.PeerRecord{live(0, self), live(1), live(2, client), live(3, drained), live(4, full), live(5, runnerdDown), live(6, dead, since(t0.Add(-time.Hour)))} {
		r.told(rec, t0)
		if rec.Peer != peerID(i) {
			t.Fatal("the table is out of order")
		}
	}
	r.expect(t, "some", t0, time.Time{}, 0, 1, 5)
	r.told(live(3), t0)
	r.told(live(4), t0)
	r.expect(t, "back, and with room", t0, time.Time{}, 0, 1, 3, 4, 5)
	r.told(live(1, full), t0)
	r.told(live(5, drained), t0)
	r.expect(t, "at once", t0, time.Time{}, 0, 3, 4)
	r.told(live(0, self, casdDown), t0)
	r.expect(t, "this process is there, whoever says so", t0, time.Time{}, 0, 3, 4)
	r.gone(peerID(3))
	r.expect(t, "no member any more", t0, time.Time{}, 0, 4)
	if !r.others() {
		t.Error("nobody else is there")
	}
	r.told(live(4, dead), t0)
	r.told(live(1, casdDown), t0)
	r.told(live(5, dead), t0)
	if r.others() {
		t.Error("somebody else is there")
	}
}

func TestPatience(t *testing.T) {
	r := newRoster(wait)
	r.told(live(0, self), t0)
	r.told(live(1), t0)
	r.told(live(2), t0)
	if r.told(live(1), t0) {
		t.Error("the same record is news")
	}
	if !r.told(live(1, dead), t0) {
		t.Error("that it is gone is no news")
	}
	r.told(live(2, casdDown), t0.Add(10*time.Second))
	r.expect(t, "just lost", t0, t0.Add(wait), 0, 1, 2)
	r.told(live(1, dead), t0.Add(20*time.Second)) // told again
	r.expect(t, "still lost", t0.Add(29*time.Second), t0.Add(wait), 0, 1, 2)
	r.expect(t, "the first is given up", t0.Add(wait), t0.Add(40*time.Second), 0, 2)
	r.expect(t, "so is the other", t0.Add(40*time.Second), time.Time{}, 0)
	r.told(live(1), t0.Add(time.Minute))
	r.expect(t, "one is back", t0.Add(time.Minute), time.Time{}, 0, 1)
}

// A process that starts has no past: what it is told counts from when it says, and those
// count that did when it ran last.
func TestPatienceAtTheStart(t *testing.T) {
	r := newRoster(wait)
	r.remember([]api.PeerID{peerID(0), peerID(1), peerID(2), peerID(3)}, t0)
	r.expect(t, "before anybody is heard of", t0, t0.Add(wait), 0, 1, 2, 3)
	r.told(live(0, self), t0)
	r.told(live(1, dead, since(t0.Add(-time.Hour))), t0)
	r.told(live(2, full), t0)
	r.told(live(4, dead, since(t0.Add(-20*time.Second))), t0)
	r.told(live(5, casdDown), t0)
	r.expect(t, "some are", t0, t0.Add(10*time.Second), 0, 1, 3, 4, 5)
	r.expect(t, "one was lost a while ago", t0.Add(10*time.Second), t0.Add(wait), 0, 1, 3, 5)
	r.expect(t, "the others too", t0.Add(wait), time.Time{}, 0)
}

// The bus begins anew, with empty buckets: who is told of again was never away.
func TestBusBeginsAnew(t *testing.T) {
	r := newRoster(wait)
	r.begin()
	for i := range 3 {
		r.told(live(i, func(p *api.PeerRecord) { p.Self = i == 0 }), t0)
	}
	r.complete(t0)
	r.expect(t, "all", t0, time.Time{}, 0, 1, 2)
	later := t0.Add(time.Hour)
	r.begin()
	r.complete(later)
	r.expect(t, "none is told of", later, later.Add(wait), 0, 1, 2)
	r.told(live(0, self), later)
	r.told(live(1), later)
	r.expect(t, "two are", later, later.Add(wait), 0, 1, 2)
	r.sweep(later.Add(wait - 1))
	if _, known := r.records[peerID(2)]; !known {
		t.Error("the third is forgotten too soon")
	}
	r.sweep(later.Add(wait))
	r.expect(t, "and that is all", later.Add(wait), time.Time{}, 0, 1)
	if _, known := r.records[peerID(2)]; known {
		t.Error("the third is not forgotten")
	}
	if _, known := r.me(); !known {
		t.Error("the node does not know itself")
	}
}

func TestGoing(t *testing.T) {
	var g going
	d, now := api.Sum([]byte("1")), t0
	is := func(what string, want bool) {
		t.Helper()
		if g.has(d, now) != want {
			t.Errorf("%s: %v", what, !want)
		}
	}
	is("nothing has happened", false)
	g.begin(d)
	is("others are asked", true)
	g.end(d, false, now)
	is("it stays", false)
	g.begin(d)
	g.begin(d)
	g.end(d, true, now)
	g.end(d, false, now)
	is("it may go, and asked again it may not", true)
	now = now.Add(goFor)
	is("that is long ago", false)
	for i := range 1000 {
		o := api.Digest{byte(i), byte(i >> 8), 1}
		g.begin(o)
		g.end(o, true, now.Add(time.Duration(i)*goFor))
	}
	if len(g.blobs) > 70 {
		t.Errorf("%d are remembered, most of them for nothing", len(g.blobs))
	}
}

func TestRuns(t *testing.T) {
	one, two, three := api.Sum([]byte("1")), api.Sum([]byte("2")), api.Sum([]byte("3"))
	web, ticker := api.Ref{Kind: api.KindComponent, Name: "web"}, api.Ref{Kind: api.KindComponent, Name: "ticker"}
	n := newNeeds("", []api.Reference{{Blob: one, Ref: web, Seq: 1}, {Blob: two, Ref: web, Seq: 2}, {Blob: three, Ref: ticker, Seq: 2}})
	r := newRuns()
	has := func(what string, want ...api.Digest) {
		t.Helper()
		if len(r.blobs) != len(want) {
			t.Errorf("%s: %d blobs, want %d", what, len(r.blobs), len(want))
		}
		for _, d := range want {
			if _, ok := r.blobs[d]; !ok {
				t.Errorf("%s: %s is missing", what, d.Short())
			}
		}
	}
	fact := func(ref api.Ref, seq uint64, s api.State, serving uint64) api.WorkloadFact {
		return api.WorkloadFact{Ref: ref, Seq: seq, State: s, Serving: serving}
	}
	r.told(fact(web, 1, api.StateRunning, 0))
	r.resolve(n)
	has("one runs", one)
	r.told(fact(web, 2, api.StateStarting, 1))
	r.resolve(n)
	has("two starts while one runs", one, two)
	r.told(fact(web, 2, api.StateFailed, 1))
	r.resolve(n)
	has("two has failed", one)
	later := newNeeds("", []api.Reference{{Blob: two, Ref: web, Seq: 2}})
	r.resolve(later)
	has("one is needed by nobody else", one)
	r.told(fact(web, 2, api.StateRunning, 0))
	r.resolve(later)
	has("two runs", two)
	r.told(fact(ticker, 2, api.StateRunning, 0))
	r.resolve(later)
	has("what is not known of anything", two)
	r.resolve(n)
	has("it is known", two, three)
	r.begin()
	r.resolve(n)
	has("the bus begins anew", two, three)
	r.told(fact(ticker, 2, api.StateStopped, 0))
	r.complete()
	r.resolve(n)
	has("all is told, and nothing runs")
	r.told(fact(ticker, 2, api.StateRunning, 0))
	r.gone(ticker)
	r.resolve(n)
	has("gone")
}
