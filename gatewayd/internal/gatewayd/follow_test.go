package gatewayd

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/daemon"
	"github.com/realm-mesh/realm/internal/kit/logfile"
	"github.com/realm-mesh/realm/internal/kit/rotate"
)

// events reads a stream of events of the management listener.
type events struct {
	*testing.T
	*http.Response
	lines *bufio.Reader
}

func (p *process) follow(path string) *events {
	p.Helper()
	req, err := http.NewRequestWithContext(p.Context(), http.MethodGet, "http://"+p.manage+path, nil)
	if err != nil {
		p.Fatal(err)
	}
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		p.Fatal(err)
	}
	p.Cleanup(func() { resp.Body.Close() })
	return &events{p.T, resp, bufio.NewReader(resp.Body)}
}

// next is the next event, decoded into data unless that is nil.
func (e *events) next(data any) (name string, err error) {
	e.Helper()
	for {
		line, err := e.lines.ReadString('\n')
		if err != nil {
			return "", err
		}
		if n, ok := strings.CutPrefix(line, "event: "); ok {
			name = strings.TrimSpace(n)
		}
		text, ok := strings.CutPrefix(line, "data: ")
		if !ok {
			continue
		}
		if data != nil {
			err = json.Unmarshal([]byte(text), data)
		}
		return name, err
	}
}

// want reads an event and wants it to have this name.
func (e *events) want(name string, data any) {
	e.Helper()
	if got, err := e.next(data); err != nil || got != name {
		e.Fatalf("%q %v, want %s", got, err, name)
	}
}

// program writes to its log and tells it, as runnerd does.
type program struct {
	l    *launcher
	ref  api.Ref
	mu   sync.Mutex
	file *rotate.File
}

func (l *launcher) program(ref api.Ref) *program {
	l.Helper()
	path := l.home.WorkloadLog(ref)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		l.Fatal(err)
	}
	p := &program{l: l, ref: ref, file: rotate.New(path, 0)}
	l.Cleanup(func() { p.file.Close() })
	return p
}

func (p *program) say(format string, args ...any) {
	line := api.LogLine{Time: time.Now().UTC(), Stream: logfile.Stdout, Line: fmt.Sprintf(format, args...)}
	p.mu.Lock()
	defer p.mu.Unlock()
	_, fileErr := p.file.Write(logfile.Append(nil, line))
	b, jsonErr := json.Marshal(line)
	if err := errors.Join(fileErr, jsonErr, p.l.conn.Publish(api.SubjectLog(p.ref), b)); err != nil {
		p.l.Error(err)
	}
}

type line struct {
	api.Ref
	Time, Stream, Line string
}

func TestFollowLogs(t *testing.T) {
	l := newLauncher(t)
	p := start(t, l.home).ready(l)
	ticker, other := l.program(api.Ref{Kind: api.KindComponent, Name: "ticker"}), l.program(double)
	for i := range 5 {
		ticker.say("tick %d", i)
		other.say("tock %d", i)
	}
	one, both, some := p.follow("/logs?component=ticker&follow=1&tail=2"), p.follow("/logs?component=__all__&follow=1"), p.follow("/logs?component=ticker&follow=1&grep=1%24")
	none := p.follow("/logs?component=newcomer&follow=1")
	for _, e := range []*events{one, both, some, none} {
		if e.StatusCode != http.StatusOK || e.Header.Get("Content-Type") != "text/event-stream" {
			t.Fatalf("%s %v", e.Status, e.Header)
		}
	}
	ticker.say("tick 5\r")
	other.say("tock 5")
	ticker.say("tick 11")
	l.program(api.Ref{Kind: api.KindComponent, Name: "newcomer"}).say("hello")
	for _, c := range []struct {
		from *events
		want []string
	}{
		{one, []string{"tick 3", "tick 4", "tick 5\r", "tick 11"}},
		{both, []string{"tick 0", "tock 0", "tick 1", "tock 1", "tick 2", "tock 2", "tick 3", "tock 3", "tick 4", "tock 4", "tick 5\r", "tock 5", "tick 11", "hello"}},
		{some, []string{"tick 1", "tick 11"}},
		{none, []string{"hello"}},
	} {
		for _, want := range c.want {
			var got line
			c.from.want("line", &got)
			if at, err := time.Parse(time.RFC3339Nano, got.Time); err != nil || time.Since(at) > time.Minute || got.Stream != "stdout" || got.Line != want || got.Validate() != nil {
				t.Errorf("%+v, want %q", got, want)
			}
		}
	}
	for _, path := range []string{"/logs?follow=1", "/logs?component=ticker&follow=1&grep=(", "/logs?component=ticker&follow=1&since=x"} {
		if e := p.follow(path); e.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %s", path, e.Status)
		}
	}

	// The daemon ends at once, and says so.
	begun := time.Now()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	one.want("end", nil)
	if code := p.exit(); code != daemon.ExitOK || time.Since(begun) > stopGrace {
		t.Errorf("exit code %d after %v", code, time.Since(begun))
	}
}

// TestFollowHasAll begins to follow, over and over, while two instances of a program write:
// each line is there once, and none is missing, over rotations of the file as well.
func TestFollowHasAll(t *testing.T) {
	l := newLauncher(t)
	p := start(t, l.home).ready(l)
	ref := api.Ref{Kind: api.KindComponent, Name: "busy"}
	busy := l.program(ref)
	const instances = 2
	stop := make(chan struct{})
	var writing sync.WaitGroup
	pad := strings.Repeat("x", 4000)
	for i := range instances {
		writing.Go(func() {
			tick := time.NewTicker(500 * time.Microsecond)
			defer tick.Stop()
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				case <-tick.C:
					busy.say("%d %d %s", i, n, pad)
				}
			}
		})
	}
	var following sync.WaitGroup
	for range 10 {
		following.Go(func() {
			for range 3 {
				e := p.follow("/logs?component=busy&follow=1&tail=100")
				next := map[int]int{}
				for range 600 {
					var got line
					if name, err := e.next(&got); err != nil || name != "line" {
						t.Errorf("%q %v", name, err)
						return
					}
					var i, n int
					if _, err := fmt.Sscanf(got.Line, "%d %d ", &i, &n); err != nil {
						t.Errorf("%.80q: %v", got.Line, err)
						return
					}
					if want, known := next[i]; known && n != want {
						t.Errorf("instance %d: line %d, want %d", i, n, want)
						return
					}
					next[i] = n + 1
				}
				e.Body.Close()
			}
		})
	}
	following.Wait()
	close(stop)
	writing.Wait()
}
