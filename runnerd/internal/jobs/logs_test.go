package jobs

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/local"
)

// logs are the lines that a selection gives at a node.
func (r *realm) logs(m *node, sel Selection) (out []api.JobLogLine) {
	r.t.Helper()
	if err := m.Follow(r.t.Context(), sel, func(l api.JobLogLine) error { out = append(out, l); return nil }); err != nil {
		r.t.Errorf("%+v: %v", sel, err)
	}
	return out
}

func texts(lines []api.JobLogLine) string {
	var out []string
	for _, l := range lines {
		out = append(out, l.Line)
	}
	return strings.Join(out, " ")
}

// TestLogs: every member gives the same output, while it is written and after.
func TestLogs(t *testing.T) {
	inRealm(t, 3, func(t *testing.T, r *realm) {
		r.program = func(x *execution) Change {
			for i := range 5 {
				x.say(fmt.Sprint(i))
			}
			return x.sleep(10 * time.Second)
		}
		root := r.submit("l-1", api.Job{})
		time.Sleep(2 * time.Second)
		for _, after := range []bool{false, true} {
			if after {
				time.Sleep(20 * time.Second)
				if r.executing(root) != nil {
					t.Fatal("it goes on")
				}
			}
			for _, m := range r.nodes {
				all := r.logs(m, Selection{Job: "l-1", Lines: Lines{Tail: -1}})
				if texts(all) != "0 1 2 3 4" {
					t.Fatalf("ended %v: %s", after, texts(all))
				}
				for want, q := range map[string]Lines{
					"3 4": {Tail: 2}, "": {Tail: 0}, "2 3 4": {Tail: -1, Since: all[1].Time}, "1 3": {Tail: -1, Match: regexp.MustCompile("[13]")},
				} {
					if got := texts(r.logs(m, Selection{Job: "l-1", Lines: q})); got != want {
						t.Errorf("ended %v, %+v: %q, want %q", after, q, got, want)
					}
				}
			}
		}
		if err := r.nodes[0].Follow(t.Context(), Selection{Job: "none-1"}, nil); err == nil {
			t.Error("a job that is not there has output")
		}
	})
}

// TestLogOfStore reads a log that is a blob.
func TestLogOfStore(t *testing.T) {
	inRealm(t, 2, func(t *testing.T, r *realm) {
		r.program = func(*execution) Change {
			return Change{State: api.ExecSucceeded, Log: api.BlobInfo{SHA256: api.Sum(nil), Size: 9}}
		}
		r.submit("b-1", api.Job{})
		time.Sleep(time.Second)
		for _, m := range r.nodes {
			m.blob = "2026-11-23T01:00:00.000000000Z stdout one\nnonsense\n2026-11-23T01:00:01.000000000Z stderr two\n"
			if got := texts(r.logs(m, Selection{Job: "b-1", Lines: Lines{Tail: -1}})); got != "one two" {
				t.Error(got)
			}
			if got := texts(r.logs(m, Selection{Job: "b-1", Lines: Lines{Tail: 1}})); got != "two" {
				t.Error(got)
			}
		}
	})
}

// TestFollow: a reader elsewhere has each line once, across broken connections and the
// loss of the member, and comes to an end with the job.
func TestFollow(t *testing.T) {
	inRealm(t, 3, func(t *testing.T, r *realm) {
		r.program = func(x *execution) Change {
			var c Change
			for i := range 20 {
				x.say(fmt.Sprintf("%d.%d", x.Epoch, i))
				if c = x.sleep(time.Second); c.State != api.ExecSucceeded {
					return c
				}
			}
			return c
		}
		root := r.submit("f-1", api.Job{})
		time.Sleep(500 * time.Millisecond)
		dead := r.executing(root)
		reader := r.other(dead)
		var got []api.JobLogLine
		done := make(chan error, 1)
		go func() {
			done <- reader.Follow(context.Background(), Selection{Job: "f-1", Lines: Lines{Tail: -1, Follow: true}}, func(l api.JobLogLine) error {
				got = append(got, l)
				return nil
			})
		}()
		time.Sleep(3 * time.Second)
		dead.cut()
		time.Sleep(5 * time.Second)
		dead.die()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		count := map[string]int{}
		for _, l := range got {
			count[l.Line]++
		}
		for i := range 20 {
			if count[fmt.Sprintf("2.%d", i)] != 1 || i < 8 && count[fmt.Sprintf("1.%d", i)] != 1 {
				t.Errorf("line %d is missing or repeated: %s", i, texts(got))
			}
		}
		if len(count) != len(got) {
			t.Errorf("lines are repeated: %s", texts(got))
		}
	})
}

// TestFollowFromBefore: who follows a job with a past has that first, in its order, and a
// tail is of all of it.
func TestFollowFromBefore(t *testing.T) {
	inRealm(t, 2, func(t *testing.T, r *realm) {
		r.program = func(x *execution) Change {
			x.say(fmt.Sprintf("%d.a", x.Run.Index()))
			x.say(fmt.Sprintf("%d.b", x.Run.Index()))
			return x.sleep(time.Second)
		}
		r.submit("p-1", api.Job{Parallelism: 6})
		time.Sleep(time.Minute)
		for want, tail := range map[string]int{"0.a 0.b 1.a 1.b 2.a 2.b 3.a 3.b 4.a 4.b 5.a 5.b": -1, "4.b 5.a 5.b": 3, "": 0} {
			for _, m := range r.nodes {
				if got := texts(r.logs(m, Selection{Job: "p-1", Lines: Lines{Tail: tail, Follow: true}})); got != want {
					t.Errorf("tail %d: %q, want %q", tail, got, want)
				}
			}
		}
	})
}

// TestReaderLeaves: who has gone is not written to from elsewhere.
func TestReaderLeaves(t *testing.T) {
	inRealm(t, 2, func(t *testing.T, r *realm) {
		root := r.submit("g-1", api.Job{})
		time.Sleep(500 * time.Millisecond)
		gone := errors.New("gone")
		for _, m := range r.nodes {
			calls := 0
			err := m.Follow(t.Context(), Selection{Job: "g-1", Lines: Lines{Tail: -1, Follow: true}}, func(api.JobLogLine) error { calls++; return gone })
			if !errors.Is(err, gone) || calls != 1 {
				t.Errorf("%d calls, %v", calls, err)
			}
		}
		time.Sleep(5 * time.Second)
		if r.executing(root) != nil {
			t.Error("it does not end")
		}
	})
}

// TestTellerBounded: lines without text take room, too.
func TestTellerBounded(t *testing.T) {
	k := &teller{told: map[api.PeerID]int{}}
	for range 100_000 {
		k.add(api.LogLine{})
	}
	if len(k.kept) > api.KeptTail/10 || k.first+len(k.kept) != 100_000 {
		t.Errorf("%d lines are kept, from %d", len(k.kept), k.first)
	}
}

// TestWeb: what is wrong with requests is said.
func TestWeb(t *testing.T) {
	inRealm(t, 1, func(t *testing.T, r *realm) {
		root := r.submit("w-1", api.Job{})
		time.Sleep(5 * time.Second)
		m := r.nodes[0]
		ask := func(method, path, body, peer string) int {
			req := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
			if peer != "" {
				req.Header.Set(local.HeaderPeer, peer)
			}
			w := httptest.NewRecorder()
			m.mux.ServeHTTP(w, req)
			return w.Code
		}
		for path, want := range map[string]int{
			"/jobs": 200, "/jobs?state=succeeded&limit=1": 200, "/jobs?state=odd": 400, "/jobs?limit=0": 400, "/jobs?limit=501": 400, "/jobs?after=x": 400,
			"/jobs/w-1": 200, "/jobs/none-1": 404, "/jobs/w-1@7": 404, "/jobs/w-1@x": 400, "/jobs/w-1/explain": 200, "/jobs/none-1/explain": 404,
			"/jobs/w-1/logs": 200, "/jobs/w-1/logs?follow=1": 200, "/jobs/none-1/logs": 404, "/jobs/w-1/logs?tail=-1": 400, "/jobs/w-1/logs?tail=100001": 400,
			"/jobs/w-1/logs?since=now": 400, "/jobs/w-1/logs?grep=(": 400, "/jobs/w-1/logs?epoch=0": 400, "/jobs/w-1/logs?run=x": 400,
			"/jobs/w-1/logs?grep=" + strings.Repeat("a", maxGrep+1): 400, "/jobs/w-1/logs?here=1": 400,
			"/jobs/" + root.String() + "/logs?here=1&peer=x": 400,
		} {
			if got := ask(http.MethodGet, path, "", ""); got != want {
				t.Errorf("%.60s: %d, want %d", path, got, want)
			}
		}
		for _, path := range []string{api.PathJobClaims, api.PathJobTake, api.PathJobVotes, api.PathJobTail} {
			if got := ask(http.MethodPost, path, "{}", ""); got != http.StatusForbidden {
				t.Errorf("%s of nobody: %d", path, got)
			}
			for _, body := range []string{"", "{", `{"odd":1}`} {
				if got := ask(http.MethodPost, path, body, "12D3KooWD3bfmNbuuuVCYwkjnFt3ukm3qaB3hDED3peHHXawvRAi"); got != http.StatusBadRequest {
					t.Errorf("%s with %q: %d", path, body, got)
				}
			}
		}
		synctest.Wait()
	})
}
