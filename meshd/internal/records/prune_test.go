package records

import (
	"fmt"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
)

// jobs says which jobs are held.
type jobs map[string]api.JobType

func (j jobs) known(root api.Digest) (api.JobType, bool) {
	for name, kind := range j {
		if api.Sum([]byte(name)) == root {
			return kind, true
		}
	}
	return "", false
}

func TestPruneOrphans(t *testing.T) {
	s := New(me)
	rec := record("a", "0", 1, other, 1, api.ExecSucceeded)
	rec.Log = api.BlobInfo{SHA256: api.Sum([]byte("log")), Size: 3}
	add(s, rec, Members)
	blobs := func() int { return len(s.Blobs(10)) }
	held, none := jobs{"a": api.JobOneShot}, jobs{}
	s.Prune(t0, held.known)
	if s.Len() != 1 || blobs() != 1 {
		t.Fatal("a record of a job that is there is gone")
	}
	before := s.Revision()
	s.Prune(t0.Add(time.Minute), none.known)
	if s.Len() != 1 || blobs() != 0 || s.Revision() == before {
		t.Error("the job was removed, and its blobs are needed")
	}
	s.Prune(t0.Add(2*time.Minute), held.known) // it is back: its time begins anew
	s.Prune(t0.Add(11*time.Minute), none.known)
	s.Prune(t0.Add(21*time.Minute), none.known)
	if s.Len() != 1 {
		t.Error("a record went too early")
	}
	s.TakeWrites(10)
	s.Prune(t0.Add(22*time.Minute), none.known)
	if _, deletes := s.TakeWrites(10); s.Len() != 0 || len(deletes) != 1 {
		t.Errorf("%d records, %d deleted", s.Len(), len(deletes))
	}
	if !s.Knows(&rec) || add(s, rec, Members) {
		t.Error("what has been removed came back from another member")
	}
	s.Prune(t0.Add(23*time.Minute), held.known)
	if !add(s, rec, Members) {
		t.Error("a job that is there again has no records")
	}
	s.Prune(t0.Add(24*time.Minute), none.known)
	s.Prune(t0.Add(40*time.Minute), none.known)
	s.Prune(t0.Add(40*time.Minute+Remember+time.Minute), none.known)
	if len(s.gone) != 0 {
		t.Error("it is remembered for ever")
	}
}

func TestPruneRecurring(t *testing.T) {
	s := New(me)
	at := func(i int) api.RunKey { return api.NewRunKey(t0.Add(time.Duration(i)*time.Hour), i%2) }
	for i := range Instants + 20 {
		state := api.ExecSucceeded
		if i == 3 {
			state = api.ExecRunning
		}
		add(s, record("a", at(i), 1, other, 1, state), Members)
		add(s, record("a", at(i), 2, me, 1, api.ExecSucceeded), Members)
	}
	held := jobs{"a": api.JobRecurring}
	s.Prune(t0, held.known)
	if want := 2*Instants + 1; s.Len() != want {
		t.Errorf("%d records, want %d", s.Len(), want)
	}
	old, next := record("a", at(5), 1, other, 1, api.ExecSucceeded), record("a", at(500), 1, other, 1, api.ExecClaimed)
	if add(s, old, Members) {
		t.Error("an old one came back from another member")
	}
	if !add(s, next, Members) {
		t.Error("a new one was refused")
	}
	// One that went on ends: it is too old, then.
	add(s, record("a", at(3), 1, other, 2, api.ExecFailed), Members)
	s.Prune(t0, held.known)
	if want := 2*Instants - 1; s.Len() != want {
		t.Errorf("%d records, want %d", s.Len(), want)
	}
}

func TestPruneServices(t *testing.T) {
	s := New(me)
	for run := range 2 {
		for epoch := range Restarts + 10 {
			add(s, record("a", api.RunKey(fmt.Sprint(run)), epoch+1, other, 1, api.ExecFailed), Members)
		}
	}
	add(s, record("b", "0", 1, other, 1, api.ExecFailed), Members)
	s.Prune(t0, jobs{"a": api.JobService, "b": api.JobOneShot}.known)
	if want := 2*Restarts + 1; s.Len() != want {
		t.Errorf("%d records, want %d", s.Len(), want)
	}
	if add(s, record("a", "1", 2, other, 1, api.ExecFailed), Members) {
		t.Error("an old one came back")
	}
}

// TestIntentAfterRecords: what a record names counts as soon as its job is known again, and
// that is told.
func TestIntentAfterRecords(t *testing.T) {
	s := New(me)
	add(s, record("a", "0", 1, other, 1, api.ExecSucceeded), Members)
	isKnown := func(k bool) func(api.Digest) (api.JobType, bool) {
		return func(api.Digest) (api.JobType, bool) { return api.JobOneShot, k }
	}
	for _, k := range []bool{false, true, false} {
		before := s.Revision()
		if s.Prune(t0, isKnown(k)); s.Revision() == before {
			t.Errorf("nobody is told that the job is known: %v", k)
		}
		before = s.Revision()
		if s.Prune(t0, isKnown(k)); s.Revision() != before {
			t.Errorf("known %v is told twice", k)
		}
	}
}

// TestExpiredWhileItRuns: what goes on of a job whose time is over is kept, and what comes
// of it for a while, but not what a member that is gone has left behind.
func TestExpiredWhileItRuns(t *testing.T) {
	s := New(me)
	unknown := func(api.Digest) (api.JobType, bool) { return "", false }
	add(s, record("a", "0", 1, other, 1, api.ExecFailed), Members)
	add(s, record("a", "0", 2, other, 1, api.ExecRunning), Members)
	add(s, record("b", "0", 1, other, 1, api.ExecSucceeded), Members)
	now := t0
	for range 10 {
		s.Prune(now, unknown)
		now = now.Add(Keep / 2)
	}
	if s.Len() != 2 {
		t.Errorf("%d records are left of a job that goes on", s.Len())
	}
	add(s, record("a", "0", 2, other, 2, api.ExecSucceeded), Members)
	if s.Prune(now, unknown); s.Len() != 2 {
		t.Errorf("%d records are left when it has ended", s.Len())
	}
	if s.Prune(now.Add(Keep+1), unknown); s.Len() != 0 {
		t.Errorf("%d records are left for ever", s.Len())
	}
	add(s, record("c", "0", 1, other, 1, api.ExecRunning), Members)
	for end := now.Add(Remember + 3*Keep); now.Before(end); now = now.Add(Keep / 2) {
		s.Prune(now, unknown)
	}
	if s.Len() != 0 || len(s.going) != 0 {
		t.Errorf("%d records are left of a member that is gone", s.Len())
	}
}
