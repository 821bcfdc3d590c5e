package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/ledger"
	"github.com/realm-mesh/realm/realm/internal/node"
	"github.com/realm-mesh/realm/realm/internal/owner"
	"github.com/realm-mesh/realm/realm/internal/rollout"
)

// secretView is a secret in JSON.
type secretView struct {
	Name    api.Name    `json:"name"`
	Version uint64      `json:"version"`
	Issued  time.Time   `json:"issued"`
	Bytes   int         `json:"bytes"`
	Target  api.Target  `json:"target"`
	By      keys.Public `json:"by"`      // who has signed it
	Sealed  []someone   `json:"sealed"`  // whom it was sealed to when it was set; they pass it on
	Members []someone   `json:"members"` // that it is for now
	Used    []api.Name  `json:"used"`    // by components
}

func newSecretList(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "ls",
		Short: "List secrets, whom they are for, and which components use them",
		Long:  `List the secrets of the realm, without their values: nobody but the members that they are for can read those.`,
		Example: `  realm secret ls
  realm secret ls --json`,
		Args: arguments(),
		RunE: a.bounded(func(ctx context.Context, _ *cobra.Command, _ []string) error {
			return a.onNode(ctx, func(n *node.Node) error {
				pin, err := readPin(n)
				if err != nil {
					return err
				}
				seen, l, err := a.secretsSeen(ctx, n, signer{pin: pin})
				if err != nil {
					return err
				}
				v := struct {
					Secrets []secretView `json:"secrets"`
				}{viewSecrets(seen, l, n.Now())}
				return a.print(v, func() { a.printSecrets(v.Secrets, time.Now()) })
			})
		}),
	}
}

// viewSecrets are the secrets that are held, by name.
func viewSecrets(s node.Snapshot, l *ledger.Ledger, now time.Time) []secretView {
	out := []secretView{}
	for _, ref := range l.Refs() {
		if ref.Kind != api.KindSecret {
			continue
		}
		in, ok := l.Current(ref, now)
		body := new(api.Secret)
		if !ok || in.Tombstone || api.Decode(in.Body, api.MaxEnvelope, body) != nil {
			continue
		}
		v := secretView{Name: ref.Name, Version: in.Seq, Issued: in.Issued, Bytes: body.Bytes, Target: in.Target, By: in.Signer,
			Sealed: []someone{}, Members: append([]someone{}, meant(s, l, in.Target, now)...), Used: users(s, ref.Name)}
		for _, k := range body.Keys {
			v.Sealed = append(v.Sealed, someone{k.Peer, s.Peers[k.Peer].Host})
		}
		out = append(out, v)
	}
	slices.SortFunc(out, func(a, b secretView) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

func (a *app) printSecrets(all []secretView, now time.Time) {
	if len(all) == 0 {
		fmt.Fprintln(a.out, "There are no secrets.")
		return
	}
	rows := [][]string{{"SECRET", "VERSION", "SET", "BYTES", "FOR", "MEMBERS", "USED BY"}}
	for _, v := range all {
		var used []string
		for _, c := range v.Used {
			used = append(used, string(c))
		}
		rows = append(rows, []string{string(v.Name), fmt.Sprint(v.Version), ageText(now, v.Issued) + " ago", fmt.Sprint(v.Bytes),
			rollout.TargetText(v.Target), fmt.Sprint(len(v.Members)), orDash(strings.Join(used, ", "))})
	}
	table(a.out, rows)
}

func newSecretRemove(a *app) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "rm NAME",
		Short: "Remove a secret",
		Long: `Sign that a secret is no more. Programs that have it go on with it until they start anew,
and cannot then: who uses it is listed, and with --force it goes all the same.`,
		Example: `  realm secret rm db`,
		Args:    arguments("NAME"),
	}
	cmd.Flags().BoolVar(&force, "force", false, "also while components use it")
	cmd.RunE = a.bounded(func(ctx context.Context, cmd *cobra.Command, args []string) error {
		name, err := parseName(cmd, "NAME", args[0])
		if err != nil {
			return err
		}
		return a.onNode(ctx, func(n *node.Node) error {
			s, err := a.newSigner(ctx, n)
			if err != nil {
				return err
			}
			seen, err := lookAtAll(ctx, n)
			if err != nil {
				return err
			}
			used := users(seen, name)
			if len(used) > 0 && !force {
				return fmt.Errorf("secret %s is used by component %s: remove those first, or give --force", name, used[0])
			}
			signed, _, err := a.act(ctx, n, s, owner.RemoveSecret(name))
			if err != nil {
				return fmt.Errorf("secret %s: %w", name, err)
			}
			v := setView{name, signed.Seq, signed.Digest, 0, []someone{}, used}
			return a.print(v, func() { fmt.Fprintf(a.out, "Secret %s is removed.\n", name) })
		})
	})
	return cmd
}
