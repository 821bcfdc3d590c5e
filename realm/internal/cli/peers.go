package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/realm/internal/node"
	"github.com/realm-mesh/realm/realm/internal/rollout"
)

func newPeers(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "peers",
		Short: "List the members of the realm that this node knows",
		Long:  "List the members of the realm that this node knows, this one first: whether they are connected, how far they are, what they run on, and where they are reached.",
		Example: `  realm peers
  realm peers --json`,
		Args: arguments(),
		RunE: a.bounded(func(ctx context.Context, _ *cobra.Command, _ []string) error {
			return a.onNode(ctx, func(n *node.Node) error {
				s, err := n.Look(ctx, node.Scope{})
				if err != nil {
					return err
				}
				v := struct {
					Peers []api.PeerRecord `json:"peers"`
				}{append([]api.PeerRecord{}, s.PeerList()...)}
				slices.SortFunc(v.Peers, rollout.ComparePeers)
				return a.print(v, func() {
					a.printPeers(v.Peers, time.Now())
					a.printAddrs(v.Peers)
				})
			})
		}),
	}
}

func (a *app) printPeers(peers []api.PeerRecord, now time.Time) {
	rows := [][]string{{"MEMBER", "PEER", "CONNECTED", "RTT", "PLATFORM", "VERSION", "ROLES"}}
	for _, p := range peers {
		rows = append(rows, []string{orDash(oneLine(p.Host)), string(p.Peer), connectedText(p, now), rttText(p),
			orDash(oneLine(p.Platform)), orDash(oneLine(p.Version)), orDash(strings.Join(p.Roles, ","))})
	}
	table(a.out, rows)
}

func connectedText(p api.PeerRecord, now time.Time) string {
	switch {
	case p.Self:
		return "this node"
	case p.Connected:
		return "for " + ageText(now, p.Since)
	case p.Live:
		return "through others"
	default:
		return "gone for " + ageText(now, p.Since)
	}
}

func rttText(p api.PeerRecord) string {
	if p.Self || p.RTT == 0 {
		return "-"
	}
	d := time.Duration(p.RTT)
	if d < 10*time.Millisecond {
		return fmt.Sprintf("%.1fms", float64(d)/float64(time.Millisecond))
	}
	return d.Round(time.Millisecond).String()
}

// printAddrs lists where members are reached, ready to paste.
func (a *app) printAddrs(peers []api.PeerRecord) {
	for _, p := range peers {
		if len(p.Addrs) == 0 {
			continue
		}
		fmt.Fprintf(a.out, "\n%s\n", peerText(oneLine(p.Host), p.Peer))
		for _, s := range p.Addrs {
			fmt.Fprintf(a.out, "  %s/p2p/%s\n", oneLine(s), p.Peer)
		}
	}
}
