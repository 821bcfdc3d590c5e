package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/realm/internal/node"
)

// devEvent is a line that realm dev --json prints.
type devEvent struct {
	Event   string    `json:"event"` // building, built, pushed, unchanged, failed, waiting, saved, log
	Command string    `json:"command,omitempty"`
	File    string    `json:"file,omitempty"`
	Seconds float64   `json:"seconds,omitempty"`
	What    string    `json:"what,omitempty"` // has failed: build or push
	Error   string    `json:"error,omitempty"`
	Output  string    `json:"output,omitempty"` // the last of what the build said
	Result  any       `json:"result,omitempty"` // of the push, as realm push prints it
	Log     *lineView `json:"log,omitempty"`
}

// tell prints an event, or a line for people.
func (d *devLoop) tell(e devEvent, format string, args ...any) {
	if !d.app.json {
		d.app.say(format, args...)
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	_ = json.NewEncoder(d.app.out).Encode(e) // nobody is left to read
}

// pushed is what a push, or the removal in the end, prints as JSON.
func (d *devLoop) pushed(v any) error {
	d.tell(devEvent{Event: "pushed", Result: v}, "")
	return nil
}

// follow shows what the program writes on this node, also once that is back after it was
// away.
func (d *devLoop) follow(ctx context.Context) error {
	wait := backoff.NewExponentialBackOff()
	wait.MaxInterval = 10 * time.Second
	for ctx.Err() == nil {
		err := d.app.onNode(ctx, func(n *node.Node) error {
			wait.Reset()
			return n.FollowLog(ctx, api.SubjectLog(d.ref), nil, d.line)
		})
		if ctx.Err() == nil && err != nil {
			d.app.note("The log is not followed for now: %s", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait.NextBackOff()):
		}
	}
	return nil
}

func (d *devLoop) line(l api.LogLine) {
	if d.app.json {
		v := lineView(l)
		d.tell(devEvent{Event: "log", Log: &v}, "")
		return
	}
	fmt.Fprintf(d.app.out, "  | %s\n", printable(l.Line))
}
