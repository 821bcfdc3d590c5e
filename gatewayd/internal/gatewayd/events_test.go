package gatewayd

import (
	"crypto/ed25519"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/gatewayd/internal/standin"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/keys"
)

// event tells of a program, as runnerd does.
func (l *launcher) event(r api.Ref, from, to api.State) {
	l.Helper()
	b, err := json.Marshal(api.Event{Ref: r, Time: time.Now(), Peer: l.self, Seq: 1, From: from, To: to})
	if err == nil {
		err = l.conn.Publish(api.SubjectEvent(r), b)
	}
	if err != nil {
		l.Fatal(err)
	}
}

// record has this node say how its execution of a job stands.
func (l *launcher) record(job api.Name, seq uint64, s api.ExecState) api.JobRecord {
	l.Helper()
	key, err := keys.Read(l.home.NodeKey())
	if err != nil {
		l.Fatal(err)
	}
	pub, _ := key.Public().(ed25519.PublicKey) // what an ed25519.PrivateKey has
	rec := api.JobRecord{
		Realm: api.NewRealmID(pub), Root: api.Sum([]byte(job)), Job: job, Run: api.NewRunKey(time.Time{}, 0), Epoch: 1, Peer: l.self, Seq: seq,
		State: s, Claimed: time.Now().UTC(),
	}
	raw, err := intent.SignRecord(rec, key)
	if err != nil {
		l.Fatal(err)
	}
	l.put(api.BucketJobs, api.KeyRecord(rec.Exec()), raw)
	return rec
}

func TestEvents(t *testing.T) {
	l := newLauncher(t)
	l.record("early", 1, api.ExecRunning)
	l.peer(l.self, true)
	p := start(t, l.home).ready(l)
	all, jobs := p.follow("/events"), p.follow("/events?type=job")
	for _, e := range []*events{all, jobs} {
		if e.StatusCode != http.StatusOK || e.Header.Get("Content-Type") != "text/event-stream" {
			t.Fatalf("%s %v", e.Status, e.Header)
		}
	}
	var n api.Notice
	next := func(e *events, want api.NoticeType) api.Notice {
		t.Helper()
		n = api.Notice{}
		e.want(string(want), &n)
		if n.Type != want || n.Validate() != nil || time.Since(n.Time) > time.Minute {
			t.Errorf("%+v", n)
		}
		return n
	}
	l.event(double, api.StateFetching, api.StateRunning)
	first := next(all, api.NoticeWorkload)
	if n.Workload.Ref != double || n.Workload.To != api.StateRunning {
		t.Errorf("%+v", n.Workload)
	}
	far := standin.Peer(7)
	l.peer(far, true)
	if next(all, api.NoticeMember); n.Member.Peer != far || n.Member.Change != api.MemberCame {
		t.Errorf("%+v", n.Member)
	}
	l.record("build", 1, api.ExecStaging)
	next(all, api.NoticeJob)
	l.record("build", 2, api.ExecSucceeded)
	if next(all, api.NoticeJob); n.Job.Job != "build" || n.Job.From != api.ExecStaging || n.Job.To != api.ExecSucceeded {
		t.Errorf("%+v", n.Job)
	}
	next(jobs, api.NoticeJob)
	next(jobs, api.NoticeJob)

	// Who begins again gets what came meanwhile, or is told that it is not there.
	again := p.follow("/events?after=" + first.ID)
	next(again, api.NoticeMember)
	next(again, api.NoticeJob)
	other := p.follow("/events?after=other-1")
	other.want("incomplete", nil)
	next(other, api.NoticeWorkload)
	if e := p.follow("/events?type=weather"); e.StatusCode != http.StatusBadRequest {
		t.Error(e.Status)
	}

	l.stopBus()
	l.startBus()
	next(all, api.NoticeIncomplete)
	l.event(hello, api.StateFetching, api.StateRunning)
	for n.Type != api.NoticeWorkload { // members have gone with the bus
		n = api.Notice{}
		if _, err := all.next(&n); err != nil {
			t.Fatal(err)
		}
	}
	if n.Workload.Ref != hello {
		t.Errorf("%+v", n.Workload)
	}
}
