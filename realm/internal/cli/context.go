package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/paths"
	"github.com/realm-mesh/realm/realm/internal/contexts"
)

func newContext(a *app) *cobra.Command {
	return group(&cobra.Command{
		Use:   "context",
		Short: "Your realms by name: which node to ask, and with which key",
		Long: `A context is a name for a realm: the home of a node on this machine, or the address
of a member where there is none, and the key to sign with. Commands take it with
--context NAME, from $` + envContext + `, or the one of realm context use. Other flags come
before it; other variables, too, unless it is named with --context.`,
		Example: `  realm context add shed --node /ip4/192.0.2.7/udp/4001/quic-v1/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN
  realm status --context shed
  realm context use shed`,
	}, newContextAdd(a), newContextList(a), newContextUse(a), newContextRemove(a), newContextShow(a))
}

// contextView is a context in JSON.
type contextView struct {
	Name    string `json:"name"`
	Current bool   `json:"current"`
	contexts.Context
}

func newContextAdd(a *app) *cobra.Command {
	var c contexts.Context
	var realm string
	cmd := &cobra.Command{
		Use:   "add NAME",
		Short: "Name a realm, and the way to it",
		Long: `Name a realm: with --home, the node of that folder is asked; with --node, a client
that is brought up for the time of each command, and reaches that member. A key that
holds a grant (--grant FILE, as realm grant --out wrote it) goes with --owner-key. A
realm whose owner has rotated their key is named with --realm and --owner.`,
		Example: `  realm context add home --home /srv/realm
  realm context add shed --node /ip4/192.0.2.7/udp/4001/quic-v1/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN
  realm context add ci --node /dns4/shed.example/udp/4001/quic-v1/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN --owner-key ci.pem --grant ci.grant`,
		Args: arguments("NAME"),
	}
	cmd.Flags().StringVar(&c.OwnerKey, "owner-key", "", "file of the key to sign with (default: that of this account)")
	cmd.Flags().StringVar(&realm, "realm", "", "id of the realm, where --owner is not its first key")
	cmd.Flags().StringVar(&c.Owner, "owner", "", "key that speaks for the realm (default: that of the key or grant)")
	cmd.RunE = a.bounded(func(ctx context.Context, cmd *cobra.Command, args []string) error {
		if _, err := api.ParseName(args[0]); err != nil {
			return misused(cmd, err)
		}
		c.Home, c.Node, c.Grant, c.Realm = a.homeDir, a.nodeAddr, a.grantFile, api.RealmID(realm)
		for _, path := range []*string{&c.Home, &c.OwnerKey, &c.Grant} {
			if *path == "" {
				continue
			}
			abs, err := filepath.Abs(*path)
			if err != nil {
				return err
			}
			*path = abs
		}
		if c == (contexts.Context{}) {
			return misused(cmd, errors.New("say what it names: a node with --home or --node, or a key with --owner-key"))
		}
		if err := c.Validate(); err != nil {
			return misused(cmd, err)
		}
		return a.addContext(ctx, args[0], c)
	})
	return cmd
}

func (a *app) addContext(ctx context.Context, name string, c contexts.Context) error {
	err := a.changeContexts(ctx, func(b *contexts.Book) error {
		if _, ok := b.Contexts[name]; ok {
			return fmt.Errorf("there is a context %s already: look at it with realm context show %s, or remove it first with realm context rm %s", name, name, name)
		}
		b.Contexts[name] = c
		return nil
	})
	if err != nil {
		return err
	}
	return a.print(contextView{Name: name, Context: c}, func() {
		fmt.Fprintf(a.out, "%s is a context now. Use it with --context %s, or always: realm context use %s\n", name, name, name)
	})
}

func (a *app) changeContexts(ctx context.Context, change func(*contexts.Book) error) error {
	path, err := paths.Contexts()
	if err != nil {
		return err
	}
	return contexts.Update(ctx, path, change)
}

func readContexts() (contexts.Book, error) {
	path, err := paths.Contexts()
	if err != nil {
		return contexts.Book{}, err
	}
	return contexts.Read(path)
}

func newContextList(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "ls",
		Short: "List your contexts",
		Long:  "List your contexts; the one in use is marked with a star.",
		Example: `  realm context ls
  realm context ls --json`,
		Args: arguments(),
		RunE: func(*cobra.Command, []string) error {
			b, err := readContexts()
			if err != nil {
				return err
			}
			v := []contextView{}
			for _, name := range b.Names() {
				v = append(v, contextView{name, name == b.Current, b.Contexts[name]})
			}
			return a.print(v, func() { a.printContexts(v) })
		},
	}
}

func (a *app) printContexts(all []contextView) {
	if len(all) == 0 {
		fmt.Fprintln(a.out, "No contexts yet: commands are about the node of this account's home. See realm help context add.")
		return
	}
	rows := [][]string{{"", "NAME", "ASKS", "SIGNS WITH"}}
	for _, v := range all {
		mark := ""
		if v.Current {
			mark = "*"
		}
		rows = append(rows, []string{mark, v.Name, v.asks(), orElse(v.OwnerKey, "the key of this account")})
	}
	table(a.out, rows)
}

// asks says which node is asked.
func (v contextView) asks() string {
	switch {
	case v.Node != "":
		return v.Node
	case v.Home != "":
		return v.Home
	}
	return "the node of this account"
}

func newContextUse(a *app) *cobra.Command {
	var none bool
	cmd := &cobra.Command{
		Use:   "use NAME",
		Short: "Have commands be about this context from now on",
		Long:  "Have commands be about this context from now on, unless they name another. With --none they are about the node of this account again.",
		Example: `  realm context use shed
  realm context use --none`,
		ValidArgsFunction: a.completeContext,
	}
	cmd.Flags().BoolVar(&none, "none", false, "use no context")
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if none {
			return arguments()(cmd, args)
		}
		return arguments("NAME")(cmd, args)
	}
	cmd.RunE = a.bounded(func(ctx context.Context, _ *cobra.Command, args []string) error {
		name := strings.Join(args, "") // there is one, or none
		err := a.changeContexts(ctx, func(b *contexts.Book) error {
			if !none {
				if _, err := b.Get(name); err != nil {
					return err
				}
			}
			b.Current = name
			return nil
		})
		if err != nil {
			return err
		}
		v := struct {
			Current string `json:"current"`
		}{name}
		return a.print(v, func() {
			if none {
				fmt.Fprintln(a.out, "Commands are about the node of this account again.")
				return
			}
			fmt.Fprintf(a.out, "Commands are about %s now.\n", name)
		})
	})
	return cmd
}

func newContextRemove(a *app) *cobra.Command {
	return &cobra.Command{
		Use:               "rm NAME",
		Short:             "Forget a context",
		Long:              "Forget a context. The node, the key and the realm that it names stay as they are.",
		Example:           "  realm context rm shed",
		Args:              arguments("NAME"),
		ValidArgsFunction: a.completeContext,
		RunE: a.bounded(func(ctx context.Context, _ *cobra.Command, args []string) error {
			v := contextView{Name: args[0]}
			err := a.changeContexts(ctx, func(b *contexts.Book) (err error) {
				if v.Context, err = b.Get(args[0]); err != nil {
					return err
				}
				delete(b.Contexts, args[0])
				if v.Current = b.Current == args[0]; v.Current {
					b.Current = ""
				}
				return nil
			})
			if err != nil {
				return err
			}
			return a.print(v, func() {
				fmt.Fprintf(a.out, "The context %s is forgotten.\n", v.Name)
				if v.Current {
					fmt.Fprintln(a.out, "It was in use: commands are about the node of this account again.")
				}
			})
		}),
	}
}

func newContextShow(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "show [NAME]",
		Short: "Show a context, or the one in use",
		Long:  "Show what a context says; without a name, the one that commands use here and now.",
		Example: `  realm context show
  realm context show shed --json`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return arguments("NAME")(cmd, args)
		},
		ValidArgsFunction: a.completeContext,
		RunE: func(_ *cobra.Command, args []string) error {
			b, err := readContexts()
			if err != nil {
				return err
			}
			v := contextView{Name: strings.Join(args, "")}
			if v.Name == "" {
				if v.Name, v.Context, err = a.currentContext(); err == nil && v.Name == "" {
					err = errors.New("no context is in use: commands are about the node of this account; realm context ls lists what there is")
				}
			} else {
				v.Context, err = b.Get(v.Name)
			}
			if err != nil {
				return err
			}
			v.Current = v.Name == b.Current
			return a.print(v, func() { a.printContext(v) })
		},
	}
}

func (a *app) printContext(v contextView) {
	use := ""
	if v.Current {
		use = "  (in use)"
	}
	fmt.Fprintf(a.out, "name       %s%s\n", v.Name, use)
	for _, row := range [][2]string{
		{"asks", v.asks()}, {"signs with", orElse(v.OwnerKey, "the key of this account")}, {"grant", v.Grant}, {"realm", string(v.Realm)}, {"owner", v.Owner},
	} {
		if row[1] != "" {
			fmt.Fprintf(a.out, "%-10s %s\n", row[0], row[1])
		}
	}
}

// completeContext offers the names of contexts as the first argument.
func (a *app) completeContext(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return a.completeContexts(cmd, args, word)
}

// completeContexts offers the names of contexts.
func (a *app) completeContexts(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	b, err := readContexts()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return b.Names(), cobra.ShellCompDirectiveNoFileComp
}
