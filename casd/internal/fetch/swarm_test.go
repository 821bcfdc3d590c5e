package fetch

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/casd/internal/store"
)

// halves are the chunks of a blob with even numbers, and those with odd ones, as bits.
func halves(blob []byte) (even, odd bits) {
	n := len(indexOf(blob).Chunks)
	even, odd = newBits(n), newBits(n)
	for i := range int32(n) {
		if i%2 == 0 {
			even.set(i)
		} else {
			odd.set(i)
		}
	}
	return even, odd
}

// Two members that have a half each, and fetch nothing, are as good as one that has all.
func TestTwoHalves(t *testing.T) {
	m := newMesh(t)
	m.calm()
	blob := noise(20, 9*mib)
	even, odd := halves(blob)
	for name, has := range map[string]bits{"A": even, "B": odd} {
		p := m.join(name, blob)
		tale := p.fetching(blob)
		tale <- api.Have{Has: has}
		close(tale)
	}
	if err := m.fetch(blob); err != nil {
		t.Fatal(err)
	}
	for _, p := range m.peers {
		if n := p.chunks.Load(); n < 4 || n > 5 {
			t.Errorf("%s sent %d chunks", p.id.Short(), n)
		}
	}
}

// One half is not enough, and that is told at once.
func TestOneHalf(t *testing.T) {
	m := newMesh(t)
	m.calm()
	blob := noise(21, 8*mib)
	even, _ := halves(blob)
	tale := m.join("A", blob).fetching(blob)
	tale <- api.Have{Has: even}
	close(tale)
	err := m.fetch(blob)
	if !errors.Is(err, ErrNoProvider) || !strings.Contains(err.Error(), "AAAAAAAA: has only a part of it") {
		t.Errorf("fetch: %v", err)
	}
	idx, err := m.store.Partial(api.Sum(blob))
	if err != nil || len(m.store.Missing(idx)) != 4 {
		t.Errorf("kept: %v, %d chunks are missing", err, len(m.store.Missing(idx)))
	}
	if n := m.begun.Load(); n != 1 {
		t.Errorf("it was told %d times that there is a part of it here", n)
	}
	if n := m.landed.Load(); n != 4 {
		t.Errorf("it was told of %d chunks", n)
	}
}

// What another fetcher has, or is about to have, is left to it; the seed is asked for
// the rest.
func TestSeedIsSpared(t *testing.T) {
	m := newMesh(t)
	m.calm()
	blob := noise(22, 16*mib)
	seed, helper := m.join("A", blob), m.join("B", blob)
	tale := helper.fetching(blob)
	all := make([]int, 16)
	for i := range all {
		all[i] = i
	}
	tale <- api.Have{Has: newBits(16), Busy: all[:12], Lot: 1}
	met := make(chan struct{})
	seed.on(isHave, func(w http.ResponseWriter, r *http.Request) {
		<-met // the helper is known first
		seed.answer(w, r)
	})
	go func() {
		m.until("the helper is followed", func(t api.Transfer) bool { return len(t.Sources) == 2 && t.Sources[1].State == "idle" })
		time.Sleep(50 * time.Millisecond) // its first line has been read
		close(met)
		time.Sleep(500 * time.Millisecond)
		tale <- api.Have{Got: all[:12]}
	}()
	if err := m.fetch(blob); err != nil {
		t.Fatal(err)
	}
	if s, h := seed.chunks.Load(), helper.chunks.Load(); s != 4 || h != 12 {
		t.Errorf("the seed sent %d chunks, the other fetcher %d; want 4 and 12", s, h)
	}
}

// A fetcher that does not get what it is busy with holds nobody up for ever.
func TestBusyForEver(t *testing.T) {
	m := newMesh(t)
	blob := noise(23, 4*mib)
	m.join("A", blob)
	tale := m.join("B", blob).fetching(blob)
	tale <- api.Have{Has: newBits(4), Busy: []int{0, 1, 2, 3}, Lot: 1}
	m.fetcher.cfg.Patience = time.Minute
	began := time.Now()
	if err := m.fetch(blob); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > busyPatience+5*time.Second {
		t.Errorf("it took %v", took)
	}
}

// A member that sends much less than another is left behind, and not dropped.
func TestSlowMemberIsOvertaken(t *testing.T) {
	m := newMesh(t)
	blob := noise(24, 24*mib)
	slow := m.join("A", blob)
	slow.spoils(1, after(slow, 700*time.Millisecond))
	m.join("B", blob)
	began := time.Now()
	if err := m.fetch(blob); err != nil {
		t.Fatal(err)
	}
	took := time.Since(began)
	t.Logf("%v; the slow one was asked for %d chunks of 24, %v batches were overtaken", took, slow.chunks.Load(), m.metric("overtaken_total"))
	if n := slow.chunks.Load(); n > 10 {
		t.Errorf("the slow one was asked for %d chunks of 24", n)
	}
	if m.metric("dropped_total") != 0 {
		t.Error("it was dropped")
	}
}

// A member that gets the blob during a fetch, or comes up, is used.
func TestMemberComesDuringFetch(t *testing.T) {
	m := newMesh(t)
	m.calm()
	blob := noise(25, 8*mib)
	even, _ := halves(blob)
	half := m.join("A", blob)
	tale := half.fetching(blob) // stays open: it may get the rest
	tale <- api.Have{Has: even}
	late := make(chan *peer, 1)
	go func() {
		m.until("the half is here", func(t api.Transfer) bool { return t.Done == 4*mib })
		late <- m.join("B", blob)
	}()
	if err := m.fetch(blob); err != nil {
		t.Fatal(err)
	}
	if n := (<-late).chunks.Load(); n != 4 {
		t.Errorf("the one that came sent %d chunks, want 4", n)
	}
}

// A member that asks what is here is fetching the blob, too: it is asked in return,
// whether meshd knows of it or not.
func TestWhoAsksIsAsked(t *testing.T) {
	m := newMesh(t)
	m.calm()
	blob := noise(26, 8*mib)
	even, odd := halves(blob)
	tale := m.join("A", blob).fetching(blob)
	tale <- api.Have{Has: even}
	hidden := m.join("B", blob)
	other := hidden.fetching(blob)
	other <- api.Have{Has: odd}
	m.hide(hidden)
	done := make(chan error, 1)
	go func() { done <- m.fetch(blob) }()
	m.until("the half is here", func(t api.Transfer) bool { return t.Done == 4*mib })
	if _, err := m.fetcher.Have(api.Sum(blob), hidden.id); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// Followers hear of every chunk, once, from whenever they begin; of what is fetched now
// as of what is whole or was left.
func TestFollowers(t *testing.T) {
	m := newMesh(t)
	m.calm()
	blob := noise(27, 12*mib)
	d, idx := api.Sum(blob), indexOf(blob)
	if _, err := m.fetcher.Have(d, ""); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("of a blob that is not here: %v", err)
	}
	p := m.join("A", blob)
	release := make(chan struct{})
	p.on(isHave, func(w http.ResponseWriter, r *http.Request) { <-release; p.answer(w, r) })
	gate := make(chan struct{})
	p.spoils(5, func(w http.ResponseWriter, _ *http.Request, d api.Digest) { <-gate; p.sendChunk(w, d) })
	done := make(chan error, 1)
	go func() { done <- m.fetch(blob) }()
	m.until("it has begun", func(api.Transfer) bool { return true })

	early, err := m.fetcher.Have(d, "")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := early.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("before there is an index: %v", err)
	}
	close(release)
	followers := []*Lines{early}
	m.until("some are here", func(t api.Transfer) bool { return t.Done == 4*mib })
	for range 3 {
		l, err := m.fetcher.Have(d, "")
		if err != nil {
			t.Fatal(err)
		}
		followers = append(followers, l)
	}
	first, err := followers[1].Next(t.Context())
	if err != nil || first.Index != digest(idx) || first.Chunks != 12 || first.Lot == 0 || countBits(first.Has) != 4 || len(first.Busy) == 0 {
		t.Errorf("in the middle: %+v, %v", first, err)
	}
	got := bits(first.Has)
	close(gate)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	for i, l := range followers {
		has := newBits(12)
		if i == 1 {
			has = got
		}
		m.follow(l, has)
	}
	whole, err := m.fetcher.Have(d, "")
	if err != nil {
		t.Fatal(err)
	}
	m.follow(whole, allBits(12))
}

// follow reads lines to their end, and checks that they add up to the whole blob.
func (m *mesh) follow(l *Lines, has bits) {
	m.t.Helper()
	for {
		h, err := l.Next(m.t.Context())
		if errors.Is(err, io.EOF) {
			m.t.Error("the lines ended before the blob was whole")
			return
		}
		if err != nil {
			m.t.Error(err)
			return
		}
		switch {
		case h.Has != nil:
			has = h.Has
		case h.Whole && !h.Index.IsZero():
			has = allBits(h.Chunks)
		}
		for _, c := range h.Got {
			if has.get(int32(c)) {
				m.t.Errorf("chunk %d was told twice", c)
			}
			has.set(int32(c))
		}
		if h.Whole {
			break
		}
	}
	if countBits(has) != 12 {
		m.t.Errorf("%d chunks were told of", countBits(has))
	}
	if _, err := l.Next(m.t.Context()); !errors.Is(err, io.EOF) {
		m.t.Errorf("after the last line: %v", err)
	}
}

func countBits(b bits) (n int) {
	for i := range int32(8 * len(b)) {
		if b.get(i) {
			n++
		}
	}
	return n
}

// A fetch that is given up ends its lines, and what is left is told as it is.
func TestFollowersOfAFetchThatIsGivenUp(t *testing.T) {
	m := newMesh(t)
	blob := noise(28, 6*mib)
	p := m.join("A", blob)
	p.spoils(4, stallAt)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := m.fetcher.Fetch(ctx, api.Sum(blob), 0)
		done <- err
	}()
	m.until("some are here", func(t api.Transfer) bool { return t.Done == 3*mib })
	l, err := m.fetcher.Have(api.Sum(blob), "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("fetch: %v", err)
	}
	for err == nil {
		var h api.Have
		if h, err = l.Next(t.Context()); h.Whole {
			t.Error("it is whole")
		}
	}
	if !errors.Is(err, io.EOF) {
		t.Errorf("the end: %v", err)
	}
	left, err := m.fetcher.Have(api.Sum(blob), "")
	if err != nil {
		t.Fatal(err)
	}
	if h, err := left.Next(t.Context()); err != nil || countBits(h.Has) != 3 || h.Whole || h.Lot != 0 {
		t.Errorf("what is left: %+v, %v", h, err)
	}
}

// Members without the blob cost one request each.
func TestMembersThatLackIt(t *testing.T) {
	m := newMesh(t)
	blob := noise(29, 3*mib)
	for i := range 20 {
		m.join(strconv.Itoa(i%9 + 1)).id += api.PeerID(strconv.Itoa(i + 10))
	}
	m.join("A", blob)
	if err := m.fetch(blob); err != nil {
		t.Fatal(err)
	}
	for _, p := range m.peers[:20] {
		if n := p.asks.Load(); n > 1 {
			t.Errorf("%s was asked %d times", p.id, n)
		}
	}
}

// Nobody who only has an index of somebody else's is named for it.
func TestMisledMemberIsNotNamed(t *testing.T) {
	m := newMesh(t)
	m.calm()
	blob := noise(30, 2*mib+5) // as many chunks as the lie has
	liar := m.join("A")
	lyingIndex(t, liar, blob)
	misled := m.join("B")
	lyingIndex(t, misled, blob)
	tale := misled.fetching(blob)
	tale <- api.Have{Has: allBits(3), Lot: 1}
	honest := m.join("C", blob)
	honest.on(isHave, func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(300 * time.Millisecond)
		honest.answer(w, r)
	})
	if err := m.fetch(blob); err != nil {
		t.Fatal(err)
	}
	log := m.log.String()
	if !strings.Contains(log, "level=WARN") || !strings.Contains(log, liar.id.String()) || strings.Contains(log, misled.id.String()) {
		t.Errorf("log:\n%s", log)
	}
}

// A fetch says how it stands, and with whom.
func TestTransfersTell(t *testing.T) {
	m := newMesh(t)
	blob := noise(31, 6*mib)
	good, lacks, liar, away := m.join("A", blob), m.join("B"), m.join("C", blob), m.join("D", blob)
	liar.on(isHave, reply(200, "hello\n"))
	away.on(anything, reply(502, "no connection"))
	gate := make(chan struct{})
	good.spoils(3, func(w http.ResponseWriter, _ *http.Request, d api.Digest) { <-gate; good.sendChunk(w, d) })
	done := make(chan error, 1)
	go func() { done <- m.fetch(blob) }()
	want := map[api.PeerID]string{good.id: "active", lacks.id: "lacks it", liar.id: "dropped", away.id: "away"}
	var last api.Transfer
	m.until("all have answered", func(tr api.Transfer) bool {
		last = tr
		return tr.Done == 2*mib && !slices.ContainsFunc(tr.Sources, func(s api.TransferSource) bool { return want[s.Peer] != s.State })
	})
	if last.SHA256 != api.Sum(blob) || last.Size != 6*mib || last.Rate <= 0 || time.Since(last.Began) > time.Minute || len(last.Sources) != 4 {
		t.Errorf("%+v", last)
	}
	for _, s := range last.Sources {
		if s.Peer == good.id && (s.Bytes != 2*mib || s.Rate <= 0) || s.Peer != good.id && s.Why == "" {
			t.Errorf("%+v", s)
		}
	}
	close(gate)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if all := m.fetcher.Transfers(); len(all) != 0 {
		t.Errorf("afterwards: %+v", all)
	}
}

// What nobody waits for leaves the slots to others, and is one of these once somebody does.
func TestLowFetches(t *testing.T) {
	m := newMesh(t)
	m.calm()
	p := m.join("A")
	var blobs [][]byte
	for i := range 4 {
		blobs = append(blobs, noise(byte(40+i), mib))
		p.add(t, indexOf(blobs[i]), blobs[i])
	}
	gate := make(chan struct{})
	var asked atomic.Int32
	p.spoils(1, func(w http.ResponseWriter, _ *http.Request, d api.Digest) { asked.Add(1); <-gate; p.sendChunk(w, d) })
	errs := make(chan error, 8)
	low := func(b []byte) {
		go func() { _, err := m.fetcher.FetchLow(t.Context(), api.Sum(b), 0); errs <- err }()
	}
	low(blobs[0])
	low(blobs[1])
	m.sees("one is on its way", func() bool { return asked.Load() == 1 })
	low(blobs[2])
	m.sees("three wait", func() bool { return len(m.fetcher.Transfers()) == 3 })
	go func() { _, err := m.fetcher.Fetch(t.Context(), api.Sum(blobs[3]), 0); errs <- err }()
	m.sees("one that is waited for passes them", func() bool { return asked.Load() == 2 })
	go func() { _, err := m.fetcher.Fetch(t.Context(), api.Sum(blobs[2]), 0); errs <- err }()
	m.sees("so does one that is waited for now", func() bool { return asked.Load() == 3 })
	close(gate)
	for range 5 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

// until waits until the transfer that goes on stands as it should.
func (m *mesh) until(what string, ok func(api.Transfer) bool) {
	m.t.Helper()
	m.sees(what, func() bool {
		all := m.fetcher.Transfers()
		return len(all) == 1 && ok(all[0])
	})
}

// sees waits for what nothing tells of from the outside.
func (m *mesh) sees(what string, ok func() bool) {
	m.t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			m.t.Errorf("not within 20 s: %s; %+v", what, m.fetcher.Transfers())
			return
		}
	}
}

// hide has meshd not know of p; it can still be reached.
func (m *mesh) hide(p *peer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.hidden = append(m.hidden, p.id)
}
