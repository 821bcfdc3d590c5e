package keep

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
)

// spare is a world of n nodes that all have a blob, and the nodes that need not.
func spare(t *testing.T, n int, changes ...func(*Config)) (*world, api.Digest, []*node) {
	t.Helper()
	w := newWorld(t, n, changes...)
	blob := noise(1, 1000)
	b := w.nodes[0].put(blob)
	for _, o := range w.nodes[1:] {
		o.put(blob)
	}
	w.needs.set(reference(b, "web", 1))
	var free []*node
	for i, o := range w.nodes {
		until(t, "it knows of the need, and of all", func() bool {
			o.mu.Lock()
			defer o.mu.Unlock()
			return len(o.needs.list) == 1 && len(o.all) == n && o.stirred == stirred{}
		})
		if !slices.Contains(w.keepers(b.SHA256), i) {
			free = append(free, o)
		}
	}
	return w, b.SHA256, free
}

// A blob that the realm needs goes only where all its keepers vouch for it.
func TestConfirmElsewhere(t *testing.T) {
	w, blob, free := spare(t, 5)
	one := free[0]
	keeper := w.nodes[w.keepers(blob)[0]]
	confirm := func(what, want string) {
		t.Helper()
		err := one.ConfirmElsewhere(t.Context(), blob)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if !one.Needed(blob) || one.NeededHere(blob) || !keeper.NeededHere(blob) {
		t.Error("it is needed elsewhere")
	}
	confirm("all have it", "")
	if err := keeper.ConfirmElsewhere(t.Context(), blob); err == nil {
		t.Error("a keeper may remove it")
	}
	again := keeper.put(noise(1, 1000)) // so that nothing of it is away for long
	failed := errors.New("nothing is to be fetched")
	keeper.failing(failed)
	if _, _, err := keeper.store.Remove(t.Context(), []api.Digest{blob}); err != nil {
		t.Fatal(err)
	}
	confirm("one lacks it", "lacks it")
	keeper.put(noise(1, 1000))
	if again.SHA256 != blob {
		t.Fatal("it is another blob")
	}
	confirm("it is back", "")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if one.ConfirmElsewhere(ctx, blob) == nil {
		t.Error("nobody was asked")
	}
	keeper.up.Store(false) // and nobody knows
	confirm("one does not answer", "502")
	keeper.up.Store(true)
	keeper.mu.Lock()
	keeper.roster.told(live(4, full), time.Now()) // some other one, as far as it knows …
	me := keeper.roster.records[keeper.id].PeerRecord
	me.Full = true
	keeper.roster.told(me, time.Now()) // … and it cannot keep more
	keeper.stirred.stirMembers(time.Now())
	keeper.mu.Unlock()
	notify(keeper.wake)
	until(t, "it does not vouch any more", func() bool {
		err := one.ConfirmElsewhere(t.Context(), blob)
		return err != nil && strings.Contains(err.Error(), "does not keep it")
	})
	if !keeper.NeededHere(blob) {
		t.Error("a full node lets go of what it would keep")
	}
}

// Who asks whether it may remove a blob does not vouch for it, even where it becomes a
// keeper meanwhile.
func TestNoWordFromWhoRemoves(t *testing.T) {
	w, blob, free := spare(t, 5)
	if err := free[0].ConfirmElsewhere(t.Context(), blob); err != nil {
		t.Fatal(err)
	}
	for _, i := range w.keepers(blob)[:1] {
		w.nodes[i].change(full)
	}
	i := slices.Index(w.nodes, free[0])
	if !slices.Contains(w.keepers(blob), i) {
		w.nodes[slices.Index(w.nodes, free[1])].change(full)
	}
	until(t, "it is a keeper", func() bool {
		r := api.BlobRecord{BlobInfo: api.BlobInfo{SHA256: blob}}
		free[0].Describe(&r)
		return r.Keeper
	})
	if a := w.nodes[w.keepers(blob)[0]].ask(t.Context(), free[0].id, blob); a.vouches || !a.has || a.err != nil {
		t.Errorf("it vouches: %+v", a)
	}
}

// With fewer than three others nothing goes, however many of them vouch.
func TestTooFewToConfirm(t *testing.T) {
	w, blob, _ := spare(t, 3)
	w.nodes[0].change(drained)
	until(t, "it knows that it is drained", func() bool { return !w.nodes[0].NeededHere(blob) })
	if err := w.nodes[0].ConfirmElsewhere(t.Context(), blob); err == nil || !strings.Contains(err.Error(), "only 2") {
		t.Error(err)
	}
}

// Members are drained and are not any more, each in its own eyes alone, as if facts took
// their time; all try to be rid of a blob all the time. Three always have it, although
// nobody fetches.
func TestNeverTheLastCopies(t *testing.T) {
	w, blob, _ := spare(t, 9, func(c *Config) { c.Quiet, c.Unquiet = 0, time.Millisecond })
	for _, n := range w.nodes {
		n.failing(errors.New("nothing is fetched here"))
	}
	stop := make(chan struct{})
	var all sync.WaitGroup
	for i, n := range w.nodes {
		all.Go(func() { n.collect(blob, stop) })
		all.Go(func() {
			r := rand.New(rand.NewPCG(1, uint64(i)))
			for {
				select {
				case <-stop:
					return
				case <-time.After(time.Duration(5+r.IntN(20)) * time.Millisecond):
				}
				rec := live(i, self)
				rec.Drained = r.IntN(3) == 0
				n.peers.put(string(n.id), rec)
			}
		})
	}
	for end := time.Now().Add(patience); len(w.holders(blob)) > api.Copies+1 && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(200 * time.Millisecond)
	close(stop)
	all.Wait()
	if have := w.holders(blob); len(have) < api.Copies || len(have) == len(w.nodes) {
		t.Errorf("%d of %d have it at the end", len(have), len(w.nodes))
	}
}

// collect removes a blob when it may, as a collector does, and looks once more before.
func (n *node) collect(blob api.Digest, stop <-chan struct{}) {
	for {
		if !n.NeededHere(blob) && n.ConfirmElsewhere(context.Background(), blob) == nil && !n.NeededHere(blob) {
			if _, _, err := n.store.Remove(context.Background(), []api.Digest{blob}); err != nil {
				n.w.t.Error(err)
			}
			return
		}
		select {
		case <-stop:
			return
		case <-time.After(time.Millisecond):
		}
	}
}

// All are drained, each in its own eyes alone, at the same time: each takes the others
// for keepers, and none of them has the word of any.
func TestAllWouldGo(t *testing.T) {
	w, blob, _ := spare(t, 5)
	for i, n := range w.nodes {
		n.peers.put(string(n.id), live(i, self, drained))
		until(t, "it is drained in its own eyes", func() bool { return !n.NeededHere(blob) })
	}
	for _, n := range w.nodes {
		if err := n.ConfirmElsewhere(t.Context(), blob); err == nil || !strings.Contains(err.Error(), "does not keep it") {
			t.Errorf("%v", err)
		}
	}
}
