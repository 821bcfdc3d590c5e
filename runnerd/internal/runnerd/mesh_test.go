package runnerd

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/bus"
)

// FuzzWhatOthersSay reads what anybody may have written into the buckets.
func FuzzWhatOthersSay(f *testing.F) {
	for _, v := range []any{api.PeerRecord{PeerFact: api.PeerFact{Peer: self}, Live: true}, fact(double, api.StateRunning), struct{}{}, nil} {
		b, err := json.Marshal(v)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(self), b)
		f.Add(api.KeyWorkload(double, self), b)
	}
	f.Fuzz(func(t *testing.T, key string, value []byte) {
		e := bus.Entry{Key: key, Value: value}
		if rec, err := record(e); err == nil && (string(rec.Peer) != key || rec.Validate() != nil) {
			t.Errorf("%q is a record: %+v", value, rec)
		}
		w, err := workloadFact(e)
		if err != nil {
			return
		}
		if ref, p, ok := api.ParseKeyWorkload(key); !ok || ref != w.Ref || p != w.Peer || w.Validate() != nil {
			t.Errorf("%q is a fact: %+v", value, w)
		}
	})
}

// TestAnswersFit explains a workload of very many members, all of which have much to say.
func TestAnswersFit(t *testing.T) {
	for members, c := range map[int]struct{ tails, facts bool }{
		10: {true, true}, 200: {false, true}, 1000: {false, false},
	} {
		x := &api.ExplainReply{Ref: double}
		for i := range members {
			f := fact(double, api.StateFailed)
			f.Reason = strings.Repeat("r", 300)
			for range api.MaxTail {
				f.Tail = append(f.Tail, strings.Repeat("t", api.MaxTailLine))
			}
			x.Members = append(x.Members, api.Ranked{Peer: self, Rank: i, Why: strings.Repeat("w", 50), Fact: &f})
		}
		own := x.Members[0].Fact
		if err := fit(x); err != nil {
			t.Errorf("%d members: %v", members, err)
			continue
		}
		b, err := json.Marshal(x)
		if err != nil || len(b) > api.MaxMessage {
			t.Errorf("%d members: %d bytes, %v", members, len(b), err)
		}
		f := x.Members[0].Fact
		if len(x.Members) != members || (f != nil) != c.facts || f != nil && (len(f.Tail) > 0) != c.tails || len(own.Tail) == 0 {
			t.Errorf("%d members: %+v", members, f)
		}
	}
	huge := &api.ExplainReply{Ref: double, Members: make([]api.Ranked, 20_000)}
	if err := fit(huge); err == nil {
		t.Error("an answer that is too long is given")
	}
}

func TestEventOf(t *testing.T) {
	now := time.Now()
	none, fetching, running := api.WorkloadFact{}, fact(double, api.StateFetching), fact(double, api.StateRunning)
	again := running
	again.Restarts = 3
	next := running
	next.Intent, next.Seq, next.Reason = api.Sum([]byte("next")), 2, "why"
	for name, c := range map[string]struct {
		was, is api.WorkloadFact
		says    string
	}{
		"the first":         {none, fetching, "1: >fetching "},
		"a change":          {fetching, running, "1: fetching>running "},
		"no change":         {running, again, ""},
		"a version adopted": {running, next, "2: running>running why"},
	} {
		e, ok := eventOf(c.was, c.is, now)
		says := ""
		if ok {
			says = fmt.Sprintf("%d: %s>%s %s", e.Seq, e.From, e.To, e.Reason)
			if err := e.Validate(); err != nil || !e.Time.Equal(now) || e.Peer != self || e.Ref != double {
				t.Errorf("%s: %+v %v", name, e, err)
			}
		}
		if says != c.says {
			t.Errorf("%s: %q, want %q", name, says, c.says)
		}
	}
}
