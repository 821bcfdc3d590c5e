package cli

import (
	"fmt"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/realm/internal/rollout"
)

// loadView is how many programs a member runs, and how many of them are not as they
// should be, in JSON.
type loadView struct {
	Peer    api.PeerID `json:"peer"`
	Desired int        `json:"desired"` // that it should run
	Running int        `json:"running"` // that run or answer there, in any version, or have ended well
	Drift   int        `json:"drift"`   // that it should run and does not in the version that counts, or runs and should not
}

func (l loadView) text(p api.PeerRecord) string {
	if !rollout.Up(p) {
		return "-"
	}
	text := fmt.Sprintf("%d of %d", l.Running, l.Desired)
	if l.Drift > 0 {
		text += fmt.Sprintf(", %d off", l.Drift)
	}
	return text
}

// loads counts what runs on each member that is connected.
func loads(peers []api.PeerRecord, all []workloadView) []loadView {
	out := []loadView{}
	for _, p := range peers {
		if !rollout.Up(p) {
			continue
		}
		l := loadView{Peer: p.Peer}
		for _, w := range all {
			is := w.here[p.Peer]
			if is.should {
				l.Desired++
			}
			if is.runs {
				l.Running++
			}
			if is.should && !is.updated || !is.should && is.runs {
				l.Drift++
			}
		}
		out = append(out, l)
	}
	return out
}
