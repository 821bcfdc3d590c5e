package api

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func TestValidateExplain(t *testing.T) {
	breaks(t, map[string]func(*ExplainRequest){"name \"\"": func(r *ExplainRequest) { r.Name = "" }})
	breaks(t, map[string]func(*ExplainReply){
		"name \"\"":     func(r *ExplainReply) { r.Name = "" },
		"parse peer id": func(r *ExplainReply) { r.Members[0].Peer = "me" },
		"duty \"\"":     func(r *ExplainReply) { r.Members[0].Duty = "" },
		"state \"?\"":   func(r *ExplainReply) { r.Members[0].Fact.State = "?" },
	})
	breaks(t, map[string]func(*Account){
		"too long":      func(a *Account) { a.Log = make([]LogLine, MaxAccountLog+1) },
		"too long|why":  func(a *Account) { a.Why = strings.Repeat("x", MaxReason+1) },
		"duty \"rest\"": func(a *Account) { a.Duty = "rest" },
		"log line":      func(a *Account) { a.Log[0].Line = strings.Repeat("x", MaxLogLine+1) },
		"state \"?\"":   func(a *Account) { a.Fact.State = "?" },
	})
	breaks(t, map[string]func(*Event){
		"name \"\"":       func(e *Event) { e.Name = "" },
		"parse peer id":   func(e *Event) { e.Peer = "" },
		"state \"?\"":     func(e *Event) { e.From = "?" },
		"state \"\"":      func(e *Event) { e.To = "" },
		"reason too long": func(e *Event) { e.Reason = strings.Repeat("x", MaxReason+1) },
	})
	breaks(t, map[string]func(*SubmitBatch){
		"0 intents":         func(b *SubmitBatch) { b.Envelopes = nil },
		"129 intents":       func(b *SubmitBatch) { b.Envelopes = make([][]byte, MaxSubmitBatch+1) },
		"is missing":        func(b *SubmitBatch) { b.Envelopes[1] = nil },
		"bytes, at most 18": func(b *SubmitBatch) { b.Envelopes[0] = make([]byte, MaxSubmitBatchBytes) },
	})
	breaks(t, map[string]func(*Capacity){
		"-1 processors":      func(c *Capacity) { c.CPUs = -1 },
		"65537 processors":   func(c *Capacity) { c.CPUs = maxCPUs + 1 },
		"-1 MiB":             func(c *Capacity) { c.MemoryMB = -1 },
		"109951162777":       func(c *Capacity) { c.MemoryMB = maxCapacityMB + 1 },
		"65537 processors|2": func(c *Capacity) { c.CPUs, c.MemoryMB = maxCPUs+1, maxCapacityMB },
	})
	breaks(t, map[string]func(*PeerFact){"out of range": func(f *PeerFact) { f.Capacity.CPUs = -1 }})
	for _, a := range []Account{{Duty: DutyNone}, {Duty: DutyRun, Fact: &WorkloadFact{Ref: someRef, Peer: somePeer, State: StatePrepared}}} {
		if err := a.Validate(); err != nil {
			t.Errorf("%+v: %v", a, err)
		}
	}
}

// The largest batch fits a message, whatever its parts.
func TestBatchFits(t *testing.T) {
	for _, sizes := range [][2]int{{MaxSubmitBatch, MaxSubmitBatchBytes / MaxSubmitBatch}, {1, MaxSubmitBatchBytes}, {MaxSubmitBatchBytes / MaxEnvelope, MaxEnvelope}} {
		var b SubmitBatch
		for range sizes[0] {
			b.Envelopes = append(b.Envelopes, bytes.Repeat([]byte{0xff}, sizes[1]))
		}
		raw, err := json.Marshal(&b)
		if err != nil {
			t.Fatal(err)
		}
		if err := Decode(raw, MaxMessage, new(SubmitBatch)); err != nil {
			t.Errorf("%d of %d bytes: %v", sizes[0], sizes[1], err)
		}
	}
}

func TestAnswers(t *testing.T) {
	for state, want := range map[State]bool{StateRunning: true, StateExited: false, StateUnhealthy: false, StatePrepared: false, StateRefused: false, StateBackoff: false} {
		if f := (WorkloadFact{State: state}); f.Answers() != want {
			t.Errorf("%s: %v", state, !want)
		}
		if f := (WorkloadFact{State: state, Serving: 3}); !f.Answers() {
			t.Errorf("%s beside an older version does not answer", state)
		}
	}
}
