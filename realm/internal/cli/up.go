package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/config"
	"github.com/realm-mesh/realm/internal/kit/disk"
	"github.com/realm-mesh/realm/internal/kit/invite"
	"github.com/realm-mesh/realm/internal/kit/paths"
	"github.com/realm-mesh/realm/internal/kit/rotate"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
	"github.com/realm-mesh/realm/internal/kit/trust"
	"github.com/realm-mesh/realm/realm/internal/addr"
	"github.com/realm-mesh/realm/realm/internal/launcher"
	"github.com/realm-mesh/realm/realm/internal/owner"
)

// upFlags are what realm up can be told for one run.
type upFlags struct {
	nodeFlags
	program    programFlags
	wasm       string
	enroll     string
	tofu       bool
	tofuWindow span
}

func newUp(a *app) *cobra.Command {
	f := upFlags{tofuWindow: span(config.DefaultTofu)}
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Bring up a node here, and keep it up",
		Long: `Bring up a node in the foreground: its bus and its daemons. It prints the address
that other nodes dial, and ends with Ctrl-C, SIGTERM or realm down (a second
Ctrl-C ends it at once). Flags count for this run; realm configure keeps them.

A node belongs to one realm until realm reset. Where the owner's key is in this
account it belongs to that, and is a member at once. Elsewhere it joins with the
token of an invite, from --enroll or $` + launcher.EnvEnrollToken + `; a member passes over it.
With --owner it knocks, and waits for realm peers admit on a member. With --tofu it
waits for whoever types its code: realm claim. Without any of these it comes up, but
accepts nothing.`,
		Example: `  realm up
  realm up --enroll realm1pZGx…
  realm up --tofu
  realm up --role edge --bootstrap /ip4/192.0.2.7/udp/4001/quic-v1/p2p/12D3KooW…
  realm up --wasm ticker.wasm
  REALM_HOME=/tmp/second realm up --http-listen 127.0.0.1:8081 --manage-listen 127.0.0.1:9921`,
		Args: arguments(),
	}
	f.declare(cmd.Flags())
	cmd.Flags().StringVar(&f.enroll, "enroll", "", "token of an invite to join with; - reads it from standard input (default $"+launcher.EnvEnrollToken+")")
	cmd.Flags().BoolVar(&f.tofu, "tofu", false, "while nobody owns the node, let it be claimed with a code that it prints")
	cmd.Flags().Var(&f.tofuWindow, "tofu-window", "how long after the start it can be claimed")
	cmd.Flags().StringVar(&f.wasm, "wasm", "", "program to push, named after its file, as soon as the node is ready")
	f.program.declareLimits(cmd.Flags())
	completeWasmFlag(cmd, "wasm")
	cmd.RunE = a.open(func(ctx context.Context, cmd *cobra.Command, _ []string) error {
		h, err := a.home()
		if err != nil {
			return err
		}
		r, err := a.newRun(ctx, cmd, h, f)
		if err != nil {
			return err
		}
		return a.up(ctx, h, r)
	})
	return cmd
}

// run is what realm up was asked for.
type run struct {
	config config.Node
	first  *program      // pushed when the node is ready; nil: none
	enroll *invite.Token // to join with; nil: none
}

func (a *app) newRun(ctx context.Context, cmd *cobra.Command, h paths.Home, f upFlags) (r run, err error) {
	if r.config, err = settings(cmd, h, f.nodeFlags); err != nil {
		return r, err
	}
	if err := f.exclude(cmd); err != nil {
		return r, misused(cmd, err)
	}
	if f.tofu {
		r.config.Tofu = api.Duration(f.tofuWindow)
		if err := r.config.Validate(); err != nil {
			return r, misused(cmd, err)
		}
	}
	if pin, err := trust.ReadPin(h.Pin()); err == nil && r.config.Tofu != 0 {
		a.note("This node follows %s: nobody else can claim it.", pin.Owner)
		r.config.Tofu = 0
	}
	if r.enroll, err = a.invited(ctx, cmd, h, f.enroll); err != nil {
		return r, err
	}
	r.first, err = firstProgram(cmd, f.wasm, f.program)
	return r, err
}

// exclude refuses flags that contradict each other.
func (f upFlags) exclude(cmd *cobra.Command) error {
	given := func(flag string) bool { return cmd.Flags().Changed(flag) }
	switch {
	case f.tofu && f.enroll != "":
		return errors.New("--tofu and --enroll: the node joins with a token, or waits to be claimed; which?")
	case f.tofu && given("owner"):
		return errors.New("--tofu and --owner: the node follows a key, or waits for one; which?")
	case given("tofu-window") && !f.tofu:
		return errors.New("--tofu-window: for how long --tofu holds: give that, too")
	}
	return nil
}

// settings are those of the home and the environment, under the flags.
func settings(cmd *cobra.Command, h paths.Home, f nodeFlags) (config.Node, error) {
	c, err := config.Load(h.Config())
	if err != nil {
		return c, err
	}
	if err := f.over(&c, cmd.Flags().Changed, replaceList); err != nil {
		return c, misused(cmd, err)
	}
	for _, s := range c.Bootstrap {
		if err := addr.Check(s); err != nil {
			return c, fmt.Errorf("%w: bootstrap: %w", config.ErrInvalid, err)
		}
	}
	return c, nil
}

// up runs the node until ctx ends or somebody stops it.
func (a *app) up(ctx context.Context, h paths.Home, r run) error {
	logs := rotate.New(h.DaemonLog(api.Launcher), disk.ReserveState)
	defer logs.Close()
	a.hearsKill.Store(true)
	stopping := context.AfterFunc(ctx, func() { a.say("Stopping (once more: at once).") })
	defer stopping()
	err := launcher.Run(ctx, launcher.Options{
		Home: h, Config: r.config, Enroll: r.enroll, Owner: func() (owner.Key, error) { return a.upKey(ctx, r.config) },
		Out: a.err, Kill: a.kill, Log: telemetry.NewLogger(logs, api.Launcher),
		OnReady: func(ctx context.Context) error { return a.ready(ctx, h, r) },
	})
	switch {
	case errors.Is(err, launcher.ErrAlreadyUp):
		return fmt.Errorf("%w. See it with realm ps, stop it with realm down; a second node on this machine needs a home and ports of its own (--home, --http-listen, --manage-listen)", err)
	case err != nil:
		return err
	}
	a.say("Stopped.")
	return nil
}

// upKey is the key of this account, for a node that is not to wait for another.
func (a *app) upKey(ctx context.Context, c config.Node) (owner.Key, error) {
	if c.Tofu != 0 {
		return owner.Key{}, owner.ErrNoKey
	}
	return a.ownerKey(ctx)
}
