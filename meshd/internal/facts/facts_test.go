package facts

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
)

// Peers of these tests. The last digit tells them apart.
var (
	self  = peerID(1)
	alice = peerID(2)
	bob   = peerID(3)
)

var start = time.Unix(1_700_000_000, 0)

func peerID(n int) api.PeerID {
	return api.PeerID("12D3KooW" + strings.Repeat("A", 44-4) + fmt.Sprintf("%04d", n+1111))
}

func TestPeerIDsOfTheTests(t *testing.T) {
	for _, p := range []api.PeerID{self, alice, bob} {
		if _, err := api.ParsePeerID(string(p)); err != nil {
			t.Fatal(err)
		}
	}
}

func ref(name string) api.Ref { return api.Ref{Kind: api.KindComponent, Name: api.Name(name)} }

func fact(p api.PeerID, name string, s api.State) api.WorkloadFact {
	return api.WorkloadFact{Ref: ref(name), Peer: p, Seq: 1, State: s, Since: start}
}

func batch(epoch int64, seq uint64, full bool, ws ...api.WorkloadFact) *api.FactBatch {
	return &api.FactBatch{Epoch: epoch, Seq: seq, Full: full, Workloads: ws}
}

func newTable() *Table { return New(api.PeerFact{Peer: self, Version: "v1"}, anybody, start) }

// anybody is a member on no terms.
func anybody(api.PeerID) (Terms, bool) { return Terms{}, true }

// bucket applies writes, as the writer does.
type bucket map[Key][]byte

func (b bucket) apply(t *testing.T, table *Table) {
	t.Helper()
	writes, err := table.Take()
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range writes {
		if w.Value == nil {
			delete(b, w.Key)
		} else {
			b[w.Key] = w.Value
		}
	}
}

// states lists the workloads in the bucket: "PEER name state", sorted.
func (b bucket) states(t *testing.T) []string {
	t.Helper()
	var out []string
	for k, v := range b {
		if k.Bucket != api.BucketWorkloads {
			continue
		}
		var f api.WorkloadFact
		if err := api.Decode(v, api.MaxMessage, &f); err != nil {
			t.Fatal(err)
		}
		if api.KeyWorkload(f.Ref, f.Peer) != k.Key {
			t.Errorf("%s holds a fact about %s of %s", k.Key, f.Ref, f.Peer)
		}
		out = append(out, fmt.Sprintf("%s %s %s", map[api.PeerID]string{alice: "alice", bob: "bob"}[f.Peer], f.Name, f.State))
	}
	slices.Sort(out)
	return out
}

func (b bucket) peer(t *testing.T, p api.PeerID) (r api.PeerRecord, ok bool) {
	t.Helper()
	v, ok := b[Key{api.BucketPeers, string(p)}]
	if !ok {
		return r, false
	}
	if err := api.Decode(v, api.MaxMessage, &r); err != nil {
		t.Fatal(err)
	}
	return r, true
}

func TestMergeOrder(t *testing.T) {
	running, failed := fact(alice, "web", api.StateRunning), fact(alice, "web", api.StateFailed)
	other := fact(alice, "other", api.StateRunning)
	for name, c := range map[string]struct {
		batches []*api.FactBatch
		direct  []int // which of them were asked for
		stale   []int // which of them come too late
		want    []string
	}{
		"a change":                         {batches: []*api.FactBatch{batch(1, 1, true, running), batch(1, 2, false, failed)}, want: []string{"alice web failed"}},
		"an addition":                      {batches: []*api.FactBatch{batch(1, 1, true, running), batch(1, 2, false, other)}, want: []string{"alice other running", "alice web running"}},
		"a full batch ends what it omits":  {batches: []*api.FactBatch{batch(1, 1, true, running, other), batch(1, 2, true, other)}, want: []string{"alice other running"}},
		"an empty full batch ends all":     {batches: []*api.FactBatch{batch(1, 1, true, running), batch(1, 2, true)}, want: nil},
		"one that was overtaken":           {batches: []*api.FactBatch{batch(1, 2, false, failed), batch(1, 1, false, running, other)}, want: []string{"alice other running", "alice web failed"}},
		"a full one that was overtaken":    {batches: []*api.FactBatch{batch(1, 2, false, failed), batch(1, 1, true, running, other)}, want: []string{"alice other running", "alice web failed"}},
		"it ends what it omits":            {batches: []*api.FactBatch{batch(1, 1, false, other), batch(1, 3, false, failed), batch(1, 2, true, running)}, want: []string{"alice web failed"}},
		"it ends nothing that is newer":    {batches: []*api.FactBatch{batch(1, 3, false, other), batch(1, 2, true, running)}, want: []string{"alice other running", "alice web running"}},
		"older than a full one":            {batches: []*api.FactBatch{batch(1, 2, true, failed), batch(1, 1, false, running, other)}, stale: []int{1}, want: []string{"alice web failed"}},
		"the same again, out of order":     {batches: []*api.FactBatch{batch(1, 2, false, failed), batch(1, 1, false, other), batch(1, 1, false, other)}, stale: []int{2}, want: []string{"alice other running", "alice web failed"}},
		"one that is far behind":           {batches: []*api.FactBatch{batch(1, 1+windowSize, false, failed), batch(1, 2, false, other), batch(1, 1, false, running)}, stale: []int{2}, want: []string{"alice other running", "alice web failed"}},
		"the same again is ignored":        {batches: []*api.FactBatch{batch(1, 1, true, running), batch(1, 1, true)}, stale: []int{1}, want: []string{"alice web running"}},
		"a restart begins a new order":     {batches: []*api.FactBatch{batch(1, 9, true, running), batch(2, 1, true, failed)}, want: []string{"alice web failed"}},
		"gossip of before the restart":     {batches: []*api.FactBatch{batch(2, 1, true, failed), batch(1, 9, true, running)}, stale: []int{1}, want: []string{"alice web failed"}},
		"a clock that went back, asked":    {batches: []*api.FactBatch{batch(2, 9, true, running), batch(1, 1, true, failed)}, direct: []int{1}, want: []string{"alice web failed"}},
		"an answer that gossip overtook":   {batches: []*api.FactBatch{batch(1, 2, false, failed), batch(1, 1, true, running)}, direct: []int{1}, want: []string{"alice web failed"}},
		"a later answer after such a race": {batches: []*api.FactBatch{batch(1, 2, false, failed), batch(1, 3, true, failed, other)}, direct: []int{1}, want: []string{"alice other running", "alice web failed"}},
	} {
		t.Run(name, func(t *testing.T) {
			table, b := newTable(), bucket{}
			table.Up(alice, start)
			for i, in := range c.batches {
				merge := table.Merge
				if slices.Contains(c.direct, i) {
					merge = table.MergeDirect
				} else if fresh := table.Fresh(alice, in); fresh == slices.Contains(c.stale, i) {
					t.Errorf("batch %d is passed on: %v", i, fresh)
				}
				if err := merge(alice, in, start); errors.Is(err, ErrStale) != slices.Contains(c.stale, i) {
					t.Errorf("batch %d: %v", i, err)
				}
				b.apply(t, table)
			}
			if got := b.states(t); !slices.Equal(got, c.want) {
				t.Errorf("the bucket holds %v; want %v", got, c.want)
			}
		})
	}
}

func TestNobodySpeaksForOthers(t *testing.T) {
	encode := func(b *api.FactBatch) []byte {
		raw, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	withPeer := batch(1, 1, false)
	withPeer.Peer = &api.PeerFact{Peer: bob}
	for name, b := range map[string]*api.FactBatch{
		"a workload":    batch(1, 1, false, fact(alice, "web", api.StateRunning), fact(bob, "web", api.StateRunning)),
		"a peer":        withPeer,
		"of this node":  batch(1, 1, false, fact(self, "web", api.StateRunning)),
		"a full batch ": batch(1, 1, true, fact(bob, "web", api.StateRunning)),
	} {
		if _, err := Decode(alice, encode(b), api.MaxMessage); !errors.Is(err, ErrForeign) {
			t.Errorf("%s: %v; want ErrForeign", name, err)
		}
	}
	if err := newTable().Merge(self, batch(1, 1, true), start); !errors.Is(err, ErrStale) {
		t.Errorf("an echo of this node's own facts: %v; want ErrStale", err)
	}
}

func TestMembersComeAndGo(t *testing.T) {
	table, b := newTable(), bucket{}
	at := start
	check := func(what string, connected bool, workloads ...string) {
		t.Helper()
		b.apply(t, table)
		r, ok := b.peer(t, alice)
		if !ok || r.Connected != connected {
			t.Errorf("%s: alice is known %v, connected %v; want %v", what, ok, r.Connected, connected)
		}
		if !r.Since.Equal(at) {
			t.Errorf("%s: since %v; want %v", what, r.Since, at)
		}
		if got := b.states(t); !slices.Equal(got, workloads) {
			t.Errorf("%s: workloads %v; want %v", what, got, workloads)
		}
	}
	merge := func(seq uint64, state api.State, want error) {
		t.Helper()
		if err := table.Merge(alice, batch(1, seq, true, fact(alice, "web", state)), at); !errors.Is(err, want) {
			t.Errorf("Merge %d = %v; want %v", seq, err, want)
		}
	}

	table.Up(alice, at)
	check("met", true)
	merge(1, api.StateRunning, nil)
	check("heard", true, "alice web running")

	at = at.Add(time.Minute)
	table.Down(alice, at)
	check("gone", false)
	merge(2, api.StateRunning, ErrStale) // was still on its way when alice died
	check("echo", false)

	later := at.Add(echo)
	if err := table.Merge(alice, batch(1, 3, true, fact(alice, "web", api.StateRunning)), later); err != nil {
		t.Errorf("gossip long after: %v; alice lives and is only no neighbour", err)
	}
	check("heard of through others", false, "alice web running")
	table.Expire(later.Add(Silence))
	check("not silent for long enough", false, "alice web running")
	table.Expire(later.Add(Silence + 1))
	check("silent", false)

	at = at.Add(time.Hour)
	table.Up(alice, at)
	check("back", true)
	merge(4, api.StateExited, nil)
	check("heard again", true, "alice web exited")
	table.Up(alice, at.Add(time.Second))
	check("a second connection changes nothing", true, "alice web exited")
}

func TestRTT(t *testing.T) {
	table, b := newTable(), bucket{}
	rtt := func() time.Duration {
		b.apply(t, table)
		r, _ := b.peer(t, alice)
		return time.Duration(r.RTT)
	}
	table.RTT(alice, time.Second, start)
	table.Up(alice, start)
	if got := rtt(); got != 0 {
		t.Errorf("rtt = %v before it was measured", got)
	}
	at := start
	for _, step := range []struct {
		after     time.Duration
		rtt, want time.Duration
	}{
		{0, 10 * time.Millisecond, 10 * time.Millisecond},
		{time.Second, 50 * time.Millisecond, 10 * time.Millisecond}, // too soon
		{rttEvery, 11 * time.Millisecond, 10 * time.Millisecond},    // too little
		{0, 50 * time.Millisecond, 50 * time.Millisecond},
		{2 * rttEvery, 10 * time.Millisecond, 10 * time.Millisecond},
	} {
		at = at.Add(step.after)
		table.RTT(alice, step.rtt, at)
		if got := rtt(); got != step.want {
			t.Errorf("rtt = %v after %v was measured; want %v", got, step.rtt, step.want)
		}
	}
	if got := table.RTTs(); got[alice] != 10*time.Millisecond || len(got) != 1 {
		t.Errorf("RTTs = %v", got)
	}
}

func TestBucketsWereEmptied(t *testing.T) {
	table, before := newTable(), bucket{}
	table.Up(alice, start)
	table.Up(bob, start)
	table.Down(bob, start)
	if err := table.Merge(alice, batch(1, 1, true, fact(alice, "web", api.StateRunning)), start); err != nil {
		t.Fatal(err)
	}
	before.apply(t, table)
	table.MarkAll()
	after := bucket{}
	after.apply(t, table)
	if len(after) != 4 || len(before) != len(after) {
		t.Fatalf("%d entries are written anew, %d were there; want 4", len(after), len(before))
	}
	for k, v := range before {
		if !bytes.Equal(after[k], v) {
			t.Errorf("%v: %s; it was %s", k, after[k], v)
		}
	}
	if me, ok := after.peer(t, self); !ok || !me.Self || !me.Connected || me.Version != "v1" {
		t.Errorf("this node's own record is %+v", me)
	}
}

func TestFailedWriteIsRepeated(t *testing.T) {
	table := newTable()
	first, err := table.Take()
	if err != nil || len(first) != 1 {
		t.Fatalf("Take = %v, %v; want this node's record", first, err)
	}
	if again, _ := table.Take(); len(again) != 0 {
		t.Errorf("Take = %v; want nothing twice", again)
	}
	<-table.Changed()
	table.Mark(first[0].Key)
	<-table.Changed()
	if again, _ := table.Take(); len(again) != 1 || !bytes.Equal(again[0].Value, first[0].Value) {
		t.Errorf("Take = %v; want the failed write", again)
	}
}

func TestKnownBefore(t *testing.T) {
	table, b := newTable(), bucket{}
	long := start.Add(-time.Hour)
	table.Load([]api.PeerRecord{
		{PeerFact: api.PeerFact{Peer: alice, Host: "a"}, Connected: true, Since: long},
		{PeerFact: api.PeerFact{Peer: bob}, Since: long},
		{PeerFact: api.PeerFact{Peer: self, Version: "v0"}, Self: true},
	})
	b.apply(t, table)
	if r, _ := b.peer(t, alice); r.Connected || r.Host != "a" || !r.Since.Equal(start) {
		t.Errorf("alice was connected and is %+v", r)
	}
	if r, _ := b.peer(t, bob); r.Connected || !r.Since.Equal(long) {
		t.Errorf("bob was away and is %+v", r)
	}
	if r, _ := b.peer(t, self); r.Version != "v1" {
		t.Errorf("this node takes itself for %+v", r)
	}
}

func TestCaps(t *testing.T) {
	table := newTable()
	var many []api.WorkloadFact
	for i := range maxWorkloads + 1 {
		many = append(many, fact(alice, fmt.Sprintf("w%d", i), api.StateRunning))
	}
	if err := CheckAuthor(alice, batch(1, 1, true, many...)); err == nil {
		t.Error("a batch with too many workloads is taken")
	}
	for i := range len(many) / api.MaxFacts {
		if err := table.Merge(alice, batch(1, uint64(i+1), false, many[i*api.MaxFacts:(i+1)*api.MaxFacts]...), start); err != nil {
			t.Fatal(err)
		}
	}
	if err := table.Merge(alice, batch(1, 1<<20, false, many[len(many)-50:]...), start); err != nil {
		t.Fatal(err)
	}
	if n := len(table.others[alice].workloads); n != maxWorkloads {
		t.Errorf("%d workloads of one member are kept; want %d", n, maxWorkloads)
	}

	table.Up(bob, start)
	for i := range 2 * maxMembers {
		_ = table.Merge(peerID(1000+i), batch(1, 1, true), start.Add(time.Duration(i)))
	}
	if n := len(table.others); n != maxMembers {
		t.Errorf("%d members are kept; want %d", n, maxMembers)
	}
	if m := table.others[bob]; m == nil || !m.connected {
		t.Error("a neighbour was forgotten for strangers")
	}
}

// TestEchoAfterARestart: a node that comes up is told again what others have said
// in the last seconds, also by a member that has gone since.
func TestEchoAfterARestart(t *testing.T) {
	for name, c := range map[string]struct {
		record api.PeerRecord
		after  time.Duration // since the node came up
		live   bool
	}{
		"lost before":            {api.PeerRecord{Since: start.Add(-time.Second)}, time.Second, false},
		"lost by coming up":      {api.PeerRecord{Since: start.Add(-time.Hour), Connected: true}, time.Second, false},
		"lost long ago":          {api.PeerRecord{Since: start.Add(-time.Minute)}, time.Second, true},
		"never connected":        {api.PeerRecord{}, time.Second, true},
		"lost, and heard of now": {api.PeerRecord{Since: start.Add(-time.Second)}, 2 * echo, true},
	} {
		t.Run(name, func(t *testing.T) {
			table := newTable()
			c.record.Peer = alice
			table.Load([]api.PeerRecord{c.record})
			err := table.Merge(alice, batch(1, 1, true), start.Add(c.after))
			if live := err == nil; live != c.live {
				t.Errorf("taken for alive: %v (%v), want %v", live, err, c.live)
			}
		})
	}
}
