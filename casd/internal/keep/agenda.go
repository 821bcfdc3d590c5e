package keep

import (
	"container/heap"
	"slices"
	"time"

	"github.com/realm-mesh/realm/api"
)

// agenda is what is to be done about blobs, and when: the earliest first. A blob may be
// there several times; whoever takes an entry asks whether it still stands.
type agenda struct{ entries entries }

type entry struct {
	at   time.Time
	blob api.Digest
}

func (a *agenda) add(at time.Time, blob api.Digest) { heap.Push(&a.entries, entry{at, blob}) }

// next is the earliest entry; false: there is none.
func (a *agenda) next() (entry, bool) {
	if len(a.entries) == 0 {
		return entry{}, false
	}
	return a.entries[0], true
}

// drop removes the earliest entry.
func (a *agenda) drop() { heap.Pop(&a.entries) }

// entries implement [heap.Interface].
type entries []entry

func (e entries) Len() int           { return len(e) }
func (e entries) Less(i, j int) bool { return e[i].at.Before(e[j].at) }
func (e entries) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }
func (e *entries) Push(x any)        { *e = append(*e, x.(entry)) }
func (e *entries) Pop() any {
	last := len(*e) - 1
	x := (*e)[last]
	*e = (*e)[:last]
	return x
}

// tidy removes entries that do not stand any more, when there are more than so many.
func (a *agenda) tidy(many int, stands func(entry) bool) {
	if len(a.entries) <= many+64 {
		return
	}
	a.entries = slices.DeleteFunc(a.entries, func(e entry) bool { return !stands(e) })
	heap.Init(&a.entries)
}
