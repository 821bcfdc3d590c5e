package admit

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/realm-mesh/realm/api"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func component(name string) api.Ref {
	return api.Ref{Kind: api.KindComponent, Name: api.Name(name)}
}

func command(mb int, mounts ...string) *api.Component {
	c := &api.Component{Module: api.Program{Limits: api.Limits{MemoryMaxMB: mb}}}
	for i, m := range mounts {
		c.Mounts = append(c.Mounts, api.Mount{Host: m, Guest: "/m" + strconv.Itoa(i)})
	}
	return c
}

// admit fails the test unless n takes a command of mb MiB.
func admit(t *testing.T, n *Node, name string, mb int) (release func()) {
	t.Helper()
	release, err := n.Admit(component(name), command(mb))
	if err != nil {
		t.Fatal(err)
	}
	return release
}

func TestMemoryOfCommands(t *testing.T) {
	n := New(Config{MemoryMB: 1000})
	free := admit(t, n, "a", 600)
	admit(t, n, "b", 400)
	_, err := n.Admit(component("c"), command(1))
	if err == nil || !strings.Contains(err.Error(), "it may take 1 MiB of memory, and of the 1000 MiB that this node has for commands 1000 are taken: realm configure --capacity-mb") {
		t.Errorf("full node: %v", err)
	}
	free()
	free()
	if n.taken() != 400 {
		t.Errorf("%d MiB are taken after a release, repeated", n.taken())
	}
	admit(t, n, "c", 600)
	if _, err := n.Admit(component("d"), command(0)); err == nil || !strings.Contains(err.Error(), strconv.Itoa(api.DefaultMemoryMB)) {
		t.Errorf("a command of the default size: %v", err)
	}
}

func TestVersionsOfOneCommandShare(t *testing.T) {
	n := New(Config{MemoryMB: 1000})
	first := admit(t, n, "a", 700)
	second := admit(t, n, "a", 900) // beside the first
	if n.taken() != 900 {
		t.Errorf("%d MiB are taken", n.taken())
	}
	if _, err := n.Admit(component("a"), command(1001)); err == nil {
		t.Error("a version is admitted that the node has no room for")
	}
	first()
	second()
	if len(n.takes) != 0 {
		t.Errorf("left: %v", n.takes)
	}
}

func TestWhatTakesNoMemory(t *testing.T) {
	n := New(Config{MemoryMB: 10})
	web := command(500)
	web.Interface = api.InterfaceCGI
	for _, w := range []api.Workload{web, &api.Function{Module: api.Program{Limits: api.Limits{MemoryMaxMB: 500}}}} {
		if release, err := n.Admit(component("w"), w); err != nil || len(n.takes) != 0 {
			t.Errorf("%T: %v, %v", w, err, n.takes)
		} else {
			release()
		}
	}
	if _, err := New(Config{}).Admit(component("any"), command(api.MaxMemoryMB)); err != nil {
		t.Errorf("a node without a limit: %v", err)
	}
}

// TestManyAtOnce has goroutines come and go, and watches the sum.
func TestManyAtOnce(t *testing.T) {
	const capacity = 1000
	n := New(Config{MemoryMB: capacity})
	var all sync.WaitGroup
	for g := range uint64(8) {
		all.Go(func() {
			random := rand.New(rand.NewPCG(1, g))
			var held []func()
			for range 2000 {
				if len(held) > 0 && random.IntN(2) == 0 {
					i := random.IntN(len(held))
					held[i]()
					held[i]()
					held = append(held[:i], held[i+1:]...)
				}
				name := "w" + strconv.Itoa(random.IntN(6))
				if release, err := n.Admit(component(name), command(1+random.IntN(400))); err == nil {
					held = append(held, release)
				}
				n.mu.Lock()
				if sum := n.taken(); sum > capacity {
					t.Errorf("%d MiB are taken", sum)
				}
				n.mu.Unlock()
			}
			for _, release := range held {
				release()
			}
		})
	}
	all.Wait()
	if len(n.takes) != 0 {
		t.Errorf("left at the end: %v", n.takes)
	}
}

// hostFolders makes a folder that is given to workloads, one that is not, and the
// node's home in a third.
func hostFolders(t *testing.T) (n *Node, given, other string) {
	t.Helper()
	top, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	given, other = filepath.Join(top, "given"), filepath.Join(top, "other")
	user := filepath.Join(top, "user")
	for _, dir := range []string{filepath.Join(given, "data", "sub"), filepath.Join(other, "data"), filepath.Join(user, "realm", "keys"), filepath.Join(user, "photos"), given + "x", filepath.Join(user, "config", "of"), filepath.Join(top, "vault")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{filepath.Join(given, "file"), filepath.Join(top, "vault", "key.pem")} {
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for link, target := range map[string]string{
		filepath.Join(given, "in"):                     "data",
		filepath.Join(given, "abs"):                    filepath.Join(given, "data"),
		filepath.Join(given, "out"):                    "../other",
		filepath.Join(given, "up"):                     "..",
		filepath.Join(other, "back"):                   filepath.Join(given, "data"),
		filepath.Join(given, "loose"):                  "nowhere",
		filepath.Join(top, "alias"):                    given,
		filepath.Join(given, "photo"):                  filepath.Join(user, "photos"),
		filepath.Join(user, "config", "of", "key.pem"): filepath.Join(top, "vault", "key.pem"),
	} {
		if err := os.Symlink(target, link); err != nil {
			t.Fatal(err)
		}
	}
	return New(Config{Mounts: []string{filepath.Join(given, "data"), given, user, filepath.Join(top, "none")}, Private: []string{filepath.Join(user, "realm"), filepath.Join(user, "owner.pem"), filepath.Join(user, "config", "of", "key.pem")}}), given, other
}

func TestMountsMustBeAllowed(t *testing.T) {
	n, given, other := hostFolders(t)
	top := filepath.Dir(given)
	for name, c := range map[string]struct {
		host string
		says string // empty: it is given
	}{
		"the folder itself":        {given, ""},
		"below it":                 {given + "/data/sub", ""},
		"not clean":                {given + "/./data//sub/../", ""},
		"a link within":            {given + "/in/sub", ""},
		"an absolute link within":  {given + "/abs/sub", ""},
		"a link from elsewhere":    {other + "/back", ""},
		"another name of it":       {top + "/alias/data", ""},
		"a link to another":        {given + "/photo", ""},
		"elsewhere":                {other, "this node lets nothing under " + other + " be mounted: realm configure --allow-mount " + other + " on it"},
		"above":                    {top, "lets nothing under"},
		"up":                       {given + "/../other", "lets nothing under"},
		"a like name":              {given + "x", "lets nothing under"},
		"a link out":               {given + "/out/data", "lets nothing under"},
		"a link up":                {given + "/up", "lets nothing under"},
		"missing":                  {given + "/data/gone", "there is no folder " + given + "/data/gone on this node: make it there"},
		"a link to nothing":        {given + "/loose", "there is no folder"},
		"missing elsewhere":        {other + "/gone", "lets nothing under"},
		"the settings' is missing": {top + "/none", "there is no folder"},
		"a file":                   {given + "/file", "is not a folder"},
		"below a file":             {given + "/file/x", "is not a folder"},
		"relative":                 {"data", "which runs " + runtime.GOOS},
		"the node's home":          {top + "/user/realm", "no program may see"},
		"in the node's home":       {top + "/user/realm/keys", "no program may see"},
		"around the node's home":   {top + "/user", "no program may see"},
		"beside the node's home":   {top + "/user/photos", ""},
		"around a link to the key": {top + "/user/config/of", "no program may see"},
		"a path of another system": {foreignPath, "which runs " + runtime.GOOS},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := n.Admit(component("w"), command(1, c.host))
			switch {
			case c.says == "" && err != nil:
				t.Error(err)
			case c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)):
				t.Errorf("got %v, want %q", err, c.says)
			}
		})
	}
}

// TestOpenGivesWhatWasLookedAt has a link take the place of the folder afterwards.
func TestOpenGivesWhatWasLookedAt(t *testing.T) {
	n, given, other := hostFolders(t)
	mounts, closeAll, err := n.Open([]api.Mount{{Host: given + "/data", Guest: "/data"}, {Host: given, Guest: "/given", RO: true}})
	if err != nil {
		t.Fatal(err)
	}
	defer closeAll()
	if err := os.Rename(given+"/data", given+"/moved"); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(other, given+"/data"); err != nil {
		t.Fatal(err)
	}
	if _, errno := mounts[0].Folder.View().Stat("sub"); errno != 0 {
		t.Errorf("the folder that was opened: %v", errno)
	}
	if _, errno := mounts[1].Folder.View().Stat("data/data"); errno == 0 {
		t.Error("a link leads out of a mount")
	}
	if errno := mounts[1].Folder.View().Mkdir("new", 0o700); errno == 0 {
		t.Error("a mount for reading is written to")
	}
}

// TestRacesShowNothingPrivate has a program that may write to what is given put a link
// to what is private in the way, again and again.
func TestRacesShowNothingPrivate(t *testing.T) {
	n, given, _ := hostFolders(t)
	user := filepath.Join(filepath.Dir(given), "user")
	door, aside, trap := filepath.Join(user, "photos"), filepath.Join(user, "aside"), filepath.Join(user, "trap")
	for name, target := range map[string]string{"keys": door, "other": door} {
		if err := os.MkdirAll(filepath.Join(target, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("realm", trap); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var swap sync.WaitGroup
	swap.Go(func() {
		for {
			for _, move := range [][2]string{{door, aside}, {trap, door}, {door, trap}, {aside, door}} {
				if err := os.Rename(move[0], move[1]); err != nil {
					t.Error(err)
					return
				}
			}
			select {
			case <-stop:
				return
			case <-time.After(rand.N(50 * time.Microsecond)): // at home for a moment
			}
		}
	})
	defer swap.Wait()
	defer close(stop)
	// A second of it, and until it was opened at all: on a busy machine that takes its luck.
	got := 0
	for began := time.Now(); time.Since(began) < time.Second || got == 0 && time.Since(began) < time.Minute; {
		mounts, closeAll, err := n.Open([]api.Mount{{Host: door + "/keys", Guest: "/a"}, {Host: door, Guest: "/b"}})
		if err != nil {
			continue
		}
		got++
		if _, errno := mounts[1].Folder.View().Stat("other"); errno != 0 {
			t.Errorf("a folder is mounted that is not the one: %v", errno)
		}
		closeAll()
	}
	if got == 0 {
		t.Error("it was never opened")
	}
}

func TestOneBadMountOpensNone(t *testing.T) {
	n, given, other := hostFolders(t)
	if _, err := n.Admit(component("w"), command(1, given, other)); err == nil {
		t.Error("admitted")
	}
	if len(n.takes) != 0 {
		t.Errorf("memory is taken: %v", n.takes)
	}
}
