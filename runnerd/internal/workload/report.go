package workload

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
)

// status is where a version of a workload stands.
type status struct {
	state    api.State
	reason   string
	cause    string // what of the reason stays true when it is not tried again
	tail     []string
	restarts int
	over     bool // a command that will not run again
}

// note is where a version stands that is not here yet, or not any more.
type note struct {
	status
	signed intent.Signed
	since  time.Time
}

// tell is told by v where it stands.
func (a *actor) tell(life context.Context, v *version, st status) {
	if st.state.Reached() {
		v.establish()
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if v.said.state != st.state {
		v.since = time.Now().UTC()
	}
	v.said, v.cause = st, cmp.Or(st.cause, v.cause)
	comes := !v.good && (st.state == api.StateRunning || st.state == api.StateExited)
	if comes {
		v.good, v.overdue = true, 0
		if v.late != nil {
			v.late.Stop()
		}
	}
	if st.over {
		v.room()
	}
	if v == a.next || v == a.current && (comes || st.over) {
		a.rouse(life)
	}
	a.pass()
}

// tooLate notes that v was not ready in time.
func (a *actor) tooLate(life context.Context, v *version, after time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if v.good || v.said.over {
		return
	}
	v.overdue, v.since = after, time.Now().UTC()
	if v == a.next {
		a.rouse(life)
	}
	a.pass()
}

// report tells where s stands that is not here yet, or not any more, unless
// something else is wanted by now.
func (a *actor) report(s intent.Signed, st status) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if s.Digest != a.want.Digest {
		return
	}
	since := a.fact.Since
	if st.state != a.fact.State || s.Digest != a.fact.Intent {
		since = time.Now().UTC()
	}
	a.note = note{st, s, since}
	a.pass()
}

// pass tells where the wanted version stands; a.mu is held.
func (a *actor) pass() {
	wanted := func(v *version) bool { return v != nil && v.begun && v.signed.Digest == a.want.Digest }
	switch n := a.note; {
	case wanted(a.current):
		a.publish(a.current.signed, a.current.status(), a.current.since)
	case wanted(a.next):
		if st := a.next.status(); !a.next.good && st.state != api.StateFailed { // else a step follows at once, and tells
			a.publish(a.next.signed, st, a.next.since)
		}
	case n.signed.Digest == a.want.Digest && n.state != "":
		a.publish(n.signed, n.status, n.since)
	}
}

// publish tells the fact about s, if it is another than before; a.mu is held.
func (a *actor) publish(s intent.Signed, st status, since time.Time) {
	f := api.WorkloadFact{Ref: a.ref, Peer: a.Self, Intent: s.Digest, Seq: s.Seq, State: st.state, Reason: oneLine(st.reason),
		Tail: st.tail, Restarts: st.restarts, Since: since, Serving: a.serving()}
	if f.Serving != 0 && st.state == api.StateFailed {
		f.Reason = oneLine(fmt.Sprintf("%s; version %d goes on", st.reason, f.Serving))
	}
	if sameFact(f, a.fact) {
		return
	}
	a.fact = f
	if f.State == api.StateRemoved {
		a.fact, a.note = api.WorkloadFact{}, note{}
	}
	a.Facts.Set(f)
}

func sameFact(f, g api.WorkloadFact) bool {
	return f.Intent == g.Intent && f.Seq == g.Seq && f.State == g.State && f.Reason == g.Reason && slices.Equal(f.Tail, g.Tail) &&
		f.Restarts == g.Restarts && f.Since.Equal(g.Since) && f.Serving == g.Serving
}

// serving is the number of the version other than the wanted one that runs or answers
// now; 0 for none. a.mu is held.
func (a *actor) serving() uint64 {
	if v := a.current; v != nil && v.signed.Digest != a.want.Digest && v.serves() {
		return v.signed.Seq
	}
	return 0
}

// oneLine makes s fit a fact.
func oneLine(s string) string {
	s = strings.ToValidUTF8(strings.Join(strings.Fields(s), " "), "?")
	if len(s) <= api.MaxReason {
		return s
	}
	const mark = "…"
	return strings.ToValidUTF8(s[:api.MaxReason-len(mark)], "") + mark
}
