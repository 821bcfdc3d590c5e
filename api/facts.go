package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// State is where a workload stands on one member.
type State string

// The states, in the order in which a workload usually passes them.
const (
	StatePending   State = "pending"   // known, not begun; Reason says why
	StateFetching  State = "fetching"  // its blob is on the way
	StateCompiling State = "compiling" // checked and compiled, in a child process
	StatePrepared  State = "prepared"  // it could start, and waits for its turn; Reason says for whom
	StateStarting  State = "starting"  // a command runs, but not yet long enough to count
	StateRunning   State = "running"   // a command runs; a function or CGI program answers
	StateUnhealthy State = "unhealthy" // it runs, and does not answer as its health asks
	StateExited    State = "exited"    // a command ended by itself with code 0
	StateBackoff   State = "backoff"   // a command failed and will be started again
	StateFailed    State = "failed"    // it cannot run, here or elsewhere, until its intent changes
	StateRefused   State = "refused"   // this member cannot take it, others may: the next in rank does
	StateStopped   State = "stopped"   // the owner stopped it
	StateRemoved   State = "removed"   // the owner removed it; nothing of it is left here
)

// Validate implements [Validator].
func (s State) Validate() error {
	switch s {
	case StatePending, StateFetching, StateCompiling, StatePrepared, StateStarting, StateRunning, StateUnhealthy,
		StateExited, StateBackoff, StateFailed, StateRefused, StateStopped, StateRemoved:
		return nil
	}
	return fmt.Errorf("state %.40q is not known", string(s))
}

// Reached reports whether s is where a started workload wants to be.
func (s State) Reached() bool { return s == StateRunning || s == StateExited }

// WorkloadFact is what one member says of one workload. It is a value of the
// workloads bucket and travels in a [FactBatch].
type WorkloadFact struct {
	Ref
	Peer     PeerID    `json:"peer"`
	Intent   Digest    `json:"intent"` // digest of the intent that this state is about
	Seq      uint64    `json:"seq"`    // of that intent
	State    State     `json:"state"`
	Reason   string    `json:"reason,omitempty"` // in words, for people
	Tail     []string  `json:"tail,omitempty"`   // last log lines, when it failed
	Restarts int       `json:"restarts,omitempty"`
	Since    time.Time `json:"since"` // of this state
	// Serving is the Seq of an older version that goes on to run here while State is
	// about its successor: one that is not ready yet, or failed. 0: there is none.
	Serving uint64 `json:"serving,omitempty"`
}

// Answers reports whether calls and requests for the workload are answered there,
// by this version or the one before.
func (f WorkloadFact) Answers() bool { return f.State == StateRunning || f.Serving != 0 }

// Caps of what a fact may carry.
const (
	MaxReason   = 1024 // bytes
	MaxTail     = 10   // lines
	MaxTailLine = 256  // bytes a line
)

// Validate implements [Validator].
func (f WorkloadFact) Validate() error {
	if err := f.Ref.Validate(); err != nil {
		return err
	}
	if _, err := ParsePeerID(string(f.Peer)); err != nil {
		return err
	}
	if len(f.Reason) > MaxReason || len(f.Tail) > MaxTail {
		return errors.New("fact: reason or tail too long")
	}
	for _, l := range f.Tail {
		if len(l) > MaxTailLine {
			return errors.New("fact: a tail line is too long")
		}
	}
	return f.State.Validate()
}

// PeerFact is what a member says of itself.
type PeerFact struct {
	Peer     PeerID   `json:"peer"`
	Version  string   `json:"version"`
	Platform string   `json:"platform"` // GOOS/GOARCH
	Host     string   `json:"host,omitempty"`
	Roles    []string `json:"roles,omitempty"`
	Addrs    []string `json:"addrs,omitempty"`  // multiaddrs without /p2p
	Client   bool     `json:"client,omitempty"` // a command line without a node: it runs nothing
	Capacity Capacity `json:"capacity,omitzero"`
	Full     bool     `json:"full,omitempty"` // its store can keep no more blobs for the realm
	Powers   Powers   `json:"powers,omitzero"`
	// Down are the node's daemons, meshd left out, that have not been ready for a while:
	// whatever they did for others they do not do now. It is empty in most facts.
	Down DaemonList `json:"down,omitempty"`
	// Holdings are signed [Holdings]: the member's own, where it has copies of volumes, and
	// those of members that it remembers and that are away.
	Holdings [][]byte `json:"holdings,omitempty"`
}

// Capacity is what a member declares that programs may have of it. It changes with
// its settings, not with its load.
type Capacity struct {
	CPUs     int   `json:"cpus,omitempty"`      // processors; 0: unknown, counts as 1
	MemoryMB int64 `json:"memory_mb,omitempty"` // MiB that the caps of its commands may add up to; 0: unknown, no limit
}

// Powers is what a member's own policy, and what is installed there, let jobs do.
type Powers struct {
	Native   bool     `json:"native,omitempty"`   // it executes programs of its own platform
	Emulates []string `json:"emulates,omitempty"` // architectures (GOARCH) whose Linux programs it executes by emulation
}

// MaxEmulates is the most architectures of [Powers].
const MaxEmulates = 32

// Validate implements [Validator].
func (p *Powers) Validate() error {
	if len(p.Emulates) > MaxEmulates {
		return fmt.Errorf("powers: at most %d architectures", MaxEmulates)
	}
	for _, a := range p.Emulates {
		if err := ValidatePlatform("linux/" + a); err != nil || a == "" {
			return fmt.Errorf("powers: architecture %.40q", a)
		}
	}
	return nil
}

// Validate implements [Validator].
func (c *Capacity) Validate() error {
	if c.CPUs < 0 || c.CPUs > maxCPUs || c.MemoryMB < 0 || c.MemoryMB > maxCapacityMB {
		return fmt.Errorf("capacity: %d processors, %d MiB: out of range", c.CPUs, c.MemoryMB)
	}
	return nil
}

// Ceilings of a [Capacity].
const (
	maxCPUs       = 1 << 16
	maxCapacityMB = 1 << 40
)

const (
	maxPeerText  = 256
	maxPeerAddrs = 64
)

// Validate implements [Validator].
func (f PeerFact) Validate() error {
	if _, err := ParsePeerID(string(f.Peer)); err != nil {
		return err
	}
	if len(f.Version) > maxPeerText || len(f.Platform) > maxPeerText || len(f.Host) > maxPeerText || len(f.Addrs) > maxPeerAddrs {
		return errors.New("fact: text too long")
	}
	for _, a := range f.Addrs {
		if len(a) > maxPeerText {
			return errors.New("fact: an address is too long")
		}
	}
	if err := f.Capacity.Validate(); err != nil {
		return err
	}
	if err := f.Powers.Validate(); err != nil {
		return fmt.Errorf("fact: %w", err)
	}
	if err := f.Down.check(); err != nil {
		return fmt.Errorf("fact: down: %w", err)
	}
	if err := validateStatements(f.Holdings); err != nil {
		return fmt.Errorf("fact: %w", err)
	}
	return ValidateTags(f.Roles)
}

// PeerRecord is a value of the peers bucket: what this node knows of a member.
type PeerRecord struct {
	PeerFact
	Self      bool      `json:"self,omitempty"`
	Connected bool      `json:"connected"` // directly
	Live      bool      `json:"live"`      // connected, or heard of lately through others
	RTT       Duration  `json:"rtt,omitzero"`
	Since     time.Time `json:"since"` // of Connected
	// Drained: the owner wants it to run, and to keep, nothing that others can.
	Drained bool `json:"drained,omitempty"`
	// Conflict lists the addresses of nodes that use this peer's key at the same time:
	// its key was copied. None of them is given secrets. Empty: there is one.
	Conflict []string `json:"conflict,omitempty"`
	Conduct  string   `json:"conduct,omitempty"` // what is wrong with what it sends, for people; empty: nothing
	Skew     Duration `json:"skew,omitzero"`     // its clock minus ours, where they differ by much
}

// Duration is a [time.Duration] that is a string ("1.5ms") in JSON.
type Duration time.Duration

// MarshalText implements [encoding.TextMarshaler].
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	*d = Duration(v)
	return err
}

// FactBatch is a message on the peer topic: what its sender says of itself and
// of its workloads. The sender is the one that gossip has authenticated.
//
// Batches of one sender are ordered by (Epoch, Seq); an older one is ignored.
type FactBatch struct {
	Epoch     int64         `json:"epoch"` // when the sender's meshd started, Unix nanoseconds
	Seq       uint64        `json:"seq"`
	Peer      *PeerFact     `json:"peer,omitempty"`
	Workloads WorkloadFacts `json:"workloads,omitempty"`
	Full      bool          `json:"full,omitempty"` // all that the sender has: what is missing is gone
	// Suspects are members that the sender was connected to a moment ago, and is not now.
	// A batch with any has nothing else.
	Suspects []Suspicion `json:"suspects,omitempty"`
}

// Suspicion says that a member was lost by one of its neighbours. The member refutes it
// by any batch that is newer than the one that is named; who is no neighbour of it takes
// it for dead otherwise. It is the suspicion of SWIM (Das, Gupta, Motivala, 2002), with
// (Epoch, Seq) for the incarnation.
type Suspicion struct {
	Peer PeerID `json:"peer"`
	// The newest batch of Peer that was known to the neighbour; 0 where there was none.
	Epoch int64  `json:"epoch"`
	Seq   uint64 `json:"seq"`
}

// MaxSuspects is the most suspicions in one batch.
const MaxSuspects = 64

// WorkloadFacts are read one by one: a fact of a kind that this version does not
// know is left out, whatever else stands in it, and takes no others with it.
type WorkloadFacts []WorkloadFact

// UnmarshalJSON implements [json.Unmarshaler].
func (l *WorkloadFacts) UnmarshalJSON(b []byte) error {
	var all []json.RawMessage
	if err := json.Unmarshal(b, &all); err != nil {
		return err
	}
	*l = nil
	for _, raw := range all {
		var about struct {
			Kind Kind `json:"kind"`
		}
		if err := json.Unmarshal(raw, &about); err != nil {
			return err
		}
		if about.Kind.Validate() == nil && !about.Kind.Workload() {
			continue
		}
		var f WorkloadFact
		if err := json.Unmarshal(raw, &f); err != nil {
			return err
		}
		*l = append(*l, f)
	}
	return nil
}

// MaxFacts is the most workloads in one batch, so that it stays below [MaxMessage].
const MaxFacts = 48

// Validate implements [Validator].
func (b *FactBatch) Validate() error {
	if b.Epoch <= 0 || b.Seq == 0 {
		return errors.New("facts: epoch and seq are missing")
	}
	if len(b.Workloads) > MaxFacts && !b.Full {
		return fmt.Errorf("facts: %d workloads, at most %d", len(b.Workloads), MaxFacts)
	}
	if b.Peer != nil {
		if err := b.Peer.Validate(); err != nil {
			return err
		}
	}
	for _, w := range b.Workloads {
		if err := w.Validate(); err != nil {
			return err
		}
	}
	if len(b.Suspects) > 0 && (b.Full || b.Peer != nil || len(b.Workloads) > 0) {
		return errors.New("facts: suspicions come with nothing else")
	}
	if len(b.Suspects) > MaxSuspects {
		return fmt.Errorf("facts: %d suspicions, at most %d", len(b.Suspects), MaxSuspects)
	}
	for _, s := range b.Suspects {
		if _, err := ParsePeerID(string(s.Peer)); err != nil {
			return fmt.Errorf("facts: suspicion: %w", err)
		}
	}
	return nil
}

// PeerList is the members that a node is connected to, itself left out: whoever
// asks can dial them too.
type PeerList struct {
	Peers []PeerFact `json:"peers"`
}

// MaxPeerList is the most members of a [PeerList].
const MaxPeerList = 256

// Validate implements [Validator].
func (l *PeerList) Validate() error {
	if len(l.Peers) > MaxPeerList {
		return fmt.Errorf("peers: %d, at most %d", len(l.Peers), MaxPeerList)
	}
	for _, p := range l.Peers {
		if err := p.Validate(); err != nil {
			return err
		}
	}
	return nil
}
