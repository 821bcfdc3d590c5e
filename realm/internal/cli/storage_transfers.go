package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/realm/internal/node"
)

func newStorageTransfers(a *app) *cobra.Command {
	var watch bool
	cmd := &cobra.Command{
		Use:   "transfers",
		Short: "Show what is on its way to this node, and from whom",
		Long: `Show the blobs that this node is fetching: how far each is, how fast, and what every
member gives that it comes from.`,
		Example: `  realm storage transfers
  realm storage transfers --watch`,
		Args: arguments(),
	}
	cmd.Flags().BoolVar(&watch, "watch", false, "show it again every second, until Ctrl-C")
	once := a.bounded(func(ctx context.Context, _ *cobra.Command, _ []string) error {
		return a.onNode(ctx, func(n *node.Node) error {
			v, err := lookAtTransfers(ctx, n)
			if err != nil {
				return err
			}
			return a.print(v, func() { a.printTransfers(v, time.Now()) })
		})
	})
	again := a.open(func(ctx context.Context, _ *cobra.Command, _ []string) error {
		return a.onNode(ctx, func(n *node.Node) error { return a.watchTransfers(ctx, n) })
	})
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if watch {
			return again(cmd, args)
		}
		return once(cmd, args)
	}
	return cmd
}

// transfersView is what realm storage transfers says in JSON.
type transfersView struct {
	Transfers []transferView `json:"transfers"`
}

type transferView struct {
	api.BlobInfo              // size 0: not known yet
	Done         int64        `json:"done"` // bytes that are here
	Began        time.Time    `json:"began"`
	Rate         float64      `json:"rate"` // bytes a second, over the last seconds
	Sources      []sourceView `json:"sources"`
}

type sourceView struct {
	someone
	Bytes int64   `json:"bytes"` // that it has sent
	Rate  float64 `json:"rate"`
	State string  `json:"state"`
	Why   string  `json:"why,omitempty"`
}

func lookAtTransfers(ctx context.Context, n *node.Node) (transfersView, error) {
	v := transfersView{Transfers: []transferView{}}
	all, err := n.Transfers(ctx)
	if err != nil {
		return v, err
	}
	s, err := n.Look(ctx, node.Scope{})
	if err != nil {
		return v, err
	}
	for _, t := range all {
		x := transferView{BlobInfo: t.BlobInfo, Done: t.Done, Began: t.Began, Rate: t.Rate, Sources: []sourceView{}}
		for _, f := range t.Sources {
			x.Sources = append(x.Sources, sourceView{someone{f.Peer, s.Peers[f.Peer].Host}, f.Bytes, f.Rate, f.State, f.Why})
		}
		v.Transfers = append(v.Transfers, x)
	}
	slices.SortFunc(v.Transfers, func(x, y transferView) int {
		if c := x.Began.Compare(y.Began); c != 0 {
			return c
		}
		return x.SHA256.Compare(y.SHA256)
	})
	return v, nil
}

// printTransfers is a table of what is on its way, with a line below for each source.
func (a *app) printTransfers(v transfersView, now time.Time) {
	if len(v.Transfers) == 0 {
		fmt.Fprintln(a.out, "Nothing is on its way to this node.")
		return
	}
	rows := [][]string{{"BLOB", "HERE", "OF", "RATE", "FOR", "NOTE"}}
	for _, t := range v.Transfers {
		of := "?"
		if t.Size > 0 {
			of = sizeText(t.Size)
		}
		rows = append(rows, []string{t.SHA256.Short(), sizeText(t.Done), of, orDash(rateText(t.Rate)), ageText(now, t.Began), leftText(t.Size-t.Done, t.Rate)})
		for _, s := range t.Sources {
			note := oneLine(s.State)
			if s.Why != "" {
				note += ": " + clip(oneLine(s.Why), maxNote)
			}
			rows = append(rows, []string{"  " + s.String(), sizeText(s.Bytes), "", orDash(rateText(s.Rate)), "", note})
		}
	}
	table(a.out, rows)
}

// transfersEvery is how often what is on its way is looked at again: nothing on the bus
// tells.
const transfersEvery = time.Second

// watchTransfers shows what is on its way until ctx ends.
func (a *app) watchTransfers(ctx context.Context, n *node.Node) error {
	last := ""
	tick := time.NewTicker(transfersEvery)
	defer tick.Stop()
	for {
		v, err := lookAtTransfers(ctx, n)
		if ctx.Err() != nil {
			return nil // Ctrl-C, or --timeout: there was all to see until now
		}
		if err != nil {
			return err
		}
		if last, err = a.redrawTransfers(v, last); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// redrawTransfers is [app.redraw] for transfers.
func (a *app) redrawTransfers(v transfersView, last string) (string, error) {
	var b bytes.Buffer
	if a.json {
		if err := json.NewEncoder(&b).Encode(v); err != nil {
			return last, err
		}
	} else {
		(&app{out: &b}).printTransfers(v, time.Now())
	}
	return a.picture(b.String(), last)
}

// picture shows a text where it differs from what was shown last: in place on a
// terminal, else below the other.
func (a *app) picture(text, last string) (string, error) {
	if text == last {
		return last, nil
	}
	if f, ok := a.out.(*os.File); ok && !a.json && term.IsTerminal(int(f.Fd())) {
		const home, clear = "\x1b[H", "\x1b[2J"
		fmt.Fprint(a.out, clear+home)
	} else if last != "" && !a.json {
		fmt.Fprintln(a.out)
	}
	_, err := fmt.Fprint(a.out, text)
	return text, err
}
