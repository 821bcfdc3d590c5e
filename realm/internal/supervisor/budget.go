package supervisor

import (
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// Limits say how patient a supervisor is.
type Limits struct {
	StartTimeout time.Duration // from the start of a process until it must be ready
	StopGrace    time.Duration // from the request to end until it is killed
	EarlyAge     time.Duration // a death sooner after ready than this is an early one
	BackoffMin   time.Duration // before the restart after the second early death in a row
	BackoffMax   time.Duration
	MaxEarly     int           // early deaths in a row that fail a program
	MaxDeaths    int           // deaths within Window that fail a program
	Window       time.Duration //
}

// DefaultLimits are those of a node.
func DefaultLimits() Limits {
	return Limits{
		StartTimeout: 30 * time.Second,
		StopGrace:    10 * time.Second,
		EarlyAge:     time.Second,
		BackoffMin:   200 * time.Millisecond,
		BackoffMax:   10 * time.Second,
		MaxEarly:     8,
		MaxDeaths:    30,
		Window:       5 * time.Minute,
	}
}

// budget counts the deaths of one program. The first death is forgiven at once,
// whatever follows soon after costs patience.
type budget struct {
	limits Limits
	pause  *backoff.ExponentialBackOff
	early  int         // in a row
	deaths []time.Time // within the window
}

func newBudget(l Limits) *budget {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval, b.MaxInterval, b.Multiplier = l.BackoffMin, l.BackoffMax, 2
	b.Reset()
	return &budget{limits: l, pause: b}
}

// died records a death and returns how long to wait before the next start, or an
// error that says why there is none.
func (b *budget) died(now time.Time, early bool) (time.Duration, error) {
	from := 0
	for from < len(b.deaths) && now.Sub(b.deaths[from]) >= b.limits.Window {
		from++
	}
	b.deaths = append(b.deaths[from:], now)
	if !early {
		b.early = 0
		b.pause.Reset()
	} else {
		b.early++
	}
	switch {
	case b.early >= b.limits.MaxEarly:
		return 0, fmt.Errorf("it ended %d times in a row before it did any work", b.early)
	case len(b.deaths) >= b.limits.MaxDeaths:
		return 0, fmt.Errorf("it ended %d times within %v", len(b.deaths), b.limits.Window)
	case b.early <= 1:
		return 0, nil
	}
	return b.pause.NextBackOff(), nil
}
