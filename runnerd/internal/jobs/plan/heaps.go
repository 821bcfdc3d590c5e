package plan

import (
	"cmp"
	"container/heap"
	"time"
)

// wakes are runs by when they are to be looked at.
type wakes []*runPlan

// set has r be looked at, at t; the zero time: not by itself.
func (w *wakes) set(r *runPlan, t time.Time) {
	switch {
	case t.IsZero() && r.heaped > 0:
		heap.Remove(w, r.heaped-1)
	case t.IsZero():
	case r.heaped > 0:
		r.wake = t
		heap.Fix(w, r.heaped-1)
	default:
		r.wake = t
		heap.Push(w, r)
	}
}

func (w wakes) due(now time.Time) bool { return len(w) > 0 && !w[0].wake.After(now) }

func (w wakes) first() time.Time {
	if len(w) == 0 {
		return time.Time{}
	}
	return w[0].wake
}

// Len implements [heap.Interface].
func (w wakes) Len() int           { return len(w) }
func (w wakes) Less(i, j int) bool { return w[i].wake.Before(w[j].wake) }
func (w wakes) Swap(i, j int) {
	w[i], w[j] = w[j], w[i]
	w[i].heaped, w[j].heaped = i+1, j+1
}

// Push implements [heap.Interface].
func (w *wakes) Push(x any) {
	r := x.(*runPlan)
	*w = append(*w, r)
	r.heaped = len(*w)
}

// Pop implements [heap.Interface].
func (w *wakes) Pop() any {
	last := len(*w) - 1
	r := (*w)[last]
	*w = (*w)[:last]
	r.heaped = 0
	return r
}

// queue is runs that wait for room, those that were issued first before others.
type queue []*runPlan

func (q *queue) add(r *runPlan) {
	if r.queued == 0 {
		heap.Push(q, r)
	}
}

func (q *queue) remove(r *runPlan) {
	if r.queued > 0 {
		heap.Remove(q, r.queued-1)
	}
}

// Len implements [heap.Interface].
func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].before(q[j]) < 0 }
func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].queued, q[j].queued = i+1, j+1
}

// Push implements [heap.Interface].
func (q *queue) Push(x any) {
	r := x.(*runPlan)
	*q = append(*q, r)
	r.queued = len(*q)
}

// Pop implements [heap.Interface].
func (q *queue) Pop() any {
	last := len(*q) - 1
	r := (*q)[last]
	*q = (*q)[:last]
	r.queued = 0
	return r
}

// before orders runs as they are begun.
func (r *runPlan) before(o *runPlan) int {
	return cmp.Or(r.asked().Compare(o.asked()), r.id.Root.Compare(o.id.Root), cmp.Compare(r.id.Run.Index(), o.id.Run.Index()))
}

// timers are recurring jobs by their next instants.
type timers []*jobPlan

func (t *timers) remove(e *jobPlan) {
	if e.heaped > 0 {
		heap.Remove(t, e.heaped-1)
	}
}

func (t timers) due(now time.Time) bool { return len(t) > 0 && !t[0].at.After(now) }

func (t timers) first() time.Time {
	if len(t) == 0 {
		return time.Time{}
	}
	return t[0].at
}

// Len implements [heap.Interface].
func (t timers) Len() int           { return len(t) }
func (t timers) Less(i, j int) bool { return t[i].at.Before(t[j].at) }
func (t timers) Swap(i, j int) {
	t[i], t[j] = t[j], t[i]
	t[i].heaped, t[j].heaped = i+1, j+1
}

// Push implements [heap.Interface].
func (t *timers) Push(x any) {
	e := x.(*jobPlan)
	*t = append(*t, e)
	e.heaped = len(*t)
}

// Pop implements [heap.Interface].
func (t *timers) Pop() any {
	last := len(*t) - 1
	e := (*t)[last]
	*t = (*t)[:last]
	e.heaped = 0
	return e
}
