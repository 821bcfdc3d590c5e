package fetch

import (
	"math"
	"time"
)

// halfLife is after how much time, of that which counts, older bytes count half.
const halfLife = time.Second

// meter measures bytes a second over the last seconds in which bytes were waited for:
// a member that is not asked does not become slow by that.
type meter struct {
	waits int // while more than 0, time counts
	bytes float64
	secs  float64
	at    time.Time
}

// pass has the time up to now count, if it does.
func (m *meter) pass(now time.Time) {
	if m.waits > 0 {
		fade := math.Exp2(-now.Sub(m.at).Seconds() / halfLife.Seconds())
		m.bytes *= fade
		m.secs = m.secs*fade + (1-fade)*halfLife.Seconds()/math.Ln2
	}
	m.at = now
}

func (m *meter) begin(now time.Time) { m.pass(now); m.waits++ }

func (m *meter) end(now time.Time) { m.pass(now); m.waits-- }

func (m *meter) add(now time.Time, n int) { m.pass(now); m.bytes += float64(n) }

// rate is in bytes a second; known is false while too little was measured.
func (m *meter) rate(now time.Time) (rate float64, known bool) {
	m.pass(now)
	if m.bytes == 0 && m.secs < halfLife.Seconds()/2 || m.secs == 0 {
		return 0, false
	}
	return m.bytes / m.secs, true
}

// steady reports whether enough was measured to tell one member from another.
func (m *meter) steady(now time.Time) bool {
	m.pass(now)
	return m.secs >= halfLife.Seconds()/2
}
