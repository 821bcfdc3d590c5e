package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Empty is a message without content.
type Empty struct{}

// Validate implements [Validator].
func (*Empty) Validate() error { return nil }

// Ready is what a daemon tells the launcher when it can do its work.
type Ready struct {
	Daemon  Daemon `json:"daemon"`
	PID     int    `json:"pid"`
	Version string `json:"version"`
	Note    string `json:"note,omitempty"` // for people: addresses it listens on
}

// Validate implements [Validator].
func (r *Ready) Validate() error {
	if r.PID <= 0 {
		return errors.New("ready: pid is missing")
	}
	return nil
}

// DaemonState is where a daemon stands with its launcher.
type DaemonState string

// The states of a daemon.
const (
	DaemonStarting DaemonState = "starting" // runs, has not reported ready
	DaemonReady    DaemonState = "ready"
	DaemonBackoff  DaemonState = "backoff" // ended; will be started again
	DaemonFailed   DaemonState = "failed"  // restart budget spent, or its configuration is wrong
	DaemonStopped  DaemonState = "stopped"
)

// DaemonStatus is one row of "realm ps".
type DaemonStatus struct {
	Daemon   Daemon      `json:"daemon"`
	State    DaemonState `json:"state"`
	PID      int         `json:"pid,omitempty"`
	Version  string      `json:"version,omitempty"`
	Restarts int         `json:"restarts"`
	Since    time.Time   `json:"since"`
	RSS      int64       `json:"rss_bytes,omitempty"` // resident memory; 0 where the OS does not tell
	Reason   string      `json:"reason,omitempty"`    // how it last ended
	Note     string      `json:"note,omitempty"`      // what it said of itself when it became ready (Ready.Note)
}

// PSReply answers [SubjectPS].
type PSReply struct {
	Home    string         `json:"home"`
	PID     int            `json:"pid"` // of the launcher
	Daemons []DaemonStatus `json:"daemons"`
	// Stopping: the daemons end, and are not started again: the whole node goes down.
	Stopping bool `json:"stopping,omitempty"`
}

// Validate implements [Validator].
func (*PSReply) Validate() error { return nil }

// RestartRequest asks the launcher to stop a daemon and start it again.
type RestartRequest struct {
	Daemon Daemon `json:"daemon"`
}

// Validate implements [Validator].
func (r *RestartRequest) Validate() error {
	for _, d := range Daemons() {
		if r.Daemon == d {
			return nil
		}
	}
	return fmt.Errorf("daemon %.40q: want one of %v", r.Daemon, Daemons())
}

// SubmitReply answers [SubjectSubmit]: the intent is on this node's disk and on
// its way to the others. Submitting it again is answered the same.
type SubmitReply struct {
	Digest Digest `json:"digest"` // of the intent
}

// Validate implements [Validator].
func (*SubmitReply) Validate() error { return nil }

// MeshStatus answers [SubjectMesh].
type MeshStatus struct {
	Peer  PeerID   `json:"peer"`
	Realm RealmID  `json:"realm,omitempty"`
	Owner string   `json:"owner,omitempty"` // the key this node trusts
	Addrs []string `json:"addrs"`           // multiaddrs with /p2p, ready to paste
	Peers int      `json:"peers"`           // connected members
	// Standing is what the node itself is in its realm; Note says in words why, and
	// what to do, where it is not a member.
	Standing Standing `json:"standing"`
	Note     string   `json:"note,omitempty"`
	// Refused is why a member does not let the node in with the invite that it has;
	// trying on is of no use then. It is in Note, too.
	Refused string `json:"refused,omitempty"`
	// Synced: what the realm holds is here, as far as members have been met since the
	// start: a client, or a new member, knows what there is.
	Synced   bool     `json:"synced"`
	Warnings []string `json:"warnings,omitempty"` // for people: a clock that is off, quarantined intents
	Pairing  *Pairing `json:"pairing,omitempty"`  // how to claim the node, while that is possible ("realm up --tofu")
}

// Pairing is what a person needs to claim a node that nobody owns yet.
type Pairing struct {
	Code  string    `json:"code"`
	Until time.Time `json:"until"` // when the node does not listen to it any more
}

// Validate implements [Validator].
func (*MeshStatus) Validate() error { return nil }

// ProvidersRequest asks who has a blob.
type ProvidersRequest struct {
	Blob Digest `json:"blob"`
}

// Validate implements [Validator].
func (r *ProvidersRequest) Validate() error {
	if r.Blob.IsZero() {
		return errors.New("blob is missing")
	}
	return nil
}

// ProvidersReply lists members that may have it, the likeliest first.
type ProvidersReply struct {
	Peers []PeerID `json:"peers"`
}

// Validate implements [Validator].
func (*ProvidersReply) Validate() error { return nil }

// AnnounceRequest says that this node has blobs that others may want.
type AnnounceRequest struct {
	Blobs []Digest `json:"blobs,omitempty"`
	// Full says that this node can keep no more blobs for the realm; each request
	// replaces what the one before has said.
	Full bool `json:"full,omitempty"`
}

// Validate implements [Validator].
func (r *AnnounceRequest) Validate() error {
	if len(r.Blobs) > 1024 {
		return errors.New("announce at most 1024 blobs at a time")
	}
	if slices.ContainsFunc(r.Blobs, Digest.IsZero) {
		return errors.New("announce: a blob is missing")
	}
	return nil
}

// LogLine is one line that a workload or daemon wrote.
type LogLine struct {
	Time   time.Time `json:"time"`
	Stream string    `json:"stream"` // stdout or stderr
	Line   string    `json:"line"`   // without its line feed, cut at MaxLogLine bytes
}

// MaxLogLine is the longest line that logs keep, in bytes.
const MaxLogLine = 16 << 10

// Validate implements [Validator].
func (l *LogLine) Validate() error {
	if len(l.Line) > MaxLogLine {
		return errors.New("log line too long")
	}
	return nil
}

// BlobInfo describes a stored blob.
type BlobInfo struct {
	SHA256 Digest `json:"sha256"`
	Size   int64  `json:"size"`
}

// Validate implements [Validator].
func (b *BlobInfo) Validate() error {
	if b.SHA256.IsZero() || b.Size < 0 {
		return errors.New("blob: sha256 or size is wrong")
	}
	return nil
}

// BlobIndex says which chunks a blob is made of, in order.
type BlobIndex struct {
	BlobInfo
	Chunks []BlobInfo `json:"chunks"`
}

// MaxBlobIndex caps an encoded index, in bytes: room for [MaxChunks].
const MaxBlobIndex = 32 << 20

// MaxChunk is the largest chunk, in bytes.
const MaxChunk = 1 << 20

// Validate implements [Validator].
func (b *BlobIndex) Validate() error {
	if err := b.BlobInfo.Validate(); err != nil {
		return err
	}
	var total int64
	for _, c := range b.Chunks {
		if c.SHA256.IsZero() || c.Size <= 0 || c.Size > MaxChunk {
			return errors.New("blob index: a chunk is wrong")
		}
		total += c.Size
	}
	if total != b.Size {
		return fmt.Errorf("blob index: chunks hold %d bytes, the blob %d", total, b.Size)
	}
	return nil
}

// CallRequest asks for one call of a function. Arguments of an export are JSON numbers
// or strings that hold one ("0x…" is not read); they are read by the type of the
// parameter, so that 64-bit integers and floats stay exact. A command takes one
// argument at most, which it reads from its standard input: a string as its text, any
// other value as JSON without spaces.
type CallRequest struct {
	Args []json.RawMessage `json:"args"`
}

// MaxArgs is the most arguments of a call.
const MaxArgs = 64

// Validate implements [Validator].
func (r *CallRequest) Validate() error {
	if len(r.Args) > MaxArgs {
		return fmt.Errorf("%d arguments: at most %d", len(r.Args), MaxArgs)
	}
	return nil
}

// CallReply is the result: a JSON number; "NaN", "+Inf" or "-Inf" as a string; an
// array where the function returns several; null where it returns nothing. Of a
// command it is what that wrote to its standard output, as a string.
type CallReply struct {
	Result json.RawMessage `json:"result"`
}

// Caps of what a function answers, in bytes.
const (
	MaxText   = 64 << 10  // of what a command writes
	MaxResult = 512 << 10 // of an encoded [CallReply]: each byte of text may become six
)

// Validate implements [Validator].
func (*CallReply) Validate() error { return nil }

// ExecRequest asks a gateway, by [RouteExec], for one call of the function Name on
// whichever member runs it: with Arg, or with Args where it takes none or several.
type ExecRequest struct {
	Name Name              `json:"name"`
	Arg  json.RawMessage   `json:"arg,omitempty"`
	Args []json.RawMessage `json:"args,omitempty"`
}

// MaxExec caps an encoded [ExecRequest], in bytes.
const MaxExec = 64 << 10

// Validate implements [Validator].
func (r *ExecRequest) Validate() error {
	if r.Name == "" {
		return errors.New("name is missing")
	}
	if r.Arg != nil && r.Args != nil {
		return errors.New("give arg or args, not both")
	}
	return r.Call().Validate()
}

// Call is the request without the name, as the function's member wants it.
func (r *ExecRequest) Call() *CallRequest {
	if r.Arg != nil {
		return &CallRequest{Args: []json.RawMessage{r.Arg}}
	}
	return &CallRequest{Args: r.Args}
}

// FunctionsReply lists the functions that a gateway knows, by name.
type FunctionsReply struct {
	Functions []FunctionStatus `json:"functions"`
}

// FunctionStatus says where a function answers and how it stands elsewhere.
type FunctionStatus struct {
	Name   Name          `json:"name"`
	Peers  []PeerID      `json:"peers"`            // members where it answers now, in the order in which they are asked
	Others map[State]int `json:"others,omitempty"` // how many more members have it in another state
}

// Validate implements [Validator].
func (r *FunctionsReply) Validate() error {
	for _, f := range r.Functions {
		if _, err := ParseName(string(f.Name)); err != nil {
			return err
		}
	}
	return nil
}

// PeersReply lists the members that a gateway knows, itself among them, by id.
type PeersReply struct {
	Peers []PeerStatus `json:"peers"`
}

// PeerStatus says how a member stands, and not where it is: addresses are left out.
type PeerStatus struct {
	Peer      PeerID   `json:"peer"`
	Self      bool     `json:"self,omitempty"`
	Connected bool     `json:"connected"`        // directly
	Live      bool     `json:"live"`             // connected, or heard of lately through others
	Client    bool     `json:"client,omitempty"` // a command line without a node: it runs nothing
	Drained   bool     `json:"drained,omitempty"`
	RTT       Duration `json:"rtt,omitzero"`
	Host      string   `json:"host,omitempty"`
	Platform  string   `json:"platform"` // GOOS/GOARCH
	Version   string   `json:"version"`
	Roles     []string `json:"roles,omitempty"`
}

// Status is what a [PeersReply] tells of a member.
func (r *PeerRecord) Status() PeerStatus {
	return PeerStatus{Peer: r.Peer, Self: r.Self, Connected: r.Connected, Live: r.Live, Client: r.Client, Drained: r.Drained,
		RTT: r.RTT, Host: r.Host, Platform: r.Platform, Version: r.Version, Roles: r.Roles}
}

// Validate implements [Validator].
func (r *PeersReply) Validate() error {
	for _, p := range r.Peers {
		if _, err := ParsePeerID(string(p.Peer)); err != nil {
			return err
		}
	}
	return nil
}

// ErrorReply is the body of every HTTP error on the daemons' sockets and streams.
type ErrorReply struct {
	Error string   `json:"error"`          // what went wrong and what to do next
	Tail  []string `json:"tail,omitempty"` // last log lines, when a program failed
}

// Validate implements [Validator].
func (*ErrorReply) Validate() error { return nil }
