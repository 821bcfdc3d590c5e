//go:build unix

package e2e_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/realm-mesh/realm/e2e/internal/node"
)

// greeter is a web program that says what it is told to.
const greeter = `package main

import (
	"fmt"
	"log"
	"net/http"
	"net/http/cgi"
)

func main() {
	log.Print("asked for NAME")
	_ = cgi.Serve(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "NAME") }))
}
`

// devEvent is a line of realm dev --json.
type devEvent struct {
	Event, What, Error, Output string
	Log                        struct{ Line string }
	Result                     struct{ Version, Reached any }
}

// devRun is a realm dev that runs.
type devRun struct {
	*testing.T
	dir    string
	node   *node.Node
	events chan devEvent
	ended  chan error
	stop   func() error
}

func startDev(t *testing.T, n *node.Node, dir string, flags ...string) *devRun {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 4*patience)
	t.Cleanup(cancel)
	cmd := n.Command(ctx, append([]string{"dev", dir, "--json"}, flags...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	d := &devRun{T: t, dir: dir, node: n, events: make(chan devEvent, 1000), ended: make(chan error, 1)}
	d.stop = func() error { return cmd.Process.Signal(syscall.SIGINT) }
	go func() {
		lines := bufio.NewScanner(out)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			var e devEvent
			if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
				e = devEvent{Event: "no JSON", Error: lines.Text()}
			}
			d.events <- e
		}
		close(d.events)
		d.ended <- cmd.Wait()
	}()
	return d
}

// until reads events to the next that is so called; one that is not JSON fails the test.
func (d *devRun) until(event string) devEvent {
	d.Helper()
	limit := time.After(patience)
	for {
		select {
		case e, ok := <-d.events:
			switch {
			case !ok || e.Event == "no JSON":
				d.Fatalf("no event %s: %+v", event, e)
			case e.Event == event:
				return e
			}
		case <-limit:
			d.Fatalf("no event %s within %s", event, patience)
		}
	}
}

func (d *devRun) save(text string) {
	d.Helper()
	if err := os.WriteFile(filepath.Join(d.dir, "main.go"), []byte(text), 0o600); err != nil {
		d.Fatal(err)
	}
}

func (d *devRun) answers(want string) {
	d.Helper()
	if status, got := request(d.T, http.MethodGet, "http://"+d.node.HTTP+"/greeter/", "", nil); status != http.StatusOK || got != want {
		d.Errorf("it answers %d %q, want %q", status, got, want)
	}
}

// TestDev edits a program while realm dev runs: what builds is served, what does not leaves
// the version before.
func TestDev(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	dir := filepath.Join(t.TempDir(), "Greeter")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module greeter\n\ngo 1.26\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	of := func(name string) string { return strings.ReplaceAll(greeter, "NAME", name) }
	d := startDev(t, n, dir, "--http", "cgi", "--rm")
	d.until("building")
	if e := d.until("failed"); e.What != "build" || !strings.Contains(e.Output, "no Go files") {
		t.Errorf("an empty folder: %+v", e)
	}
	d.until("waiting")
	d.save(of("ann"))
	d.until("pushed")
	d.until("waiting")
	d.answers("ann")
	if e := d.until("log"); !strings.Contains(e.Log.Line, "asked for ann") {
		t.Errorf("log: %+v", e)
	}

	d.save(strings.Replace(of("bob"), "func main", "func mian", 1))
	if e := d.until("failed"); e.What != "build" || !strings.Contains(e.Output, "main") {
		t.Errorf("a broken build: %+v", e)
	}
	d.until("waiting")
	d.answers("ann")

	d.save(of("bob"))
	d.until("pushed")
	d.until("waiting")
	d.answers("bob")

	// A save during a build is followed by one more, whether that build has seen the one
	// version, the other, or half of one.
	d.save(of("cid"))
	d.until("building")
	d.save(of("dan"))
	d.until("building")
	d.until("waiting")
	d.answers("dan")

	if err := d.stop(); err != nil {
		t.Fatal(err)
	}
	for range d.events { // what is left to tell
	}
	if err := <-d.ended; err != nil {
		t.Errorf("it ended with %v", err)
	}
	if status, _ := request(t, http.MethodGet, "http://"+n.HTTP+"/greeter/", "", nil); status != http.StatusNotFound {
		t.Errorf("after --rm it still answers: %d", status)
	}
}
