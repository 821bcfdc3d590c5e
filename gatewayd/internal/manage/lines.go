package manage

import (
	"sync"

	"github.com/realm-mesh/realm/api"
)

// Subscribe calls fn for each message under a subject of the bus, one at a time, until
// cancel is called; when it returns, none is missed from now on.
type Subscribe func(subject string, fn func(subject string, data []byte)) (cancel func(), err error)

// Lines are what programs of this node write now. However many follow, there is one
// subscription, and none while nobody does: each would have the bus send all lines again.
type Lines struct {
	subscribe Subscribe

	joining sync.Mutex // is held while subscribing, and to change the number of listeners
	cancel  func()     // of the subscription; nil: there is none

	mu        sync.Mutex
	listeners map[*listener]struct{}
}

// heard is a line that came over the bus.
type heard struct {
	ref  api.Ref
	line api.LogLine
	gap  bool // no line: some may be missing here
}

type listener struct {
	wants func(api.Ref) bool
	send  func(h heard, size int)
}

// NewLines returns the Lines of a bus.
func NewLines(s Subscribe) *Lines { return &Lines{subscribe: s, listeners: map[*listener]struct{}{}} }

// join calls send, which must not wait, for each line of the programs that wants names,
// until leave is called.
func (l *Lines) join(wants func(api.Ref) bool, send func(h heard, size int)) (leave func(), err error) {
	l.joining.Lock()
	defer l.joining.Unlock()
	if l.cancel == nil {
		if l.cancel, err = l.subscribe(api.SubjectLogs(api.Runnerd), l.hear); err != nil {
			l.cancel = nil
			return nil, err
		}
	}
	me := &listener{wants, send}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.listeners[me] = struct{}{}
	return func() { l.leave(me) }, nil
}

func (l *Lines) leave(who *listener) {
	l.joining.Lock()
	defer l.joining.Unlock()
	l.mu.Lock()
	delete(l.listeners, who)
	alone := len(l.listeners) == 0
	l.mu.Unlock()
	if alone {
		l.cancel()
		l.cancel = nil
	}
}

func (l *Lines) hear(subject string, data []byte) {
	var line api.LogLine
	ref, ok := api.ParseSubjectLog(subject)
	// What cannot be read is another version's: there is nothing to show.
	if !ok || api.Decode(data, api.MaxMessage, &line) != nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for to := range l.listeners {
		if to.wants(ref) {
			to.send(heard{ref: ref, line: line}, len(data))
		}
	}
}

// Interrupted has all who listen know that the bus was away, and lines with it.
func (l *Lines) Interrupted() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for to := range l.listeners {
		to.send(heard{gap: true}, 0)
	}
}
