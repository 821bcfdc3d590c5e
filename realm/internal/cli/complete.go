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

// completeWasm offers programs for the first argument.
func completeWasm(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return []string{"wasm"}, cobra.ShellCompDirectiveFilterFileExt
}

// completeWasmFlag offers programs as the value of a flag.
func completeWasmFlag(cmd *cobra.Command, flag string) {
	if err := cmd.MarkFlagFilename(flag, "wasm"); err != nil {
		panic(err) // the flag is declared
	}
}

// completeFlags offers values for the flags that say what a program is.
func (a *app) completeFlags(cmd *cobra.Command) {
	words := func(w ...string) cobra.CompletionFunc {
		return cobra.FixedCompletions(w, cobra.ShellCompDirectiveNoFileComp)
	}
	for flag, complete := range map[string]cobra.CompletionFunc{
		"peer": a.completePeers(api.StandingMember), "name": a.completeFlagNames, "tag": a.completeRoles, "role": a.completeRoles,
		"http": words(string(api.InterfaceHTTP), string(api.InterfaceCGI), httpNone), "replicas": words(everyReplica), "visibility": words("local", "public"),
		"order": words("start-first", "stop-first"), "restart": words("on-failure", "always", "never"),
	} {
		if cmd.Flags().Lookup(flag) == nil {
			continue
		}
		if err := cmd.RegisterFlagCompletionFunc(flag, complete); err != nil {
			panic(err) // each flag is registered once
		}
	}
}

// completeFlagNames offers names of programs of all kinds as the value of a flag.
func (a *app) completeFlagNames(cmd *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
	return a.completeNames(api.KindComponent, api.KindFunction)(cmd, nil, word)
}

// completeRoles offers the roles that members have.
func (a *app) completeRoles(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(cmd.Context(), completionPatience)
	defer cancel()
	var roles []string
	_ = a.atHand(ctx, func(n *node.Node) error { // without a node there is nothing to offer
		s, err := n.Look(ctx, node.Scope{})
		for _, p := range s.Peers {
			roles = append(roles, p.Roles...)
		}
		return err
	})
	slices.Sort(roles)
	return slices.Compact(roles), cobra.ShellCompDirectiveNoFileComp
}

// completePeers offers the peer ids of nodes with one of these standings.
func (a *app) completePeers(standings ...api.Standing) cobra.CompletionFunc {
	return a.completeMembers(func(all api.MembersReply) (words []string) {
		for _, m := range all.Members {
			if slices.Contains(standings, m.Standing) {
				words = append(words, string(m.Peer))
			}
		}
		return words
	})
}

// completeRevocable offers members, and invites that are good.
func (a *app) completeRevocable() cobra.CompletionFunc {
	return a.completeMembers(func(all api.MembersReply) (words []string) {
		for _, m := range standingOf(all.Members, api.StandingMember) {
			words = append(words, string(m.Peer))
		}
		for _, i := range all.Invites {
			if !i.Revoked {
				words = append(words, string(i.Key))
			}
		}
		return words
	})
}

// completeGrants offers the keys of grants that are good.
func (a *app) completeGrants(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return a.completeMembers(func(all api.MembersReply) (words []string) {
		for _, g := range all.Grants {
			if !g.Revoked {
				words = append(words, keyText(g.Key))
			}
		}
		return words
	})(cmd, args, word)
}

// completeMembers offers words that pick makes of what the node knows of members,
// each once on a line; none without a node.
func (a *app) completeMembers(pick func(api.MembersReply) []string) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		ctx, cancel := context.WithTimeout(cmd.Context(), completionPatience)
		defer cancel()
		var words []string
		err := a.atHand(ctx, func(n *node.Node) error {
			all, err := n.Members(ctx)
			words = pick(all)
			return err
		})
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return slices.DeleteFunc(words, func(w string) bool { return slices.Contains(args, w) }), cobra.ShellCompDirectiveNoFileComp
	}
}
