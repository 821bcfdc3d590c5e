package runnerd

import (
	"encoding/json"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/bus"
)

// eventOf is what there is to tell where a fact has taken the place of another.
func eventOf(was, is api.WorkloadFact, now time.Time) (e api.Event, ok bool) {
	if was.State == is.State && was.Intent == is.Intent {
		return e, false
	}
	return api.Event{Ref: is.Ref, Time: now.UTC(), Peer: is.Peer, Seq: is.Seq, From: was.State, To: is.State, Reason: is.Reason}, true
}

// tellEvents tells changes of state to whoever listens now.
func tellEvents(conn *bus.Conn) func(was, is api.WorkloadFact) {
	return func(was, is api.WorkloadFact) {
		e, ok := eventOf(was, is, time.Now())
		if !ok {
			return
		}
		if b, err := json.Marshal(e); err == nil {
			_ = conn.Publish(api.SubjectEvent(is.Ref), b) // what cannot be sent is heard by nobody
		}
	}
}
