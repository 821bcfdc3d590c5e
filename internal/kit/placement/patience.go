package placement

import (
	"time"

	"github.com/realm-mesh/realm/api"
)

// Pause is how long a verdict has to stand that rests on what others have not said, or
// may have taken back. While two members know of different facts, each may hold the
// other to be the one that goes on; so whoever stops something good first waits for
// as long as facts take to get round, twice.
const Pause = 3 * time.Second

// Patience holds verdicts about one workload back that are not to be acted on at once.
// The zero Patience is ready for use.
type Patience struct {
	held  verdict
	since time.Time
}

// verdict is what has to stay the same.
type verdict struct {
	duty, meanwhile api.Duty
	about           api.Digest // the version to be started
}

// Act returns what to act on now, where v is the verdict about the version wanted, and
// when to ask again if nothing changes; zero: never. It is to be asked whenever v is
// concluded anew.
func (p *Patience) Act(v Verdict, wanted api.Digest, now time.Time) (act Verdict, again time.Time) {
	if v.Meanwhile == "" {
		*p = Patience{}
		return v, time.Time{}
	}
	is := verdict{duty: v.Duty, meanwhile: v.Meanwhile}
	if v.Duty == api.DutyRun {
		is.about = wanted
	}
	if p.held != is {
		p.held, p.since = is, now
	}
	if at := p.since.Add(Pause); now.Before(at) {
		v.Duty = v.Meanwhile
		return v, at
	}
	return v, time.Time{}
}
