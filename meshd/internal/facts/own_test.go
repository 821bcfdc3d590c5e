package facts

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
)

// take is what is gossiped now, decoded as another member does it.
func take(t *testing.T, table *Table) []*api.FactBatch {
	t.Helper()
	raw, err := table.Batches()
	if err != nil {
		t.Fatal(err)
	}
	var out []*api.FactBatch
	for _, r := range raw {
		b, err := Decode(self, r, api.MaxMessage)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, b)
	}
	return out
}

func names(b *api.FactBatch) (out []string) {
	for _, w := range b.Workloads {
		out = append(out, string(w.Name))
	}
	return out
}

func TestGossipIsOfChanges(t *testing.T) {
	table := newTable()
	if got := take(t, table); got != nil {
		t.Errorf("%d batches before there is anything to say", len(got))
	}
	table.Up(alice, start)
	<-table.Due()
	got := take(t, table)
	if len(got) != 1 || !got[0].Full || got[0].Peer == nil || got[0].Epoch != start.UnixNano() {
		t.Fatalf("to the first neighbour: %+v; want everything", got)
	}
	table.Up(bob, start)
	if got := take(t, table); got != nil {
		t.Error("everything again for the second neighbour, which asks by itself")
	}

	table.SetOwn(fact(self, "web", api.StateStarting))
	table.SetOwn(fact(self, "web", api.StateRunning))
	table.SetOwn(fact(self, "db", api.StateRunning))
	table.SetOwn(fact(alice, "not-ours", api.StateRunning))
	<-table.Due()
	got = take(t, table)
	if len(got) != 1 || got[0].Full || got[0].Peer != nil || !slices.Equal(names(got[0]), []string{"db", "web"}) || got[0].Workloads[1].State != api.StateRunning {
		t.Errorf("changes: %+v; want the last state of each, in one batch", got)
	}
	table.SetOwn(fact(self, "web", api.StateRunning))
	if got := take(t, table); got != nil {
		t.Error("what has not changed is gossiped")
	}

	addrs := []string{"/ip4/192.0.2.1/tcp/1"}
	for range 2 {
		table.ChangePeer(func(me *api.PeerFact) { me.Addrs = addrs })
	}
	<-table.Due()
	if got := take(t, table); len(got) != 1 || got[0].Peer == nil || len(got[0].Workloads) != 0 || !slices.Equal(got[0].Peer.Addrs, addrs) {
		t.Errorf("new addresses: %+v", got)
	}

	table.DropOwn(ref("web"))
	<-table.Due()
	if got := take(t, table); len(got) != 1 || !got[0].Full || !slices.Equal(names(got[0]), []string{"db"}) {
		t.Errorf("something is gone: %+v; want everything that is left", got)
	}
	table.ReplaceOwn(map[api.Ref]api.WorkloadFact{ref("new"): fact(self, "new", api.StateRunning)})
	<-table.Due()
	if got := take(t, table); len(got) != 1 || !slices.Equal(names(got[0]), []string{"new"}) {
		t.Errorf("read anew: %+v; want new alone", got)
	}
	seq := table.Full().Seq
	table.Repeat()
	<-table.Due()
	if got := take(t, table); len(got) != 1 || !got[0].Full || got[0].Seq <= seq {
		t.Errorf("refresh: %+v; want everything, after what was answered", got)
	}
}

// TestLargeFactsAreSplit has more to say than fits into a message, made of text
// that JSON makes six times longer.
// TestWithoutRunner takes back what runnerd has said while it is down, whatever is
// written in its name meanwhile, and tells all of it when it is back.
func TestWithoutRunner(t *testing.T) {
	table, other := newTable(), New(api.PeerFact{Peer: alice}, anybody, start)
	heard := bucket{}
	hear := func(want ...string) {
		t.Helper()
		for _, b := range take(t, table) {
			if err := other.Merge(self, b, start); err != nil {
				t.Fatal(err)
			}
		}
		heard.apply(t, other)
		if got := heard.states(t); !slices.Equal(got, want) {
			t.Errorf("others hear %v, want %v", got, want)
		}
	}
	is := func(down ...api.Daemon) { table.ChangePeer(func(me *api.PeerFact) { me.Down = down }) }
	table.Up(alice, start)
	table.SetOwn(fact(self, "web", api.StateRunning))
	hear(" web running")
	is(api.Casd)
	hear(" web running")
	is(api.Casd, api.Runnerd)
	<-table.Due()
	hear()
	if r, _ := heard.peer(t, self); !slices.Equal(r.Down, api.DaemonList{api.Casd, api.Runnerd}) {
		t.Errorf("others know %+v", r)
	}
	table.SetOwn(fact(self, "web", api.StateStarting))
	if got := take(t, table); got != nil {
		t.Errorf("%+v is told while runnerd is down", got)
	}
	table.SetOwn(fact(self, "db", api.StateRunning))
	table.DropOwn(ref("web"))
	if b := table.Full(); len(b.Workloads) != 0 || !b.Peer.IsDown(api.Runnerd) {
		t.Errorf("who asks is told %+v", b)
	}
	hear()
	is()
	hear(" db running")
	if r, _ := heard.peer(t, self); len(r.Down) != 0 {
		t.Errorf("others know %+v", r)
	}
}

func TestLargeFactsAreSplit(t *testing.T) {
	table, far, b := newTable(), New(api.PeerFact{Peer: alice}, anybody, start), bucket{}
	const workloads = 120
	for i := range workloads {
		f := fact(self, fmt.Sprintf("w%03d", i), api.StateFailed)
		f.Reason = strings.Repeat("\x01", api.MaxReason)
		for range api.MaxTail {
			f.Tail = append(f.Tail, strings.Repeat("\x02", api.MaxTailLine))
		}
		table.SetOwn(f)
	}
	table.Repeat()
	got := take(t, table)
	if len(got) < 2 || got[0].Peer == nil {
		t.Fatalf("%d batches; want several, the first with the peer", len(got))
	}
	far.Up(self, start)
	for _, batch := range got {
		if batch.Full {
			t.Error("a part calls itself everything")
		}
		if err := far.Merge(self, batch, start); err != nil {
			t.Fatal(err)
		}
	}
	b.apply(t, far)
	if n := len(b.states(t)); n != workloads {
		t.Errorf("%d of %d workloads have arrived", n, workloads)
	}
	// Point to point there is room for all.
	full := table.Full()
	if err := far.MergeDirect(self, &full, start.Add(time.Second)); err != nil || !full.Full || len(full.Workloads) != workloads {
		t.Errorf("asked directly: %d workloads, full %v, %v", len(full.Workloads), full.Full, err)
	}
}

// FuzzDecode looks for batches that are taken and break the table.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"epoch":1,"seq":1,"full":true}`))
	f.Add([]byte(`{"epoch":1,"seq":1,"workloads":[{"kind":"component","name":"web","peer":"` + string(alice) + `","state":"running","seq":1,"since":"2026-01-01T00:00:00Z"}]}`))
	f.Add([]byte(`{"epoch":9,"seq":18446744073709551615,"peer":{"peer":"` + string(alice) + `","version":"v1","platform":"linux/amd64","addrs":["/ip4/1.2.3.4/tcp/1"]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := Decode(alice, data, api.MaxMessage)
		if err != nil {
			return
		}
		table := newTable()
		table.Up(alice, start)
		if err := table.Merge(alice, b, start); err != nil {
			t.Fatalf("the first batch is refused: %v", err)
		}
		writes, err := table.Take()
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range writes {
			if len(w.Value) > api.MaxMessage {
				t.Fatalf("%s would be %d bytes", w.Key.Key, len(w.Value))
			}
			if w.Bucket == api.BucketWorkloads && !strings.HasSuffix(w.Key.Key, string(alice)) {
				t.Fatalf("a batch of alice writes %s", w.Key.Key)
			}
		}
	})
}
