package cli

import (
	"context"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/realm/internal/node"
)

// completionPatience is how long a person who presses Tab is kept.
const completionPatience = time.Second

// atHand gives fn the node that a command would ask, if it is up on this machine:
// nobody waits for a client while pressing Tab.
func (a *app) atHand(ctx context.Context, fn func(n *node.Node) error) error {
	if w, err := a.where(); err != nil || w.node != "" {
		return node.ErrDown
	}
	return a.onNode(ctx, fn)
}

// completeLogs offers what has a log: programs, and daemons.
func (a *app) completeLogs(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	names, directive := a.completeNames(api.KindComponent, api.KindFunction)(cmd, args, word)
	if len(args) == 0 {
		names = append(names, string(api.Launcher))
		for _, d := range api.Daemons() {
			names = append(names, string(d))
		}
	}
	return names, directive
}

// completeNames offers the names of programs of these kinds; none without a node.
func (a *app) completeNames(kinds ...api.Kind) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), completionPatience)
		defer cancel()
		var names []string
		err := a.atHand(ctx, func(n *node.Node) error {
			all, err := workloads(ctx, n)
			for _, w := range all {
				if slices.Contains(kinds, w.Kind) {
					names = append(names, string(w.Name))
				}
			}
			return err
		})
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		slices.Sort(names)
		return slices.Compact(names), cobra.ShellCompDirectiveNoFileComp
	}
}

// completePeers offers the peer ids of nodes with one of these standings.
func (a *app) completePeers(standings ...api.Standing) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		ctx, cancel := context.WithTimeout(cmd.Context(), completionPatience)
		defer cancel()
		var ids []string
		err := a.atHand(ctx, func(n *node.Node) error {
			all, err := n.Members(ctx)
			for _, m := range all.Members {
				if slices.Contains(standings, m.Standing) && !slices.Contains(args, string(m.Peer)) {
					ids = append(ids, string(m.Peer))
				}
			}
			return err
		})
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return ids, cobra.ShellCompDirectiveNoFileComp
	}
}
