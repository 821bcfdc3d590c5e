package casd

import (
	"sync"
	"time"

	"github.com/realm-mesh/realm/api"
)

// What is remembered as checked.
const (
	latelyFor  = 5 * time.Minute
	latelyMost = 32 << 10 // chunks, twice that in all
)

// lately knows which chunks were checked a moment ago: several members ask for the same
// one within seconds. Each checks what it gets, so that nothing spreads that the disk
// has changed since then.
type lately struct {
	mu       sync.Mutex
	now, old map[api.Digest]struct{}
	began    time.Time // when now was empty
}

func newLately() *lately { return &lately{now: map[api.Digest]struct{}{}} }

// add takes note that a chunk was checked just now.
func (l *lately) add(d api.Digest) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.turn(time.Now())
	l.now[d] = struct{}{}
}

// has reports whether a chunk was checked within about latelyFor.
func (l *lately) has(d api.Digest) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.turn(time.Now())
	_, is := l.now[d]
	if !is {
		_, is = l.old[d]
	}
	return is
}

// turn forgets what is too old, or too much.
func (l *lately) turn(now time.Time) {
	switch age := now.Sub(l.began); {
	case age > latelyFor:
		l.now, l.old, l.began = map[api.Digest]struct{}{}, nil, now
	case age > latelyFor/2 || len(l.now) >= latelyMost:
		l.now, l.old, l.began = map[api.Digest]struct{}{}, l.now, now
	}
}
