package casd

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
)

// realm is what a test's realm needs.
type realm struct {
	mu      sync.Mutex
	unknown bool
	needed  map[api.Digest][]api.Ref
}

func (r *realm) Known() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.unknown
}

func (r *realm) Needed(d api.Digest) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.needed[d] != nil
}

func (r *realm) NeededHere(d api.Digest) bool { return r.Needed(d) }

func (r *realm) ConfirmElsewhere(context.Context, api.Digest) error {
	return errors.New("this node keeps it itself")
}

func (r *realm) Describe(b *api.BlobRecord) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if b.Refs = r.needed[b.SHA256]; b.Refs != nil {
		b.Keeper, b.Copies = true, 2
	}
}

func (r *realm) Vouch(h http.Header, d api.Digest) {
	if r.Needed(d) {
		h.Set(api.HeaderKeeper, "1")
	}
}

func (r *realm) need(d api.Digest, refs ...api.Ref) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.needed == nil {
		r.needed = map[api.Digest][]api.Ref{}
	}
	r.needed[d] = refs
}

// ask sends a request and decodes its answer, which has to be 200.
func (n *node) ask(method, path, body string, out api.Validator) {
	n.t.Helper()
	resp, b := n.do(method, path, strings.NewReader(body))
	if resp.StatusCode != http.StatusOK {
		n.t.Fatalf("%s %s: %s %s", method, path, resp.Status, b)
	}
	if err := api.Decode(b, 1<<20, out); err != nil {
		n.t.Fatalf("%s %s: %v in %s", method, path, err, b)
	}
}

func (n *node) storage() (st api.StorageStatus) {
	n.t.Helper()
	n.ask(http.MethodGet, "/storage", "", &st)
	return st
}

// lines decodes an answer of one value a line.
func lines[T any, P interface {
	*T
	api.Validator
}](n *node, method, path string) (out []T) {
	n.t.Helper()
	resp, b := n.do(method, path, nil)
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "application/x-ndjson" {
		n.t.Fatalf("%s %s: %s, %v", method, path, resp.Status, resp.Header)
	}
	for s := bufio.NewScanner(bytes.NewReader(b)); s.Scan(); {
		var v T
		if err := api.Decode(s.Bytes(), 1<<20, P(&v)); err != nil {
			n.t.Fatalf("%s %s: %v in %s", method, path, err, s.Bytes())
		}
		out = append(out, v)
	}
	return out
}

func TestListBlobs(t *testing.T) {
	n := start(t, t.TempDir(), nil)
	if all := lines[api.BlobRecord](n, http.MethodGet, "/blobs"); len(all) != 0 {
		t.Errorf("an empty store lists %v", all)
	}
	want := map[api.Digest]int64{}
	for i := range 20 {
		want[n.put(noise(byte(i), 100*i))] = int64(100 * i)
	}
	pinned, needed := n.put(noise(3, 300)), n.put(noise(4, 400))
	n.ask(http.MethodPut, api.PathPin(pinned), "", &api.Empty{})
	ref := api.Ref{Kind: api.KindComponent, Name: "web"}
	n.needs.need(needed, ref)
	all := lines[api.BlobRecord](n, http.MethodGet, "/blobs")
	if !slices.IsSortedFunc(all, func(a, b api.BlobRecord) int { return a.SHA256.Compare(b.SHA256) }) || len(all) != len(want) {
		t.Errorf("%d blobs, not in order or not all %d", len(all), len(want))
	}
	for _, r := range all {
		size, ok := want[r.SHA256]
		isNeeded := r.SHA256 == needed
		if !ok || r.Size != size || r.Has != size || !r.Whole || r.Damaged || r.Added.IsZero() || r.Used.IsZero() || r.Pinned != (r.SHA256 == pinned) ||
			r.Keeper != isNeeded || slices.Contains(r.Refs, ref) != isNeeded || (r.Copies == 2) != isNeeded {
			t.Errorf("listed %+v", r)
		}
	}
}

// A store at its quota takes what is new by letting go of what is old, and says in words
// what does not fit.
func TestQuota(t *testing.T) {
	dir := t.TempDir()
	var blobs []api.Digest
	t.Run("first", func(t *testing.T) {
		n := start(t, dir, func(c *Config) { c.Quota = 10 * mib })
		for i := range byte(3) {
			blobs = append(blobs, n.put(noise(i, 3*mib)))
		}
		n.ask(http.MethodPut, api.PathPin(blobs[0]), "", &api.Empty{})
		n.ask(http.MethodPut, api.PathPin(blobs[0]), "", &api.Empty{})
		n.put(noise(3, 3*mib))
		n.holds("after a fourth", blobs, true, false, true)
		st := n.storage()
		if st.Stored != 9*mib || st.Quota != 10*mib || st.Needed != 3*mib || st.Cached != 6*mib || st.Blobs != 3 || st.Full || st.DiskFree <= 0 || st.Dir == "" {
			t.Errorf("%+v", st)
		}
		n.refuse(507, "64 MiB are missing of its quota of 10 MiB", "PUT", "/blobs", bytes.NewReader(noise(4, 65*mib)))
		n.measures("collected_blobs_total 1", "quota_bytes 1.048576e+07", `puts_total{result="full"} 1`)
	})
	n := start(t, dir, func(c *Config) { c.Quota = 4 * mib })
	n.until("the lower quota holds", func() bool { return n.storage().Stored <= 4*mib })
	n.holds("after a restart with less", blobs, true, false, false)
	n.ask(http.MethodDelete, api.PathPin(blobs[0]), "", &api.Empty{})
	n.put(noise(4, 4*mib))
	n.holds("without its pin", blobs, false, false, false)
}

func (n *node) holds(what string, blobs []api.Digest, want ...bool) {
	n.t.Helper()
	for i, d := range blobs {
		if resp, _ := n.do(http.MethodHead, api.PathBlob(d), nil); (resp.StatusCode == http.StatusOK) != want[i] {
			n.t.Errorf("%s: blob %d: %s; want it here: %v", what, i, resp.Status, want[i])
		}
	}
}

func TestStorageRefusals(t *testing.T) {
	n := start(t, t.TempDir(), nil)
	d := api.Sum([]byte("not here"))
	for _, tt := range []struct {
		status                   int
		text, method, path, body string
	}{
		{404, "POST " + api.PathBlobFetch(d), "PUT", api.PathPin(d), ""},
		{404, "not pinned on this node", "DELETE", api.PathPin(d), ""},
		{400, "64 lower-case", "PUT", "/pins/abc", ""},
		{400, "64 lower-case", "DELETE", "/pins/x", ""},
		{400, "number of bytes", "POST", "/storage/gc", `{"free":-1}`},
		{400, "unknown field", "POST", "/storage/gc", `{"force":true}`},
		{413, "too large", "POST", "/storage/gc", strings.Repeat(" ", api.MaxMessage+1)},
	} {
		n.refuse(tt.status, tt.text, tt.method, tt.path, strings.NewReader(tt.body))
	}
	n.needs.mu.Lock()
	n.needs.unknown = true
	n.needs.mu.Unlock()
	n.refuse(503, "not known yet", "POST", "/storage/gc", nil)
}

func TestCollect(t *testing.T) {
	n := start(t, t.TempDir(), nil)
	blobs := []api.Digest{n.put(noise(1, mib)), n.put(noise(2, mib)), n.put(noise(3, mib))}
	n.needs.need(blobs[1], api.Ref{Kind: api.KindComponent, Name: "web"})
	var got api.CollectReply
	n.ask(http.MethodPost, "/storage/gc", `{"free":10,"dry_run":true}`, &got)
	if got.Freed != mib || len(got.Blobs) != 1 || got.More != 0 {
		t.Errorf("a dry run: %+v", got)
	}
	n.holds("after a dry run", blobs, true, true, true)
	got = api.CollectReply{}
	n.ask(http.MethodPost, "/storage/gc", "", &got)
	if got.Freed != 2*mib || len(got.Blobs) != 2 {
		t.Errorf("all: %+v", got)
	}
	n.holds("after all was collected", blobs, false, true, false)
	n.measures("collected_blobs_total 2", "collected_bytes_total 2.097152e+06", "blobs 1", "chunk_bytes 1.048576e+06")
}

// A blob that somebody is reading, however slowly, is not taken from them.
func TestSlowReader(t *testing.T) {
	n := start(t, t.TempDir(), func(c *Config) { c.Quota = 40 * mib })
	blob := noise(1, 20*mib)
	d := n.put(blob)
	resp, err := n.client.Get(n.url + api.PathBlob(d))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	first := make([]byte, 100)
	if _, err := io.ReadFull(resp.Body, first); err != nil {
		t.Fatal(err)
	}
	var got api.CollectReply
	n.ask(http.MethodPost, "/storage/gc", "", &got)
	n.put(noise(2, 15*mib))
	n.refuse(507, "store full", "PUT", "/blobs", bytes.NewReader(noise(3, 35*mib)))
	rest, err := io.ReadAll(resp.Body)
	if err != nil || !bytes.Equal(append(first, rest...), blob) {
		t.Errorf("read %d bytes of %d, %v", len(first)+len(rest), len(blob), err)
	}
	resp.Body.Close()
	n.until("its lease ends", func() bool {
		n.ask(http.MethodPost, "/storage/gc", "", &got)
		resp, _ := n.do(http.MethodHead, api.PathBlob(d), nil)
		return resp.StatusCode == http.StatusNotFound
	})
}

// A fetch that does not fit is refused before any of it is sent, and before anything goes
// for it, and so is a put; one that shares most of
// its chunks with what is here fits.
func TestFetchThatDoesNotFit(t *testing.T) {
	n, peer := start(t, t.TempDir(), func(c *Config) { patient(c); c.Quota = 8 * mib }), start(t, t.TempDir(), nil)
	n.peers(map[api.PeerID]*node{peerID("B"): peer})
	kept := noise(1, 6*mib) // and what follows it is cut as finely
	n.needs.need(n.put(kept), api.Ref{Kind: api.KindComponent, Name: "web"})
	cached := n.put(noise(4, mib))
	n.refuse(507, "5 MiB are missing of its quota of 8 MiB, and 4 MiB are missing though", "POST", api.PathBlobFetch(peer.put(noise(2, 6*mib))), nil)
	peer.measures(`swarm_bytes_total{direction="out"} 0`)
	if st := n.storage(); st.Partial != 0 || st.Stored != 7*mib {
		t.Errorf("after the refusal: %+v", st)
	}
	n.refuse(507, "5 MiB are missing of its quota of 8 MiB, and 4 MiB are missing though", "PUT", "/blobs", bytes.NewReader(noise(2, 6*mib)))
	n.holds("after the refusals", []api.Digest{cached}, true)
	next := peer.put(slices.Concat(kept, noise(3, mib)))
	n.ask(http.MethodPost, api.PathBlobFetch(next), "", &api.BlobInfo{})
	n.holds("after what shares its chunks", []api.Digest{next}, true)
	if st := n.storage(); st.Stored > st.Quota {
		t.Errorf("%+v", st)
	}
}

// When the store can keep no more for the realm, the others are told, and when it can.
func TestFullIsAnnounced(t *testing.T) {
	n := start(t, t.TempDir(), func(c *Config) { c.Quota = 10 * mib })
	d := n.put(noise(1, 10*mib))
	n.needs.need(d, api.Ref{Kind: api.KindComponent, Name: "web"})
	n.refuse(507, "quota", "PUT", "/blobs", bytes.NewReader(noise(2, mib)))
	n.until("others know that it is full", func() bool { return n.storage().Full && n.bus.isFull() })
	n.measures("full 1")
	n.needs.need(d)
	n.put(noise(2, mib))
	n.until("others know that it is so no more", func() bool { return !n.storage().Full && !n.bus.isFull() })
}

func (b *fakeBus) isFull() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.full
}

// Bits that flip on the disk are found, and mended by what another member has; what is
// found and cannot be mended is told.
func TestVerify(t *testing.T) {
	a, b := start(t, t.TempDir(), patient), start(t, t.TempDir(), nil)
	blob, alone := noise(1, 3*mib), noise(2, 2*mib)
	d, lost := a.put(blob), a.put(alone)
	b.put(blob)
	a.peers(map[api.PeerID]*node{peerID("B"): b})
	verify := func() (sum api.VerifyProgress) {
		t.Helper()
		for _, p := range lines[api.VerifyProgress](a, http.MethodPost, "/storage/verify") {
			if sum.End {
				t.Error("a line after the last one")
			}
			sum.Done, sum.Total, sum.End, sum.Error = p.Done, p.Total, p.End, p.Error
			sum.Damaged, sum.Mended, sum.Lost = append(sum.Damaged, p.Damaged...), append(sum.Mended, p.Mended...), append(sum.Lost, p.Lost...)
		}
		return sum
	}
	if got := verify(); !got.End || got.Done != 5*mib || got.Total != 5*mib || got.Error != "" || len(got.Damaged) != 0 {
		t.Errorf("a sound store: %+v", got)
	}
	if st := a.storage(); st.ScrubbedAt.IsZero() || st.Damaged != 0 {
		t.Errorf("after that: %+v", st)
	}
	a.spoil(d)
	a.spoil(lost)
	got := verify()
	if len(got.Damaged) != 2 || !slices.Equal(got.Mended, []api.Digest{d}) || !slices.Equal(got.Lost, []api.Digest{lost}) || !got.End {
		t.Errorf("with damage: %+v", got)
	}
	if resp, got := a.do(http.MethodGet, api.PathBlob(d), nil); resp.StatusCode != http.StatusOK || !bytes.Equal(got, blob) {
		t.Errorf("mended: %s, %d bytes", resp.Status, len(got))
	}
	if st := a.storage(); st.Damaged != 1 || st.Partial != 1 || st.Blobs != 1 {
		t.Errorf("in the end: %+v", st)
	}
	a.measures("scrub_damaged_total 2", "scrub_mended_total 1")
}

// In the background, too, and after a restart: what was spoiled while nobody looked is
// mended without being asked for, as soon as a member has it.
func TestScrub(t *testing.T) {
	dir, blob := t.TempDir(), noise(1, 100<<10)
	var d api.Digest
	t.Run("first", func(t *testing.T) {
		n := start(t, dir, nil)
		d = n.put(blob)
		n.spoil(d)
	})
	peer := start(t, t.TempDir(), nil)
	peer.put(blob)
	n := start(t, dir, func(c *Config) {
		patient(c)
		c.Scrub = ScrubConfig{Period: time.Second, Rate: 1 << 30, Retry: time.Second, Lately: time.Hour}
	})
	n.until("the damage is found", func() bool { return n.storage().Damaged == 1 })
	n.peers(map[api.PeerID]*node{peerID("B"): peer})
	n.until("it is mended", func() bool {
		st := n.daemon.scrubber.Stats()
		return n.storage().Damaged == 0 && st.Mended == 1 && st.Lost == 0
	})
	if resp, got := n.do(http.MethodGet, api.PathBlob(d), nil); resp.StatusCode != http.StatusOK || !bytes.Equal(got, blob) {
		t.Errorf("%s, %d bytes", resp.Status, len(got))
	}
	n.measures("scrub_damaged_total 1", "scrub_mended_total 1", "scrub_lost 0")
}

// spoil flips a bit in a chunk of a blob.
func (n *node) spoil(d api.Digest) {
	n.t.Helper()
	_, body := n.do(http.MethodGet, api.PathBlobIndex(d), nil)
	var idx api.BlobIndex
	if err := api.Decode(body, api.MaxBlobIndex, &idx); err != nil {
		n.t.Fatal(err)
	}
	chunk := idx.Chunks[len(idx.Chunks)/2].SHA256
	_, b := n.do(http.MethodGet, api.PathChunk(chunk), nil)
	if api.Sum(b) != chunk {
		n.t.Fatalf("chunk %s is damaged already", chunk)
	}
	n.flipBit(b)
}
