package jobs

import (
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/realm-mesh/realm/api"
)

// Between empty lines that say that there is nobody to be missed: a reader without news
// would not know, nor those between.
const (
	firstBeat = time.Second
	beatEvery = 10 * time.Second
)

// lineWriter writes lines of output as JSON values, one a line, each at once.
type lineWriter struct {
	w     http.ResponseWriter
	to    *http.ResponseController
	flush bool // each line is to be seen at once

	mu    sync.Mutex
	begun bool // status and header are on their way
	ended bool // nothing is written any more
}

// beat writes empty lines from now on; the func that it returns ends that.
func (l *lineWriter) beat() (end func()) {
	done, over := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(over)
		for due := time.NewTimer(firstBeat); ; due.Reset(beatEvery) {
			select {
			case <-due.C:
				_ = l.put([]byte{'\n'}) // who is gone is missed by the next line, or the request's context
			case <-done:
				due.Stop()
				return
			}
		}
	}()
	return func() {
		close(done)
		<-over
	}
}

// end ends the writing, and reports whether anything was written, the header if need be.
func (l *lineWriter) end(well bool) (begun bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended = true; well {
		l.begin()
	}
	return l.begun
}

func (l *lineWriter) begin() {
	if !l.begun {
		l.begun = true
		l.w.Header().Set("Content-Type", "application/x-ndjson")
	}
}

func (l *lineWriter) write(line api.JobLogLine) error {
	b, err := json.Marshal(line)
	if err != nil {
		return err
	}
	return l.put(append(b, '\n'))
}

func (l *lineWriter) put(b []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return nil
	}
	l.begin()
	if _, err := l.w.Write(b); err != nil || !l.flush {
		return err
	}
	return l.to.Flush()
}
