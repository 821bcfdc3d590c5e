package records

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
)

const (
	me    api.PeerID = "12D3KooWQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQAAAAAAAA"
	other api.PeerID = "12D3KooWQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQBBBBBBBB"
)

var t0 = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)

// record is one of a job that has this word for a root.
func record(job string, run api.RunKey, epoch int, peer api.PeerID, seq uint64, state api.ExecState) api.JobRecord {
	r := api.JobRecord{Root: api.Sum([]byte(job)), Job: "build-1", Run: run, Epoch: epoch, Peer: peer, Seq: seq, State: state, Claimed: t0.Add(time.Duration(epoch) * time.Second)}
	if state.Ended() {
		r.Ended = r.Claimed.Add(time.Second)
	}
	return r
}

// add takes in rec as sent; what a signature covers is of no matter here.
func add(s *Shelf, rec api.JobRecord, from Source) bool {
	return s.Add(rec, fmt.Appendf(nil, "%s %d %s %s", api.KeyRecord(rec.Exec()), rec.Seq, rec.State, strings.Repeat(".", 900)), from)
}

func (s *Shelf) keys() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.all))
}

func TestAdd(t *testing.T) {
	s := New(me)
	running, failed := record("a", "0", 1, other, 2, api.ExecRunning), record("a", "0", 1, other, 1, api.ExecFailed)
	for i, tt := range []struct {
		rec  api.JobRecord
		news bool
	}{{running, true}, {running, false}, {record("a", "0", 1, other, 1, api.ExecClaimed), false}, {failed, true}, {running, false},
		{record("a", "0", 1, me, 1, api.ExecClaimed), true}, {record("b", "0", 1, other, 1, api.ExecClaimed), true}} {
		if got := add(s, tt.rec, Members); got != tt.news {
			t.Errorf("%d: news %v", i, got)
		}
		if !s.Knows(&tt.rec) {
			t.Errorf("%d: it is not known", i)
		}
	}
	if s.Len() != 3 {
		t.Errorf("%d records", s.Len())
	}
	puts, deletes := s.TakeWrites(100)
	if len(puts) != 3 || len(deletes) != 0 {
		t.Errorf("%d puts, %d deletes", len(puts), len(deletes))
	}
	if b := s.TakeGossip(); len(b.Records) != 0 {
		t.Error("what members say is said again")
	}
}

func TestGossip(t *testing.T) {
	s := New(me)
	add(s, record("a", "0", 1, me, 1, api.ExecClaimed), Disk)
	add(s, record("a", "1", 1, other, 1, api.ExecClaimed), Runnerd)
	if b := s.TakeGossip(); len(b.Records) != 0 {
		t.Errorf("%d are told that are old, or another's", len(b.Records))
	}
	s.Compare(map[string]bool{})
	add(s, record("a", "2", 1, me, 1, api.ExecClaimed), Disk) // after the bus was away
	for i := range 500 {
		add(s, record("b", api.RunKey(fmt.Sprint(i)), 1, me, 1, api.ExecClaimed), Runnerd)
	}
	told := 0
	for range 4 {
		b := s.TakeGossip()
		if err := b.Validate(); err != nil {
			t.Fatal(err)
		}
		told += len(b.Records)
	}
	if told != 501 {
		t.Errorf("%d of 501 are told", told)
	}
}

func TestWrites(t *testing.T) {
	s := New(me)
	add(s, record("a", "0", 1, other, 2, api.ExecRunning), Members)
	puts, deletes := s.TakeWrites(10)
	if len(puts) != 1 {
		t.Fatalf("%d puts", len(puts))
	}
	s.Failed(puts, deletes)
	if again, _ := s.TakeWrites(10); len(again) != 1 {
		t.Errorf("%d puts after a failure", len(again))
	}
	add(s, record("a", "0", 1, other, 1, api.ExecClaimed), Disk)
	if again, _ := s.TakeWrites(10); len(again) != 1 {
		t.Error("an older one stays in the bucket")
	}
	add(s, record("a", "0", 1, me, 1, api.ExecClaimed), Runnerd)
	s.Compare(map[string]bool{}) // the bucket is empty: all of it was lost
	for n, want := range map[int]int{1: 1} {
		if puts, _ := s.TakeWrites(n); len(puts) != want {
			t.Errorf("%d at once, of %d", len(puts), n)
		}
	}
	select {
	case <-s.Writes():
	default:
		t.Error("nobody is told that there is more")
	}
	if puts, _ := s.TakeWrites(10); len(puts) != 1 {
		t.Errorf("%d puts", len(puts))
	}
}

// Two records of one execution with the same number, which only a sick member or a liar
// signs, do not leave members with different ones for ever.
func TestEquals(t *testing.T) {
	a, b := New(me), New(other)
	one, two := record("a", "0", 1, other, 3, api.ExecFailed), record("a", "0", 1, other, 3, api.ExecSucceeded)
	add(a, one, Members)
	add(b, two, Members)
	if string(a.Digests()) == string(b.Digests()) {
		t.Error("it does not show that they hold different records")
	}
	pull(t, a, b)
	pull(t, b, a)
	key := api.KeyRecord(one.Exec())
	if a.all[key].rec.State != b.all[key].rec.State || string(a.Digests()) != string(b.Digests()) {
		t.Errorf("one holds %s, the other %s", a.all[key].rec.State, b.all[key].rec.State)
	}
}

// A member that says too much pushes out what it has said itself, and nobody else's.
func TestShares(t *testing.T) {
	const sick, small, third = me, other, api.PeerID("12D3KooWQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQCCCCCCCC")
	var all []api.JobRecord
	for i := range 1000 {
		rec := record("much", api.RunKey(fmt.Sprint(i)), i+1, sick, 1, api.ExecRunning) // newer, and never ends
		if all = append(all, rec); i < 80 {
			all = append(all, record("a", api.RunKey(fmt.Sprint(i)), 1, small, 1, api.ExecSucceeded), record("b", api.RunKey(fmt.Sprint(i)), 1, third, 1, api.ExecFailed))
		}
	}
	var first []string
	for seed := range uint64(10) {
		s := New(me)
		s.most = 300
		rnd := rand.New(rand.NewPCG(seed, 2)) //nolint:gosec // the same each time
		for _, i := range rnd.Perm(len(all)) {
			add(s, all[i], Members)
		}
		if n := s.Len(); n != 300 {
			t.Fatalf("%d records", n)
		}
		for _, rec := range all {
			if rec.Peer != sick && s.all[api.KeyRecord(rec.Exec())] == nil {
				t.Fatalf("seed %d: %s is not kept", seed, api.KeyRecord(rec.Exec()))
			}
		}
		if first == nil {
			first = s.keys()
		}
		if !slices.Equal(s.keys(), first) {
			t.Fatalf("seed %d: what is kept depends on what came first", seed)
		}
	}
}

// pull has s ask o until o has no more, and returns how many records came.
func pull(t *testing.T, s, o *Shelf) (n int) {
	t.Helper()
	byRaw := map[string]api.JobRecord{}
	o.mu.Lock()
	for _, h := range o.all {
		byRaw[string(h.raw)] = h.rec
	}
	o.mu.Unlock()
	q := api.RecordParts{Digests: s.Digests()}
	for range 1000 {
		b := o.Differing(&q)
		if err := b.Validate(); err != nil {
			t.Fatal(err)
		}
		for _, raw := range b.Records {
			rec := byRaw[string(raw)]
			if key := api.KeyRecord(rec.Exec()); !Follows(key, q.After) {
				t.Fatalf("%s after %s", key, q.After)
			} else {
				q.After = key
			}
			s.Add(rec, raw, Members)
			n++
		}
		if !b.More {
			return n
		}
	}
	t.Fatal("there is always more")
	return n
}

// TestConverge has two shelves with random sets tell each other all.
func TestConverge(t *testing.T) {
	for seed := range uint64(20) {
		rnd := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // the same each time
		a, b := New(me), New(other)
		if seed%2 == 1 {
			a.most, b.most = 300, 300
		}
		states := []api.ExecState{api.ExecClaimed, api.ExecRunning, api.ExecFailed}
		for range rnd.IntN(1500) {
			i := rnd.IntN(len(states))
			rec := record(fmt.Sprint(rnd.IntN(30)), api.RunKey(fmt.Sprint(rnd.IntN(10))), 1+rnd.IntN(5), []api.PeerID{me, other}[rnd.IntN(2)], uint64(i+1), states[i])
			for j, s := range []*Shelf{a, b} {
				if which := rnd.IntN(3); which == 2 || which == j {
					add(s, rec, Members)
				}
			}
		}
		for range 2 {
			pull(t, a, b)
			pull(t, b, a)
		}
		if !slices.Equal(a.keys(), b.keys()) || string(a.Digests()) != string(b.Digests()) {
			t.Fatalf("seed %d: %d and %d records are not the same", seed, a.Len(), b.Len())
		}
		if n := pull(t, a, b); n != 0 {
			t.Errorf("seed %d: %d records are told again", seed, n)
		}
		if a.Len() > a.most {
			t.Errorf("seed %d: %d records", seed, a.Len())
		}
		for p, sh := range a.shares {
			if len(sh.first) > 2*sh.n+101 {
				t.Errorf("seed %d: %d records of %s, %d in the heap", seed, sh.n, p, len(sh.first))
			}
		}
	}
}

// TestFull: of more than there is room for, the same are kept, in whatever order they come.
func TestFull(t *testing.T) {
	var all []api.JobRecord
	for i := range 300 {
		state := api.ExecSucceeded
		if i%10 == 0 {
			state = api.ExecRunning
		}
		all = append(all, record(fmt.Sprint(i), "0", i+1, other, 1, state))
	}
	var want []string
	for seed := range uint64(5) {
		s := New(me)
		s.most = 100
		rnd := rand.New(rand.NewPCG(seed, 2)) //nolint:gosec // the same each time
		for _, i := range rnd.Perm(len(all)) {
			add(s, all[i], Members)
		}
		if want == nil {
			want = s.keys()
		}
		if !slices.Equal(s.keys(), want) || len(want) != 100 {
			t.Fatalf("seed %d: %d records", seed, s.Len())
		}
		for _, rec := range all {
			if !rec.State.Ended() && !s.Knows(&rec) {
				t.Errorf("seed %d: one that goes on was forgotten", seed)
			}
			if add(s, rec, Members) {
				t.Errorf("seed %d: %s came back", seed, api.KeyRecord(rec.Exec()))
			}
		}
	}
}

// TestTogether has all of it be done at once.
func TestTogether(t *testing.T) {
	s := New(me)
	s.most = 200
	var all sync.WaitGroup
	for g := range 4 {
		all.Go(func() {
			for i := range 300 {
				add(s, record(fmt.Sprint(g, i%40), api.RunKey(fmt.Sprint(i)), 1, me, 1, api.ExecFailed), Source(g%3))
				switch g {
				case 0:
					s.Failed(s.TakeWrites(10))
				case 1:
					s.TakeGossip()
				case 2:
					s.Differing(&api.RecordParts{Digests: s.Digests()})
				default:
					s.Prune(t0, func(api.Digest) (api.JobType, bool) { return api.JobService, true })
				}
			}
		})
	}
	all.Wait()
	if s.Len() > 200 {
		t.Errorf("%d records", s.Len())
	}
}

func FuzzDiffering(f *testing.F) {
	s := New(me)
	for i := range 600 {
		add(s, record(fmt.Sprint(i), "0", 1, other, 1, api.ExecFailed), Members)
	}
	own := s.Digests()
	f.Add([]byte{1, 2, 3}, "")
	f.Add([]byte{}, s.keys()[300])
	f.Add([]byte{0}, "\x00\xff.*>\n")
	f.Fuzz(func(t *testing.T, spoiled []byte, after string) {
		q := api.RecordParts{Digests: slices.Clone(own), After: after}
		for i, b := range spoiled {
			q.Digests[(i*8+int(b)*8)%len(q.Digests)] ^= 1
		}
		if q.Validate() != nil {
			return
		}
		b := s.Differing(&q)
		if err := b.Validate(); err != nil || b.More && len(b.Records) == 0 {
			t.Fatalf("%d records, more %v, %v", len(b.Records), b.More, err)
		}
		last := after
		for _, raw := range b.Records {
			key, _, _ := strings.Cut(string(raw), " ")
			if !Follows(key, last) {
				t.Fatalf("%s after %q", key, last)
			}
			last = key
		}
	})
}

// BenchmarkFull measures a record that comes while the shelf is full, and the digests after.
func BenchmarkFull(b *testing.B) {
	s := New(me)
	for i := range Most {
		add(s, record(fmt.Sprint(i), "0", 1, other, 1, api.ExecFailed), Members)
	}
	s.Digests()
	b.Run("one record", func(b *testing.B) {
		i := 0
		for b.Loop() {
			i++
			add(s, record(fmt.Sprint(i%Most), "0", 2+i/Most, other, 1, api.ExecFailed), Members)
			s.Digests()
		}
	})
	b.Run("prune", func(b *testing.B) {
		for b.Loop() {
			s.Prune(t0, func(api.Digest) (api.JobType, bool) { return api.JobRecurring, true })
		}
	})
	b.Run("page of all", func(b *testing.B) {
		q := api.RecordParts{Digests: make([]byte, api.RecordDigests)}
		for b.Loop() {
			s.Differing(&q)
		}
	})
}
