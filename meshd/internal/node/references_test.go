package node

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/meshd/internal/meshtest"
	"github.com/realm-mesh/realm/meshd/internal/records"
)

// answer is what a member has said when it was asked for references.
type answer struct {
	status int
	tag    string
	list   []api.Reference
	took   time.Duration
}

func (m *member) references(t *testing.T, tag, prefer string) answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	req := httptest.NewRequestWithContext(ctx, http.MethodGet, "/references", nil)
	req.Header.Set("If-None-Match", tag)
	req.Header.Set("Prefer", prefer)
	w, began := httptest.NewRecorder(), time.Now()
	m.References(w, req)
	a := answer{status: w.Code, tag: w.Header().Get("ETag"), took: time.Since(began)}
	if w.Code != http.StatusOK {
		return a
	}
	for line := range strings.Lines(w.Body.String()) {
		var r api.Reference
		if err := api.Decode([]byte(line), api.MaxMessage, &r); err != nil {
			t.Fatal(err)
		}
		a.list = append(a.list, r)
	}
	return a
}

// TestReferences are told anew when they have changed, and only then.
func TestReferences(t *testing.T) {
	r := meshtest.NewRealm(t)
	m := newPlace(t, r).start(t)
	none := m.references(t, "", "")
	if none.status != http.StatusOK || len(none.list) != 0 || none.tag == "" {
		t.Fatalf("of a realm without programs: %+v", none)
	}
	m.submit(t, r.Component(t, "web", 1))
	one := m.references(t, none.tag, "")
	if one.status != http.StatusOK || len(one.list) != 1 || one.list[0].Name != "web" || !one.list[0].Current || one.list[0].Size != 7 {
		t.Fatalf("of a realm with one: %+v", one)
	}
	again := m.references(t, one.tag, "")
	if again.status != http.StatusNotModified || again.tag != one.tag || again.took > time.Second {
		t.Errorf("the same again: %+v", again)
	}
	m.stop()
	m = m.place.start(t)
	if again = m.references(t, one.tag, ""); again.status != http.StatusNotModified {
		t.Errorf("of a new process: %+v", again)
	}
	m.submit(t, r.Admit(t, meshtest.Key(t)))
	if again = m.references(t, one.tag, ""); again.status != http.StatusNotModified {
		t.Errorf("after something else has changed: %+v", again)
	}
}

// TestReferencesOfRecords are those of the jobs that are there, and always in one order.
func TestReferencesOfRecords(t *testing.T) {
	r := meshtest.NewRealm(t)
	m := newPlace(t, r).start(t)
	body := &api.Job{Type: api.JobOneShot, Runtime: api.JobRuntime{Type: api.RuntimeNative, Program: api.BlobInfo{SHA256: api.Sum([]byte("program")), Size: 7}}, Keep: 5}
	job := r.Sign(t, r.Key, api.Intent{Ref: api.Ref{Kind: api.KindJob, Name: "build-1"}, Seq: 1, Expires: time.Now().Add(time.Hour)}, body)
	m.submit(t, job)
	for n := range 50 {
		rec := m.place.recordOf(job.Digest, n, 1, api.ExecSucceeded)
		rec.Ended = rec.Claimed
		rec.Log = api.BlobInfo{SHA256: api.Sum([]byte{byte(n)}), Size: 1}
		m.cfg.Records.Add(rec, nil, records.Runnerd)
	}
	m.RecordsChanged()
	all := m.references(t, "", "")
	if len(all.list) != 51 || !slices.IsSortedFunc(all.list, func(a, b api.Reference) int { return a.Compare(&b) }) {
		t.Fatalf("%+v", all)
	}
	for _, ref := range all.list {
		if program := ref.Blob == body.Runtime.Program.SHA256; ref.Name != "build-1" || program != (ref.Copies == 0) || !program && ref.Copies != 5 {
			t.Errorf("%+v", ref)
		}
	}
	m.cfg.Records.Add(m.place.recordOf(job.Digest, 50, 1, api.ExecSucceeded), nil, records.Runnerd) // it has left nothing
	m.RecordsChanged()
	if again := m.references(t, all.tag, ""); again.status != http.StatusNotModified {
		t.Errorf("after nothing has changed: %+v", again)
	}
}

// TestReferencesAreAwaited has somebody ask before there is news.
func TestReferencesAreAwaited(t *testing.T) {
	r := meshtest.NewRealm(t)
	m := newPlace(t, r).start(t)
	tag := m.references(t, "", "").tag
	if a := m.references(t, tag, "respond-async, wait=1"); a.status != http.StatusNotModified || a.took < time.Second || a.took > patience/2 {
		t.Errorf("without news: %+v", a)
	}
	heard := make(chan answer, 1)
	ask := func() {
		tag := m.references(t, "", "").tag
		go func() { heard <- m.references(t, tag, "wait=60") }()
		time.Sleep(50 * time.Millisecond) // it need not wait already; mostly it will
	}
	hear := func(what string, status, n int) {
		t.Helper()
		select {
		case a := <-heard:
			if a.status != status || len(a.list) != n {
				t.Errorf("%s: %+v", what, a)
			}
		case <-time.After(patience):
			t.Fatalf("nothing is said when %s", what)
		}
	}
	ask()
	m.submit(t, r.Component(t, "web", 1))
	hear("a program is pushed", http.StatusOK, 1)
	ask()
	pin := api.Pin{BlobInfo: api.BlobInfo{SHA256: api.Sum([]byte("disk")), Size: 9}}
	m.submit(t, r.Sign(t, r.Key, api.Intent{Ref: api.Ref{Kind: api.KindPin, Name: "disk"}}, pin))
	hear("a blob is pinned", http.StatusOK, 2)
	ask()
	m.submit(t, r.Sign(t, r.Key, api.Intent{Ref: ref("web"), Seq: 2, Prev: m.next(t, r, "web").Prev, Tombstone: true}, nil))
	hear("a program is removed", http.StatusOK, 1)
	ask()
	go m.stop()
	hear("the node stops", http.StatusNotModified, 0)
}

// TestReferencesInTime has a version count only once it is not in the future any more.
func TestReferencesInTime(t *testing.T) {
	r := meshtest.NewRealm(t)
	m := newPlace(t, r).start(t)
	s := r.Sign(t, r.Key, api.Intent{Ref: ref("web"), Issued: time.Now().Add(5*time.Minute + 3*time.Second).UTC().Truncate(time.Second)},
		api.Component{Module: api.Program{Blob: api.Sum([]byte("web")), Size: 7}})
	m.submit(t, s)
	early := m.references(t, "", "")
	if len(early.list) != 0 {
		t.Fatalf("before its time: %+v", early)
	}
	if a := m.references(t, early.tag, "wait=60"); a.status != http.StatusOK || len(a.list) != 1 || a.took > patience {
		t.Errorf("when it has come: %+v", a)
	}
}

// TestReferencesOfAFreshNode are not known, rather than none, before it has asked
// somebody.
func TestReferencesOfAFreshNode(t *testing.T) {
	r := meshtest.NewRealm(t)
	a := newPlace(t, r).start(t)
	s := r.Component(t, "web", 1)
	a.submit(t, s)
	late := newPlace(t, r)
	r.Record(t, s)
	b := late.start(t) // it knows nobody
	if got := b.references(t, "", "wait=1"); got.status != http.StatusOK || len(got.list) != 0 {
		t.Errorf("the only member that it knows of is itself: %+v", got)
	}
	b.stop()
	b = newPlace(t, r).start(t, a)
	if b.synced(b.standing()) {
		t.Fatal("it is up to date before it could be")
	}
	if got := b.references(t, "", "wait=1"); got.status != http.StatusServiceUnavailable {
		t.Errorf("before it has asked: %+v", got)
	}
	until(t, patience, "it knows", func() bool {
		got := b.references(t, "", "")
		return got.status == http.StatusOK && len(got.list) == 1
	})
	a.stop()
	b.stop()
	b = b.place.start(t)
	if got := b.references(t, "", ""); got.status != http.StatusOK || len(got.list) != 1 {
		t.Errorf("after a restart, alone: %+v", got)
	}
}

func TestWaitOf(t *testing.T) {
	for prefer, want := range map[string]time.Duration{
		"": 0, "wait=5": 5 * time.Second, "respond-async, wait=7": 7 * time.Second, "wait=7;x, handling=lenient": 7 * time.Second,
		"wait=100000": api.MaxWait, "wait=-1": 0, "wait=": 0, "wait=1e3": 0, "await=5": 0,
	} {
		if got := waitOf(http.Header{"Prefer": {prefer}}); got != want {
			t.Errorf("%q: %s, want %s", prefer, got, want)
		}
	}
}

// TestFullAndDrained are told of a member by itself and by the owner.
func TestFullAndDrained(t *testing.T) {
	r := meshtest.NewRealm(t)
	all := mesh(t, r, 2)
	a, b := all[0], all[1]
	own, others := watchTable(a), watchTable(b)
	is := func(full, drained bool) {
		t.Helper()
		until(t, patience, fmt.Sprintf("it is full: %v, drained: %v", full, drained), func() bool {
			x, y := own.peer(t, a.self), others.peer(t, a.self)
			return x.Full == full && y.Full == full && x.Drained == drained && y.Drained == drained
		})
		if p := own.peer(t, b.self); p.Full || p.Drained {
			t.Errorf("the other one is %+v", p)
		}
	}
	is(false, false)
	a.Announce(&api.AnnounceRequest{Full: true})
	is(true, false)
	b.learns(t, a.place.settings(t, r, &api.NodeSettings{Drain: true}))
	is(true, true)
	a.Announce(&api.AnnounceRequest{Blobs: []api.Digest{api.Sum(nil)}})
	is(false, true)
	b.learns(t, a.place.settings(t, r, nil))
	is(false, false)
}
