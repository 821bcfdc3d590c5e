package busserver

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/bus"
)

func TestTable(t *testing.T) {
	golden := filepath.Join("testdata", "rights.txt")
	if *update {
		if err := os.WriteFile(golden, []byte(table()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if table() != string(want) {
		t.Errorf("the rights have changed; if that is meant: go test ./internal/busserver -update\n%s", table())
	}
}

// soon is how long a refusal may take to arrive.
const soon = time.Second

func wantForbidden(t *testing.T, what string, try func() error) {
	t.Helper()
	began := time.Now()
	err := try()
	if !errors.Is(err, bus.ErrForbidden) {
		t.Errorf("%s: error %v, want ErrForbidden", what, err)
	}
	if took := time.Since(began); took > soon {
		t.Errorf("%s: refused after %v", what, took)
	}
}

// TestBucketRights tries every user on every bucket.
func TestBucketRights(t *testing.T) {
	_, h := startBus(t)
	writer := connect(t, h, api.Meshd) // the one that may write all
	for _, name := range allBuckets {
		if err := bucket(t, writer, name).Put(within(t, 5*time.Second), "a.b", []byte("1")); err != nil {
			t.Fatal(err)
		}
	}
	may := map[api.Daemon]struct{ read, write string }{
		api.Casd:     {"peers workloads", ""},
		api.Meshd:    {"intents peers workloads jobs", "intents peers workloads jobs"},
		api.Runnerd:  {"intents peers workloads jobs", "workloads jobs"},
		api.Gatewayd: {"intents peers workloads jobs", ""},
		api.Upgraded: {"", ""},
		api.CLI:      {"intents peers workloads jobs", ""},
		api.Launcher: {"", ""},
	}
	for _, d := range users() {
		c := connect(t, h, d)
		for _, name := range allBuckets {
			t.Run(string(d)+"/"+name, func(t *testing.T) {
				tryBucket(t, c, name, contains(may[d].read, name), contains(may[d].write, name))
			})
		}
	}
}

func tryBucket(t *testing.T, c *bus.Conn, name string, read, write bool) {
	b, err := c.Bucket(within(t, 5*time.Second), name)
	if !read && !write {
		if err == nil { // the launcher makes buckets, so it may look at them
			wantForbidden(t, "get", func() error { _, err := b.Get(within(t, 5*time.Second), "a.b"); return err })
			wantForbidden(t, "put", func() error { return b.Put(within(t, 5*time.Second), "a.b", nil) })
			return
		}
		wantForbidden(t, "open", func() error { return err })
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Get(within(t, 5*time.Second), "a.b"); err != nil {
		t.Errorf("get: %v", err)
	}
	if all, err := b.All(within(t, 5*time.Second), ">"); err != nil || len(all) != 1 {
		t.Errorf("all: %v, %v", all, err)
	}
	if write {
		if err := b.Put(within(t, 5*time.Second), "a.b", []byte("2")); err != nil {
			t.Errorf("put: %v", err)
		}
		return
	}
	wantForbidden(t, "put", func() error { return b.Put(within(t, 5*time.Second), "a.b", nil) })
	wantForbidden(t, "update", func() error { return b.Update(within(t, 5*time.Second), "a.b", nil, 1) })
	wantForbidden(t, "create", func() error { return b.Update(within(t, 5*time.Second), "new", nil, 0) })
	wantForbidden(t, "delete", func() error { return b.Delete(within(t, 5*time.Second), "a.b") })
}

// TestSubjectRights tries every user on every request, on the logs and the events.
func TestSubjectRights(t *testing.T) {
	_, h := startBus(t)
	requests := []string{api.SubjectReady, api.SubjectPS, api.SubjectRestart, api.SubjectDown, api.SubjectExplain,
		api.SubjectSubmit, api.SubjectBatch, api.SubjectMesh, api.SubjectProviders, api.SubjectAnnounce, api.SubjectHoldings,
		api.SubjectMembers, api.SubjectHistory, api.SubjectClaim}
	asks := map[api.Daemon]string{
		api.Casd:     api.SubjectReady + " " + api.SubjectProviders + " " + api.SubjectAnnounce,
		api.Meshd:    api.SubjectReady + " " + api.SubjectPS,
		api.Runnerd:  api.SubjectReady + " " + api.SubjectPS + " " + api.SubjectHoldings,
		api.Gatewayd: api.SubjectReady + " " + api.SubjectMesh + " " + api.SubjectMembers + " " + api.SubjectHistory + " " + api.SubjectPS,
		api.Upgraded: api.SubjectReady,
		api.CLI: api.SubjectPS + " " + api.SubjectRestart + " " + api.SubjectDown + " " +
			api.SubjectSubmit + " " + api.SubjectBatch + " " + api.SubjectExplain + " " + api.SubjectMesh + " " + api.SubjectProviders + " " +
			api.SubjectMembers + " " + api.SubjectHistory + " " + api.SubjectClaim,
	}
	hears := map[api.Daemon]bool{api.Gatewayd: true, api.CLI: true}
	for _, d := range users() {
		c := connect(t, h, d)
		for _, subject := range requests {
			ask := func() error { return c.Request(within(t, 5*time.Second), subject, []byte("{}"), &api.Empty{}) }
			if !contains(asks[d], subject) {
				wantForbidden(t, string(d)+" asks "+subject, ask)
			} else if err := ask(); !errors.Is(err, bus.ErrNoAnswer) {
				t.Errorf("%s asks %s: %v, want ErrNoAnswer", d, subject, err)
			}
		}
		for _, subject := range []string{allLogs, allEvents, api.InboxPrefix("other") + ".>", "realm.other.>", "$KV.>"} {
			listen := func() error {
				stop, err := c.Subscribe(subject, func(string, []byte) {})
				if err == nil {
					stop()
				}
				return err
			}
			if subject != allLogs && subject != allEvents || !hears[d] {
				wantForbidden(t, string(d)+" listens to "+subject, listen)
			} else if err := listen(); err != nil {
				t.Errorf("%s listens to %s: %v", d, subject, err)
			}
		}
	}
}

// A daemon must not answer in the name of another.
func TestServeForeignSubject(t *testing.T) {
	_, h := startBus(t)
	svc, err := connect(t, h, api.Casd).NewService(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	wantForbidden(t, "casd serves submit", func() error { return svc.HandleRaw(api.SubjectSubmit, nil) })
}

func contains(list, word string) bool { return slices.Contains(strings.Fields(list), word) }
