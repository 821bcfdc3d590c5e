package api

import (
	"encoding/json"
	"time"
)

// PathAPI is what the paths of a gateway's reports begin with, at its management address.
// They are described at PathAPI + "/openapi.json".
const PathAPI = "/api/v1"

// MaxReportPage is the most entries of a page of a report.
const MaxReportPage = 500

// Problem is the body of every error below [PathAPI]: Problem Details of RFC 9457, as
// application/problem+json.
type Problem struct {
	Type   string `json:"type"`  // always about:blank: Status says what kind it is
	Title  string `json:"title"` // of the status
	Status int    `json:"status"`
	Detail string `json:"detail"` // what went wrong and what to do next
}

// NodeReport is a node, as its gateway sees it.
type NodeReport struct {
	Peer    PeerID         `json:"peer"`
	Version string         `json:"version"`
	Home    string         `json:"home"`
	Mesh    MeshStatus     `json:"mesh"` // without Pairing, which is for the node's user alone
	Daemons []DaemonStatus `json:"daemons"`
}

// PeersReport is a page of what a node knows of members, by peer.
type PeersReport struct {
	Peers []PeerRecord `json:"peers"`
	Next  PeerID       `json:"next,omitempty"` // ?after= of the next page; empty: this was the last
}

// MembersReport is a page of what the signed intents say of members, by peer.
type MembersReport struct {
	Members []Member `json:"members"`
	Next    PeerID   `json:"next,omitempty"`
}

// WorkloadReport is where a component or function is, and answers.
type WorkloadReport struct {
	Ref
	Answers  []PeerID        `json:"answers"`  // in the order in which they are asked
	Replicas []ReplicaReport `json:"replicas"` // by peer
}

// ReplicaReport is how one member stands with a workload.
type ReplicaReport struct {
	Peer    PeerID `json:"peer"`
	State   State  `json:"state"`
	Reason  string `json:"reason,omitempty"` // in words, from that member
	Answers bool   `json:"answers"`          // by this version or the one before
}

// WorkloadsReport is a page of workloads of one kind, by name.
type WorkloadsReport struct {
	Workloads []WorkloadReport `json:"workloads"`
	Next      Name             `json:"next,omitempty"`
}

// IntentReport is an intent that a node holds: its signer's newest about its Ref. Of a
// program or job the body is left out, for there may be secrets in it.
type IntentReport struct {
	Ref
	Signer    Name            `json:"signer"` // [KeyName]
	Digest    Digest          `json:"digest"`
	Seq       uint64          `json:"seq"`
	Prev      Digest          `json:"prev,omitzero"`
	Issued    time.Time       `json:"issued"`
	Expires   time.Time       `json:"expires,omitzero"`
	Target    Target          `json:"target,omitzero"`
	Tombstone bool            `json:"tombstone,omitempty"`
	Body      json.RawMessage `json:"body,omitempty"`
	State     VersionState    `json:"state,omitempty"` // in a history: what has become of it
	By        string          `json:"by,omitempty"`    // likewise: "owner", or what the grant says of the key
}

// IntentsReport is a page of intents, by kind, name and signer.
type IntentsReport struct {
	Intents []IntentReport `json:"intents"`
	Next    string         `json:"next,omitempty"` // ?after= of the next page; empty: this was the last
}

// HistoryReport is what has been signed about one thing, the newest first.
type HistoryReport struct {
	Ref
	Versions []IntentReport `json:"versions"`
}

// JobLogReport is the last lines of a job, the oldest first.
type JobLogReport struct {
	Lines []JobLogLine `json:"lines"`
	Cut   bool         `json:"cut,omitempty"` // there is more than an answer has room for: ask for fewer lines
}

// EventsReport is the latest notices, the oldest first.
type EventsReport struct {
	Events []Notice `json:"events"`
	// Next is ?after= of the next page, or of what is to come; empty: nothing has happened.
	Next  string `json:"next,omitempty"`
	Whole bool   `json:"whole"` // false: some between ?after= and the first one here are not kept
}
