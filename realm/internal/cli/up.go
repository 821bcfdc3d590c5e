package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/buildinfo"
	"github.com/realm-mesh/realm/internal/kit/config"
	"github.com/realm-mesh/realm/internal/kit/disk"
	"github.com/realm-mesh/realm/internal/kit/paths"
	"github.com/realm-mesh/realm/internal/kit/rotate"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
	"github.com/realm-mesh/realm/realm/internal/addr"
	"github.com/realm-mesh/realm/realm/internal/launcher"
	"github.com/realm-mesh/realm/realm/internal/node"
)

func newUp(a *app) *cobra.Command {
	var f nodeFlags
	var p programFlags
	var wasm string
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Bring up a node here, and keep it up",
		Long: `Bring up a node in the foreground: its bus and its daemons. It prints the address
that other nodes dial, and ends with Ctrl-C, SIGTERM or realm down (a second
Ctrl-C ends it at once). Flags count for this run; realm configure keeps them.

A node follows one owner for ever: the key of --owner or of the settings, else
the owner key of this account. Without any it comes up, but accepts nothing.`,
		Example: `  realm up
  realm up --role edge --bootstrap /ip4/192.0.2.7/udp/4001/quic-v1/p2p/12D3KooW…
  realm up --wasm ticker.wasm
  REALM_HOME=/tmp/second realm up --http-listen 127.0.0.1:8081 --manage-listen 127.0.0.1:9921`,
		Args: arguments(),
	}
	f.declare(cmd.Flags())
	cmd.Flags().StringVar(&wasm, "wasm", "", "program to push, named after its file, as soon as the node is ready")
	p.declareLimits(cmd.Flags())
	cmd.RunE = a.open(func(ctx context.Context, cmd *cobra.Command, _ []string) error {
		h, err := a.home()
		if err != nil {
			return err
		}
		c, err := settings(cmd, h, f)
		if err != nil {
			return err
		}
		first, err := firstProgram(cmd, wasm, p)
		if err != nil {
			return err
		}
		return a.up(ctx, h, c, first)
	})
	return cmd
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

// up runs the node until ctx ends or somebody stops it. first, if any, is pushed
// when it is ready.
func (a *app) up(ctx context.Context, h paths.Home, c config.Node, first *program) error {
	logs := rotate.New(h.DaemonLog(api.Launcher), disk.ReserveState)
	defer logs.Close()
	a.hearsKill.Store(true)
	stopping := context.AfterFunc(ctx, func() { a.say("Stopping (once more: at once).") })
	defer stopping()
	err := launcher.Run(ctx, launcher.Options{
		Home: h, Config: c, Out: a.err, Kill: a.kill,
		Log:     telemetry.NewLogger(logs, api.Launcher),
		OnReady: func(ctx context.Context) error { return a.ready(ctx, h, c, first) },
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

// greetTimeout bounds the question for the node's addresses.
const greetTimeout = 15 * time.Second

// readyView is what realm up says when the node is ready.
type readyView struct {
	Version string      `json:"version"`
	Home    string      `json:"home"`
	Peer    api.PeerID  `json:"peer"`
	Realm   api.RealmID `json:"realm,omitempty"`
	Owner   string      `json:"owner,omitempty"`
	Addrs   []string    `json:"addrs"`
	HTTP    string      `json:"http"`
	Manage  string      `json:"manage"`
	Logs    string      `json:"logs"`
}

// ready tells that the node is ready, and pushes the first program. Nothing that
// goes wrong here is a reason to end the node.
func (a *app) ready(ctx context.Context, h paths.Home, c config.Node, first *program) error {
	err := a.greet(ctx, h, c)
	if err == nil && first != nil {
		err = a.pushFirst(ctx, h, *first)
	}
	if err != nil && ctx.Err() == nil {
		a.complain(err)
	}
	return nil
}

func (a *app) greet(ctx context.Context, h paths.Home, c config.Node) error {
	ctx, cancel := context.WithTimeout(ctx, greetTimeout)
	defer cancel()
	n, err := node.Dial(ctx, h)
	if err != nil {
		return err
	}
	defer n.Close()
	mesh, err := n.Mesh(ctx)
	if err != nil {
		return err
	}
	if c, err = launcher.Settings(h, c); err != nil { // with the ports that were chosen
		return err
	}
	v := readyView{Version: buildinfo.Version, Home: h.Root(), Peer: mesh.Peer, Realm: mesh.Realm, Owner: mesh.Owner,
		Addrs: list(mesh.Addrs), HTTP: c.HTTPListen, Manage: c.ManageListen, Logs: h.DaemonLogs()}
	return a.print(v, func() { a.printReady(v) })
}

func (a *app) printReady(v readyView) {
	fmt.Fprintf(a.out, `Realm %s: this node is ready.

  home        %s
  logs        %s
  peer        %s
`, v.Version, v.Home, v.Logs, v.Peer)
	if v.Owner == "" {
		fmt.Fprintf(a.out, "  follows     nobody yet, so it runs nothing. To claim it: realm init here, or\n              realm configure --owner KEY; then stop it and realm up again\n")
	} else {
		fmt.Fprintf(a.out, "  realm       %s\n  follows     %s\n", v.Realm, v.Owner)
	}
	fmt.Fprintf(a.out, "  programs    http://%s\n  management  http://%s\n\n", v.HTTP, v.Manage)
	if best := bestAddrs(v.Addrs); len(best) > 0 {
		fmt.Fprintf(a.out, "Other nodes reach it with realm up --bootstrap and one of these\n(realm status --json has all %d):\n\n", len(v.Addrs))
		for _, s := range best {
			fmt.Fprintf(a.out, "  %s\n", s)
		}
		fmt.Fprintln(a.out)
	}
	fmt.Fprintf(a.out, "Stop it with Ctrl-C or realm down.\n")
}

// bestAddrs are those to show to a person: over QUIC, from elsewhere; where there
// are none of these, what there is.
func bestAddrs(all []string) []string {
	best := all
	for _, unwanted := range []string{"/tcp/", "/ip6/::1/", "/ip4/127."} {
		fewer := slices.DeleteFunc(slices.Clone(best), func(s string) bool { return strings.Contains(s, unwanted) })
		if len(fewer) > 0 {
			best = fewer
		}
	}
	return best
}
