package api

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// JobState is where a job, or one of its runs, stands: what follows from its intent and
// from what members say of its executions.
type JobState string

// The states.
const (
	JobScheduled JobState = "scheduled" // a recurring job between its runs
	JobWaiting   JobState = "waiting"   // for the jobs that it needs
	JobPending   JobState = "pending"   // no member can execute it now
	JobQueued    JobState = "queued"    // a member will, when it has room
	JobRunning   JobState = "running"   // a member does, or is about to
	JobBackoff   JobState = "backoff"   // it failed, and is tried again after a pause
	JobSucceeded JobState = "succeeded"
	JobFailed    JobState = "failed"
	JobCancelled JobState = "cancelled"
	JobSkipped   JobState = "skipped" // a run that its schedule has left out
	JobExpired   JobState = "expired" // its time was over before it began
)

// JobStates are all that there are.
func JobStates() []JobState {
	return []JobState{JobScheduled, JobWaiting, JobPending, JobQueued, JobRunning, JobBackoff, JobSucceeded, JobFailed, JobCancelled, JobSkipped, JobExpired}
}

// Ended reports whether nothing more will happen in state s.
func (s JobState) Ended() bool {
	return slices.Contains([]JobState{JobSucceeded, JobFailed, JobCancelled, JobSkipped, JobExpired}, s)
}

// JobSummary is a job in a list.
type JobSummary struct {
	Job     Name        `json:"job"` // its id
	Root    Digest      `json:"root"`
	Type    JobType     `json:"type"`
	Runtime RuntimeType `json:"runtime"`
	State   JobState    `json:"state"`
	Reason  string      `json:"reason,omitempty"` // in words, for people
	Issued  time.Time   `json:"issued"`
	Started time.Time   `json:"started,omitzero"` // of the first execution that counts
	Ended   time.Time   `json:"ended,omitzero"`   // of the last
	Next    time.Time   `json:"next,omitzero"`    // instant of a recurring job
	Peer    PeerID      `json:"peer,omitempty"`   // that executes, or has executed, its newest run
	Retries int         `json:"retries"`          // executions beyond the first of each run; those given away are none
	Runs    JobCounts   `json:"runs"`
}

// Validate implements [Validator].
func (s *JobSummary) Validate() error {
	if _, err := ParseName(string(s.Job)); err != nil {
		return fmt.Errorf("job: %w", err)
	}
	if s.Root.IsZero() {
		return errors.New("job: root is missing")
	}
	return nil
}

// JobCounts are runs by how they stand.
type JobCounts struct {
	Total      int `json:"total"`
	Succeeded  int `json:"succeeded"`
	Failed     int `json:"failed"`
	Running    int `json:"running"`
	Executions int `json:"executions"` // of all of them; more than Total where some were repeated
	Superseded int `json:"superseded"` // results that are not the accepted one of their run
}

// JobsReply answers [RouteJobs]: jobs by the time they were issued, the newest first.
type JobsReply struct {
	Jobs []JobSummary `json:"jobs"`
	Next string       `json:"next,omitempty"` // ?after= of the next page; empty: this was the last
}

// MaxJobsPage is the most jobs of a [JobsReply].
const MaxJobsPage = 500

// Validate implements [Validator].
func (r *JobsReply) Validate() error {
	if len(r.Jobs) > MaxJobsPage {
		return fmt.Errorf("jobs: %d, at most %d", len(r.Jobs), MaxJobsPage)
	}
	for i := range r.Jobs {
		if err := r.Jobs[i].Validate(); err != nil {
			return err
		}
	}
	return nil
}

// JobStatus answers [RouteJob]: all that this node knows of a job.
type JobStatus struct {
	JobSummary
	Seq     uint64    `json:"seq"`
	Intent  Digest    `json:"intent"` // that counts now
	Expires time.Time `json:"expires,omitzero"`
	Target  Target    `json:"target,omitzero"`
	Body    Job       `json:"body"`
	// RunList has the newest runs first, at most MaxJobRuns.
	RunList []JobRun `json:"run_list"`
}

// MaxJobRuns is the most runs of a [JobStatus].
const MaxJobRuns = 1000

// JobRun is one run of a job.
type JobRun struct {
	Run        RunKey    `json:"run"`
	Instant    time.Time `json:"instant,omitzero"`
	State      JobState  `json:"state"`
	Reason     string    `json:"reason,omitempty"`
	Accepted   *Exec     `json:"accepted,omitempty"` // whose result counts
	Executions []JobExec `json:"executions"`         // by (Epoch, Peer)
}

// JobExec is one execution, and whether its result counts.
type JobExec struct {
	JobRecord
	Superseded bool `json:"superseded,omitempty"` // it ended, and another's result counts
}

// Validate implements [Validator].
func (s *JobStatus) Validate() error {
	if len(s.RunList) > MaxJobRuns {
		return fmt.Errorf("job: %d runs, at most %d", len(s.RunList), MaxJobRuns)
	}
	for _, run := range s.RunList {
		if a := run.Accepted; a != nil {
			if _, err := ParsePeerID(string(a.Peer)); err != nil {
				return fmt.Errorf("job: %w", err)
			}
		}
		for i := range run.Executions {
			if err := run.Executions[i].Validate(); err != nil {
				return fmt.Errorf("job: %w", err)
			}
		}
	}
	if err := s.JobSummary.Validate(); err != nil {
		return err
	}
	return s.Body.Validate()
}

// JobLogLine is a line that an execution wrote.
type JobLogLine struct {
	Run   RunKey `json:"run"`
	Epoch int    `json:"epoch"`
	Peer  PeerID `json:"peer"`
	LogLine
}

// Validate implements [Validator].
func (l *JobLogLine) Validate() error {
	if _, err := ParsePeerID(string(l.Peer)); err != nil {
		return fmt.Errorf("line: %w", err)
	}
	return l.LogLine.Validate()
}

// Query parameters of [RouteJobLogs].
const (
	QueryRun    = "run"    // RunKey; without it, of all runs, the newest at the end
	QueryEpoch  = "epoch"  // of one execution; without it, the accepted or newest one of each run
	QueryTail   = "tail"   // last lines, 0 to MaxJobTail; without it all
	QuerySince  = "since"  // RFC 3339: only what is newer
	QueryGrep   = "grep"   // RE2: only lines that match
	QueryFollow = "follow" // "1": goes on until the job has ended
	// QueryHere, "1", asks for what this member itself has of one execution, whose job is
	// named by its root: members ask each other so.
	QueryHere = "here"
	QueryPeer = "peer" // with QueryHere: who executes it
)

// MaxJobTail is the most lines that [QueryTail] asks for.
const MaxJobTail = 100_000

// JobExplain answers [RouteJobExplain]: why a job runs where it does, or does not.
type JobExplain struct {
	Job     Name        `json:"job"`
	Root    Digest      `json:"root"`
	State   JobState    `json:"state"`
	Reason  string      `json:"reason,omitempty"`
	Needs   []JobNeed   `json:"needs,omitempty"`
	Members []JobMember `json:"members"` // by rank of the newest run that has not ended, else of the first; then those that cannot run it
}

// Validate implements [Validator].
func (e *JobExplain) Validate() error {
	names := []Name{e.Job}
	for _, n := range e.Needs {
		names = append(names, n.Job)
	}
	for _, n := range names {
		if _, err := ParseName(string(n)); err != nil {
			return fmt.Errorf("explain: %w", err)
		}
	}
	for _, m := range e.Members {
		if _, err := ParsePeerID(string(m.Peer)); err != nil {
			return fmt.Errorf("explain: %w", err)
		}
	}
	return nil
}

// JobNeed is a job that another waits for.
type JobNeed struct {
	Job   Name     `json:"job"`
	State JobState `json:"state,omitempty"` // empty: it is not known here
}

// JobMember is one member as seen by a job.
type JobMember struct {
	Peer PeerID `json:"peer"`
	Host string `json:"host,omitempty"`
	Live bool   `json:"live"`
	Rank int    `json:"rank,omitempty"` // 1 for the first; 0: it cannot run it
	Why  string `json:"why"`            // for people
	// Confined says, of this node and native jobs, what of the confinement does not work here.
	Confined []string `json:"confined,omitempty"`
}

// JobClaims asks members to object to executions that the caller is about to begin. What
// they know better, they answer; silence is no objection.
type JobClaims struct {
	Claims []JobClaim `json:"claims"`
}

// JobClaim is one of them.
type JobClaim struct {
	Root  Digest `json:"root"`
	Run   RunKey `json:"run"`
	Epoch int    `json:"epoch"`
}

// MaxJobClaims is the most claims at a time.
const MaxJobClaims = 128

// Validate implements [Validator].
func (c *JobClaims) Validate() error {
	if len(c.Claims) == 0 || len(c.Claims) > MaxJobClaims {
		return fmt.Errorf("claims: %d: want 1 to %d", len(c.Claims), MaxJobClaims)
	}
	for _, claim := range c.Claims {
		if err := validateRun(claim.Root, claim.Run, claim.Epoch); err != nil {
			return fmt.Errorf("claims: %w", err)
		}
	}
	return nil
}

func validateRun(root Digest, run RunKey, epoch int) error {
	if root.IsZero() || epoch < 1 || epoch > MaxEpoch {
		return errors.New("root is missing, or epoch out of range")
	}
	_, err := ParseRunKey(string(run))
	return err
}

// JobAnswers has an answer for each claim, in their order.
type JobAnswers struct {
	Answers []JobAnswer `json:"answers"`
}

// JobAnswer is what a member says to a claim.
type JobAnswer struct {
	// Records are signed ones that the caller may not know, and that speak against the claim.
	Records [][]byte `json:"records,omitempty"`
	// Live is a member that comes before the caller and is up, as the answering one sees
	// it; or that one itself, when it knows that the run has ended, and has no record left.
	Live PeerID `json:"live,omitempty"`
}

// Validate implements [Validator].
func (a *JobAnswers) Validate() error {
	if len(a.Answers) > MaxJobClaims {
		return errors.New("claims: too many answers")
	}
	return nil
}

// JobTake asks a member for runs that wait there for room, since the caller has some.
type JobTake struct {
	Runs []JobClaim `json:"runs"` // that the caller could execute, at most MaxJobClaims
}

// Validate implements [Validator].
func (t *JobTake) Validate() error { return (&JobClaims{t.Runs}).Validate() }

// JobTaken says which of them are the caller's now: the one that was asked does not begin
// them any more, with that epoch or below.
type JobTaken struct {
	Runs []JobClaim `json:"runs"`
}

// Validate implements [Validator].
func (t *JobTaken) Validate() error {
	if len(t.Runs) > MaxJobClaims {
		return errors.New("take: too many runs")
	}
	return nil
}

// JobTail is the newest output of an execution, for a member that keeps it in case the
// executing one is lost.
type JobTail struct {
	Job Name `json:"job"`
	Exec
	Lines []LogLine `json:"lines"` // that follow those sent before
	Over  bool      `json:"over,omitempty"`
}

// Limits of what is kept of a [JobTail].
const (
	MaxTailLines = 256       // of one message
	KeptTail     = 256 << 10 // bytes of an execution
)

// Validate implements [Validator].
func (t *JobTail) Validate() error {
	if _, err := ParseName(string(t.Job)); err != nil {
		return err
	}
	if err := validateRun(t.Root, t.Run, t.Epoch); err != nil {
		return fmt.Errorf("tail: %w", err)
	}
	if len(t.Lines) > MaxTailLines {
		return fmt.Errorf("tail: %d lines, at most %d", len(t.Lines), MaxTailLines)
	}
	for _, l := range t.Lines {
		if err := l.Validate(); err != nil {
			return fmt.Errorf("tail: %w", err)
		}
	}
	return nil
}

// JobVote asks an elector of a strict job for its vote, which it gives for each (Root,
// Run, Epoch) to one member only, or gives one back (Release).
type JobVote struct {
	JobClaim
	Release bool `json:"release,omitempty"`
	// Round grows with each asking of the caller, and is that of the vote which is given
	// back: a message that was on its way for long changes nothing when it arrives.
	Round int64 `json:"round,omitempty"`
}

// Validate implements [Validator].
func (v *JobVote) Validate() error {
	if v.Round < 0 {
		return errors.New("vote: round is negative")
	}
	return validateRun(v.Root, v.Run, v.Epoch)
}

// JobVoted says who has the elector's vote, on disk; nobody: it has been given back.
type JobVoted struct {
	Peer PeerID `json:"peer,omitempty"`
}

// Validate implements [Validator].
func (*JobVoted) Validate() error { return nil }

// RecordBatch is a message on the job topic, and the answer of [RouteSyncRecords]: signed
// records, by whomever.
type RecordBatch struct {
	Records [][]byte `json:"records"`
	More    bool     `json:"more,omitempty"` // of [RouteSyncRecords]: ask again
}

// Limits of a [RecordBatch].
const (
	MaxRecords      = 256
	MaxRecordsBytes = 180 << 10 // of the records; in JSON they stay below MaxMessage
)

// Validate implements [Validator].
func (b *RecordBatch) Validate() error {
	if len(b.Records) > MaxRecords {
		return fmt.Errorf("records: %d, at most %d", len(b.Records), MaxRecords)
	}
	total := 0
	for _, r := range b.Records {
		total += len(r)
		if len(r) == 0 || len(r) > MaxRecord {
			return errors.New("records: one is empty or too long")
		}
	}
	if total > MaxRecordsBytes {
		return fmt.Errorf("records: %d bytes, at most %d", total, MaxRecordsBytes)
	}
	return nil
}

// RecordParts asks a member for records, by [RouteSyncRecords]: those of the parts whose
// digests differ from these.
type RecordParts struct {
	Digests []byte `json:"digests"`         // RecordDigests bytes
	After   string `json:"after,omitempty"` // key of the last record of the page before
}

// RecordDigests is the size of the digests of a [RecordParts], in bytes.
const RecordDigests = 256 * 8

// Validate implements [Validator].
func (p *RecordParts) Validate() error {
	if len(p.Digests) != RecordDigests || len(p.After) > 256 {
		return errors.New("records: digests or key of a wrong size")
	}
	return nil
}
