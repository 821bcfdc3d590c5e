package api

import (
	"errors"
	"fmt"
	"time"
)

// Duty is what a member has concluded that it owes a workload.
type Duty string

// The duties.
const (
	DutyRun  Duty = "run"  // it is one of those that run it
	DutyHold Duty = "hold" // likewise, but others change to the new version first
	DutyKeep Duty = "keep" // it is not, and goes on until enough of those are ready
	DutyNone Duty = "none" // it is not
)

// Validate implements [Validator].
func (d Duty) Validate() error {
	switch d {
	case DutyRun, DutyHold, DutyKeep, DutyNone:
		return nil
	}
	return fmt.Errorf("duty %.40q is not known", string(d))
}

// Ranked is one member as seen by the placement of a workload.
type Ranked struct {
	Peer PeerID `json:"peer"`
	Host string `json:"host,omitempty"`
	Live bool   `json:"live"`           // lately heard of
	Rank int    `json:"rank,omitempty"` // 1 for the first; 0: it cannot run it
	Duty Duty   `json:"duty"`           // that it has, as far as can be told from here
	Why  string `json:"why"`            // for people
	// Fact is what the member has said last; nil: nothing.
	Fact *WorkloadFact `json:"fact,omitempty"`
}

// ExplainRequest asks runnerd about a workload.
type ExplainRequest struct {
	Ref
}

// ExplainReply answers [SubjectExplain]: where a workload should run and does, as
// this node sees it.
type ExplainReply struct {
	Ref
	Seq      uint64   `json:"seq"`
	Intent   Digest   `json:"intent"`
	Replicas int      `json:"replicas"` // asked for; 0: every member that matches
	Desired  int      `json:"desired"`  // that can run now: at most as many as members fit
	Running  int      `json:"running"`  // that run or answer, in any version
	Updated  int      `json:"updated"`  // of them, in the wanted version
	Pending  string   `json:"pending,omitempty"`
	Members  []Ranked `json:"members"` // by rank, then those that cannot run it
}

// Validate implements [Validator].
func (r *ExplainReply) Validate() error {
	if err := r.Ref.Validate(); err != nil {
		return fmt.Errorf("explain: %w", err)
	}
	for _, m := range r.Members {
		if _, err := ParsePeerID(string(m.Peer)); err != nil {
			return fmt.Errorf("explain: %w", err)
		}
		if err := m.Duty.Validate(); err != nil {
			return fmt.Errorf("explain: %w", err)
		}
		if m.Fact == nil {
			continue
		}
		if err := m.Fact.Validate(); err != nil {
			return fmt.Errorf("explain: %w", err)
		}
	}
	return nil
}

// Account is what a member tells of one workload there: the answer of [RouteAccount].
type Account struct {
	Fact *WorkloadFact `json:"fact,omitempty"` // nil: it knows nothing of it
	Duty Duty          `json:"duty"`
	Why  string        `json:"why,omitempty"`
	Log  []LogLine     `json:"log,omitempty"` // its last lines, at most MaxAccountLog
}

// MaxAccountLog is the most lines of an [Account].
const MaxAccountLog = 100

// Validate implements [Validator].
func (a *Account) Validate() error {
	if len(a.Log) > MaxAccountLog || len(a.Why) > MaxReason {
		return errors.New("account: too long")
	}
	if err := a.Duty.Validate(); err != nil {
		return fmt.Errorf("account: %w", err)
	}
	for _, l := range a.Log {
		if err := l.Validate(); err != nil {
			return fmt.Errorf("account: %w", err)
		}
	}
	if a.Fact != nil {
		return a.Fact.Validate()
	}
	return nil
}

// Event tells of a change of state of a workload on this node, under [SubjectEvent].
type Event struct {
	Ref
	Time   time.Time `json:"time"`
	Peer   PeerID    `json:"peer"`
	Seq    uint64    `json:"seq"` // of the version that the state is about
	From   State     `json:"from,omitempty"`
	To     State     `json:"to"`
	Reason string    `json:"reason,omitempty"`
}

// Validate implements [Validator].
func (e *Event) Validate() error {
	if err := e.Ref.Validate(); err != nil {
		return err
	}
	if _, err := ParsePeerID(string(e.Peer)); err != nil {
		return err
	}
	if len(e.Reason) > MaxReason {
		return errors.New("event: reason too long")
	}
	if e.From != "" {
		if err := e.From.Validate(); err != nil {
			return err
		}
	}
	return e.To.Validate()
}

// SubmitBatch is several intents that are submitted together, in their order.
type SubmitBatch struct {
	Envelopes [][]byte `json:"envelopes"`
}

// Limits of a [SubmitBatch].
const (
	MaxSubmitBatch      = 128
	MaxSubmitBatchBytes = 180 << 10 // of the envelopes; in JSON they stay below MaxMessage
)

// Validate implements [Validator].
func (b *SubmitBatch) Validate() error {
	if len(b.Envelopes) == 0 || len(b.Envelopes) > MaxSubmitBatch {
		return fmt.Errorf("submit: %d intents: want 1 to %d", len(b.Envelopes), MaxSubmitBatch)
	}
	total := 0
	for _, e := range b.Envelopes {
		if len(e) == 0 {
			return errors.New("submit: an intent is missing")
		}
		total += len(e)
	}
	if total > MaxSubmitBatchBytes {
		return fmt.Errorf("submit: %d bytes, at most %d", total, MaxSubmitBatchBytes)
	}
	return nil
}

// SubmitBatchReply answers [SubjectBatch]: all intents are on this node's
// disk and on their way to the others. Where one is refused, none is taken, and the
// answer is an error. Submitting the same batch again is answered the same.
type SubmitBatchReply struct {
	Digests []Digest `json:"digests"`
}

// Validate implements [Validator].
func (*SubmitBatchReply) Validate() error { return nil }
