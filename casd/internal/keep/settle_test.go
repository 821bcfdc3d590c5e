package keep

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
)

// pushes stores n blobs on one node, and has the realm need them.
func (w *world) pushes(at, n int) (all []api.Reference) {
	w.t.Helper()
	for i := range n {
		all = append(all, reference(w.nodes[at].put(noise(uint64(1000*at+i), 2000)), fmt.Sprint("c", i), 1))
	}
	w.needs.set(all...)
	return all
}

func (w *world) settled(all []api.Reference) bool {
	return !slices.ContainsFunc(all, func(r api.Reference) bool { return !w.kept(r.Blob) })
}

// 200 blobs on one of five nodes: each keeper fetches what it lacks, once; who keeps
// what asks the others once; then nothing happens any more.
func TestSettles(t *testing.T) {
	w := newWorld(t, 5, patient(patience), func(c *Config) { c.CheckFirst, c.CheckPoor = time.Second, 2*time.Second })
	began := time.Now()
	all := w.pushes(0, 200)
	until(t, "all keepers have it all", func() bool { return w.settled(all) })
	t.Logf("settled after %s", time.Since(began).Round(time.Millisecond))
	var lacked, kept int
	for _, r := range all {
		for _, i := range w.keepers(r.Blob) {
			kept++
			if i != 0 {
				lacked++
			}
		}
	}
	if got := w.fetches(); got != int64(lacked) {
		t.Errorf("%d fetches of %d blobs that lacked", got, lacked)
	}
	until(t, "all are checked", func() bool {
		n := 0
		for _, o := range w.nodes {
			o.mu.Lock()
			for _, h := range o.holding {
				if h.copies == api.Copies {
					n++
				}
			}
			o.mu.Unlock()
		}
		return n == kept
	})
	asked := w.asked()
	if most := int64(4 * kept); asked > most { // once, and once more where somebody was not ready
		t.Errorf("%d questions about %d copies", asked, kept)
	}
	lists := w.needs.asked.Load()
	used := cpuTime(t)
	const watch = 2 * time.Second
	time.Sleep(watch)
	used = cpuTime(t) - used
	t.Logf("settled, five nodes use %.2f %% of a processor", 100*used.Seconds()/watch.Seconds())
	if used > watch/20 {
		t.Errorf("%s of processor time in %s in which nothing happens", used, watch)
	}
	if n := w.asked() - asked; n != 0 {
		t.Errorf("%d questions when all is known", n)
	}
	if n := w.needs.asked.Load() - lists; n > 5 {
		t.Errorf("meshd is asked %d times in %s", n, watch)
	}
}

func (w *world) asked() (n int64) {
	for _, o := range w.nodes {
		n += o.heads.Load()
	}
	return n
}

// Who keeps a blob knows how many have it, and finds out when that changes.
func TestChecks(t *testing.T) {
	w := newWorld(t, 4)
	all := w.pushes(0, 8)
	until(t, "all keepers have it all", func() bool { return w.settled(all) })
	count := func(n *node, d api.Digest) int {
		r := api.BlobRecord{BlobInfo: api.BlobInfo{SHA256: d}}
		n.Describe(&r)
		return r.Copies
	}
	for _, r := range all {
		for _, i := range w.keepers(r.Blob) {
			until(t, "it knows of three", func() bool { return count(w.nodes[i], r.Blob) == api.Copies })
		}
	}
	poor := func(n *node) float64 { return n.gauge("realm_casd_keep_under_copied_blobs") }
	w.nodes[1].kill()
	until(t, "all is kept by three others", func() bool { return w.settled(all) })
	for i, n := range w.nodes {
		if i == 1 {
			continue
		}
		until(t, "nothing is on too few", func() bool { return poor(n) == 0 && n.gauge("realm_casd_keep_lacking_blobs") == 0 })
	}
	w.nodes[2].kill()
	until(t, "two are left, and that is all there can be", func() bool {
		return w.settled(all) && poor(w.nodes[0]) == 0 && w.nodes[0].gauge("realm_casd_keep_members") == 2 &&
			w.nodes[0].gauge("realm_casd_keep_kept_blobs") == 8 && w.nodes[0].gauge("realm_casd_keep_needed_blobs") == 8
	})
	missing := api.BlobInfo{SHA256: api.Sum([]byte("nowhere")), Size: 7}
	w.needs.set(append(all, reference(missing, "gone", 1))...)
	until(t, "what nobody has is told", func() bool {
		return w.nodes[0].gauge("realm_casd_keep_lacking_blobs") == 1 && w.nodes[0].gauge("realm_casd_keep_needed_blobs") == 9
	})
	w.nodes[3].stop() // it answers, and fetches nothing
	if removed, _, err := w.nodes[3].store.Remove(t.Context(), []api.Digest{all[0].Blob}); err != nil || len(removed) != 1 {
		t.Fatal(removed, err)
	}
	w.nodes[0].Copies(t.Context(), all[0].Blob) //nolint:errcheck // what it notes is looked at
	if poor(w.nodes[0]) != 1 {
		t.Errorf("%v blobs are on too few", poor(w.nodes[0]))
	}
}

// gauge reads a metric.
func (n *node) gauge(name string) float64 {
	n.w.t.Helper()
	all, err := n.metrics.Gather()
	if err != nil {
		n.w.t.Fatal(err)
	}
	for _, f := range all {
		if f.GetName() == name {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	n.w.t.Fatalf("there is no %s", name)
	return 0
}

// Where neither the keepers nor this node have a blob, it is told who else does.
func TestCopiesElsewhere(t *testing.T) {
	w := newWorld(t, 5)
	var b api.BlobInfo
	for seed := uint64(1); b.Size == 0 || slices.Contains(w.keepers(b.SHA256), 4) || slices.Contains(w.keepers(b.SHA256), 0); seed++ {
		b = w.nodes[4].put(noise(seed, 1000))
	}
	until(t, "it is told", func() bool {
		c := w.nodes[0].copies(b.SHA256)
		return !c.Needed && c.Want == 3 && len(c.Keepers) == 3 && len(c.Have) == 1 && c.Have[0] == w.nodes[4].id && c.Size == b.Size && len(c.Away) == 0
	})
	if c := w.nodes[4].copies(b.SHA256); len(c.Have) != 1 || c.Have[0] != w.nodes[4].id || c.Size != b.Size {
		t.Errorf("%+v", c)
	}
	if _, err := w.nodes[4].Copies(t.Context(), api.Sum([]byte("nowhere"))); err != nil {
		t.Error(err)
	}
}

// What runs here is needed here, whoever keeps it.
func TestRunsHere(t *testing.T) {
	w, blob, free := spare(t, 5)
	n := free[0]
	if n.NeededHere(blob) {
		t.Fatal("it is needed here, for no reason")
	}
	f := api.WorkloadFact{Ref: api.Ref{Kind: api.KindComponent, Name: "web"}, Peer: n.id, Seq: 1, State: api.StateRunning, Since: time.Now()}
	n.workloads.put(api.KeyWorkload(f.Ref, n.id), f)
	until(t, "it runs, and is needed", func() bool { return n.NeededHere(blob) })
	if err := n.ConfirmElsewhere(t.Context(), blob); err == nil {
		t.Error("it may be removed")
	}
	w.needs.set()
	until(t, "the realm does not need it", func() bool { return !n.Needed(blob) })
	if !n.NeededHere(blob) {
		t.Error("what runs is free to go")
	}
	n.workloads.remove(api.KeyWorkload(f.Ref, n.id))
	until(t, "it is free", func() bool { return !n.NeededHere(blob) })
	n.workloads.put(api.KeyWorkload(f.Ref, n.id), f)
	n.workloads.put("nonsense", 7)
	n.peers.put("nonsense", 7)
	w.needs.set(reference(api.BlobInfo{SHA256: blob, Size: 1000}, "web", 1))
	until(t, "it is needed again", func() bool { return n.NeededHere(blob) })
}

// A bus that begins anew, empty, moves nothing as long as somebody fills it soon.
func TestBusRestarts(t *testing.T) {
	w := newWorld(t, 5, patient(patience))
	all := w.pushes(0, 20)
	until(t, "all keepers have it all", func() bool { return w.settled(all) })
	before := w.fetches()
	for _, n := range w.nodes {
		n.peers.restart()
		n.workloads.restart()
	}
	time.Sleep(300 * time.Millisecond)
	w.tell()
	time.Sleep(300 * time.Millisecond)
	if got := w.fetches(); got != before {
		t.Errorf("%d fetches", got-before)
	}
	more := w.pushes(1, 3)
	until(t, "it goes on", func() bool { return w.settled(more) })
}

// What may be watched is not always granted.
func TestNoRights(t *testing.T) {
	w := newWorld(t, 1)
	n := w.nodes[0]
	n.stop()
	k := n.build()
	k.parts.Peers = refused
	if err := k.Run(t.Context()); err == nil {
		t.Error("it runs without knowing members")
	}
}
