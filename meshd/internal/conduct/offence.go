package conduct

import (
	"fmt"
	"strings"
	"time"
)

// Offence is something wrong with what a peer sends.
type Offence int

// The offences, the gravest first.
const (
	Equivocated Offence = iota // two different statements under one number
	Rejected                   // forged, or not its right
	Garbage                    // cannot be read
	Flooded                    // more than its rate allows
	Replayed                   // what is known for long or of no use, again and again
	offences
)

// Timing and thresholds of what follows from points.
const (
	HalfLife = 5 * time.Minute
	IgnoreAt = 150 // gossip's graylist threshold, see package gossip
	BlockAt  = 300
	BlockFor = 10 * time.Minute
)

// points of one offence. Those of whole floods come in great numbers.
func (o Offence) points() float64 {
	return [...]float64{Equivocated: 40, Rejected: 10, Garbage: 10, Flooded: 0.05, Replayed: 0.1}[o]
}

func (o Offence) String() string {
	return [...]string{Equivocated: "equivocated", Rejected: "rejected", Garbage: "garbage", Flooded: "flooded", Replayed: "replayed"}[o]
}

// words say to people what has happened so many times.
func (o Offence) words(n int) string {
	switch o {
	case Equivocated:
		return fmt.Sprintf("it told members different things under one number (%d)", n)
	case Rejected:
		return fmt.Sprintf("it sent what is forged or not its right (%d)", n)
	case Garbage:
		return fmt.Sprintf("it sent garbage (%d)", n)
	case Flooded:
		return fmt.Sprintf("it sent too much (%d dropped)", n)
	default:
		return fmt.Sprintf("it repeated what is old or of no use (%d)", n)
	}
}

// sentence is what people read of a peer; "" where nothing is wrong.
func sentence(counts [offences]int, points float64, blocked time.Time) string {
	var parts []string
	for o, n := range counts {
		if n > 0 {
			parts = append(parts, Offence(o).words(n))
		}
	}
	switch {
	case len(parts) == 0:
		return ""
	case !blocked.IsZero():
		parts = append(parts, "cut off until "+blocked.UTC().Format("15:04 MST"))
	case points >= IgnoreAt:
		parts = append(parts, "its gossip is ignored")
	}
	return strings.Join(parts, "; ")
}
