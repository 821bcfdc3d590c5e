package sse

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// site is a server of streams of numbers.
type site struct {
	*testing.T
	hub    *Hub
	stop   context.CancelFunc
	url    string
	opened chan *Stream[int] // those that have a place
}

func newSite(t *testing.T, first ...Event) *site {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	s := &site{T: t, hub: NewHub(prometheus.NewRegistry()), stop: stop, opened: make(chan *Stream[int], MaxStreams)}
	var running sync.WaitGroup
	running.Go(func() { _ = s.hub.Run(ctx) })
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		st, ok := Open[int](s.hub, w, r)
		if !ok {
			return
		}
		defer st.Close()
		for _, e := range first {
			if st.Write(e) != nil {
				return
			}
		}
		s.opened <- st
		st.Run(func(n int) (Event, bool) { return Event{Name: "number", Data: n}, n%2 == 0 })
	}))
	t.Cleanup(func() {
		stop()
		srv.Close()
		running.Wait()
	})
	s.url = srv.URL
	return s
}

func (s *site) get(header ...string) *http.Response {
	s.Helper()
	req, err := http.NewRequestWithContext(s.Context(), http.MethodGet, s.url, nil)
	if err != nil {
		s.Fatal(err)
	}
	for _, h := range header {
		k, v, _ := strings.Cut(h, ": ")
		req.Header.Set(k, v)
	}
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { resp.Body.Close() })
	return resp
}

// event reads one, as "NAME DATA"; comments are passed over.
func event(t *testing.T, r *bufio.Reader) string {
	t.Helper()
	name := ""
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return err.Error()
		}
		if n, ok := strings.CutPrefix(line, "event: "); ok {
			name = strings.TrimSpace(n)
		}
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			return name + " " + strings.TrimSpace(data)
		}
	}
}

func TestStream(t *testing.T) {
	s := newSite(t, Event{Name: "first", Data: "a\r\nb\n\ndata: c\u2028"})
	resp := s.get("Sec-Fetch-Site: same-origin")
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%s %v", resp.Status, resp.Header)
	}
	r := bufio.NewReader(resp.Body)
	text := ""
	if got := event(t, r); json.Unmarshal([]byte(strings.TrimPrefix(got, "first ")), &text) != nil || text != "a\r\nb\n\ndata: c\u2028" {
		t.Errorf("%q", got)
	}
	st := <-s.opened
	for n := range 5 {
		st.Send(n, 1)
	}
	for _, want := range []string{"number 0", "number 2", "number 4"} {
		if got := event(t, r); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	s.stop()
	if got := event(t, r); got != `end {"why":"the node is stopping"}` {
		t.Errorf("at the end: %q", got)
	}
	if got := event(t, r); got != io.EOF.Error() {
		t.Errorf("after the end: %q", got)
	}
	st.Send(6, 1) // too late, and harmless
	if resp := s.get(); resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("while the node stops: %s", resp.Status)
	}
}

func TestPlaces(t *testing.T) {
	s := newSite(t)
	var all []*http.Response
	for range MaxStreams {
		resp := s.get()
		if resp.StatusCode != http.StatusOK {
			t.Fatal(resp.Status)
		}
		<-s.opened
		all = append(all, resp)
	}
	resp := s.get()
	if body, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" || !strings.Contains(string(body), "end one") {
		t.Errorf("one too many: %s %s", resp.Status, body)
	}
	all[0].Body.Close()
	for end := time.Now().Add(10 * time.Second); s.get().StatusCode != http.StatusOK; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the place of one who left stays taken")
		}
	}
	for _, site := range []string{"cross-site", "same-site"} {
		if resp := s.get("Sec-Fetch-Site: " + site); resp.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %s", site, resp.Status)
		}
	}
}

// TestSlowReader has a client that takes nothing until more waits than may. It finds what
// went out before, and then why there is no more.
func TestSlowReader(t *testing.T) {
	big := strings.Repeat("x", 1000)
	for name, fill := range map[string]func(st *Stream[int]){
		"events": func(st *Stream[int]) {
			for n := range MaxQueue + 1 {
				st.Send(2*n, 0)
			}
		},
		"bytes": func(st *Stream[int]) {
			st.Send(0, MaxWaiting)
			st.Send(2, 1)
		},
	} {
		t.Run(name, func(t *testing.T) {
			hub := NewHub(prometheus.NewRegistry())
			busy, release := make(chan *Stream[int]), make(chan struct{})
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				st, ok := Open[int](hub, w, r)
				if !ok {
					return
				}
				defer st.Close()
				st.Send(0, 1)
				st.Run(func(int) (Event, bool) {
					busy <- st
					<-release
					return Event{Name: "number", Data: big}, true
				})
			}))
			defer srv.Close()
			resp, err := http.Get(srv.URL)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			fill(<-busy) // while its client holds it up
			close(release)
			r := bufio.NewReader(resp.Body)
			if got := event(t, r); got != fmt.Sprintf("number %q", big) {
				t.Errorf("what was on its way: %.80q", got)
			}
			if got := event(t, r); !strings.HasPrefix(got, `dropped {"why":"what comes is not read fast enough`) {
				t.Errorf("%.200q", got)
			}
			if got := event(t, r); got != io.EOF.Error() {
				t.Errorf("after the end: %q", got)
			}
			var counted dto.Metric
			if err := hub.dropped.Write(&counted); err != nil || counted.GetCounter().GetValue() != 1 {
				t.Errorf("dropped: %v %v", counted.GetCounter(), err)
			}
			http.DefaultClient.CloseIdleConnections()
		})
	}
}

// TestDeafReader has a client that never takes a byte: its place is free again in the end.
func TestDeafReader(t *testing.T) {
	hub := NewHub(prometheus.NewRegistry())
	hub.stall = 200 * time.Millisecond
	over := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(over)
		st, ok := Open[int](hub, w, r)
		if !ok {
			return
		}
		defer st.Close()
		big := strings.Repeat("x", 1<<20)
		st.Send(0, 1)
		st.Run(func(n int) (Event, bool) {
			st.Send(n+1, 1)
			return Event{Name: "number", Data: big}, true
		})
	}))
	defer srv.Close()
	c, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
	select {
	case <-over:
	case <-time.After(20 * time.Second):
		t.Fatal("it is still written to")
	}
	if len(hub.places) != 0 {
		t.Error("its place is taken")
	}
}

// TestBeat has nothing to say, and says so now and then.
func TestBeat(t *testing.T) {
	s := newSite(t)
	s.hub.beat = 10 * time.Millisecond
	line, err := bufio.NewReader(s.get().Body).ReadString('\n')
	if err != nil || line != ":\n" {
		t.Errorf("%q %v", line, err)
	}
}
