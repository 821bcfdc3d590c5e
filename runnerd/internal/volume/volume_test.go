package volume

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/realm-mesh/realm/api"
)

const me api.PeerID = "12D3KooWQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQAAAAAAAA"

// desk is a Manager with what the owner has decided, and a store.
type desk struct {
	*testing.T
	*Manager
	dir     string
	mu      sync.Mutex
	decided map[api.Name]api.Volume
	broken  error // of unpacking
	news    atomic.Int32
	realm   api.RealmID
}

func newDesk(t *testing.T) *desk {
	d := &desk{T: t, realm: "abcdefghijklmnopqrstuvwxyz234567", dir: filepath.Join(t.TempDir(), "volumes"), decided: map[api.Name]api.Volume{}}
	d.restart()
	return d
}

// restart opens the Manager of a process that has just begun.
func (d *desk) restart() {
	d.Helper()
	m, err := Open(Config{Dir: d.dir, Self: me, Realm: func() api.RealmID { return d.realm }, Decided: d.is, Unpack: d.unpack, Changed: func() { d.news.Add(1) }, Log: slog.New(slog.DiscardHandler)})
	d.check(err)
	d.Manager = m
}

func (d *desk) check(err error) {
	d.Helper()
	if err != nil {
		d.Fatal(err)
	}
}

func (d *desk) is(n api.Name) api.Volume {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.decided[n]
}

func (d *desk) decide(n api.Name, v api.Volume) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.decided[n] = v
}

// unpack makes a file "from" that says which archive it was.
func (d *desk) unpack(_ context.Context, b api.BlobInfo, into *os.Root) error {
	if err := into.WriteFile("from", []byte(b.SHA256.String()), 0o600); err != nil {
		return err
	}
	return d.broken
}

func blob(s string) *api.BlobInfo { return &api.BlobInfo{SHA256: api.Sum([]byte(s)), Size: 1} }

func (d *desk) use(user api.Name, seed *api.BlobInfo) *Use {
	d.Helper()
	u, err := d.Use(d.Context(), Ask{Volume: "cart", User: user, Seed: seed, Limit: 1 << 20})
	d.check(err)
	d.Cleanup(u.Close)
	return u
}

// file is a path below the volumes' folder.
func (d *desk) file(parts ...string) string {
	return filepath.Join(append([]string{d.dir}, parts...)...)
}

func (d *desk) has(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func (d *desk) reads(path, want string) {
	d.Helper()
	if got, err := os.ReadFile(path); err != nil || string(got) != want {
		d.Errorf("%s: %q, %v, want %q", path, got, err, want)
	}
}

// TestStateStays: over restarts of the process and versions of the program, seeded once.
func TestStateStays(t *testing.T) {
	d := newDesk(t)
	u := d.use("shop", blob("seed"))
	d.reads(d.file("cart", "data", "from"), blob("seed").SHA256.String())
	d.check(os.WriteFile(d.file("cart", "data", "mine"), []byte("kept"), 0o600))
	if held := d.Held(); len(held) != 0 {
		t.Errorf("told before a program has come up with it: %+v", held)
	}
	u.Establish()
	if held := d.Held(); len(held) != 1 || held[0] != (api.HeldVolume{Volume: "cart", User: "shop"}) {
		t.Errorf("%+v", held)
	}
	second := d.use("shop", blob("another seed")) // the next version, beside it
	u.Close()
	second.Close()
	second.Close() // once more does no harm
	d.restart()
	d.use("shop", blob("another seed"))
	d.reads(d.file("cart", "data", "mine"), "kept")
	d.reads(d.file("cart", "data", "from"), blob("seed").SHA256.String())
	if held := d.Held(); len(held) != 1 {
		t.Errorf("after a restart: %+v", held)
	}
	list := d.List(t.Context())
	if len(list) != 1 || !list[0].InUse || list[0].Void || list[0].Limit != 1<<20 || list[0].Used != 2*block || list[0].Files != 2 || list[0].Seed != blob("seed").SHA256 {
		t.Errorf("%+v", list)
	}
}

// TestAnotherRealm: a node that has changed its realm gives what it keeps to nobody there, and
// clears it for nobody there.
func TestAnotherRealm(t *testing.T) {
	d := newDesk(t)
	u := d.use("shop", nil)
	u.Establish()
	d.check(os.WriteFile(d.file("cart", "data", "mine"), []byte("of the first realm"), 0o600))
	u.Close()
	first := d.realm
	d.realm = ""
	d.restart()
	if _, err := d.Use(t.Context(), Ask{Volume: "cart", User: "shop"}); !errors.Is(err, ErrRefused) {
		t.Errorf("of no realm: %v", err)
	}
	d.realm = "bbcdefghijklmnopqrstuvwxyz234567"
	d.restart()
	if len(d.Held()) != 0 || len(d.List(t.Context())) != 0 {
		t.Errorf("%+v", d.List(t.Context()))
	}
	d.decide("cart", api.Volume{Since: 9, Cleared: 9})
	d.use("shop", nil).Establish()
	d.check(d.Obey(t.Context(), []api.Name{"cart"}))
	if d.has(d.file("cart", "data", "mine")) {
		t.Error("another realm is shown it")
	}
	d.reads(d.file(voidName, "cart.0."+string(first), "data", "mine"), "of the first realm")
}

func TestOneComponentEach(t *testing.T) {
	d := newDesk(t)
	d.use("shop", nil)
	if _, err := d.Use(t.Context(), Ask{Volume: "cart", User: "other"}); !errors.Is(err, ErrRefused) {
		t.Errorf("another component: %v", err)
	}
}

// TestHalfMade: what fails on the way, or is cut off, leaves nothing that could be taken
// for a volume.
func TestHalfMade(t *testing.T) {
	d := newDesk(t)
	d.broken = errors.New("the store is away")
	if _, err := d.Use(t.Context(), Ask{Volume: "cart", User: "shop", Seed: blob("seed")}); !errors.Is(err, d.broken) {
		t.Errorf("%v", err)
	}
	if d.has(d.file("cart")) || d.has(d.file(".new-cart")) {
		t.Error("something is left")
	}
	d.check(os.MkdirAll(d.file(".new-cart", "data"), 0o700)) // a process was killed
	d.check(os.WriteFile(d.file(".new-cart", "data", "half"), nil, 0o600))
	d.broken = nil
	d.restart()
	if d.has(d.file(".new-cart")) {
		t.Error("what a crash has left is still there")
	}
	d.use("shop", blob("seed"))
	if d.has(d.file("cart", "data", "half")) {
		t.Error("it is in the volume")
	}
}

// TestDamage: what cannot be read is left where it is, and nothing is made in its place.
func TestDamage(t *testing.T) {
	d := newDesk(t)
	d.use("shop", nil).Close()
	d.check(os.WriteFile(d.file("cart", metaName), []byte("{"), 0o600))
	d.restart()
	if _, err := d.Use(t.Context(), Ask{Volume: "cart", User: "shop"}); err == nil {
		t.Error("another one was made")
	}
	if !d.has(d.file("cart", "data")) {
		t.Error("its data are gone")
	}
}

// TestGivenUp: a copy that does not count is set aside once nobody has it, and the next one
// begins anew.
func TestGivenUp(t *testing.T) {
	d := newDesk(t)
	u := d.use("shop", blob("seed"))
	u.Establish()
	d.check(os.WriteFile(d.file("cart", "data", "mine"), []byte("old"), 0o600))
	d.decide("cart", api.Volume{Copies: []api.VolumeCopy{{Peer: me, Since: 1}}})
	d.check(d.Obey(t.Context(), []api.Name{"cart"}))
	if len(d.Held()) != 0 || !d.has(d.file("cart")) {
		t.Errorf("while it is open: held %+v", d.Held())
	}
	if _, err := d.Use(t.Context(), Ask{Volume: "cart", User: "shop"}); !errors.Is(err, ErrRefused) {
		t.Errorf("given to a program: %v", err)
	}
	before := d.news.Load()
	u.Close()
	if d.news.Load() == before {
		t.Error("that it is free is not told")
	}
	d.check(d.Obey(t.Context(), []api.Name{"cart"}))
	d.reads(d.file(voidName, "cart.0", "data", "mine"), "old")
	d.use("shop", blob("seed")).Establish()
	if d.has(d.file("cart", "data", "mine")) {
		t.Error("the new copy has what the old one had")
	}
	if held := d.Held(); len(held) != 1 || held[0].Epoch != 1 {
		t.Errorf("%+v", held)
	}
	d.restart()
	if list := d.List(t.Context()); len(list) != 2 || list[0].Void == list[1].Void {
		t.Errorf("%+v", list)
	}
}

// TestCleared: what is cleared goes for good, with what was set aside before.
func TestCleared(t *testing.T) {
	d := newDesk(t)
	d.use("shop", nil).Close()
	d.decide("cart", api.Volume{Since: 1})
	d.check(d.Obey(t.Context(), nil))
	d.use("shop", nil).Close()
	d.decide("cart", api.Volume{Since: 2, Cleared: 2})
	d.check(d.Obey(t.Context(), nil))
	if d.has(d.file("cart")) || d.has(d.file(voidName, "cart.0")) || d.has(d.file(voidName, "cart.1")) || len(d.List(t.Context())) != 0 {
		t.Errorf("%+v", d.List(t.Context()))
	}
}

// TestRestored: a copy is made without any program, is told, and is as the owner wants it.
func TestRestored(t *testing.T) {
	d := newDesk(t)
	d.use("shop", blob("seed")).Close()
	d.decide("cart", api.Volume{Since: 3, Copies: []api.VolumeCopy{{Peer: me, Since: 3, Files: blob("saved")}}})
	d.broken = errors.New("no member has it now")
	if err := d.Obey(t.Context(), []api.Name{"cart"}); !errors.Is(err, d.broken) {
		t.Errorf("%v", err)
	}
	d.broken = nil
	d.check(d.Obey(t.Context(), []api.Name{"cart"}))
	if held := d.Held(); len(held) != 1 || held[0] != (api.HeldVolume{Volume: "cart", Epoch: 3}) {
		t.Errorf("%+v", held)
	}
	d.use("shop", blob("seed"))
	d.reads(d.file("cart", "data", "from"), blob("saved").SHA256.String())
	d.check(d.Obey(t.Context(), []api.Name{"cart"})) // nothing is done twice
	d.reads(d.file(voidName, "cart.0", "data", "from"), blob("seed").SHA256.String())
}

// TestManyAtOnce has many open one volume at once: one copy is made.
func TestManyAtOnce(t *testing.T) {
	d := newDesk(t)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			u, err := d.Use(t.Context(), Ask{Volume: "cart", User: "shop", Seed: blob("seed"), Limit: 1 << 20})
			if err != nil {
				t.Error(err)
				return
			}
			f, err := u.Folder(false)
			if err != nil {
				t.Error(err)
			} else {
				f.Close()
			}
			u.Establish()
			u.Close()
		})
		all.Go(func() { _ = d.Obey(t.Context(), []api.Name{"cart"}) })
		all.Go(func() { d.List(t.Context()); d.Held() })
	}
	all.Wait()
	if list := d.List(t.Context()); len(list) != 1 || list[0].InUse {
		t.Errorf("%+v", list)
	}
}

func TestFiles(t *testing.T) {
	d := newDesk(t)
	d.use("shop", nil)
	d.check(os.MkdirAll(d.file("cart", "data", "sub"), 0o700))
	d.check(os.WriteFile(d.file("cart", "data", "sub", "a"), []byte("1234"), 0o600))
	d.check(os.Symlink("sub/a", d.file("cart", "data", "link")))
	files, err := d.Files(t.Context(), "cart")
	d.check(err)
	var got []string
	for _, f := range files.Files {
		got = append(got, f.Kind+" "+f.Path)
	}
	if want := []string{"link link", "dir sub", "file sub/a"}; !slices.Equal(got, want) || files.More {
		t.Errorf("%v, want %v", got, want)
	}
	if _, err := d.Files(t.Context(), "other"); !errors.Is(err, ErrUnknown) {
		t.Errorf("%v", err)
	}
	for i := range api.MaxVolumeFiles {
		d.check(os.WriteFile(d.file("cart", "data", "sub", string(rune('b'+i/500))+string(rune(0x4e00+i))), nil, fs.FileMode(0o600)))
	}
	if files, err = d.Files(t.Context(), "cart"); err != nil || len(files.Files) != api.MaxVolumeFiles || !files.More {
		t.Errorf("%d files, more: %v, %v", len(files.Files), files.More, err)
	}
}
