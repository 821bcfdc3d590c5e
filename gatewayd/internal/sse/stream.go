package sse

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// Event is one event: a name, without line ends, and what its data is in JSON. A client
// that begins again says the ID, likewise without line ends, of the last one that had any.
type Event struct {
	Name string
	Data any
	ID   string
}

// Why is the data of the events "dropped" and "end".
type Why struct {
	Why string `json:"why"`
}

// Stream is an answer that goes on. Its events are made of values of T.
type Stream[T any] struct {
	hub     *Hub
	w       http.ResponseWriter
	control *http.ResponseController
	gone    <-chan struct{} // closed when the client is
	buf     bytes.Buffer

	mu      sync.Mutex
	queue   []T
	waiting int           // bytes
	full    bool          // the client is too slow: nothing more is taken
	more    chan struct{} // holds a token while there is something in queue, or full
}

// Open returns a stream that answers r; false: all places are taken, and r is answered.
// [Stream.Close] must be called. The answer begins with the first write, or with
// [Stream.Run]: until then it can be another one.
func Open[T any](h *Hub, w http.ResponseWriter, r *http.Request) (*Stream[T], bool) {
	if !h.take(w, r) {
		return nil, false
	}
	return &Stream[T]{hub: h, w: w, control: http.NewResponseController(w), gone: r.Context().Done(), more: make(chan struct{}, 1)}, true
}

// Close gives the place of the stream back.
func (s *Stream[T]) Close() { <-s.hub.places }

// Send has [Stream.Run] write what it makes of v, which takes about size bytes. It never
// waits, and may be called by any goroutine; also after the end, when it does nothing.
func (s *Stream[T]) Send(v T, size int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.full {
		return
	}
	if len(s.queue) == MaxQueue || s.waiting+size > MaxWaiting {
		s.full, s.queue = true, nil
	} else {
		s.queue, s.waiting = append(s.queue, v), s.waiting+size
	}
	select {
	case s.more <- struct{}{}:
	default:
	}
}

// Write writes an event now, and waits for the client. Only the goroutine that has opened
// the stream calls it.
func (s *Stream[T]) Write(e Event) error {
	if err := s.put(e); err != nil {
		return err
	}
	if s.buf.Len() < flushAt {
		return nil
	}
	return s.flush()
}

// flushAt is how many bytes go out at once, where there are so many.
const flushAt = 32 << 10

// Run writes what was sent, as events makes events of it, until the client leaves, is too
// slow, or the daemon stops. events may leave one out.
func (s *Stream[T]) Run(events func(T) (Event, bool)) {
	if s.flush() != nil {
		return
	}
	idle := time.NewTicker(s.hub.beat)
	defer idle.Stop()
	for {
		select {
		case <-s.gone:
			return
		case <-s.hub.ended:
			s.last("end", "the node is stopping")
			return
		case <-idle.C:
			s.buf.WriteString(":\n\n") // a comment: shows whether the client is there
			if s.flush() != nil {
				return
			}
		case <-s.more:
			if !s.drain(events) {
				return
			}
		}
	}
}

// drain writes what is in the queue; false: the stream is over.
func (s *Stream[T]) drain(events func(T) (Event, bool)) bool {
	s.mu.Lock()
	queue, full := s.queue, s.full
	s.queue, s.waiting = nil, 0
	s.mu.Unlock()
	if full {
		s.hub.dropped.Inc()
		s.last("dropped", fmt.Sprintf("what comes is not read fast enough: more than %d events or %d bytes waited; begin again", MaxQueue, MaxWaiting))
		return false
	}
	for _, v := range queue {
		e, ok := events(v)
		if ok && s.Write(e) != nil {
			return false
		}
	}
	return s.flush() == nil
}

func (s *Stream[T]) last(name, why string) {
	if s.put(Event{Name: name, Data: Why{why}}) == nil {
		_ = s.flush() // fails only when the client has gone
	}
}

func (s *Stream[T]) put(e Event) error {
	data, err := json.Marshal(e.Data)
	if err != nil {
		return fmt.Errorf("write event %s: %w", e.Name, err)
	}
	if e.ID != "" {
		fmt.Fprintf(&s.buf, "id: %s\n", e.ID)
	}
	fmt.Fprintf(&s.buf, "event: %s\ndata: %s\n\n", e.Name, data)
	return nil
}

// flush sends what was written, and before it the head of the answer.
func (s *Stream[T]) flush() error {
	h := s.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no")                            // proxies that know it pass events on at once
	_ = s.control.SetWriteDeadline(time.Now().Add(s.hub.stall)) // a connection has one
	_, err := s.w.Write(s.buf.Bytes())
	s.buf.Reset()
	if err == nil {
		err = s.control.Flush()
	}
	if err != nil {
		return fmt.Errorf("write events: %w", err)
	}
	return nil
}
