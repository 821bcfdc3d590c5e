package api

import (
	"encoding/json"
	"fmt"
	"testing"
)

// TestFactsOfNewerKinds has a member of a newer version say things that this one
// does not know.
func TestFactsOfNewerKinds(t *testing.T) {
	known, err := json.Marshal(WorkloadFact{Ref: someRef, Peer: somePeer, Intent: someDigest, Seq: 2, State: StateRunning})
	if err != nil {
		t.Fatal(err)
	}
	for facts, want := range map[string]int{ // -1: all of them are refused
		`{"kind":"hologram"}`: 0,
		`{"kind":"hologram","state":"dreaming","depth":3},` + string(known): 1,
		string(known) + `,{"kind":"job","name":"x"},` + string(known):       2,
		`{"kind":"Hologram"}`:                  -1,
		`{"kind":""}`:                          -1,
		`{"kind":7},` + string(known):          -1,
		`"hologram"`:                           -1,
		`{"kind":"function","depth":3}`:        -1,
		`{"kind":"function","state":"asleep"}`: -1,
	} {
		var b FactBatch
		err := Decode(fmt.Appendf(nil, `{"epoch":1,"seq":1,"workloads":[%s]}`, facts), MaxMessage, &b)
		if (err != nil) != (want < 0) || err == nil && len(b.Workloads) != want {
			t.Errorf("%s: %d facts, %v; want %d", facts, len(b.Workloads), err, want)
		}
	}
	var b FactBatch
	if err := Decode([]byte(`{"epoch":1,"seq":1,"workloads":{}}`), MaxMessage, &b); err == nil {
		t.Error("facts that are no list are taken")
	}
}
