package keep

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
)

// copies asks a node who has a blob, by its route.
func (n *node) copies(d api.Digest) api.BlobCopies {
	n.w.t.Helper()
	mux := http.NewServeMux()
	n.Register(mux)
	rec := httptest.NewRecorder()
	mux.ServeHTTP(rec, httptest.NewRequestWithContext(n.w.t.Context(), http.MethodGet, api.PathBlobCopies(d), nil))
	var out api.BlobCopies
	if err := api.Decode(rec.Body.Bytes(), api.MaxMessage, &out); err != nil || rec.Code != http.StatusOK {
		n.w.t.Fatalf("%d %s: %v", rec.Code, rec.Body, err)
	}
	return out
}

// Five nodes, a blob on one: three have it, then one of those goes, then it comes back.
func TestThreeHaveIt(t *testing.T) {
	w := newWorld(t, 5, patient(6*time.Second))
	b := w.nodes[0].put(noise(1, 300_000))
	w.needs.set(reference(b, "web", 1))
	until(t, "the keepers have it", func() bool { return w.kept(b.SHA256) && w.nodes[0].Needed(b.SHA256) })
	first := w.keepers(b.SHA256)
	c := w.nodes[0].copies(b.SHA256)
	if len(c.Keepers) != 3 || c.Want != 3 || !c.Needed || c.Size != b.Size || len(c.Away) != 0 {
		t.Errorf("%+v", c)
	}
	if want := len(w.holders(b.SHA256)); len(c.Have) != want || !slices.Equal(c.Have[:3], c.Keepers) {
		t.Errorf("%d have it, told are %v", want, c.Have)
	}

	gone := w.nodes[first[0]]
	gone.kill()
	time.Sleep(gone.cfg.Patience / 6)
	if got := w.nodes[first[1]].copies(b.SHA256); !slices.Contains(got.Away, gone.id) || got.Want != 3 {
		t.Errorf("a moment after its loss: %+v", got)
	}
	before := w.holders(b.SHA256)
	until(t, "another one has it", func() bool { return w.kept(b.SHA256) && len(w.holders(b.SHA256)) >= 3 })
	if len(before) > 3 {
		t.Errorf("%v had it before anybody could know that one was lost for good", before)
	}
	fetched := w.fetches()
	gone.start()
	until(t, "it is a keeper again", func() bool {
		return slices.Equal(w.keepers(b.SHA256), first) && w.nodes[first[1]].copies(b.SHA256).Away == nil
	})
	time.Sleep(gone.cfg.Patience / 3)
	if got := w.fetches(); got != fetched {
		t.Errorf("%d fetches because it has come back", got-fetched)
	}
}

// So many have a blob as those that need it say, more of them and fewer.
func TestAsManyAsAreAskedFor(t *testing.T) {
	w := newWorld(t, 5, patient(patience))
	b := w.nodes[0].put(noise(1, 1000))
	asks := func(name string, copies int) api.Reference {
		r := reference(b, name, 1)
		r.Copies = copies
		return r
	}
	for _, refs := range [][]api.Reference{{asks("a", 1)}, {asks("a", 1), asks("b", 2)}, {asks("a", 1), asks("b", 0)}, {asks("a", 4), asks("b", 0)}, {asks("a", api.MaxKeep)}} {
		w.needs.set(refs...)
		want := min(copiesOf(refs), 5)
		until(t, "so many keep it", func() bool {
			c := w.nodes[0].copies(b.SHA256)
			return c.Want == want && len(c.Have) >= want && w.kept(b.SHA256)
		})
		if got := len(w.holders(b.SHA256)); got > want+1 { // the first one has it anyway
			t.Errorf("%d have it, %d are to", got, want)
		}
	}
	w.needs.set(asks("a", 1))
	until(t, "one alone keeps it", func() bool { return w.nodes[0].copies(b.SHA256).Want == 1 })
	for i, n := range w.nodes {
		until(t, "who need not may remove it, and the keeper may not", func() bool {
			return (n.ConfirmElsewhere(t.Context(), b.SHA256) == nil) != slices.Contains(w.keepers(b.SHA256), i)
		})
	}
}

// A restart of a keeper, of which the others hear, moves nothing.
func TestRestartsMoveNothing(t *testing.T) {
	w := newWorld(t, 5, patient(patience))
	var all []api.Reference
	for i := range 20 {
		all = append(all, reference(w.nodes[i%5].put(noise(uint64(i), 1000)), fmt.Sprint("c", i), 1))
	}
	w.needs.set(all...)
	settled := func() bool { return !slices.ContainsFunc(all, func(r api.Reference) bool { return !w.kept(r.Blob) }) }
	until(t, "the keepers have it", settled)
	before := w.fetches()
	for range 3 {
		for _, n := range w.nodes {
			n.kill()
			n.start()
		}
	}
	time.Sleep(time.Second)
	if got := w.fetches(); got != before || !settled() {
		t.Errorf("%d fetches", got-before)
	}
}

func (w *world) fetches() (n int64) {
	for _, o := range w.nodes {
		n += o.fetched.Load()
	}
	return n
}

func TestSmallRealms(t *testing.T) {
	for n := 1; n <= 3; n++ {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			w := newWorld(t, n)
			b := w.nodes[0].put(noise(1, 5000))
			w.needs.set(reference(b, "web", 1))
			until(t, "all have it", func() bool { return len(w.holders(b.SHA256)) == n })
			for _, at := range w.nodes {
				until(t, "it says so", func() bool {
					c := at.copies(b.SHA256)
					return c.Want == n && len(c.Have) == n && len(c.Away) == 0
				})
				until(t, "it is needed", func() bool { return at.Needed(b.SHA256) })
				if !at.NeededHere(b.SHA256) || at.ConfirmElsewhere(t.Context(), b.SHA256) == nil {
					t.Error("it may be removed")
				}
			}
		})
	}
}

// A node that can keep no more is passed over, and so are one that is drained and a
// command line. They lose nothing by that.
func TestPassedOver(t *testing.T) {
	for name, change := range map[string]func(*api.PeerRecord){"full": full, "drained": drained, "client": client} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 5)
			var all []api.Reference
			for i := range 12 {
				all = append(all, reference(w.nodes[0].put(noise(uint64(i), 1000)), fmt.Sprint("c", i), 1))
			}
			settled := func() bool { return !slices.ContainsFunc(all, func(r api.Reference) bool { return !w.kept(r.Blob) }) }
			w.nodes[1].change(change)
			w.needs.set(all...)
			until(t, "the others have it all", settled)
			if n := w.nodes[1].fetched.Load(); n != 0 {
				t.Errorf("it has fetched %d", n)
			}
			w.nodes[1].change(func(r *api.PeerRecord) { r.Full, r.Drained, r.Client = false, false, false })
			until(t, "it takes part", func() bool { return settled() && w.nodes[1].fetched.Load() > 0 })
			w.nodes[2].change(change)
			until(t, "another one takes over", settled)
			for _, r := range all {
				if slices.Contains(w.keepers(r.Blob), 2) {
					t.Fatal("it is a keeper")
				}
				if c := w.nodes[2].copies(r.Blob); slices.Contains(c.Keepers, w.nodes[2].id) {
					t.Errorf("by its own word it is a keeper: %+v", c)
				}
			}
		})
	}
}

// A keeper that fails to fetch tries again, and less and less often.
func TestFetchesThatFail(t *testing.T) {
	w := newWorld(t, 3)
	b := w.nodes[0].put(noise(1, 1000))
	for _, n := range w.nodes[1:] {
		n.failing(errors.New("the network is down"))
	}
	w.needs.set(reference(b, "web", 1))
	until(t, "it is tried", func() bool { return w.nodes[1].tries(b.SHA256) >= 3 })
	if c := w.nodes[0].copies(b.SHA256); len(c.Have) != 1 || c.Want != 3 || len(c.Away) != 0 {
		t.Errorf("%+v", c)
	}
	w.nodes[1].failing(errFull)
	w.nodes[2].failing(nil)
	until(t, "one has it", func() bool { return w.nodes[2].store.Has(b.SHA256) })
	w.nodes[1].failing(nil)
	until(t, "both have it", func() bool { return w.nodes[1].store.Has(b.SHA256) })
}

// A blob that nobody has is looked for again when somebody comes who may have it.
func TestSomebodyComesWhoHasIt(t *testing.T) {
	w := newWorld(t, 3)
	late := w.join(3)
	for _, n := range w.nodes[:3] {
		n.stop()
		n.cfg.Retry, n.cfg.RetryMost = 100*time.Millisecond, time.Hour
		n.start()
	}
	b := late.put(noise(1, 1000))
	w.needs.set(reference(b, "web", 1))
	tried := func(times int) func() bool {
		return func() bool {
			return !slices.ContainsFunc(w.nodes[:3], func(n *node) bool { return n.tries(b.SHA256) < times })
		}
	}
	until(t, "all have tried", tried(1))
	for _, n := range w.nodes[:3] {
		n.hasTried(b.SHA256, 14)
	}
	until(t, "all wait for almost half an hour", tried(15))
	late.start()
	until(t, "the keepers have it", func() bool { return w.kept(b.SHA256) })
}

// hasTried makes a node believe that it has tried that often to fetch a blob.
func (n *node) hasTried(d api.Digest, times int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.holding[d].tries = times
}

func (n *node) tries(d api.Digest) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	if h := n.holding[d]; h != nil {
		return h.tries
	}
	return 0
}

// What is needed no more is not fetched any more, and may go.
func TestNeededNoMore(t *testing.T) {
	w := newWorld(t, 3)
	b := w.nodes[0].put(noise(1, 1000))
	w.needs.set(reference(b, "web", 1))
	until(t, "all have it", func() bool { return len(w.holders(b.SHA256)) == 3 })
	w.needs.set()
	for _, n := range w.nodes {
		until(t, "it is free", func() bool { return n.Known() && !n.Needed(b.SHA256) && !n.NeededHere(b.SHA256) })
		until(t, "nothing is held", func() bool {
			n.mu.Lock()
			defer n.mu.Unlock()
			return len(n.holding) == 0
		})
	}
	missing := api.BlobInfo{SHA256: api.Sum([]byte("nowhere")), Size: 7}
	w.needs.set(reference(missing, "web", 2))
	until(t, "it is looked for", func() bool { return w.nodes[0].tries(missing.SHA256) > 0 })
	if c := w.nodes[0].copies(missing.SHA256); len(c.Have) != 0 || c.Want != 3 || !c.Needed || c.Size != 7 {
		t.Errorf("%+v", c)
	}
}

// A fetch under way ends when another member takes the blob over.
func TestFetchIsCalledOff(t *testing.T) {
	w := newWorld(t, 3)
	late := w.join(3)
	var b api.BlobInfo
	all := members(4)
	for seed := uint64(1); b.Size == 0 || slices.Contains(keepers(b.SHA256, api.Copies, all), w.nodes[0].id); seed++ {
		b = w.nodes[1].put(noise(seed, 1000))
	}
	n := w.nodes[0]
	begun, ended := make(chan struct{}, 1), make(chan error, 1)
	before := func(ctx context.Context) error {
		begun <- struct{}{}
		<-ctx.Done()
		ended <- ctx.Err()
		return ctx.Err()
	}
	n.before.Store(&before)
	w.needs.set(reference(b, "web", 1))
	select {
	case <-begun:
	case <-time.After(patience):
		t.Fatal("it does not fetch what it has to keep")
	}
	late.start()
	select {
	case err := <-ended:
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Fatal("it goes on although it is no keeper any more")
	}
	until(t, "the keepers have it", func() bool { return w.kept(b.SHA256) })
	if n.store.Has(b.SHA256) {
		t.Error("it has fetched it all the same")
	}
}

// What is found damaged is fetched again.
func TestDamaged(t *testing.T) {
	w := newWorld(t, 3)
	b := w.nodes[0].put(noise(1, 1000))
	w.needs.set(reference(b, "web", 1))
	until(t, "all have it", func() bool { return len(w.holders(b.SHA256)) == 3 })
	n := w.nodes[1]
	until(t, "the keeper knows it", func() bool {
		n.mu.Lock()
		defer n.mu.Unlock()
		h := n.holding[b.SHA256]
		return h != nil && h.here
	})
	if removed, _, err := n.store.Remove(t.Context(), []api.Digest{b.SHA256}); err != nil || len(removed) != 1 {
		t.Fatal(removed, err)
	}
	n.Recheck()
	until(t, "it is back", func() bool { return n.store.Has(b.SHA256) })
}

// The facts of an earlier process protect the same, and nobody takes itself for alone.
func TestRestartWithoutMeshd(t *testing.T) {
	w := newWorld(t, 5)
	var all []api.Reference
	for i := range 10 {
		all = append(all, reference(w.nodes[0].put(noise(uint64(i), 1000)), fmt.Sprint("c", i), 1))
	}
	w.needs.set(all...)
	until(t, "the keepers have it", func() bool { return !slices.ContainsFunc(all, func(r api.Reference) bool { return !w.kept(r.Blob) }) })
	n := w.nodes[0]
	until(t, "it is remembered", func() bool {
		k := n.build()
		return len(k.needs.list) == len(all) && len(k.roster.early) == len(w.nodes)
	})
	n.kill()
	n.peers.restart() // nothing is in it
	w.needs.mu.Lock()
	w.needs.status = http.StatusServiceUnavailable
	w.needs.mu.Unlock()
	before := n.fetched.Load()
	keeper := n.build()
	for _, r := range all {
		if !keeper.Known() || !keeper.Needed(r.Blob) || !keeper.NeededHere(r.Blob) {
			t.Errorf("%s may be removed", r.Name)
		}
		if keeper.ConfirmElsewhere(t.Context(), r.Blob) == nil {
			t.Errorf("%s may be removed since others have it", r.Name)
		}
	}
	if keeper.Needed(api.Sum([]byte("other"))) || keeper.NeededHere(api.Sum([]byte("other"))) {
		t.Error("everything is needed")
	}
	n.start()
	time.Sleep(n.cfg.Patience / 2) // it knows itself alone, for now
	if got := n.fetched.Load(); got != before {
		t.Errorf("it has fetched %d, as if it were alone", got-before)
	}
}
