package discovery

import (
	"fmt"
	"slices"
	"strings"
)

const (
	maxNoted = 3   // members that a note names
	maxWhy   = 300 // bytes of one error
)

// Tried says in words which members have been dialled in vain, for a node that is
// connected to none.
func (f *Finder) Tried() string {
	trials := f.Trials()
	if len(trials) == 0 {
		return "looking for one at the addresses that are known, and on the local network"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "tried %d", len(trials))
	for _, t := range trials[:min(len(trials), maxNoted)] {
		where := "at no address"
		if len(t.Addrs) > 0 {
			where = "at " + t.Addrs[0].String()
		}
		why := "it closed the connection"
		if t.Err != nil {
			why = OneLine(t.Err.Error())
		}
		fmt.Fprintf(&b, "; %s %s: %s", t.Peer, where, why)
	}
	return b.String()
}

// Refused reports whether somebody that is reached closes the connection each time:
// it lets members in, and takes this node for none.
func (f *Finder) Refused() bool {
	return slices.ContainsFunc(f.Trials(), func(t Trial) bool { return t.Err == nil && t.Failed >= refusedAfter })
}

// refusedAfter is how many connections in a row that were closed at once are no accident.
const refusedAfter = 3

// OneLine is the text of an error without line breaks, and not too long.
func OneLine(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > maxWhy {
		s = strings.ToValidUTF8(s[:maxWhy], "") + "…"
	}
	return s
}
