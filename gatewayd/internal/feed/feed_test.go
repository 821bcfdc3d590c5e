package feed

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/gatewayd/internal/standin"
)

// said is what f has told, in short.
func said(f *Feed) (out []string) {
	past, _ := f.After(Position{})
	for _, n := range past {
		if err := n.Validate(); err != nil {
			out = append(out, err.Error())
		}
		switch n.Type {
		case api.NoticeMember:
			out = append(out, fmt.Sprintf("%s %s", n.Member.Host, n.Member.Change))
		case api.NoticeJob:
			out = append(out, fmt.Sprintf("%s %s>%s", n.Job.Job, n.Job.From, n.Job.To))
		case api.NoticeWorkload:
			out = append(out, fmt.Sprintf("%s %s>%s", n.Workload.Name, n.Workload.From, n.Workload.To))
		default:
			out = append(out, string(n.Type))
		}
	}
	return out
}

func expect(t *testing.T, f *Feed, want ...string) {
	t.Helper()
	if got := said(f); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestMembers(t *testing.T) {
	f := New(time.Now)
	put := func(n byte, connected, live bool) {
		f.PutPeer(&api.PeerRecord{PeerFact: api.PeerFact{Peer: standin.Peer(n), Host: fmt.Sprint("m", n)}, Connected: connected, Live: live})
	}
	f.ResetPeers()
	put(1, true, true)
	put(2, true, true)
	f.SyncedPeers() // what is there at first is no news
	put(1, true, true)
	put(1, false, true)
	put(1, false, false)
	put(1, true, true)
	put(1, false, true)
	put(1, true, true)
	put(3, false, true)
	f.DeletePeer(standin.Peer(3))
	f.DeletePeer(standin.Peer(3))
	want := []string{"m1 disconnected", "m1 lost", "m1 back", "m1 disconnected", "m1 connected", "m3 came", "m3 gone"}
	expect(t, f, want...)

	// The bus was away: what is the same is no news.
	f.Interrupted()
	f.ResetPeers()
	put(1, true, true)
	f.DeletePeer(standin.Peer(9))
	expect(t, f, append(want, "incomplete")...)
	f.SyncedPeers()
	expect(t, f, append(want, "incomplete", "m2 gone")...)
}

func TestJobs(t *testing.T) {
	f := New(time.Now)
	put := func(key string, s api.ExecState, ready bool) {
		f.PutRecord(key, &api.JobRecord{Job: api.Name(key), State: s, Ready: ready})
	}
	f.ResetRecords()
	put("old", api.ExecSucceeded, false)
	f.SyncedRecords()
	put("old", api.ExecSucceeded, false)
	put("new", api.ExecStaging, false)
	put("new", api.ExecRunning, false)
	put("new", api.ExecRunning, true)
	put("new", api.ExecRunning, true)
	put("new", api.ExecFailed, false)
	f.DeleteRecord("old")
	f.ResetRecords()
	put("new", api.ExecFailed, false)
	put("late", api.ExecRunning, false)
	f.SyncedRecords()
	expect(t, f, "new >staging", "new staging>running", "new running>running", "new running>failed", "late >running")
}

func TestWorkloads(t *testing.T) {
	f := New(time.Now)
	e := api.Event{Ref: api.Ref{Kind: api.KindFunction, Name: "double"}, Peer: standin.Peer(1), From: api.StatePending, To: api.StateRunning}
	b, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	f.Workload("", b)
	f.Workload("", []byte("{"))
	f.Workload("", []byte(`{"kind":"function","name":"double","to":"happy"}`))
	expect(t, f, "double pending>running")
}

func TestPositions(t *testing.T) {
	f := New(time.Now)
	var heard []string
	past, whole, leave := f.Join(Position{}, func(n api.Notice) { heard = append(heard, n.ID) })
	if len(past) != 0 || !whole {
		t.Errorf("%d %v", len(past), whole)
	}
	for range MaxKept + 10 {
		f.Interrupted()
	}
	leave()
	f.Interrupted()
	if len(heard) != MaxKept+10 {
		t.Fatalf("%d heard", len(heard))
	}
	parse := func(id string) Position {
		p, err := ParsePosition(id)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	for _, c := range []struct {
		from  Position
		n     int
		whole bool
	}{
		{Position{}, MaxKept, false},
		{parse(heard[MaxKept+9]), 1, true},
		{parse(heard[10]), MaxKept, true},
		{parse(heard[9]), MaxKept, false},
		{parse(f.id(f.last)), 0, true},
		{parse(f.id(f.last + 1)), MaxKept, false},
		{parse("other-5"), MaxKept, false},
	} {
		if past, whole := f.After(c.from); len(past) != c.n || whole != c.whole {
			t.Errorf("%+v: %d %v, want %d %v", c.from, len(past), whole, c.n, c.whole)
		}
	}
}

func FuzzParsePosition(f *testing.F) {
	for _, s := range []string{"", "a-1", "-1", "a-", "a--1", "a-99999999999999999999", strings.Repeat("a", 50) + "-1"} {
		f.Add(s)
	}
	feed := New(time.Now)
	feed.Interrupted()
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParsePosition(s)
		if err != nil {
			if len(err.Error()) > 400 {
				t.Errorf("%d bytes of error", len(err.Error()))
			}
			return
		}
		if past, whole := feed.After(p); len(past) > 1 || whole && p.life != feed.life {
			t.Errorf("%q: %d %v", s, len(past), whole)
		}
	})
}
