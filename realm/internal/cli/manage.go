package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/trust"
	"github.com/realm-mesh/realm/realm/internal/node"
	"github.com/realm-mesh/realm/realm/internal/owner"
)

func newStop(a *app) *cobra.Command {
	return a.newChange(&cobra.Command{
		Use:   "stop NAME",
		Short: "Stop a program everywhere, and keep it",
		Long:  "Sign that a program is to stop, and wait until it has on every connected node that it is for. realm start starts it again.",
		Example: `  realm stop ticker
  realm stop function/double      # where a component has that name, too`,
	}, owner.SetStopped(true))
}

func newStart(a *app) *cobra.Command {
	return a.newChange(&cobra.Command{
		Use:     "start NAME",
		Short:   "Start a program that was stopped",
		Long:    "Sign that a stopped program is to start again, and wait until it runs on every connected node that it is for.",
		Example: "  realm start ticker",
	}, owner.SetStopped(false))
}

func newRemove(a *app) *cobra.Command {
	return a.newChange(&cobra.Command{
		Use:   "rm NAME",
		Short: "Remove a program everywhere",
		Long: `Sign that a program is gone, and wait until it is from every connected node that
it was for. Nodes that are away remove it when they are back. A later push under
the same name brings it back.`,
		Example: "  realm rm ticker",
	}, owner.Remove())
}

// newChange makes a command that changes a program which is there.
func (a *app) newChange(cmd *cobra.Command, change owner.Change) *cobra.Command {
	var f changeFlags
	f.declare(cmd.Flags(), "return when the nodes have done it")
	cmd.Args = arguments("NAME")
	cmd.ValidArgsFunction = a.completeNames(api.KindComponent, api.KindFunction)
	cmd.RunE = a.bounded(func(ctx context.Context, cmd *cobra.Command, args []string) error {
		return a.changeNamed(ctx, cmd, args[0], change, f)
	})
	return cmd
}

// parseRefs reads NAME, component/NAME or function/NAME: all that it may mean.
func parseRefs(arg string) ([]api.Ref, error) {
	kinds := []api.Kind{api.KindComponent, api.KindFunction}
	for _, k := range kinds {
		if name, ok := strings.CutPrefix(arg, string(k)+"/"); ok {
			n, err := api.ParseName(name)
			return []api.Ref{{Kind: k, Name: n}}, err
		}
	}
	n, err := api.ParseName(arg)
	if err != nil {
		return nil, err
	}
	var refs []api.Ref
	for _, k := range kinds {
		refs = append(refs, api.Ref{Kind: k, Name: n})
	}
	return refs, nil
}

// choose returns the one of refs that exists, or else was removed last.
func choose(ctx context.Context, n *node.Node, pin trust.Pin, refs []api.Ref) (api.Ref, error) {
	l, err := n.Ledger(ctx, pin, refs...)
	if err != nil {
		return api.Ref{}, err
	}
	var live, gone []api.Ref
	for _, r := range refs {
		cur, ok := l.Current(r, n.Now())
		switch {
		case !ok:
		case cur.Tombstone:
			gone = append(gone, r)
		default:
			live = append(live, r)
		}
	}
	switch found := slices.Concat(live, gone); {
	case len(live) > 1:
		return api.Ref{}, fmt.Errorf("%s is a component and a function: say which, %s or %s", refs[0].Name, live[0], live[1])
	case len(found) == 0:
		return api.Ref{}, unknown(ctx, n, refs[0].Name)
	default:
		return found[0], nil
	}
}
