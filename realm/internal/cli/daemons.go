package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/lockfile"
	"github.com/realm-mesh/realm/internal/kit/paths"
	"github.com/realm-mesh/realm/realm/internal/node"
)

func newDown(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "down",
		Short:   "Stop the node here",
		Long:    "Stop the node of this home: its programs, its daemons, and realm up. It returns when all of them have ended.",
		Example: "  realm down",
		Args:    arguments(),
		RunE: a.bounded(func(ctx context.Context, _ *cobra.Command, _ []string) error {
			h, err := a.home()
			if err != nil {
				return err
			}
			was, err := stopNode(ctx, h)
			if err != nil {
				return err
			}
			v := struct {
				Home  string `json:"home"`
				WasUp bool   `json:"was_up"`
			}{h.Root(), was}
			return a.print(v, func() {
				if !was {
					fmt.Fprintf(a.out, "No node is up in %s: nothing to stop.\n", h.Root())
					return
				}
				fmt.Fprintf(a.out, "The node in %s has stopped.\n", h.Root())
			})
		}),
	}
}

// stopNode ends the node of h and waits for its launcher; was tells whether there was one.
func stopNode(ctx context.Context, h paths.Home) (was bool, err error) {
	n, err := node.Dial(ctx, h)
	if errors.Is(err, node.ErrDown) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer n.Close()
	if err := n.Down(ctx); err != nil {
		return true, err
	}
	return true, waitUnlocked(ctx, h)
}

// waitUnlocked returns when no launcher holds the home.
func waitUnlocked(ctx context.Context, h paths.Home) error {
	lock, err := lockfile.Wait(ctx, h.Lock())
	if err != nil {
		return fmt.Errorf("wait for the node in %s to stop: %w: see realm ps", h.Root(), err)
	}
	lock.Release()
	return nil
}

func newPS(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "ps",
		Short: "List the daemons of the node here",
		Long:  "List the daemons that realm up keeps running: how they are, since when, and why they last ended.",
		Example: `  realm ps
  realm ps --json`,
		Args: arguments(),
		RunE: a.bounded(func(ctx context.Context, _ *cobra.Command, _ []string) error {
			return a.onNode(ctx, func(n *node.Node) error {
				ps, err := n.PS(ctx)
				if err != nil {
					return err
				}
				return a.print(ps, func() { a.printPS(ps, time.Now()) })
			})
		}),
	}
}

func (a *app) printPS(ps api.PSReply, now time.Time) {
	fmt.Fprintf(a.out, "realm up runs in %s as process %d\n\n", ps.Home, ps.PID)
	rows := [][]string{{"DAEMON", "STATE", "SINCE", "PID", "MEMORY", "RESTARTS", "VERSION", "NOTE"}}
	for _, d := range ps.Daemons {
		pid := "-"
		if d.PID != 0 {
			pid = fmt.Sprint(d.PID)
		}
		rows = append(rows, []string{string(d.Daemon), string(d.State), ageText(now, d.Since), pid, bytesText(d.RSS), fmt.Sprint(d.Restarts), orDash(d.Version), daemonNote(d)})
	}
	table(a.out, rows)
}

// daemonNote is what there is to say of a daemon: what ails it, or where it listens.
func daemonNote(d api.DaemonStatus) string {
	if d.State != api.DaemonReady && d.Reason != "" {
		return oneLine(d.Reason)
	}
	if d.Note != "" {
		return oneLine(d.Note)
	}
	if d.Reason != "" {
		return "last ended: " + oneLine(d.Reason)
	}
	return ""
}

func daemonNames() string {
	var names []string
	for _, d := range api.Daemons() {
		names = append(names, string(d))
	}
	return strings.Join(names, ", ")
}
