package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/config"
	"github.com/realm-mesh/realm/internal/kit/invite"
	"github.com/realm-mesh/realm/internal/kit/paths"
	"github.com/realm-mesh/realm/internal/kit/trust"
	"github.com/realm-mesh/realm/realm/internal/launcher"
	"github.com/realm-mesh/realm/realm/internal/node"
	"github.com/realm-mesh/realm/realm/internal/owner"
)

func newEnroll(a *app) *cobra.Command {
	var token string
	cmd := &cobra.Command{
		Use:   "enroll TOKEN",
		Short: "Have the node here join a realm, with an invite",
		Long: `Have the node of this home join the realm of an invite (see realm invite). Where it is
up, this returns when a member has let it in; else realm up does it. The token can
also be given on standard input (-), where no list of processes shows it.

A node that belongs to another realm is refused: give that up first with realm reset.`,
		Example: `  realm enroll realm1pZGx…
  realm enroll -                      # the token on standard input
  realm enroll --token realm1pZGx…`,
	}
	cmd.Flags().StringVar(&token, "token", "", "the token, in place of the argument")
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if token != "" {
			return arguments()(cmd, args)
		}
		return arguments("TOKEN")(cmd, args)
	}
	cmd.RunE = a.bounded(func(ctx context.Context, cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			token = args[0]
		}
		t, err := a.readToken(ctx, token)
		if err != nil {
			return misused(cmd, err)
		}
		h, err := a.home()
		if err != nil {
			return err
		}
		return a.enroll(ctx, h, t)
	})
	return cmd
}

// enrollView is how a node stands after realm enroll, in JSON.
type enrollView struct {
	Home     string       `json:"home"`
	Realm    api.RealmID  `json:"realm"`
	Owner    string       `json:"owner"`
	Standing api.Standing `json:"standing"`
	Roles    []string     `json:"roles"` // that the invite gives; none: those of its settings
}

func (a *app) enroll(ctx context.Context, h paths.Home, t invite.Token) error {
	limits, err := t.Limits()
	if err != nil {
		return err
	}
	v := enrollView{Home: h.Root(), Realm: t.Realm, Owner: t.Owner.String(), Standing: api.StandingMember, Roles: list(limits.Roles)}
	joined, err := isMember(h)
	if err == nil && !joined {
		err = errors.Join(checkExpired(limits, time.Now()), h.Create())
	}
	if err == nil {
		err = takeToken(h, t)
	}
	if errors.Is(err, owner.ErrMember) {
		return a.print(v, func() {
			fmt.Fprintf(a.out, "The node in %s is a member of realm %s already: there is nothing to do.\n", h.Root(), t.Realm)
		})
	}
	if err != nil {
		return err
	}
	if !node.Up(ctx, h) {
		v.Standing = api.StandingJoining
		return a.print(v, func() {
			fmt.Fprintf(a.out, "The node in %s follows realm %s from now on.\nNext: realm up, and a member lets it in.\n", h.Root(), t.Realm)
		})
	}
	return dialed(ctx, h, func(n *node.Node) error {
		a.say("The node in %s follows realm %s from now on. Waiting for a member to let it in …", h.Root(), t.Realm)
		if err := n.Restart(ctx, api.Meshd); err != nil {
			return fmt.Errorf("restart %s: %w", api.Meshd, err)
		}
		if err := a.awaitMember(ctx, n); err != nil {
			return err
		}
		return a.print(v, func() { fmt.Fprintln(a.out, "It is a member now: realm status shows what there is.") })
	})
}

// takeToken has the node of h follow the realm of t, where its settings agree.
func takeToken(h paths.Home, t invite.Token) error {
	c, err := config.Load(h.Config())
	if err != nil {
		return err
	}
	return owner.Enroll(h, t, c)
}

// checkExpired refuses an invite that is over by the clock here.
func checkExpired(limits api.Invite, now time.Time) error {
	if now.Before(limits.Expires) {
		return nil
	}
	return fmt.Errorf("the invite ended at %s, and it is %s here: ask the owner for a new one (realm invite), or set the clock of this machine",
		limits.Expires.Local().Format(time.DateTime), now.Local().Format(time.DateTime))
}

// standingEvery is how often a node that joins is asked how it stands: nothing on
// its bus tells.
const standingEvery = 200 * time.Millisecond

// errNotLetIn says that no member lets a node in with the invite that it has.
var errNotLetIn = errors.New("the realm does not let this node in")

// awaitMember returns when the node is a member. An invite that members refuse, and
// the end of ctx, are errors that say why.
func (a *app) awaitMember(ctx context.Context, n *node.Node) error {
	var last api.MeshStatus
	err := followStanding(ctx, n, func(s api.MeshStatus) (done bool, err error) {
		last = s
		if s.Refused != "" {
			return false, fmt.Errorf("%w: %s", errNotLetIn, oneLine(s.Refused))
		}
		return s.Standing == api.StandingMember, nil
	})
	if err == nil || errors.Is(err, errNotLetIn) {
		return err
	}
	return fmt.Errorf("%w: it is %s so far; %s. The node goes on trying while it is up: see realm status", err, orElse(string(last.Standing), "not heard of"),
		orElse(oneLine(last.Note), "it has said nothing more"))
}

// followStanding calls fn with how the node stands, whenever that changes, until fn
// is done or fails, or ctx ends.
func followStanding(ctx context.Context, n *node.Node, fn func(api.MeshStatus) (done bool, err error)) error {
	tick := time.NewTicker(standingEvery)
	defer tick.Stop()
	type key struct {
		standing      api.Standing
		note, refused string
		pairing       bool
	}
	var last key
	for {
		s, err := n.Mesh(ctx)
		now := key{s.Standing, s.Note, s.Refused, s.Pairing != nil}
		if err == nil && now != last { // meshd starts again when it has become a member
			last = now
			if done, err := fn(s); done || err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

// invited is the invite with which realm up joins: that of --enroll, else that of
// the environment; nil for none, or for a node that need not join any more.
func (a *app) invited(ctx context.Context, cmd *cobra.Command, h paths.Home, flag string) (*invite.Token, error) {
	text, fromEnv := flag, os.Getenv(launcher.EnvEnrollToken)
	if text == "" {
		text = fromEnv
	}
	if text == "" {
		return nil, nil
	}
	joined, err := isMember(h)
	if err != nil {
		return nil, err
	}
	t, err := a.readToken(ctx, text)
	switch {
	case err != nil && flag != "":
		return nil, misused(cmd, fmt.Errorf("--enroll: %w", err))
	case err != nil && joined:
		return nil, nil // it has served its time
	case err != nil:
		return nil, fmt.Errorf("%s: %w", launcher.EnvEnrollToken, err)
	}
	if joined {
		return &t, nil // the launcher sees whether it is of the same realm
	}
	limits, err := t.Limits()
	if err != nil {
		return nil, err
	}
	return &t, checkExpired(limits, time.Now())
}

// isMember reports whether something makes the node of h a member.
func isMember(h paths.Home) (bool, error) {
	_, err := trust.ReadMembership(h.Proof())
	if errors.Is(err, trust.ErrNoMembership) {
		return false, nil
	}
	return err == nil, err
}
