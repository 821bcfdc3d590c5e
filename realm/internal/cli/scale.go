package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/realm/internal/node"
	"github.com/realm-mesh/realm/realm/internal/owner"
)

// everyReplica is what a person says for one replica on every member that matches.
const everyReplica = "every"

// replicas is a number of replicas as a flag or argument; 0: every.
type replicas int

func (r *replicas) String() string {
	if *r == 0 {
		return everyReplica
	}
	return strconv.Itoa(int(*r))
}

func (r *replicas) Set(s string) error {
	if s == everyReplica {
		*r = 0
		return nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > api.MaxReplicas {
		return fmt.Errorf("%.40q replicas: want 1 to %d, or %s", s, api.MaxReplicas, everyReplica)
	}
	*r = replicas(n)
	return nil
}

func (*replicas) Type() string { return "N|every" }

func newScale(a *app) *cobra.Command {
	var f changeFlags
	cmd := &cobra.Command{
		Use:   "scale NAME N|every",
		Short: "Run a component on more or fewer nodes",
		Long: `Sign how many replicas of a component there shall be over the realm, one a node at
most, or one on every node that its target names, and wait until so many run. If
fewer nodes fit, the others are pending until some do.`,
		Example: `  realm scale ticker 3
  realm scale ticker every`,
		Args:              arguments("NAME", "N"),
		ValidArgsFunction: a.completeScale,
	}
	f.declare(cmd.Flags(), "return when so many run")
	cmd.RunE = a.bounded(func(ctx context.Context, cmd *cobra.Command, args []string) error {
		var want replicas
		if err := want.Set(args[1]); err != nil {
			return misused(cmd, err)
		}
		return a.changeNamed(ctx, cmd, args[0], owner.Scale(int(want)), f)
	})
	return cmd
}

func (a *app) completeScale(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	if len(args) == 1 {
		return []string{everyReplica}, cobra.ShellCompDirectiveNoFileComp
	}
	return a.completeNames(api.KindComponent)(cmd, args, word)
}

func newRestart(a *app) *cobra.Command {
	var f changeFlags
	cmd := &cobra.Command{
		Use:   "restart NAME|DAEMON",
		Short: "Start a component anew everywhere, or one daemon of the node here",
		Long: `Sign that all replicas of a component are to be started anew, and wait until they
have been: as with a new version the old ones go on until the new ones are ready,
few at a time.

The name of a daemon stops that daemon of the node here and starts it again; it
returns when the daemon is ready. The daemons are ` + daemonNames() + `.
A component of that name is reached as component/NAME.`,
		Example: `  realm restart ticker
  realm restart runnerd
  realm restart component/runnerd`,
		Args:              arguments("NAME"),
		ValidArgsFunction: a.completeRestart,
	}
	f.declare(cmd.Flags(), "return when all have been started anew")
	cmd.RunE = a.bounded(func(ctx context.Context, cmd *cobra.Command, args []string) error {
		if d := api.Daemon(args[0]); slices.Contains(api.Daemons(), d) {
			return a.restartDaemon(ctx, cmd, d)
		}
		err := a.changeNamed(ctx, cmd, args[0], owner.Restart(time.Now()), f)
		if errors.Is(err, owner.ErrUnknown) {
			return fmt.Errorf("%w (the daemons here are %s)", err, daemonNames())
		}
		return err
	})
	return cmd
}

func (a *app) restartDaemon(ctx context.Context, cmd *cobra.Command, d api.Daemon) error {
	if a.nodeAddr != "" {
		return misused(cmd, fmt.Errorf("--node: %s is a daemon of the node on this machine; a component of that name is component/%s", d, d))
	}
	return a.onNode(ctx, func(n *node.Node) error {
		if err := n.Restart(ctx, d); err != nil {
			return fmt.Errorf("restart %s: %w", d, err)
		}
		v := struct {
			Daemon api.Daemon      `json:"daemon"`
			State  api.DaemonState `json:"state"`
		}{d, api.DaemonReady}
		return a.print(v, func() { fmt.Fprintf(a.out, "%s is ready again.\n", d) })
	})
}

func (a *app) completeRestart(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	names, directive := a.completeNames(api.KindComponent)(cmd, args, word)
	if len(args) == 0 {
		names = append(names, strings.Split(daemonNames(), ", ")...)
	}
	return names, directive
}

// changeNamed changes the program that arg names.
func (a *app) changeNamed(ctx context.Context, cmd *cobra.Command, arg string, change owner.Change, f changeFlags) error {
	refs, err := parseRefs(arg)
	if err != nil {
		return misused(cmd, err)
	}
	return a.onNode(ctx, func(n *node.Node) error {
		s, err := a.newSigner(ctx, n)
		if err != nil {
			return err
		}
		ref, err := choose(ctx, n, s.pin, refs)
		if err != nil {
			return err
		}
		err = a.change(ctx, n, s, ref, change, f)
		if errors.Is(err, owner.ErrNoReplicas) {
			return fmt.Errorf("%s: %w", ref, err)
		}
		return err
	})
}
