package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/config"
	"github.com/realm-mesh/realm/internal/kit/paths"
	"github.com/realm-mesh/realm/internal/kit/trust"
	"github.com/realm-mesh/realm/realm/internal/launcher"
	"github.com/realm-mesh/realm/realm/internal/node"
)

func newReset(a *app) *cobra.Command {
	var purge, yes bool
	cmd := &cobra.Command{
		Use:   "reset",
		Short: "Give up the realm that the node here belongs to",
		Long: `Have the node of this home follow nobody again: it forgets its owner, its membership,
its programs and all that the realm has signed. It keeps its key (and so its peer
id), stored blobs, volumes, logs, and config.toml; volumes are given to no other realm.
With --purge it keeps config.toml alone, so that it is a new node at the next realm up.

The node must be down. The realm is not told: realm peers revoke on another member
puts the node out of it for good.`,
		Example: `  realm reset
  realm reset --purge --yes`,
		Args: arguments(),
	}
	cmd.Flags().BoolVar(&purge, "purge", false, "remove key, blobs and logs, too; only config.toml stays")
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	cmd.RunE = a.bounded(func(ctx context.Context, _ *cobra.Command, _ []string) error {
		h, err := a.home()
		if err != nil {
			return err
		}
		return a.reset(ctx, h, purge, yes)
	})
	return cmd
}

// resetView is what was given up, in JSON.
type resetView struct {
	Home   string      `json:"home"`
	Realm  api.RealmID `json:"realm,omitempty"` // none: the node followed nobody
	Purged bool        `json:"purged"`
}

func (a *app) reset(ctx context.Context, h paths.Home, purge, yes bool) error {
	if _, err := os.Stat(h.Root()); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no node in %s: nothing to reset", h.Root())
	}
	if node.Up(ctx, h) {
		return fmt.Errorf("the node in %s is up: stop it first, with realm down", h.Root())
	}
	v, err := who(h)
	if err != nil {
		v = whoView{} // damaged files are a reason to reset
	}
	// A pin that cannot be read is given up like any other.
	pin, err := trust.ReadPin(h.Pin())
	if err := a.confirm(ctx, yes, resetQuestion(h, pin, err, purge)); err != nil {
		return err
	}
	if err := launcher.Reset(ctx, h, purge); errors.Is(err, launcher.ErrAlreadyUp) {
		return fmt.Errorf("%w: stop it first, with realm down", err)
	} else if err != nil {
		return err
	}
	return a.print(resetView{h.Root(), pin.Realm, purge}, func() {
		fmt.Fprintf(a.out, "The node in %s follows nobody any more.\n", h.Root())
		if c, err := config.ReadFile(h.Config()); err == nil && c.Owner != "" {
			fmt.Fprintf(a.out, "With the next realm up it follows %s, as %s says: realm configure --owner KEY changes that.\n", c.Owner, h.Config())
		}
		if pin.Realm != "" && v.Peer != "" {
			fmt.Fprintf(a.out, "To put it out of realm %s for good, on another member: realm peers revoke %s\n", pin.Realm, v.Peer)
		}
	})
}

func resetQuestion(h paths.Home, pin trust.Pin, pinErr error, purge bool) string {
	what := "its owner, its membership and its programs"
	if purge {
		what = "all that it holds, its key, blobs and logs included"
	}
	switch {
	case errors.Is(pinErr, trust.ErrUnclaimed):
		return fmt.Sprintf("The node in %s follows nobody, and loses %s.", h.Root(), what)
	case pinErr != nil:
		return fmt.Sprintf("The node in %s loses %s. (Whom it follows cannot be read.)", h.Root(), what)
	}
	return fmt.Sprintf("The node in %s leaves realm %s, and loses %s.", h.Root(), pin.Realm, what)
}
