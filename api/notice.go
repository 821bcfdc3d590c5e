package api

import (
	"errors"
	"fmt"
	"time"
)

// NoticeType says what a [Notice] is about.
type NoticeType string

// The types.
const (
	NoticeWorkload   NoticeType = "workload"   // a program on this node has changed its state
	NoticeMember     NoticeType = "member"     // a member came, went, or is heard of otherwise
	NoticeJob        NoticeType = "job"        // an execution of a job, wherever it is, has changed its state
	NoticeIncomplete NoticeType = "incomplete" // notices may be missing before this one
)

// NoticeTypes are all that there are.
func NoticeTypes() []NoticeType {
	return []NoticeType{NoticeWorkload, NoticeMember, NoticeJob, NoticeIncomplete}
}

// Notice is something that has happened, as this node has seen it. A gateway tells them
// as they come, by /events, and the latest by /api/v1/events.
type Notice struct {
	ID       string        `json:"id"` // "LIFE-NUMBER": numbers go up by one in the life of a gateway
	Time     time.Time     `json:"time"`
	Type     NoticeType    `json:"type"`
	Workload *Event        `json:"workload,omitempty"` // with NoticeWorkload
	Member   *MemberNotice `json:"member,omitempty"`   // with NoticeMember
	Job      *JobNotice    `json:"job,omitempty"`      // with NoticeJob
	Why      string        `json:"why,omitempty"`      // with NoticeIncomplete, for people
}

// MemberChange is what has changed about a member.
type MemberChange string

// The changes.
const (
	MemberCame         MemberChange = "came"         // it was not known before
	MemberGone         MemberChange = "gone"         // it is no member any more
	MemberLost         MemberChange = "lost"         // nobody hears of it
	MemberBack         MemberChange = "back"         // it is heard of again
	MemberConnected    MemberChange = "connected"    // directly
	MemberDisconnected MemberChange = "disconnected" // others may still hear of it
)

// MemberNotice tells of a member.
type MemberNotice struct {
	Peer      PeerID       `json:"peer"`
	Host      string       `json:"host,omitempty"`
	Change    MemberChange `json:"change"`
	Connected bool         `json:"connected"` // now
	Live      bool         `json:"live"`      // now
}

// JobNotice tells of an execution of a job.
type JobNotice struct {
	Exec
	Job    Name      `json:"job"`            // its id
	From   ExecState `json:"from,omitempty"` // empty: there was no such execution
	To     ExecState `json:"to"`
	Ready  bool      `json:"ready,omitempty"` // of a service: it has been up for a moment
	Reason string    `json:"reason,omitempty"`
	Exit   *int      `json:"exit,omitempty"`
}

// Validate implements [Validator].
func (n *Notice) Validate() error {
	if n.ID == "" {
		return errors.New("notice: id is missing")
	}
	switch n.Type {
	case NoticeWorkload:
		if n.Workload != nil {
			return n.Workload.Validate()
		}
	case NoticeMember:
		if n.Member != nil {
			return nil
		}
	case NoticeJob:
		if n.Job != nil {
			return nil
		}
	case NoticeIncomplete:
		return nil
	}
	return fmt.Errorf("notice: type %.40q, or what it is about is missing", string(n.Type))
}
