package cli

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/config"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/paths"
	"github.com/realm-mesh/realm/internal/kit/trust"
	"github.com/realm-mesh/realm/realm/internal/node"
	"github.com/realm-mesh/realm/realm/internal/owner"
)

func newInit(a *app) *cobra.Command {
	var passphrase bool
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Make the key that owns your realm",
		Long: `Make the owner key of this account. Whoever has it decides what runs on the
nodes that follow it, so it stays with you: nodes learn only its public half.
A key that is there already is never overwritten. With --passphrase its file is
encrypted, and commands that sign ask for the passphrase (see realm key unlock).`,
		Example: `  realm init
  realm init --passphrase
  REALM_OWNER_KEY=/media/stick/owner.pem realm init`,
		Args: arguments(),
		RunE: a.bounded(func(ctx context.Context, _ *cobra.Command, _ []string) error { return a.init(ctx, passphrase) }),
	}
	cmd.Flags().BoolVar(&passphrase, "passphrase", false, "encrypt the key file with a passphrase, asked for or from --passphrase-file or $"+envPassphrase)
	return cmd
}

func (a *app) init(ctx context.Context, passphrase bool) error {
	path, err := paths.OwnerKey()
	if err != nil {
		return err
	}
	if err := owner.CheckNone(path); err != nil {
		return err
	}
	private, err := owner.Generate()
	if err != nil {
		return err
	}
	k, err := a.saveKey(ctx, owner.Secret{Private: private}, passphrase)
	if err != nil {
		return err
	}
	v := viewOwner(k)
	return a.print(v, func() {
		fmt.Fprintf(a.out, `Made the owner key of this account. Whoever has it decides what your nodes run, and
nobody can make it again: write it down with realm key backup.

  file   %s
  key    %s
  realm  %s

Next:
  on this machine:     %s
  on another machine:  realm up --enroll TOKEN, with a token of realm invite from here
`, v.File, v.Key, v.Realm, a.afterInit(ctx))
	})
}

// afterInit is what to do on this machine once there is a key.
func (a *app) afterInit(ctx context.Context) string {
	h, err := a.home()
	if err != nil || !node.Up(ctx, h) {
		return "realm up"
	}
	if _, err := trust.ReadPin(h.Pin()); errors.Is(err, trust.ErrUnclaimed) {
		return "realm down, then realm up: the node that is up follows nobody yet"
	}
	return "the node that is up follows another key: see realm whoami"
}

// whoView is what realm whoami says. Owner and Realm are what the node trusts.
type whoView struct {
	Home       string      `json:"home"`
	Peer       api.PeerID  `json:"peer,omitempty"`
	Owner      string      `json:"owner,omitempty"`
	Realm      api.RealmID `json:"realm,omitempty"`
	Configured string      `json:"configured_owner,omitempty"` // what the node will follow once it is brought up
	Account    *ownerView  `json:"account,omitempty"`          // the owner key of this account
	Yours      bool        `json:"yours"`                      // the node follows the key of this account
	Grant      string      `json:"grant,omitempty"`            // what that key may sign, where it is not the owner's and the node is up
	Member     bool        `json:"member"`                     // something makes the node a member: realm status tells whether it still is one
	Invited    bool        `json:"invited"`                    // it has the token of an invite, to become one with
}

func newWhoami(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "whoami",
		Short: "Show your owner key, whom the node here trusts, and its peer id",
		Long:  "Show the owner key of this account, the owner and realm that the node of this home trusts, and its peer id. The node need not be up.",
		Example: `  realm whoami
  realm whoami --json`,
		Args: arguments(),
		RunE: a.bounded(func(ctx context.Context, _ *cobra.Command, _ []string) error {
			h, err := a.home()
			if err != nil {
				return err
			}
			v, err := who(h)
			if err != nil {
				return err
			}
			if v.Account != nil && !v.Yours && v.Owner != "" {
				v.Grant = grantedText(ctx, h)
			}
			return a.print(v, func() { a.printWho(v) })
		}),
	}
}

// grantedText says what the key of this account may sign by a grant that the node
// knows; "" for nothing, or where no node is up.
func grantedText(ctx context.Context, h paths.Home) (text string) {
	ctx, cancel := context.WithTimeout(ctx, hintPatience)
	defer cancel()
	k, err := owner.Load()
	if err != nil || !node.Up(ctx, h) {
		return ""
	}
	_ = dialed(ctx, h, func(n *node.Node) error { // without an answer there is nothing to tell
		pin, err := readPin(n)
		if err != nil {
			return err
		}
		l, err := n.Ledger(ctx, pin)
		if err != nil {
			return err
		}
		s, err := owner.NewSigner(k, pin.Realm, l, n.Now())
		if err == nil {
			text = s.Rights()
		}
		return err
	})
	return text
}

func who(h paths.Home) (whoView, error) {
	v := whoView{Home: h.Root()}
	k, err := owner.Load()
	switch {
	case err == nil:
		o := viewOwner(k)
		v.Account = &o
	case !errors.Is(err, owner.ErrNoKey):
		return v, err
	}
	if v.Member, err = isMember(h); err != nil {
		return v, err
	}
	if _, err := os.Stat(h.EnrollToken()); err == nil {
		v.Invited = true
	}
	nodeKey, err := keys.Read(h.NodeKey())
	switch {
	case err == nil:
		v.Peer = keys.Peer(nodeKey.Public().(ed25519.PublicKey))
	case !errors.Is(err, fs.ErrNotExist):
		return v, err
	}
	pin, err := trust.ReadPin(h.Pin())
	switch {
	case err == nil:
		v.Owner, v.Realm = pin.Owner.String(), pin.Realm
		v.Yours = v.Account != nil && v.Account.Key == pin.Owner
		return v, nil
	case !errors.Is(err, trust.ErrUnclaimed):
		return v, err
	}
	cfg, err := config.Load(h.Config())
	v.Configured = cfg.Owner
	return v, err
}

func (a *app) printWho(v whoView) {
	fmt.Fprintf(a.out, "home     %s\n", v.Home)
	fmt.Fprintf(a.out, "peer     %s\n", orElse(string(v.Peer), "none yet: the first realm up makes it"))
	switch {
	case v.Owner != "":
		yours := ""
		if v.Yours {
			yours = "  (you)"
		}
		fmt.Fprintf(a.out, "follows  %s%s\nrealm    %s  (%s)\n", v.Owner, yours, v.Realm, v.standing())
	case v.Configured != "":
		fmt.Fprintf(a.out, "follows  nobody yet; with realm up: %s\n", v.Configured)
	case v.Account != nil:
		fmt.Fprintf(a.out, "follows  nobody yet; with realm up: you\n")
	default:
		fmt.Fprintf(a.out, "follows  nobody yet: realm enroll TOKEN, or realm init\n")
	}
	if v.Account == nil {
		fmt.Fprintf(a.out, "you      no owner key in this account: realm init makes one\n")
		return
	}
	fmt.Fprintf(a.out, "you      %s\n         %s\n         %s\n", v.Account.Key, v.Account.File, v.Account.state())
	if v.Grant != "" {
		fmt.Fprintf(a.out, "         may %s\n", v.Grant)
	}
}

// standing says what the node is in its realm, as far as its files tell.
func (v whoView) standing() string {
	switch {
	case v.Member:
		return "a member"
	case v.Invited:
		return "not a member yet: it has an invite, and a member lets it in when it is up"
	case v.Yours:
		return "not a member yet: the next realm up makes it one, or realm peers admit"
	}
	return "not a member yet: realm peers admit, on a member, lets it in"
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
