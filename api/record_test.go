package api

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func someRecord() *JobRecord {
	at := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	exit := 3
	blob := BlobInfo{SHA256: someDigest, Size: 5}
	return &JobRecord{
		Realm: someRealm, Root: someDigest, Job: "build-1", Run: "20061123T020000Z-1", Epoch: 2, Peer: somePeer, Seq: 4,
		State: ExecFailed, Reason: "exit code 3", Cause: CauseRetry, Ready: true, Claimed: at, Started: at, Ended: at,
		Exit: &exit, Signal: "SIGTERM", TimedOut: true, Usage: JobUsage{CPU: Duration(time.Second), MemoryKB: 7, Fuel: 9},
		Artifacts: []JobOutput{{Name: "out", Blob: blob}, {Name: "more", Missing: "it is not there"}},
		Said:      "hello", Log: blob, Keepers: []PeerID{somePeer},
	}
}

func someClaim() JobClaim { return JobClaim{someDigest, "0", 1} }

func someSummaries() *JobsReply {
	return &JobsReply{Jobs: []JobSummary{someStatus().JobSummary}, Next: "x"}
}

func someStatus() *JobStatus {
	rec := someRecord()
	exec := rec.Exec()
	return &JobStatus{
		JobSummary: JobSummary{Job: "build-1", Root: someDigest, Type: JobOneShot, Runtime: RuntimeWasm, State: JobFailed, Issued: rec.Claimed},
		Seq:        1, Intent: someDigest, Expires: rec.Ended, Body: *someJob(),
		RunList: []JobRun{{Run: rec.Run, State: JobFailed, Accepted: &exec, Executions: []JobExec{{JobRecord: *rec}}}},
	}
}

func TestValidateRecord(t *testing.T) {
	breaks(t, map[string]func(*JobRecord){
		"realm id":            func(r *JobRecord) { r.Realm = "" },
		"name":                func(r *JobRecord) { r.Job = "a.b/c" },
		"run \"\"":            func(r *JobRecord) { r.Run = "" },
		"run \"01\"":          func(r *JobRecord) { r.Run = "01" },
		"peer id":             func(r *JobRecord) { r.Peer = "me" },
		"root is missing":     func(r *JobRecord) { r.Root = Digest{} },
		"out of range":        func(r *JobRecord) { r.Epoch = 0 },
		"out of range|epoch":  func(r *JobRecord) { r.Epoch = MaxEpoch + 1 },
		"out of range|seq":    func(r *JobRecord) { r.Seq = 0 },
		"out of range|far":    func(r *JobRecord) { r.Seq = MaxSeq + 1 },
		"state":               func(r *JobRecord) { r.State = "done" },
		"too long":            func(r *JobRecord) { r.Reason = strings.Repeat("x", MaxReason+1) },
		"too long|said":       func(r *JobRecord) { r.Said = strings.Repeat("x", MaxSaid+1) },
		"too long|signal":     func(r *JobRecord) { r.Signal = strings.Repeat("x", 33) },
		"claimed":             func(r *JobRecord) { r.Claimed = time.Time{} },
		"too many":            func(r *JobRecord) { r.Keepers = make([]PeerID, maxKeepers+1) },
		"too many|artifacts":  func(r *JobRecord) { r.Artifacts = make([]JobOutput, maxJobFiles+1) },
		"a number":            func(r *JobRecord) { r.Log.Size = -1 },
		"a number|cpu":        func(r *JobRecord) { r.Usage.CPU = -1 },
		"artifact is wrong":   func(r *JobRecord) { r.Artifacts[0].Name = "../x" },
		"artifact is wrong|b": func(r *JobRecord) { r.Artifacts[0].Missing = "and is there" },
		"artifact is wrong|c": func(r *JobRecord) { r.Artifacts[1].Missing = "" },
		"keeper":              func(r *JobRecord) { r.Keepers[0] = "me" },
	})
}

func TestRunKey(t *testing.T) {
	at := time.Date(2026, 11, 23, 2, 0, 0, 0, time.UTC)
	for _, k := range []RunKey{"0", "999", NewRunKey(at, 0), NewRunKey(at.In(time.FixedZone("", 3600)), 17)} {
		if got, err := ParseRunKey(string(k)); err != nil || got != k {
			t.Errorf("%s: %s, %v", k, got, err)
		}
	}
	if k := NewRunKey(at, 17); !k.Instant().Equal(at) || k.Index() != 17 || k != "20261123T020000Z-17" {
		t.Errorf("%s: %s, %d", k, k.Instant(), k.Index())
	}
	if k := RunKey("5"); !k.Instant().IsZero() || k.Index() != 5 {
		t.Errorf("%s, %d", k.Instant(), k.Index())
	}
	for _, s := range []string{"", "-", "-1", "+1", "01", "1000", "1.5", "20261123T020000Z", "20261123T020000Z-", "20261123T020000Z--1",
		"20261323T020000Z-0", "00010101T000000Z-0", "20261123T020000Z-0-0", "20261123T020000Z-1000", " 1", "99999999999999999999"} {
		if k, err := ParseRunKey(s); err == nil {
			t.Errorf("%q is %s", s, k)
		}
	}
}

func FuzzRunKey(f *testing.F) {
	f.Add("0")
	f.Add("20261123T020000Z-17")
	f.Fuzz(func(t *testing.T, s string) {
		k, err := ParseRunKey(s)
		if err != nil {
			return
		}
		if again := NewRunKey(k.Instant(), k.Index()); string(again) != s || strings.ContainsAny(s, ". /*>") {
			t.Errorf("%q is %s", s, again)
		}
	})
}

func TestNewer(t *testing.T) {
	rec := func(seq uint64, s ExecState) *JobRecord { return &JobRecord{Seq: seq, State: s} }
	for _, tt := range []struct {
		a, b *JobRecord
		want bool
	}{
		{rec(2, ExecRunning), rec(1, ExecClaimed), true},
		{rec(1, ExecRunning), rec(2, ExecClaimed), false},
		{rec(1, ExecFailed), rec(9, ExecRunning), true}, // an end stays one
		{rec(9, ExecRunning), rec(1, ExecFailed), false},
		{rec(3, ExecSucceeded), rec(2, ExecFailed), true},
		{rec(3, ExecSucceeded), rec(3, ExecSucceeded), false},
	} {
		if got := tt.a.Newer(tt.b); got != tt.want {
			t.Errorf("%+v after %+v: %v", tt.a, tt.b, got)
		}
	}
}

// Of two records with one number, which a member that is sick or lies may have signed,
// the same one counts everywhere, whichever came first.
func TestNewerOfEquals(t *testing.T) {
	for _, state := range []ExecState{ExecRunning, ExecFailed} {
		a, b := &JobRecord{Seq: 3, State: state}, &JobRecord{Seq: 3, State: state, Reason: "another"}
		if a.Newer(b) == b.Newer(a) {
			t.Errorf("%s: each of two is newer than the other: %v", state, a.Newer(b))
		}
		same := *a
		same.Artifacts = []JobOutput{}
		if same.Newer(a) || a.Newer(&same) || same.Sum() != a.Sum() {
			t.Errorf("%s: what says the same is not the same", state)
		}
	}
}

func TestValidateJobMessages(t *testing.T) {
	breaks(t, map[string]func(*JobClaims){
		"want 1 to":    func(c *JobClaims) { c.Claims = nil },
		"want 1 to|to": func(c *JobClaims) { c.Claims = make([]JobClaim, MaxJobClaims+1) },
		"root":         func(c *JobClaims) { c.Claims[0].Root = Digest{} },
		"epoch":        func(c *JobClaims) { c.Claims[0].Epoch = 0 },
		"run":          func(c *JobClaims) { c.Claims[0].Run = "*" },
	})
	breaks(t, map[string]func(*JobsReply){"at most": func(r *JobsReply) { r.Jobs = make([]JobSummary, MaxJobsPage+1) }})
	breaks(t, map[string]func(*JobStatus){"at most": func(r *JobStatus) { r.RunList = make([]JobRun, MaxJobRuns+1) }})
	breaks(t, map[string]func(*JobAnswers){"too many": func(a *JobAnswers) { a.Answers = make([]JobAnswer, MaxJobClaims+1) }})
	breaks(t, map[string]func(*JobTaken){"too many": func(r *JobTaken) { r.Runs = make([]JobClaim, MaxJobClaims+1) }})
	breaks(t, map[string]func(*JobTake){"want 1 to": func(c *JobTake) { c.Runs = nil }})
	breaks(t, map[string]func(*JobVote){
		"round": func(v *JobVote) { v.Round = -1 },
		"root":  func(v *JobVote) { v.Root = Digest{} },
	})
	breaks(t, map[string]func(*JobTail){
		"name":    func(m *JobTail) { m.Job = "" },
		"tail: ":  func(m *JobTail) { m.Epoch = -1 },
		"at most": func(m *JobTail) { m.Lines = make([]LogLine, MaxTailLines+1) },
	})
	breaks(t, map[string]func(*RecordBatch){
		"at most":           func(b *RecordBatch) { b.Records = make([][]byte, MaxRecords+1) },
		"empty or too long": func(b *RecordBatch) { b.Records[0] = nil },
		"too long":          func(b *RecordBatch) { b.Records[0] = make([]byte, MaxRecord+1) },
		"bytes, at most": func(b *RecordBatch) {
			for range MaxRecordsBytes/MaxRecord + 1 {
				b.Records = append(b.Records, make([]byte, MaxRecord))
			}
		},
	})
	breaks(t, map[string]func(*RecordParts){
		"wrong size":      func(p *RecordParts) { p.Digests = p.Digests[1:] },
		"wrong size|none": func(p *RecordParts) { p.Digests = nil },
		"wrong size|key":  func(p *RecordParts) { p.After = strings.Repeat("x", 257) },
	})
	breaks(t, map[string]func(*Powers){
		"at most":      func(p *Powers) { p.Emulates = make([]string, MaxEmulates+1) },
		"architecture": func(p *Powers) { p.Emulates = []string{""} },
	})
}

// The largest batch stays below what a message may have, and the largest key inside what
// [RecordParts] takes.
func TestRecordSizes(t *testing.T) {
	b := &RecordBatch{More: true}
	for range MaxRecordsBytes / MaxRecord {
		b.Records = append(b.Records, make([]byte, MaxRecord))
	}
	raw, err := json.Marshal(b)
	if n := len(raw); err != nil || n > MaxMessage {
		t.Errorf("%d bytes, at most %d", n, MaxMessage)
	}
	e := Exec{someDigest, NewRunKey(time.Now(), MaxParallelism-1), MaxEpoch, somePeer}
	if n := len(KeyRecord(e)); n > 256 {
		t.Errorf("a key of %d bytes", n)
	}
}
