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
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/ledger"
	"github.com/realm-mesh/realm/realm/internal/node"
	"github.com/realm-mesh/realm/realm/internal/owner"
)

func newKeyRotate(a *app) *cobra.Command {
	var resume, yes bool
	cmd := &cobra.Command{
		Use:   "rotate",
		Short: "Hand the realm over to a new owner key",
		Long: `Make a new owner key, and have the old one sign that it takes over. From then on no
node takes anything new by the old key. All that is wanted, members, grants and
invites are signed anew; nothing stops meanwhile, and the id of the realm stays.

The new key takes the place of the old one in this account, with the same
passphrase; the old one is kept beside it. Copies in other accounts, and the words
of realm key backup, must be made anew. Members that are away follow when they are
back. A rotation that was interrupted goes on with --resume.`,
		Example: `  realm key rotate
  realm key rotate --resume`,
		Args: arguments(),
	}
	cmd.Flags().BoolVar(&resume, "resume", false, "go on with a rotation that was interrupted")
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	cmd.RunE = a.bounded(func(ctx context.Context, _ *cobra.Command, _ []string) error {
		return a.onNode(ctx, func(n *node.Node) error {
			if resume {
				return a.resumeRotation(ctx, n)
			}
			return a.rotate(ctx, n, yes)
		})
	})
	return cmd
}

// errBegun says that a rotation has to be finished first.
var errBegun = errors.New("a rotation was begun and is not finished: realm key rotate --resume")

// rotate begins a rotation and finishes it. What it leaves at any point when it is
// cut short is enough to resume: the signed rotation is on disk before the new key
// is, and both are before anything is sent.
func (a *app) rotate(ctx context.Context, n *node.Node, yes bool) error {
	k, err := owner.Load()
	if err != nil {
		return err
	}
	if _, begun, err := k.Begun(); err != nil || begun {
		return errors.Join(err, ifTrue(begun, errBegun))
	}
	secret, passphrase, err := a.openWith(ctx, k)
	if err != nil {
		return err
	}
	s, l, err := a.ownerSignerOf(ctx, n, k.OrOpen(func() (owner.Secret, error) { return secret, nil }))
	if err != nil {
		return err
	}
	if owner.Rotating(l, n.Now()) {
		return errBegun
	}
	if err := owner.CheckRotate(l, n.Now()); err != nil {
		return err
	}
	if err := a.confirmRotation(ctx, n, s, yes); err != nil {
		return err
	}
	next, err := owner.Generate()
	if err != nil {
		return err
	}
	in, err := s.Rotate(l, next, n.Now(), time.Now())
	if err != nil {
		return err
	}
	if err := owner.SaveRotation(k.Path, in); err != nil {
		return err
	}
	fresh := owner.Secret{Private: next, Realm: s.pin.Realm}
	replaced, err := k.Replace(fresh, passphrase)
	switch {
	case err != nil && replaced.Path == "":
		return err
	case err != nil:
		a.note("%v", err) // the old key is only of use to who holds it already
	}
	return a.resumable(a.finishRotation(ctx, n, replaced.OrOpen(func() (owner.Secret, error) { return fresh, nil }), in))
}

func ifTrue(is bool, err error) error {
	if is {
		return err
	}
	return nil
}

// resumable says how to go on after err.
func (a *app) resumable(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("the rotation is not finished: %w: go on with realm key rotate --resume", err)
}

func (a *app) confirmRotation(ctx context.Context, n *node.Node, s signer, yes bool) error {
	if yes {
		return nil
	}
	text := fmt.Sprintf("The key %s of realm %s is replaced by a new one, and has no say any more. Copies of it,\nand its words on paper, are of no use then.", s.Key.Public(), s.Realm)
	seen, err := n.Look(ctx, node.Scope{})
	if err != nil {
		return err
	}
	var away []string
	for _, p := range seen.PeerList() {
		if !p.Live && !p.Self && !p.Client {
			away = append(away, "  "+peerText(oneLine(p.Host), p.Peer))
		}
	}
	slices.Sort(away)
	if len(away) > 0 {
		text += "\nThese members are away. What you had them take in and the node here has not heard of is lost:\n" + strings.Join(away, "\n")
	}
	return a.confirm(ctx, false, text+"\n")
}

func (a *app) resumeRotation(ctx context.Context, n *node.Node) error {
	k, err := a.ownerKey(ctx)
	if err != nil {
		return err
	}
	in, begun, err := k.Begun()
	if err != nil {
		return err
	}
	pin, err := readPin(n)
	if err != nil {
		return err
	}
	l, err := n.Ledger(ctx, pin)
	if err != nil {
		return err
	}
	if !begun && (l.Owner() != k.Public() || !owner.Rotating(l, n.Now())) {
		return errors.New("no rotation is under way: there is nothing to resume")
	}
	if err := k.Ready(); err != nil {
		return err
	}
	return a.resumable(a.finishRotation(ctx, n, k, in))
}

// rotateView is a finished rotation in JSON.
type rotateView struct {
	Key    keys.Public `json:"key"`
	Realm  api.RealmID `json:"realm"`
	File   string      `json:"file"`
	Signed int         `json:"signed"` // intents, anew
}

// finishRotation sends in, the rotation to k (the zero Signed where k is the owner
// already), signs all that there is with k, and settles it.
func (a *app) finishRotation(ctx context.Context, n *node.Node, k owner.Key, in intent.Signed) error {
	if in.Envelope != nil {
		if err := n.SubmitSigned(ctx, in); err != nil {
			return err
		}
	}
	v := rotateView{Key: k.Public(), Realm: k.Realm(), File: k.Path}
	s, l, err := a.signLeft(ctx, n, k, &v.Signed)
	if err != nil {
		return err
	}
	if !l.Settled() {
		if _, err := n.Do(ctx, s.Signer, l, owner.Settle(l)); err != nil {
			return err
		}
	}
	if err := owner.DropRotation(k.Path); err != nil {
		return err
	}
	return a.print(v, func() {
		fmt.Fprintf(a.out, `The owner is %s now.

  file   %s
  realm  %s
  signed anew: %s

The key before it lies beside the file and has no say any more. Next: write the new
one down with realm key backup, and take it to other accounts that sign with yours.
`, v.Key, v.File, v.Realm, plural(v.Signed, "intent"))
	})
}

// maxRounds is how often what is left is looked for: somebody may join or push while
// it is signed.
const maxRounds = 10

// signLeft has k sign what only older keys have signed, until nothing is left.
func (a *app) signLeft(ctx context.Context, n *node.Node, k owner.Key, signed *int) (signer, *ledger.Ledger, error) {
	for range maxRounds {
		s, l, err := a.ownerSignerOf(ctx, n, k)
		if err != nil {
			return s, l, err
		}
		left, err := owner.Left(l, n.Now())
		if err != nil || len(left) == 0 {
			return s, l, err
		}
		left = left[:owner.Together(left)]
		done, shown := 0, time.Now()
		err = n.SignAll(ctx, s.pin, s.Signer, l, left, func(intent.Signed) {
			if done++; time.Since(shown) > time.Second || done == len(left) {
				shown = time.Now()
				a.note("  signed %d of %d", done, len(left))
			}
		})
		*signed += done
		if err != nil {
			return s, l, err
		}
	}
	return signer{}, nil, errors.New("others sign as quickly as this command does")
}
