package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/paths"
	"github.com/realm-mesh/realm/internal/kit/trust"
	"github.com/realm-mesh/realm/realm/internal/addr"
	"github.com/realm-mesh/realm/realm/internal/client"
	"github.com/realm-mesh/realm/realm/internal/contexts"
	"github.com/realm-mesh/realm/realm/internal/node"
	"github.com/realm-mesh/realm/realm/internal/owner"
)

// envContext names the context to use.
const envContext = "REALM_CONTEXT"

// where says which node a command is about: what a flag says counts more than what
// the environment does, and that more than the context in use.
type where struct {
	home    string // as [paths.Open] takes it
	node    string // address of a member, to ask through a client; "": the node of home
	context string // name of the context; "": there is none
	set     contexts.Context
}

// where settles which node the command is about, once.
func (a *app) where() (where, error) {
	if a.settled == nil {
		w, err := a.settle()
		if err != nil {
			return w, err
		}
		a.settled = &w
	}
	return *a.settled, nil
}

func (a *app) settle() (w where, err error) {
	if w.context, w.set, err = a.currentContext(); err != nil {
		return w, err
	}
	switch {
	case a.nodeAddr != "":
		w.node = a.nodeAddr
	case a.homeDir != "":
		w.home = a.homeDir
	case a.before(paths.EnvHome):
		w.home, w.node = w.set.Home, w.set.Node
	}
	if w.node != "" {
		if err := addr.Check(w.node); err != nil {
			return w, err
		}
	}
	return w, nil
}

// before reports whether what the context says counts more than a variable of the
// environment: it does where the context was named by a flag.
func (a *app) before(variable string) bool { return a.contextName != "" || os.Getenv(variable) == "" }

// currentContext is the one of --context, else of the environment, else of realm
// context use; the zero Context for none.
func (a *app) currentContext() (string, contexts.Context, error) {
	name := orElse(a.contextName, os.Getenv(envContext))
	path, err := paths.Contexts()
	if err != nil && name == "" {
		return "", contexts.Context{}, nil // an account without a configuration folder has none
	}
	if err != nil {
		return "", contexts.Context{}, err
	}
	book, err := contexts.Read(path)
	if err != nil {
		return "", contexts.Context{}, err
	}
	if name = orElse(name, book.Current); name == "" {
		return "", contexts.Context{}, nil
	}
	c, err := book.Get(name)
	return name, c, err
}

// unplaced are commands that no node, realm or key is behind.
var unplaced = []string{"context", "version", "help", "completion", cobra.ShellCompRequestCmd, cobra.ShellCompNoDescRequestCmd}

// asking are the commands that ask a node, whichever it is. The others are about the
// machine here.
var asking = []string{"status", "peers", "grant", "history", "push", "stop", "start", "restart", "scale", "rm", "explain",
	"node", "apply", "diff", "rollback", "fn", "invite", "claim", "key rotate",
	"job submit", "job list", "job list-json", "job status", "job status-json", "job logs", "job cancel", "job artifacts", "job artifacts-json", "job download", "job rm",
	"storage put", "storage get", "storage pin", "storage unpin", "volume", "secret"}

// enter is done before every command.
func (a *app) enter(cmd *cobra.Command, _ []string) error {
	if a.timeout <= 0 {
		return misused(cmd, fmt.Errorf("--timeout %s: want more than nothing, such as 30s", a.timeout))
	}
	path := strings.Fields(cmd.CommandPath())[1:]
	if len(path) > 0 && slices.Contains(unplaced, path[0]) {
		return nil
	}
	if err := a.checkNode(cmd, strings.Join(path, " ")); err != nil {
		return misused(cmd, err)
	}
	w, err := a.where()
	if err != nil {
		return err
	}
	if err := w.checkWait(cmd); err != nil {
		return err
	}
	return a.useKey(w)
}

// checkNode refuses --node where it means nothing.
func (a *app) checkNode(cmd *cobra.Command, path string) error {
	if a.nodeAddr == "" {
		return nil
	}
	if !slices.ContainsFunc(asking, func(s string) bool { return path == s || strings.HasPrefix(path, s+" ") }) {
		return fmt.Errorf("--node: %s is about the node on this machine", cmd.CommandPath())
	}
	if a.homeDir != "" {
		return errors.New("--node and --home: which of them is to be asked?")
	}
	return addr.Check(a.nodeAddr)
}

// checkWait refuses to leave before others have what only this process holds.
func (w where) checkWait(cmd *cobra.Command) error {
	f := cmd.Flags().Lookup("wait")
	if w.node == "" || f == nil || f.Value.String() != "false" {
		return nil
	}
	return misused(cmd, errors.New("--wait=false: this command brings up a node for its own time only, and others must have fetched the program before it leaves: leave out --wait=false"))
}

// useKey has the key of the context sign.
func (a *app) useKey(w where) error {
	if a.grantFile == "" && a.before(envGrant) {
		a.grantFile = w.set.Grant
	}
	if w.set.OwnerKey == "" || !a.before(paths.EnvOwnerKey) {
		return nil
	}
	return os.Setenv(paths.EnvOwnerKey, w.set.OwnerKey)
}

// onNode gives fn the node that the command is about. On this machine it must be up.
func (a *app) onNode(ctx context.Context, fn func(n *node.Node) error) error {
	w, err := a.where()
	if err != nil {
		return err
	}
	if w.node != "" {
		return a.asClient(ctx, w, w.node, false, func(_ context.Context, n *node.Node) error { return fn(n) })
	}
	h, err := a.home()
	if err != nil {
		return err
	}
	return dialed(ctx, h, fn)
}

func dialed(ctx context.Context, h paths.Home, fn func(n *node.Node) error) error {
	n, err := node.Dial(ctx, h)
	if err != nil {
		return err
	}
	defer n.Close()
	return fn(n)
}

// asClient gives fn a node that is brought up for the time of the command, as a
// client of the realm that is reached at an address. alone: nobody there is a member yet.
func (a *app) asClient(ctx context.Context, w where, address string, alone bool, fn func(context.Context, *node.Node) error) error {
	s, pin, err := a.clientSigner(ctx, w)
	if err != nil {
		return err
	}
	life := api.MaxClient
	if end, ok := ctx.Deadline(); ok {
		life = time.Until(end)
	}
	a.hearsKill.Store(true)
	a.note("Joining realm %s at %s for the time of this command.", pin.Realm, address)
	err = client.Run(ctx, client.Options{Pin: pin, Signer: s, Addr: address, Life: life, Alone: alone, Kill: a.kill, Log: slog.New(slog.DiscardHandler)},
		func(ctx context.Context, h paths.Home) error {
			return dialed(ctx, h, func(n *node.Node) error { return fn(ctx, n) })
		})
	if errors.Is(err, client.ErrNotIn) && pin == s.Key.Pin() {
		return fmt.Errorf("%w\nYour key %s speaks for realm %s. If it holds a grant of another realm, name that with --grant FILE, or in a context", err, s.Key.Path, pin.Realm)
	}
	return err
}

// clientSigner is who lets the client in, and into which realm: that of the context,
// else of the grant, else of the key.
func (a *app) clientSigner(ctx context.Context, w where) (s owner.Signer, pin trust.Pin, err error) {
	key, err := a.ownerKey(ctx)
	if err != nil {
		return s, pin, err
	}
	grant, err := a.readGrant() //nolint:contextcheck // reading an intent waits for nothing
	if err != nil {
		return s, pin, err
	}
	pin, ok, err := w.set.Pin()
	switch {
	case err != nil:
		return s, pin, err
	case ok:
	case grant != nil:
		pin = trust.Pin{Realm: grant.Realm, Owner: grant.Signer}
	default:
		pin = key.Pin()
	}
	return owner.Signer{Key: key, Realm: pin.Realm, Grant: grant}, pin, key.Ready()
}
