package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/realm/internal/node"
	"github.com/realm-mesh/realm/realm/internal/owner"
	"github.com/realm-mesh/realm/realm/internal/rollout"
)

func newNode(a *app) *cobra.Command {
	return group(&cobra.Command{
		Use:   "node",
		Short: "What the owner wants of one node: drain, resume, set",
		Long: `Sign what is wanted of one member, whichever node is asked: that it runs nothing for
a while, or which roles it has. PEER is its host's name, its peer id, or an end of
that which no other has.`,
		Example: `  realm node drain shed
  realm node resume shed`,
	}, newDrain(a), newResume(a), newNodeSet(a))
}

func newDrain(a *app) *cobra.Command {
	var wait bool
	cmd := &cobra.Command{
		Use:   "drain PEER",
		Short: "Have a node run nothing, until realm node resume",
		Long: `Sign that a node is to run nothing, and wait until it does not: each replica goes
on there until its successor on another node is ready. What counts its replicas and
finds no other node goes on, is listed, and makes the exit code 1.`,
		Example: `  realm node drain shed
  realm node drain 4kx6nXTN --wait=false`,
		Args:              arguments("PEER"),
		ValidArgsFunction: a.completeWhom,
	}
	cmd.Flags().BoolVar(&wait, "wait", true, "return when nothing runs there; --wait=false: when it is accepted")
	cmd.RunE = a.bounded(func(ctx context.Context, _ *cobra.Command, args []string) error {
		return a.onNode(ctx, func(n *node.Node) error {
			v, err := a.setNode(ctx, n, args[0], func(s *api.NodeSettings) { s.Drain = true })
			if err != nil {
				return err
			}
			if !wait {
				return a.print(v, func() { fmt.Fprintf(a.out, "%s is drained from now on.\n", v.someone) })
			}
			return a.awaitDrained(ctx, n, v)
		})
	})
	return cmd
}

func newResume(a *app) *cobra.Command {
	return &cobra.Command{
		Use:               "resume PEER",
		Short:             "Let a node that was drained run programs again",
		Long:              "Sign that a node is not drained any more. It takes back the replicas for which it ranks first.",
		Example:           "  realm node resume shed",
		Args:              arguments("PEER"),
		ValidArgsFunction: a.completeWhom,
		RunE: a.bounded(func(ctx context.Context, _ *cobra.Command, args []string) error {
			return a.onNode(ctx, func(n *node.Node) error {
				v, err := a.setNode(ctx, n, args[0], func(s *api.NodeSettings) { s.Drain = false })
				if err != nil {
					return err
				}
				return a.print(v, func() {
					if v.Was {
						fmt.Fprintf(a.out, "%s is not drained.\n", v.someone)
						return
					}
					fmt.Fprintf(a.out, "%s runs programs again.\n", v.someone)
				})
			})
		}),
	}
}

func newNodeSet(a *app) *cobra.Command {
	var roles []string
	var none, reset, wait bool
	cmd := &cobra.Command{
		Use:   "set PEER --role ROLE",
		Short: "Say which roles a node has",
		Long: `Sign which roles a node has, and no others, whatever its membership and its own
settings say, until --reset takes that back, and wait until it says so itself.
Programs move accordingly.`,
		Example: `  realm node set shed --role edge --role arm
  realm node set shed --no-roles
  realm node set shed --reset`,
		Args:              arguments("PEER"),
		ValidArgsFunction: a.completeWhom,
	}
	cmd.Flags().StringSliceVar(&roles, "role", nil, "role that it has; may be repeated")
	cmd.Flags().BoolVar(&none, "no-roles", false, "it has none")
	cmd.Flags().BoolVar(&reset, "reset", false, "it has those of its membership again, or else of its own settings")
	cmd.Flags().BoolVar(&wait, "wait", true, "return when the node says so itself; --wait=false: when it is accepted")
	a.completeFlags(cmd)
	cmd.RunE = a.bounded(func(ctx context.Context, cmd *cobra.Command, args []string) error {
		change, err := rolesChange(roles, none, reset)
		if err != nil {
			return misused(cmd, err)
		}
		return a.onNode(ctx, func(n *node.Node) error {
			v, err := a.setNode(ctx, n, args[0], change)
			if err == nil && wait && !reset {
				err = awaitRoles(ctx, n, v)
			}
			if err != nil {
				return err
			}
			return a.print(v, func() { fmt.Fprintln(a.out, v.rolesText()) })
		})
	})
	return cmd
}

func rolesChange(roles []string, none, reset bool) (func(*api.NodeSettings), error) {
	given := 0
	for _, g := range []bool{len(roles) > 0, none, reset} {
		if g {
			given++
		}
	}
	if given != 1 {
		return nil, errors.New("say which roles it has: --role ROLE, --no-roles or --reset")
	}
	if err := api.ValidateTags(roles); err != nil {
		return nil, fmt.Errorf("--role: %w", err)
	}
	return func(s *api.NodeSettings) {
		if s.Roles = nil; !reset {
			s.Roles = append([]string{}, roles...)
		}
	}, nil
}

// nodeSettingsView is what realm node says in JSON.
type nodeSettingsView struct {
	someone
	Drained bool     `json:"drained"`
	Roles   []string `json:"roles"` // null: those of its membership, or else its own
	Was     bool     `json:"was"`   // all this was so already
	// Left is what still runs there, after a drain.
	Left []leftView `json:"left,omitempty"`
}

func (v nodeSettingsView) rolesText() string {
	switch {
	case v.Roles == nil:
		return fmt.Sprintf("%s has the roles of its membership, or else of its own settings.", v.someone)
	case len(v.Roles) == 0:
		return fmt.Sprintf("%s has no roles.", v.someone)
	}
	return fmt.Sprintf("%s has the roles %s, and no others.", v.someone, strings.Join(v.Roles, ", "))
}

// awaitRoles returns when a node says that it has the roles that it was given, or
// is not connected.
func awaitRoles(ctx context.Context, n *node.Node, v nodeSettingsView) error {
	watching, stop := context.WithCancel(ctx)
	defer stop()
	want := slices.Sorted(slices.Values(v.Roles))
	err := n.Watch(watching, node.Scope{Pace: manyPace}, func(now node.Snapshot) error {
		p, ok := now.Peers[v.Peer]
		if !ok || !rollout.Up(p) || slices.Equal(slices.Sorted(slices.Values(p.Roles)), want) {
			stop()
		}
		return nil
	})
	if err == nil && ctx.Err() != nil {
		return because(ctx, fmt.Errorf("it is accepted, but %s does not say yet that it has the roles: see realm peers", v.someone))
	}
	return err
}

// setNode signs a change of what is wanted of the member that word means.
func (a *app) setNode(ctx context.Context, n *node.Node, word string, change func(*api.NodeSettings)) (v nodeSettingsView, err error) {
	s, err := a.newSigner(ctx, n)
	if err == nil {
		err = s.MustOwn()
	}
	if err != nil {
		return v, err
	}
	all, err := members(ctx, n)
	if err != nil {
		return v, err
	}
	if v.someone, err = whom(word, all); err != nil {
		return v, err
	}
	key, err := keys.OfPeer(v.Peer)
	if err != nil {
		return v, err
	}
	act := owner.SetNode(key, func(s *api.NodeSettings) {
		change(s)
		v.Drained, v.Roles = s.Drain, s.Roles
	})
	// What others have set meanwhile is changed, not overruled.
	step, err := n.Begin(ctx, s.pin, s.Signer, act.Ref, act.Change, true)
	if err == nil {
		_, err = step.Submit(ctx)
	}
	if errors.Is(err, owner.ErrUnchanged) { // perhaps by somebody else, a moment ago
		v.Was = true
		return v, nil
	}
	return v, err
}
