package manage

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/gatewayd/internal/feed"
	"github.com/realm-mesh/realm/gatewayd/internal/sse"
	"github.com/realm-mesh/realm/internal/kit/local"
)

// noticeSize is about how many bytes a notice takes while it waits.
const noticeSize = 512

// eventQuery is what /events is asked for.
type eventQuery struct {
	types []api.NoticeType // empty: all
	after feed.Position
	past  bool // what came after that position, and is kept, comes first
}

// parseEventQuery reads a query. lastID is what a client that begins again has seen last.
func parseEventQuery(v url.Values, lastID string) (q eventQuery, err error) {
	for _, list := range v["type"] {
		for text := range strings.SplitSeq(list, ",") {
			t := api.NoticeType(text)
			if !slices.Contains(api.NoticeTypes(), t) {
				return q, fmt.Errorf("type %.40q: want some of %v, with commas between", text, api.NoticeTypes())
			}
			q.types = append(q.types, t)
		}
	}
	if after := v.Get("after"); lastID == "" {
		lastID = after
	}
	if lastID == "" {
		return q, nil
	}
	q.past = true
	q.after, err = feed.ParsePosition(lastID)
	return q, err
}

// wants reports whether q asks for n. That something is missing concerns everybody.
func (q *eventQuery) wants(n *api.Notice) bool {
	return len(q.types) == 0 || n.Type == api.NoticeIncomplete || slices.Contains(q.types, n.Type)
}

// events answers /events: what happens from now on, or from an earlier event on.
func (n Node) events(w http.ResponseWriter, r *http.Request) {
	q, err := parseEventQuery(r.URL.Query(), r.Header.Get("Last-Event-ID"))
	if err != nil {
		local.WriteError(w, http.StatusBadRequest, err)
		return
	}
	s, ok := sse.Open[api.Notice](n.Streams, w, r)
	if !ok {
		return
	}
	defer s.Close()
	past, whole, leave := n.News.Join(q.after, func(x api.Notice) {
		if q.wants(&x) {
			s.Send(x, noticeSize+len(reason(&x)))
		}
	})
	defer leave()
	if q.past {
		if !whole && s.Write(sse.Event{Name: string(api.NoticeIncomplete), Data: sse.Why{Why: "what happened between the event that was named and the next one here is not kept: see GET /api/v1 for how things stand"}}) != nil {
			return
		}
		for _, x := range past {
			if q.wants(&x) && s.Write(eventOf(x)) != nil {
				return
			}
		}
	}
	past = nil //nolint:ineffassign,wastedassign // they may be many, and the stream may be long
	s.Run(func(x api.Notice) (sse.Event, bool) { return eventOf(x), true })
}

func eventOf(x api.Notice) sse.Event { return sse.Event{Name: string(x.Type), Data: x, ID: x.ID} }

// reason is the text of n that may be long.
func reason(n *api.Notice) string {
	switch {
	case n.Workload != nil:
		return n.Workload.Reason
	case n.Job != nil:
		return n.Job.Reason
	}
	return ""
}
