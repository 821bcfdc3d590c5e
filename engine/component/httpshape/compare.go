package httpshape

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"reflect"
)

// golden.json is made by the command comparehttp, with --record.
//
//go:embed testdata/golden.json
var golden []byte

// Golden returns what the independent host answered.
func Golden() ([]Recorded, error) {
	var out []Recorded
	if err := json.Unmarshal(golden, &out); err != nil {
		return nil, fmt.Errorf("read the recorded outcomes: %w", err)
	}
	return out, nil
}

// Difference is a shape in which the subject does other than it should.
type Difference struct {
	Recorded
	Want Outcome
	Why  string // of the deviation that changed what the reference did, if one did
}

func (d *Difference) String() string {
	want, _ := json.Marshal(d.Want)
	got, _ := json.Marshal(d.Outcome)
	text := fmt.Sprintf("%s (%s):\n  want %s\n  got  %s", d.Shape, d.Component, want, got)
	if d.Why != "" {
		text += "\n  where the reference deviates: " + d.Why
	}
	return text
}

// Compare holds the subject's outcomes to the reference's, deviations considered.
// A shape that the reference has no outcome of is a difference.
func Compare(subject, reference []Recorded) []Difference {
	type key struct{ component, shape string }
	known := map[key]Outcome{}
	for _, r := range reference {
		known[key{r.Component, r.Shape}] = r.Outcome
	}
	var out []Difference
	for _, s := range subject {
		want := known[key{s.Component, s.Shape}]
		why := ""
		if d, deviates := Deviations()[s.Shape]; deviates {
			why = d.Why
			d.Right(&want)
		}
		if !equal(want, s.Outcome) {
			out = append(out, Difference{Recorded: s, Want: want, Why: why})
		}
	}
	return out
}

func equal(want, got Outcome) bool {
	if want.HostPage {
		return want.End == got.End && want.Status == got.Status && want.Survived == got.Survived
	}
	return reflect.DeepEqual(want, got)
}
