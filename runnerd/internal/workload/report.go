package workload

import (
	"fmt"
	"strings"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
)

// tell is told by v where it stands.
func (a *actor) tell(v *version, st status) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if v.said.state != st.state {
		v.since = time.Now().UTC()
	}
	v.said = st
	a.pass(v)
}

// pass makes what v has told the fact, if v is here and wanted; a.mu is held.
func (a *actor) pass(v *version) {
	if a.current == v && v.signed.Digest == a.want.Digest {
		a.set(v.signed, v.said, v.since, 0)
	}
}

// report tells where s stands that is not here yet, or not any more, unless
// something else is wanted by now.
func (a *actor) report(s intent.Signed, st status) {
	serving := a.serving(s)
	a.mu.Lock()
	defer a.mu.Unlock()
	if s.Digest != a.want.Digest {
		return
	}
	since := a.fact.Since
	if st.state != a.fact.State || s.Digest != a.fact.Intent {
		since = time.Now().UTC()
	}
	a.set(s, st, since, serving)
}

// set tells the fact about s; a.mu is held.
func (a *actor) set(s intent.Signed, st status, since time.Time, serving uint64) {
	f := api.WorkloadFact{Ref: a.ref, Peer: a.Self, Intent: s.Digest, Seq: s.Seq, State: st.state, Reason: oneLine(st.reason),
		Tail: st.tail, Restarts: st.restarts, Since: since, Serving: serving}
	if serving != 0 && st.state == api.StateFailed {
		f.Reason = oneLine(fmt.Sprintf("%s; version %d goes on", st.reason, serving))
	}
	a.fact = f
	if f.State == api.StateRemoved {
		a.fact = api.WorkloadFact{}
	}
	a.Facts.Set(f)
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
