package discovery

import (
	"fmt"
	"strings"
)

const (
	maxNoted = 3   // members that a note names
	maxWhy   = 200 // bytes of one error
)

// Unreached says in words which members have been dialled in vain, for a node that is
// connected to none.
func (f *Finder) Unreached() string {
	trials := f.Trials()
	if len(trials) == 0 {
		return "no member reached yet: looking for one on the local network and at the addresses that are known"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "no member reached yet: tried %d", len(trials))
	for _, t := range trials[:min(len(trials), maxNoted)] {
		where := "at no address"
		if len(t.Addrs) > 0 {
			where = "at " + t.Addrs[0].String()
		}
		fmt.Fprintf(&b, "; %s %s", t.Peer, where)
		if t.Err != nil {
			fmt.Fprintf(&b, ": %s", oneLine(t.Err))
		} else {
			b.WriteString(": it closed the connection")
		}
	}
	return b.String()
}

// oneLine is what an error says, without line breaks and cut at maxWhy.
func oneLine(err error) string {
	s := strings.Join(strings.Fields(err.Error()), " ")
	if len(s) > maxWhy {
		s = strings.ToValidUTF8(s[:maxWhy], "") + "…"
	}
	return s
}
