package route

import "sync/atomic"

// Live holds the current [Table]. Reading takes no lock.
type Live struct{ now atomic.Pointer[moment] }

// moment is a table and what is closed when another one takes its place.
type moment struct {
	table *Table
	over  chan struct{}
}

// NewLive begins with t.
func NewLive(t *Table) *Live {
	l := &Live{}
	l.now.Store(&moment{t, make(chan struct{})})
	return l
}

// Now returns the current table and a channel that is closed once it is not that
// any more.
func (l *Live) Now() (t *Table, changed <-chan struct{}) {
	m := l.now.Load()
	return m.table, m.over
}

// Set makes t the current table.
func (l *Live) Set(t *Table) {
	close(l.now.Swap(&moment{t, make(chan struct{})}).over)
}
