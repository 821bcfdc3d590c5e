package keep

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
)

// status has meshd answer with another one; 0: as it should.
func (l *list) setStatus(s int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.status = s
}

// While meshd does not know what the realm needs, what it has said last holds; then
// what it says.
func TestFollow(t *testing.T) {
	w := &world{t: t, needs: &list{status: http.StatusServiceUnavailable}}
	n := w.join(0)
	n.start()
	a, b := api.BlobInfo{SHA256: api.Sum([]byte("a")), Size: 1}, api.BlobInfo{SHA256: api.Sum([]byte("b")), Size: 1}
	w.needs.set(reference(a, "a", 1))
	time.Sleep(100 * time.Millisecond)
	if n.Known() || n.Needed(a.SHA256) || n.NeededHere(a.SHA256) {
		t.Error("something is known")
	}
	w.needs.setStatus(0)
	until(t, "it is known", func() bool { return n.Known() && n.Needed(a.SHA256) && n.NeededHere(a.SHA256) })
	w.needs.setStatus(http.StatusServiceUnavailable)
	w.needs.set(reference(b, "b", 1))
	time.Sleep(100 * time.Millisecond)
	if !n.Known() || !n.Needed(a.SHA256) || n.Needed(b.SHA256) {
		t.Error("what was known holds no more")
	}
	w.needs.setStatus(0)
	until(t, "the news is known", func() bool { return !n.Needed(a.SHA256) && n.Needed(b.SHA256) })
	w.needs.set()
	until(t, "nothing is needed", func() bool { return n.Known() && !n.Needed(b.SHA256) })
}

// meshd is asked once for each change, not all the time.
func TestFollowWaits(t *testing.T) {
	w := newWorld(t, 1)
	until(t, "it is known", func() bool { return w.nodes[0].Known() })
	time.Sleep(300 * time.Millisecond)
	if n := w.needs.asked.Load(); n > 2 {
		t.Errorf("asked %d times", n)
	}
	began := time.Now()
	var all []api.Reference
	for i := range 100 { // one after the other, faster than anybody need follow
		all = append(all, reference(api.BlobInfo{SHA256: api.Sum([]byte{byte(i)}), Size: 1}, "a", uint64(i+1)))
		w.needs.set(all...)
		time.Sleep(time.Millisecond)
	}
	until(t, "all is known", func() bool { return w.nodes[0].Needed(all[99].Blob) })
	if n := w.needs.asked.Load(); n > 10+int64(time.Since(began)/(followFirst/5)) {
		t.Errorf("asked %d times for 100 changes in a moment", n)
	}
}

// A meshd that answers at once, such as that of a node without an owner, is not asked
// again at once.
func TestFollowDoesNotHurry(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"nothing is needed": func(http.ResponseWriter, *http.Request) {},
		"not modified":      func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotModified) },
		"not known":         func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) },
		"nonsense":          func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("nonsense\n")) },
		"cut short":         func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			w := &world{t: t, needs: &list{}}
			n := w.join(0)
			asked := make(chan struct{}, 1000)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked <- struct{}{}
				answer(w, r)
			}))
			t.Cleanup(server.Close)
			n.reach(server)
			n.start()
			until(t, "it asks", func() bool { return len(asked) > 0 })
			time.Sleep(time.Second)
			if len(asked) > 5 {
				t.Errorf("asked %d times in a second", len(asked))
			}
			if n.Known() != (name == "nothing is needed") {
				t.Errorf("known: %v", n.Known())
			}
		})
	}
}

// What was remembered is what was told; a file that is damaged is none.
func TestRemember(t *testing.T) {
	w := newWorld(t, 1)
	n := w.nodes[0]
	var all []api.Reference
	for i := range 50 {
		all = append(all, reference(api.BlobInfo{SHA256: api.Sum([]byte{byte(i % 20)}), Size: 1}, strings.Repeat("n", 1+i), uint64(i+1)))
	}
	w.needs.set(all...)
	path := filepath.Join(n.cfg.Dir, fileNeeds)
	var raw []byte
	until(t, "it is written", func() bool {
		raw, _ = os.ReadFile(path)
		return bytes.Count(raw, []byte("\n")) == 51
	})
	n.stop()
	again := n.build()
	if !again.Known() || !sameList(again.needs.list, n.needs.list) || again.needs.tag != n.needs.tag || again.needs.blobs != 20 {
		t.Errorf("%d references of %d are remembered", len(again.needs.list), len(n.needs.list))
	}
	for name, bad := range map[string][]byte{
		"empty":           nil,
		"cut":             raw[:len(raw)/2],
		"a line less":     raw[:bytes.LastIndexByte(raw[:len(raw)-1], '\n')+1],
		"no head":         raw[bytes.IndexByte(raw, '\n')+1:],
		"something else":  []byte("{}\nnonsense\n"),
		"a long line":     append(slices.Clone(raw), bytes.Repeat([]byte("x"), 1<<20)...),
		"a line too much": append(slices.Clone(raw), raw[bytes.IndexByte(raw, '\n')+1:]...),
	} {
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if k := n.build(); k.Known() || len(k.needs.list) != 0 {
			t.Errorf("%s: it is believed", name)
		}
	}
	for name, bad := range map[string]string{"empty": "", "nonsense": "nonsense", "no peers": `["x"]`} {
		if err := os.WriteFile(filepath.Join(n.cfg.Dir, fileMembers), []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if k := n.build(); len(k.roster.early) != 0 {
			t.Errorf("%s: it is believed", name)
		}
	}
	if err := os.RemoveAll(n.cfg.Dir); err != nil {
		t.Fatal(err)
	}
	if k := n.build(); k.Known() {
		t.Error("without a file something is known")
	}
}
