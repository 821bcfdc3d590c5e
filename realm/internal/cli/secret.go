package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/ledger"
	"github.com/realm-mesh/realm/internal/kit/secret"
	"github.com/realm-mesh/realm/realm/internal/node"
	"github.com/realm-mesh/realm/realm/internal/owner"
	"github.com/realm-mesh/realm/realm/internal/rollout"
)

func newSecret(a *app) *cobra.Command {
	return group(&cobra.Command{
		Use:   "secret",
		Short: "Values that only the members which run your programs can read: set, ls, rm",
		Long: `A secret is sealed to the members that it is for: nobody else can read it, wherever it is
kept. Members that come later get it from one that has it, if they are meant. Programs are
given it as a variable or a file that is in memory only (realm push --secret).`,
		Example: `  realm secret set db --tag backend
  realm push --name shop --file shop.wasm --secret db=env:DB_PASSWORD
  realm secret ls`,
	}, newSecretSet(a), newSecretList(a), newSecretRemove(a))
}

// setView is what realm secret set says in JSON.
type setView struct {
	Name    api.Name   `json:"name"`
	Version uint64     `json:"version"`
	Digest  api.Digest `json:"digest"`
	Bytes   int        `json:"bytes"`
	Members []someone  `json:"members"` // that it was sealed to
	Used    []api.Name `json:"used"`    // by components, which get it when they start anew
}

func newSecretSet(a *app) *cobra.Command {
	var file string
	var target programFlags
	cmd := &cobra.Command{
		Use:   "set NAME",
		Short: "Seal a value to the members that it is for",
		Long: `Seal a value, at most 16 KiB, to the members that it is for: all, or those of --peer and
--tag. It is asked for on the terminal and not shown, or read from standard input or
--from-file as it is; one newline at its end does not count. Programs that run go on with
the value that they have: realm restart gives them the new one.`,
		Example: `  realm secret set db
  realm secret set tls --from-file tls.key --tag edge`,
		Args: arguments("NAME"),
	}
	cmd.Flags().StringVar(&file, "from-file", "", "file with the value; - is standard input")
	cmd.Flags().StringSliceVar(&target.peers, "peer", nil, "peer id of a member that it is for (default: every member); may be repeated")
	cmd.Flags().StringSliceVar(&target.tags, "tag", nil, "role of the members that it is for; may be repeated: any of them will do")
	a.completeFlags(cmd)
	cmd.RunE = a.bounded(func(ctx context.Context, cmd *cobra.Command, args []string) error {
		name, err := parseName(cmd, "NAME", args[0])
		if err != nil {
			return err
		}
		t, err := target.target()
		if err != nil {
			return misused(cmd, err)
		}
		return a.onNode(ctx, func(n *node.Node) error {
			s, err := a.newSigner(ctx, n)
			if err != nil {
				return err
			}
			value, err := a.secretValue(ctx, file)
			if err != nil {
				return err
			}
			defer clear(value)
			return a.setSecret(ctx, n, s, name, t, value)
		})
	})
	return cmd
}

// secretValue reads the value of a secret.
func (a *app) secretValue(ctx context.Context, file string) ([]byte, error) {
	var from io.Reader
	switch {
	case file == "" && a.terminal():
		value, err := a.askHidden(ctx, "Value: ")
		if err != nil {
			return nil, err
		}
		again, err := a.askHidden(ctx, "Once more: ")
		if err == nil && again != value {
			err = errors.New("the two are not the same: nothing was changed")
		}
		return []byte(value), err
	case file == "" || file == stdio:
		if a.in == nil {
			return nil, errors.New("there is no standard input: name a file with --from-file")
		}
		from = a.in
	default:
		f, err := os.Open(file)
		if err != nil {
			return nil, fmt.Errorf("read secret: %w", err)
		}
		defer f.Close()
		from = f
	}
	value, err := io.ReadAll(io.LimitReader(from, api.MaxSecret+2))
	if err != nil {
		return nil, fmt.Errorf("read secret: %w", err)
	}
	if n := len(value); n > 0 && value[n-1] == '\n' {
		value = value[:n-1]
	}
	switch {
	case len(value) > api.MaxSecret:
		return nil, fmt.Errorf("read secret: it is longer than %d bytes: keep the rest in a volume or package, sealed with it", api.MaxSecret)
	case len(value) == 0:
		return nil, errors.New("read secret: it is empty")
	}
	return value, nil
}

// meant are members that may be given what is for target, this node's own view of them.
func meant(s node.Snapshot, l *ledger.Ledger, target api.Target, now time.Time) (out []someone) {
	for _, m := range l.Members(now) {
		rec := s.Peers[m.Peer]
		key, err := keys.OfPeer(m.Peer)
		if err != nil || m.Standing != api.StandingMember || rec.Client || len(rec.Conflict) > 0 {
			continue
		}
		if target.Matches(m.Peer, l.Roles(key, rec.Roles, now)) {
			out = append(out, someone{m.Peer, rec.Host})
		}
	}
	// Those that are there can pass it on.
	live := func(x someone) int {
		if s.Peers[x.Peer].Live {
			return 0
		}
		return 1
	}
	slices.SortFunc(out, func(a, b someone) int { return cmp.Or(live(a)-live(b), cmp.Compare(a.Peer, b.Peer)) })
	return out
}

func (a *app) setSecret(ctx context.Context, n *node.Node, s signer, name api.Name, target api.Target, value []byte) error {
	seen, l, err := a.secretsSeen(ctx, n, s)
	if err != nil {
		return err
	}
	to := meant(seen, l, target, n.Now())
	if len(to) == 0 {
		return fmt.Errorf("secret %s: it is for %s, and no member is that: realm peers lists them with their roles", name, rollout.TargetText(target))
	}
	to = to[:min(len(to), api.MaxSecretKeys)]
	var peers []api.PeerID
	for _, m := range to {
		peers = append(peers, m.Peer)
	}
	sealed, err := secret.Seal(s.Realm, name, value, peers)
	if err != nil {
		return err
	}
	signed, _, err := a.act(ctx, n, s, owner.SetSecret(name, target, sealed))
	if err != nil {
		return err
	}
	v := setView{name, signed.Seq, signed.Digest, sealed.Bytes, to, users(seen, name)}
	return a.print(v, func() {
		fmt.Fprintf(a.out, "Secret %s, version %d, is sealed to %s.\n", name, v.Version, countText(len(to), "member"))
		for _, c := range v.Used {
			a.say("Component %s has it from its next start on: realm restart %s", c, c)
		}
	})
}

// countText is a number of things, for people.
func countText(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}

// secretsSeen is what a node knows, with all that is signed.
func (a *app) secretsSeen(ctx context.Context, n *node.Node, s signer) (node.Snapshot, *ledger.Ledger, error) {
	seen, err := lookAtAll(ctx, n)
	if err != nil {
		return seen, nil, err
	}
	l, err := n.WholeLedger(ctx, s.pin)
	return seen, l, err
}

// users are the components that use a secret, by name.
func users(s node.Snapshot, name api.Name) []api.Name {
	out := []api.Name{}
	for ref, in := range s.Intents {
		if slices.ContainsFunc(secretsOf(in), func(u api.SecretUse) bool { return u.Name == name }) {
			out = append(out, ref.Name)
		}
	}
	slices.Sort(out)
	return out
}

// secretsOf are the secrets that a workload uses.
func secretsOf(in intent.Signed) []api.SecretUse {
	w, err := in.Workload()
	if err != nil {
		return nil
	}
	if c, ok := w.(*api.Component); ok {
		return c.Secrets
	}
	return nil
}
