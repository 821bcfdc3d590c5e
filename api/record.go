package api

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// RunKey names a run within its job: "INDEX" of a one-shot job or service, "INSTANT-INDEX"
// of a recurring one, with the instant in UTC as 20060102T150405Z. Indexes begin with 0.
type RunKey string

const runInstant = "20060102T150405Z"

// NewRunKey names the run with that index at an instant; the zero one for jobs that have none.
func NewRunKey(at time.Time, index int) RunKey {
	if at.IsZero() {
		return RunKey(strconv.Itoa(index))
	}
	return RunKey(at.UTC().Format(runInstant) + "-" + strconv.Itoa(index))
}

// ParseRunKey reads what [NewRunKey] makes, and nothing else.
func ParseRunKey(s string) (RunKey, error) {
	at, index, ok := RunKey(s).split()
	if !ok || NewRunKey(at, index) != RunKey(s) {
		return "", fmt.Errorf("run %.40q: want an index, or an instant and an index such as 20061123T020000Z-0", s)
	}
	return RunKey(s), nil
}

func (k RunKey) split() (at time.Time, index int, ok bool) {
	text := string(k)
	if when, rest, recurring := strings.Cut(text, "-"); recurring {
		var err error
		if at, err = time.Parse(runInstant, when); err != nil || at.IsZero() {
			return at, 0, false
		}
		text = rest
	}
	index, err := strconv.Atoi(text)
	return at, index, err == nil && index >= 0 && index < MaxParallelism
}

// Instant is when the schedule asks for the run; zero for jobs without one.
func (k RunKey) Instant() time.Time {
	at, _, _ := k.split()
	return at
}

// Index is what the run finds as REALM_INDEX.
func (k RunKey) Index() int {
	_, index, _ := k.split()
	return index
}

// ExecState is where one execution of a run stands.
type ExecState string

// The states, in the order in which an execution passes them. The last ones are ends.
const (
	ExecClaimed ExecState = "claimed" // a member says that it will execute it
	ExecStaging ExecState = "staging" // its program and files are on the way
	ExecRunning ExecState = "running"

	ExecSucceeded ExecState = "succeeded"
	ExecFailed    ExecState = "failed"    // it ended badly, or could not be begun; it is tried again as its retries say
	ExecCancelled ExecState = "cancelled" // the owner, or the run after it, ended it
	ExecLost      ExecState = "lost"      // its member knows of no end: it was executed, in part or as a whole
	ExecMoved     ExecState = "moved"     // given to another member before it began
	ExecSkipped   ExecState = "skipped"   // not executed at all, for good: its schedule says so
)

// Ended reports whether s is an end.
func (s ExecState) Ended() bool { return s.order() == 3 }

func (s ExecState) order() int {
	switch s {
	case ExecClaimed:
		return 0
	case ExecStaging:
		return 1
	case ExecRunning:
		return 2
	case ExecSucceeded, ExecFailed, ExecCancelled, ExecLost, ExecMoved, ExecSkipped:
		return 3
	}
	return -1
}

// JobRecord is what a member says of one execution of its own, signed by its node key
// ([PayloadRecord]), so that everybody can keep it and pass it on. An execution is named
// by (Root, Run, Epoch, Peer); of two records about one, [JobRecord.Newer] says which counts.
type JobRecord struct {
	Realm RealmID `json:"realm"`
	Root  Digest  `json:"root"` // digest of the job's first intent
	Job   Name    `json:"job"`  // its id
	Run   RunKey  `json:"run"`
	// Epoch is 1 for a run's first execution, and one more than the highest known for each
	// further one: of several results that of the highest (Epoch, Peer) is accepted.
	Epoch int    `json:"epoch"`
	Peer  PeerID `json:"peer"`
	Seq   uint64 `json:"seq"`

	State  ExecState `json:"state"`
	Reason string    `json:"reason,omitempty"` // in words, for people
	Cause  ExecCause `json:"cause,omitempty"`
	Ready  bool      `json:"ready,omitempty"` // of a service: it has been up for a moment

	Claimed time.Time `json:"claimed"` // by its member's clock, as all that follow
	Started time.Time `json:"started,omitzero"`
	Ended   time.Time `json:"ended,omitzero"`

	Exit     *int     `json:"exit,omitempty"`      // exit code, of an execution that ended by itself
	Signal   string   `json:"signal,omitempty"`    // that ended it
	TimedOut bool     `json:"timed_out,omitempty"` // likewise
	Usage    JobUsage `json:"usage,omitzero"`

	Artifacts []JobOutput `json:"artifacts,omitempty"`
	// Of an execution that has ended: all that it wrote, as lines of a log. What is short
	// is in Said, else the blob Log has it.
	Said    string   `json:"said,omitempty"`
	Log     BlobInfo `json:"log,omitzero"`
	Keepers []PeerID `json:"keepers,omitempty"`
}

// ExecCause says why there is an execution.
type ExecCause string

// The causes.
const (
	CauseFirst    ExecCause = ""         // the run had none
	CauseRetry    ExecCause = "retry"    // the one before failed
	CauseTakeover ExecCause = "takeover" // the member of the one before was lost, or its execution was
	CauseMove     ExecCause = "move"     // the one before was given away before it began
	CauseRestart  ExecCause = "restart"  // of a service: it ended
	// CauseVerdict is of a failed one that was none: it says that the run has failed for
	// good, and why. No retry follows.
	CauseVerdict ExecCause = "verdict"
)

// JobUsage is what an execution has used.
type JobUsage struct {
	CPU      Duration `json:"cpu,omitzero"`
	MemoryKB int64    `json:"memory_kb,omitempty"` // the most at a time, KiB
	Fuel     uint64   `json:"fuel,omitempty"`      // wasm only
}

// JobOutput is an artifact of an execution.
type JobOutput struct {
	Name    string   `json:"name"`
	Blob    BlobInfo `json:"blob,omitzero"`
	Missing string   `json:"missing,omitempty"` // why there is none, for people
}

// PayloadRecord is the DSSE payload type of a [JobRecord].
const PayloadRecord = "application/vnd.realm.job.v1+json"

// Caps of a record.
const (
	MaxRecord  = 24 << 10 // bytes of a signed one
	MaxSaid    = 2 << 10
	MaxEpoch   = 1 << 20
	maxKeepers = 8 // of the last lines, not of what is in the store
)

// Validate implements [Validator].
func (r *JobRecord) Validate() error {
	if _, err := ParseRealmID(string(r.Realm)); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	if _, err := ParseName(string(r.Job)); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	if _, err := ParseRunKey(string(r.Run)); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	if _, err := ParsePeerID(string(r.Peer)); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	switch {
	case r.Root.IsZero():
		return errors.New("record: root is missing")
	case r.Epoch < 1 || r.Epoch > MaxEpoch || r.Seq == 0 || r.Seq > MaxSeq:
		return errors.New("record: epoch or seq is out of range")
	case r.State.order() < 0:
		return fmt.Errorf("record: state %.40q is not known", string(r.State))
	case len(r.Reason) > MaxReason || len(r.Said) > MaxSaid || len(r.Signal) > 32 || len(r.Cause) > 32:
		return errors.New("record: a text is too long")
	case r.Claimed.IsZero():
		return errors.New("record: claimed is missing")
	case len(r.Artifacts) > maxJobFiles || len(r.Keepers) > maxKeepers:
		return errors.New("record: too many artifacts or keepers")
	case r.Log.Size < 0 || r.Log.Size > MaxBlob || r.Usage.MemoryKB < 0 || r.Usage.CPU < 0:
		return errors.New("record: a number is out of range")
	}
	for _, a := range r.Artifacts {
		if !ValidFile(a.Name) || len(a.Missing) > MaxReason || a.Blob.Size < 0 || a.Blob.Size > MaxBlob ||
			a.Blob.SHA256.IsZero() != (a.Missing != "") {
			return errors.New("record: an artifact is wrong")
		}
	}
	for _, p := range r.Keepers {
		if _, err := ParsePeerID(string(p)); err != nil {
			return fmt.Errorf("record: keeper: %w", err)
		}
	}
	return nil
}

// Exec names an execution.
type Exec struct {
	Root  Digest `json:"root"`
	Run   RunKey `json:"run"`
	Epoch int    `json:"epoch"`
	Peer  PeerID `json:"peer"`
}

// Exec is the execution that r is about.
func (r *JobRecord) Exec() Exec { return Exec{r.Root, r.Run, r.Epoch, r.Peer} }

// Compare orders executions of one run as results are: by (Epoch, Peer).
func (e Exec) Compare(o Exec) int {
	return cmp.Or(cmp.Compare(e.Epoch, o.Epoch), cmp.Compare(e.Peer, o.Peer))
}

// Newer reports whether r counts in the place of old, about the same execution. What has
// ended stays so. Of two with the same number, which only a member that is sick or lies
// has signed, that with the larger [JobRecord.Sum] counts, so that all come to hold one.
func (r *JobRecord) Newer(old *JobRecord) bool {
	if old.State.Ended() != r.State.Ended() {
		return r.State.Ended()
	}
	if r.Seq != old.Seq {
		return r.Seq > old.Seq
	}
	return r.Sum().Compare(old.Sum()) > 0
}

// Sum is the digest of all that r says, however that was written down and signed.
func (r *JobRecord) Sum() Digest {
	raw, err := json.Marshal(r)
	if err != nil {
		return Digest{} // a time out of range: no record that was read has one
	}
	return Sum(raw)
}

// KeyRecord is the key of a record in the jobs bucket: "ROOT.RUN.EPOCH.PEER", of the root
// the first 20 digits.
func KeyRecord(e Exec) string {
	return e.Root.String()[:20] + "." + string(e.Run) + "." + strconv.Itoa(e.Epoch) + "." + string(e.Peer)
}
