package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/local"
	"github.com/realm-mesh/realm/realm/internal/owner"
)

// on is what casd tells of a blob that these members have, and these should.
func on(d api.Digest, have, lack, away []api.PeerID) api.BlobCopies {
	keepers := append(append(append([]api.PeerID{}, have...), lack...), away...)
	return api.BlobCopies{BlobInfo: api.BlobInfo{SHA256: d}, Needed: true, Want: len(keepers), Keepers: keepers, Have: have, Away: away}
}

// everywhere has both members have everything.
func everywhere(d api.Digest) api.BlobCopies { return on(d, []api.PeerID{peerA, peerB}, nil, nil) }

func TestStoragePutAndGet(t *testing.T) {
	m := newMesh(t)
	dir := t.TempDir()
	file, body := filepath.Join(dir, "disk.img"), bytes.Repeat([]byte("block of a disk "), 1000)
	if err := os.WriteFile(file, body, 0o640); err != nil {
		t.Fatal(err)
	}
	d := api.Sum(body)
	m.want(0, []string{d.String() + "\n", "disk.img: 15.6 KiB, 15.6 KiB of it new here, stored in ", "realm storage pin " + d.Short()}, "storage", "put", file)
	m.want(0, []string{"15.6 KiB, 0 B of it new here"}, "storage", "put", file)
	if !m.store.Has(d) {
		t.Error("it is not there")
	}
	code, out, errs := m.realm("storage", "put", file, "--json")
	var put putView
	if err := json.Unmarshal([]byte(out), &put); err != nil || code != 0 || put.SHA256 != d || put.Size != int64(len(body)) || put.New == nil || *put.New != 0 || put.Pinned != nil {
		t.Errorf("--json: %d %v %s%s", code, err, out, errs)
	}

	back := filepath.Join(dir, "back.img")
	m.want(0, []string{back + ": 15.6 KiB, from this node, in "}, "storage", "get", d.Short(), "-o", back)
	away := filepath.Join(t.TempDir(), "no", "folder")
	m.want(1, []string{"the folder of " + away + " is not there: make it"}, "storage", "get", d.Short(), "-o", away)
	m.want(1, []string{" is a folder: name a file in it"}, "storage", "get", d.Short(), "-o", filepath.Dir(back))
	if got, err := os.ReadFile(back); err != nil || !bytes.Equal(got, body) {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
	code, out, errs = m.realm("storage", "get", "sha256:"+d.String())
	if code != 0 || out != string(body) || errs != "" {
		t.Errorf("to standard output: %d, %d bytes, %s", code, len(out), errs)
	}
	code, out, _ = m.realm("storage", "get", strings.ToUpper(d.Short())+"…", "--output", back, "--json")
	var got getView
	if err := json.Unmarshal([]byte(out), &got); err != nil || code != 0 || got.SHA256 != d || got.File != back || got.Fetched {
		t.Errorf("--json: %d %v %s", code, err, out)
	}
}

func TestStoragePutIsRefused(t *testing.T) {
	m := newMesh(t)
	m.store.Refuse = func(w http.ResponseWriter) bool {
		local.WriteError(w, http.StatusInsufficientStorage, errors.New("the store is full: 12 MiB are missing: realm storage gc"))
		return true
	}
	m.want(1, []string{"store bytes: the store is full: 12 MiB are missing: realm storage gc"}, "storage", "put", m.file)
	dir := t.TempDir()
	m.want(1, []string{"is a folder: pack it: tar c " + dir}, "storage", "put", dir)
	m.want(1, []string{"store file: open ", "nowhere"}, "storage", "put", filepath.Join(dir, "nowhere"))
	m.want(2, []string{"FILE is missing"}, "storage", "put")
	m.want(2, []string{"--name and --wait are for a pin: add --pin"}, "storage", "put", m.file, "--name", "x")
	m.want(2, []string{"--name: "}, "storage", "put", m.file, "--pin", "--name", "No Name")
	m.want(2, []string{"--node: the store of this command's own node goes with it: add --pin"}, "--home", "", "--node", "/ip4/127.0.0.1/udp/4001/quic-v1/p2p/"+string(peerA), "storage", "put", m.file)
	m.want(2, []string{"--node: realm storage ls is about the node on this machine"}, "--home", "", "--node", "/ip4/127.0.0.1/udp/4001/quic-v1/p2p/"+string(peerA), "storage", "ls")
}

// Standard input is read once, as it comes.
func TestStoragePutFromAPipe(t *testing.T) {
	m := newMesh(t)
	body := bytes.Repeat([]byte("stream"), 50_000)
	pass := func(refuse func(http.ResponseWriter) bool) (string, error) {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		m.store.Refuse = refuse
		m.later.Go(func() {
			_, _ = w.Write(body) // the reader may have gone
			w.Close()
		})
		var out bytes.Buffer
		a := &app{in: r, out: &out, err: &out}
		err = a.run(m.context(), []string{"--home", m.home.Root(), "storage", "put", "-"})
		m.later.Wait()
		return out.String(), err
	}
	if out, err := pass(nil); err != nil || !strings.Contains(out, api.Sum(body).String()) || !strings.Contains(out, "standard input: 293.0 KiB") {
		t.Errorf("%v\n%s", err, out)
	}
	_, err := pass(func(w http.ResponseWriter) bool {
		panic(http.ErrAbortHandler) // casd is killed
	})
	if err == nil || !strings.Contains(err.Error(), "casd of this node does not answer") || !strings.Contains(err.Error(), "the bytes cannot be read again") {
		t.Errorf("casd has gone: %v", err)
	}
}

func TestStoragePutGoesOnWhenCasdIsBack(t *testing.T) {
	m := newMesh(t)
	var tries atomic.Int32
	m.store.Refuse = func(w http.ResponseWriter) bool {
		switch tries.Add(1) {
		case 1:
			panic(http.ErrAbortHandler)
		case 2:
			local.WriteError(w, http.StatusServiceUnavailable, errors.New("it starts"))
			return true
		}
		return false
	}
	m.want(0, []string{"prog.wasm: 95 B"}, "storage", "put", m.file)
	if tries.Load() != 3 {
		t.Errorf("%d tries", tries.Load())
	}
}

func TestStoragePin(t *testing.T) {
	m := newMesh(t)
	d := m.store.Add([]byte("of worth"), api.BlobRecord{})
	var looks atomic.Int32
	m.store.Copies = func(d api.Digest) api.BlobCopies {
		if looks.Add(1) < 3 {
			return on(d, []api.PeerID{peerA}, []api.PeerID{peerB}, nil)
		}
		return everywhere(d)
	}
	m.want(0, []string{"pin/image: version 1 is accepted", "kept on 1 of 2 members: alpha; on its way to beta\n", "kept on 2 of 2 members: alpha, beta\n"}, "storage", "pin", d.Short(), "--name", "image")
	in, ok := m.seq.Ledger().Current(owner.PinRef("image"), time.Now())
	if b, err := owner.Pinned(in.Intent); !ok || err != nil || b != (api.BlobInfo{SHA256: d, Size: 8}) {
		t.Errorf("%v %v %+v", ok, err, b)
	}
	m.want(0, []string{"nothing to change, it is of this blob already", "kept on 2 of 2 members"}, "storage", "pin", d.Short(), "--name", "image")
	// Any node that knows what the realm needs can give it another name.
	m.store.Drop(d)
	code, out, errs := m.realm("storage", "pin", d.Short(), "--json")
	var v pinView
	if err := json.Unmarshal([]byte(out), &v); err != nil || code != 0 || v.Name != api.PinName(d) || v.Size != 8 || v.Version != 1 || v.Local || v.Was || v.Copies == nil || len(v.Copies.Have) != 2 {
		t.Errorf("--json: %d %v %s%s", code, err, out, errs)
	}
	m.want(1, []string{"several pins name " + d.Short() + ": say which with --name: image, sha256-"}, "storage", "unpin", d.Short())
	m.want(0, []string{"pin/image of " + d.Short() + " (8 B) is gone"}, "storage", "unpin", "--name", "image")
	m.want(0, []string{"pin/sha256-"}, "storage", "unpin", d.String())
	m.want(1, []string{"no pin of the realm names " + d.Short()}, "storage", "unpin", d.String())
	m.want(2, []string{`"image" is no digest`, "A pin goes by its name with --name image"}, "storage", "unpin", "image")
	m.want(1, []string{"image: there is no such pin"}, "storage", "unpin", "--name", "image")
	m.want(2, []string{"SHA256, or --name, is missing"}, "storage", "unpin")
}

func TestStoragePinTakesTooLong(t *testing.T) {
	m := newMesh(t)
	d := m.store.Add([]byte("of worth"), api.BlobRecord{})
	m.peer(member(peerC, "gamma", false, true))
	m.store.Copies = func(d api.Digest) api.BlobCopies {
		return on(d, []api.PeerID{peerA}, []api.PeerID{peerB}, []api.PeerID{peerC})
	}
	words := []string{"it took longer than 3s (--timeout)", "pin/image is accepted, but kept on 1 of 3 members: alpha so far", "on its way to beta", "no answer from gamma", "go on with it by themselves", "realm storage ls " + d.Short()}
	m.want(1, words, "storage", "pin", d.Short(), "--name", "image", "--timeout", "3s")
	m.want(0, []string{"version 1 is accepted"}, "storage", "put", m.file, "--pin", "--wait=false")
	code, out, errs := m.realm("storage", "put", m.file, "--pin", "--json", "--timeout", "3s")
	var v putView
	if err := json.Unmarshal([]byte(out), &v); err != nil || code != 1 || v.Pinned == nil || !v.Pinned.Was || len(v.Pinned.Copies.Lack) != 1 || v.Pinned.Copies.Away[0].Host != "gamma" || !strings.HasPrefix(errs, `{"error":`) {
		t.Errorf("--json: %d %v %s%s", code, err, out, errs)
	}
}

func TestStoragePinHere(t *testing.T) {
	m := newMesh(t)
	d := m.store.AddFar([]byte("of worth"))
	m.want(0, []string{d.Short() + " (8 B) is kept on this node."}, "storage", "pin", d.String(), "--local")
	m.want(0, []string{"pinned here\n"}, "storage", "ls")
	m.want(0, []string{"There is nothing to remove"}, "storage", "gc")
	m.want(0, []string{"is not kept on this node any more"}, "storage", "unpin", d.Short(), "--local")
	m.want(1, []string{"is not pinned on this node"}, "storage", "unpin", d.Short(), "--local")
	m.want(2, []string{"--local: what is kept on this node alone has no name"}, "storage", "pin", d.Short(), "--local", "--name", "x")
	m.want(2, []string{"--local: it is about the node on this machine"}, "--home", "", "--node", "/ip4/127.0.0.1/udp/4001/quic-v1/p2p/"+string(peerA), "storage", "pin", d.Short(), "--local")
}

func TestStorageLs(t *testing.T) {
	m := newMesh(t)
	m.want(0, []string{"No blobs yet: realm storage put FILE"}, "storage", "ls")
	m.want(0, nil, "push", "--name", "web", "--file", m.file, "--wait=false")
	m.want(0, nil, "push", "--name", "web", "--file", m.file, "--arg", "x", "--wait=false")
	program, err := os.ReadFile(m.file)
	if err != nil {
		t.Fatal(err)
	}
	d := m.store.Add(program, api.BlobRecord{Keeper: true, Copies: 2, Used: time.Now().Add(-2 * time.Hour), Refs: []api.Ref{{Kind: api.KindComponent, Name: "web"}}})
	cached := m.store.Add([]byte(strings.Repeat("cached by chance", 10)), api.BlobRecord{Has: 40})
	far := m.store.AddFar([]byte("elsewhere"))
	m.seq.Take(m.sign(owner.PinRef("far"), owner.Place{Seq: 1}, owner.Pin("far", api.BlobInfo{SHA256: far, Size: 9}).Change, time.Now()))
	m.store.Copies = func(d api.Digest) api.BlobCopies {
		if d == cached {
			return api.BlobCopies{BlobInfo: api.BlobInfo{SHA256: d}, Want: 2, Keepers: []api.PeerID{peerA, peerB}, Have: []api.PeerID{peerA}}
		}
		return everywhere(d)
	}

	m.want(0, []string{"BLOB          SIZE   HERE   USED  COPIES  KEPT FOR\n" + d.Short() + "  95 B   whole  2h    2       component/web v2\n" + cached.Short() + "  160 B  25 %   -     -       cached\n\n2 blobs, 135 B, on this node\n"}, "storage", "ls")
	m.want(0, []string{far.Short() + "  9 B    -      -     -       pin/far\n", "; 1 on others"}, "storage", "ls", "--all")
	code, out, _ := m.realm("storage", "ls", "--sort", "size", "--long")
	if first := strings.Split(out, "\n")[1]; code != 0 || !strings.HasPrefix(first, cached.String()) {
		t.Errorf("by size: %d\n%s", code, out)
	}
	m.want(2, []string{`--sort "age": want sha256, size, used, why`}, "storage", "ls", "--sort", "age")
	m.want(0, []string{"sha256    " + d.String() + "\nsize      95 B (95 bytes)\nhere      whole, kept here for the realm, used 2h ago\nkept for  component/web v2\ncopies    on 2 of 2 members: alpha, beta\n"}, "storage", "ls", d.Short())
	m.want(0, []string{"here      25 % of it\nkept for  nothing: it is cached, and goes when room is wanted\ncopies    on 1 member: alpha\n"}, "storage", "ls", cached.Short())
	m.want(0, []string{"here      no: realm storage get brings it\nkept for  pin/far\n"}, "storage", "ls", far.Short())
	m.store.Copies = nil
	m.want(1, []string{"is not on this node, the realm does not need it"}, "storage", "ls", api.Sum([]byte("none")).String())

	code, out, _ = m.realm("storage", "ls", "--json", "--all")
	var all blobsView
	if err := json.Unmarshal([]byte(out), &all); err != nil || code != 0 || len(all.Blobs) != 3 || len(all.Problems) != 0 || all.Blobs[0].SHA256 != d || !all.Blobs[0].Refs[0].Current || all.Blobs[0].Refs[0].Version != 2 || all.Blobs[1].Here {
		t.Errorf("--json: %d %v %s", code, err, out)
	}
	code, out, _ = m.realm("storage", "ls", far.Short(), "--json")
	var one detailView
	if err := json.Unmarshal([]byte(out), &one); err != nil || code != 0 || one.SHA256 != far || one.Here || one.Members == nil {
		t.Errorf("--json: %d %v %s", code, err, out)
	}
}

// What meshd does not tell casd may know, too.
func TestStorageLsWithoutMeshd(t *testing.T) {
	m := newMesh(t)
	d := m.store.Add([]byte("program"), api.BlobRecord{Refs: []api.Ref{{Kind: api.KindFunction, Name: "double"}}})
	m.seq.Unwell = errors.New("it has just started")
	m.want(0, []string{"problem  list what the realm needs: it has just started", d.Short(), "function/double\n"}, "storage", "ls")
}

func TestStorageDu(t *testing.T) {
	m := newMesh(t)
	m.store.Status = api.StorageStatus{Dir: "/home/casd", Blobs: 3, Partial: 1, Chunks: 70, Logical: 9 << 20, Stored: 5 << 20, Quota: 20 << 20, DiskFree: 3 << 30,
		Needed: 4 << 20, Cached: 1 << 20}
	m.want(0, []string{`store     /home/casd
blobs     3, and parts of 1, in 70 chunks
stored    5.0 MiB of 20.0 MiB  [#####---------------] 25 %
shared    4.0 MiB more, if blobs had no parts in common
needed    4.0 MiB: kept for the realm, pinned here or in use
cached    1.0 MiB: goes when room is wanted, the least recently used first
disk      3.0 GiB free
checked   never yet, from end to end
`}, "storage", "du")
	m.store.Status.Damaged, m.store.Status.Full, m.store.Status.ScrubbedAt = 1, true, time.Now().Add(-50*time.Hour)
	m.want(0, []string{"checked   2d ago, every byte\ndamaged   1 blob, to be mended", "full      it takes nothing more"}, "storage", "du")
	code, out, _ := m.realm("storage", "du", "--json")
	var s api.StorageStatus
	if err := json.Unmarshal([]byte(out), &s); err != nil || code != 0 || s.Quota != 20<<20 {
		t.Errorf("--json: %d %v %s", code, err, out)
	}
}

func TestStorageGC(t *testing.T) {
	m := newMesh(t)
	old, kept := m.store.Add([]byte("old"), api.BlobRecord{}), m.store.Add([]byte("kept for something"), api.BlobRecord{Refs: []api.Ref{{Kind: api.KindFunction, Name: "f"}}})
	m.want(0, []string{"  " + old.Short() + " (3 B)\n1 blob would go, and make room for 3 B.\n"}, "storage", "gc", "--dry-run")
	if !m.store.Has(old) {
		t.Error("--dry-run has removed it")
	}
	m.want(1, []string{"Removed 1 blob: room for 3 B.", "3 B of 2.0 MiB can go: the rest is needed"}, "storage", "gc", "--free", "2MiB")
	if m.store.Has(old) || !m.store.Has(kept) {
		t.Error("the wrong one has gone")
	}
	m.want(0, []string{"There is nothing to remove"}, "storage", "gc")
	m.want(2, []string{`"lots": want a number of bytes such as 500MiB`}, "storage", "gc", "--free", "lots")
	code, out, _ := m.realm("storage", "gc", "--json")
	var v collectView
	if err := json.Unmarshal([]byte(out), &v); err != nil || code != 0 || v.Blobs == nil || v.DryRun {
		t.Errorf("--json: %d %v %s", code, err, out)
	}
}

func TestStorageVerify(t *testing.T) {
	m := newMesh(t)
	one, two := api.Sum([]byte("1")), api.Sum([]byte("2"))
	m.store.Verify = []api.VerifyProgress{{Done: 1 << 20, Total: 3 << 20}, {Done: 3 << 20, Total: 3 << 20, End: true}}
	m.want(0, []string{"Read 3.0 MiB in ", "no damage."}, "storage", "verify")
	m.store.Verify = []api.VerifyProgress{{Done: 1, Total: 9, Damaged: []api.Digest{one, two}}, {Done: 9, Total: 9, Mended: []api.Digest{one}}, {Done: 9, Total: 9, Lost: []api.Digest{two}, End: true}}
	m.want(1, []string{"2 blobs damaged, 1 mended from other members.\n  mended " + one.String() + "\n", "1 blob could not be mended", two.String(), "realm storage put FILE"}, "storage", "verify")
	code, out, errs := m.realm("storage", "verify", "--json")
	var v verifyView
	if err := json.Unmarshal([]byte(out), &v); err != nil || code != 1 || len(v.Damaged) != 2 || len(v.Lost) != 1 || v.Checked != 9 || !strings.HasPrefix(errs, `{"error":`) {
		t.Errorf("--json: %d %v %s%s", code, err, out, errs)
	}
	m.store.Verify[2].Lost = nil
	m.want(1, []string{"1 blob could not be mended"}, "storage", "verify") // it says nothing of two, which is damaged
	m.store.Verify = []api.VerifyProgress{{Done: 1, Total: 9, End: true, Error: "the node stops"}}
	m.want(1, []string{"the store was not checked to its end: the node stops"}, "storage", "verify")
	m.store.Verify = []api.VerifyProgress{{Done: 1, Total: 9}}
	m.want(1, []string{"casd of this node broke off"}, "storage", "verify")
}

func TestStorageTransfers(t *testing.T) {
	m := newMesh(t)
	m.want(0, []string{"Nothing is on its way to this node."}, "storage", "transfers")
	d := api.Sum([]byte("x"))
	m.store.SetTransfers(api.Transfer{BlobInfo: api.BlobInfo{SHA256: d, Size: 10 << 20}, Done: 4 << 20, Began: time.Now().Add(-3 * time.Second), Rate: 2 << 20,
		Sources: []api.TransferSource{{Peer: peerB, Bytes: 3 << 20, Rate: 2 << 20, State: "active"}, {Peer: peerC, State: "dropped", Why: "a chunk\x1b of it was not what it should be"}}})
	m.want(0, []string{"BLOB                    HERE     OF        RATE       FOR  NOTE\n" + d.Short() + "            4.0 MiB  10.0 MiB  2.0 MiB/s  3s   3 s left\n",
		"  beta (…G1aoDd2p)      3.0 MiB            2.0 MiB/s       active\n", "  a member (…Ku1BcvMA)  0 B                -               dropped: a chunk of it"}, "storage", "transfers")
	code, out, _ := m.realm("storage", "transfers", "--json")
	var v transfersView
	if err := json.Unmarshal([]byte(out), &v); err != nil || code != 0 || len(v.Transfers) != 1 || v.Transfers[0].Sources[0].Host != "beta" || v.Transfers[0].Sources[1].State != "dropped" {
		t.Errorf("--json: %d %v %s", code, err, out)
	}
	m.want(0, []string{d.Short()}, "storage", "transfers", "--watch", "--timeout", "300ms")
}

func TestStorageCompletion(t *testing.T) {
	m := newMesh(t)
	t.Setenv("REALM_HOME", m.home.Root())
	a, b := m.store.Add([]byte("one"), api.BlobRecord{}), m.store.AddFar([]byte("two"))
	m.seq.Take(m.sign(owner.PinRef("far"), owner.Place{Seq: 1}, owner.Pin("far", api.BlobInfo{SHA256: b, Size: 3}).Change, time.Now()))
	for _, c := range []struct {
		line []string
		want []string
	}{
		{[]string{"storage", "get", ""}, []string{b.Short(), a.Short()}},
		{[]string{"storage", "pin", a.String()[:3]}, []string{a.Short()}},
		{[]string{"storage", "ls", a.String()[:20]}, []string{a.String()}},
		{[]string{"storage", "unpin", "sha256:" + b.String()[:3]}, []string{"sha256:" + b.Short()}},
		{[]string{"storage", "unpin", "--name", ""}, []string{"far"}},
		{[]string{"storage", "get", a.Short(), ""}, nil},
		{[]string{"storage", "ls", "--sort", ""}, []string{"sha256", "size", "used", "why"}},
	} {
		if got := m.offered(c.line...); strings.Join(got, " ") != strings.Join(c.want, " ") {
			t.Errorf("%q: %q, want %q", c.line, got, c.want)
		}
	}
}

// Who cannot sign hears so before bytes move.
func TestStoragePinNeedsAKey(t *testing.T) {
	m := newMesh(t)
	d := m.store.Add([]byte("of worth"), api.BlobRecord{})
	t.Setenv("REALM_OWNER_KEY", filepath.Join(t.TempDir(), "none.pem"))
	m.want(1, []string{"this account has no owner key"}, "storage", "pin", d.Short())
	m.want(1, []string{"this account has no owner key"}, "storage", "put", m.file, "--pin")
	if m.store.Asked("PUT /blobs") != 0 {
		t.Error("bytes were stored before it was known that they could be pinned")
	}
	m.want(0, nil, "storage", "pin", d.Short(), "--local")
}
