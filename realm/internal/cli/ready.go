package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/buildinfo"
	"github.com/realm-mesh/realm/internal/kit/config"
	"github.com/realm-mesh/realm/internal/kit/paths"
	"github.com/realm-mesh/realm/internal/kit/trust"
	"github.com/realm-mesh/realm/realm/internal/launcher"
	"github.com/realm-mesh/realm/realm/internal/node"
)

// greetTimeout bounds the question for the node's addresses.
const greetTimeout = 15 * time.Second

// readyView is what realm up says when the node is ready, and once more when it has
// become a member.
type readyView struct {
	Version  string       `json:"version"`
	Home     string       `json:"home"`
	Peer     api.PeerID   `json:"peer"`
	Realm    api.RealmID  `json:"realm,omitempty"`
	Owner    string       `json:"owner,omitempty"`
	Standing api.Standing `json:"standing"`
	Note     string       `json:"note,omitempty"`
	Pairing  *api.Pairing `json:"pairing,omitempty"` // how to claim the node
	Addrs    []string     `json:"addrs"`
	HTTP     string       `json:"http"`
	Manage   string       `json:"manage"`
	Metrics  string       `json:"metrics,omitempty"` // where they are open to others
	Logs     string       `json:"logs"`
}

// ready tells that the node is ready, and what becomes of it until it is a member;
// then it pushes the first program. Only an invite that was given for this run, and
// that members refuse, is a reason to end the node.
func (a *app) ready(ctx context.Context, h paths.Home, r run) error {
	err := dialed(ctx, h, func(n *node.Node) error {
		s, err := a.greet(ctx, n, r.config)
		if err != nil || s.Standing == api.StandingMember || s.Standing == api.StandingUnclaimed && s.Pairing == nil {
			return err
		}
		return a.tellStanding(ctx, n, r, s)
	})
	if err == nil && r.first != nil && ctx.Err() == nil {
		err = a.pushFirst(ctx, h, *r.first)
	}
	if errors.Is(err, errNotLetIn) {
		return err
	}
	if err != nil && ctx.Err() == nil {
		a.complain(err)
	}
	return nil
}

func (a *app) greet(ctx context.Context, n *node.Node, c config.Node) (api.MeshStatus, error) {
	ctx, cancel := context.WithTimeout(ctx, greetTimeout)
	defer cancel()
	s, err := n.Mesh(ctx)
	if err != nil {
		return s, err
	}
	v, err := newReadyView(n.Home, c, s)
	if err != nil {
		return s, err
	}
	return s, a.print(v, func() { a.printReady(v) })
}

func newReadyView(h paths.Home, c config.Node, s api.MeshStatus) (readyView, error) {
	c, err := launcher.Settings(h, c) // with the ports that were chosen
	return readyView{
		Version: buildinfo.Version, Home: h.Root(), Peer: s.Peer, Realm: s.Realm, Owner: s.Owner, Standing: s.Standing, Note: s.Note, Pairing: s.Pairing,
		Addrs: list(s.Addrs), HTTP: c.HTTPListen, Manage: c.ManageListen, Metrics: c.MetricsListen, Logs: h.DaemonLogs(),
	}, err
}

// tellStanding says what becomes of a node that is no member yet, until it is one.
func (a *app) tellStanding(ctx context.Context, n *node.Node, r run, was api.MeshStatus) error {
	told := map[string]bool{standingText(was): true} // each once: reasons come and go
	return followStanding(ctx, n, func(s api.MeshStatus) (bool, error) {
		defer func() { was = s }()
		switch {
		case s.Standing == api.StandingMember:
			return true, a.tellMember(n.Home, r.config, was, s)
		case s.Refused != "" && r.enroll != nil:
			return false, fmt.Errorf("%w: %s", errNotLetIn, oneLine(s.Refused))
		case s.Refused != "" && was.Refused != s.Refused:
			a.note("The realm does not let this node in: %s. With a new token: realm enroll TOKEN", oneLine(s.Refused))
		case s.Standing == api.StandingUnclaimed && s.Pairing == nil && was.Pairing != nil && !hasOwner(n.Home):
			a.note("The node cannot be claimed any more: its time is over, or the code was mistyped too often.\nFor another chance, start it again with realm up --tofu.")
		case s.Standing != api.StandingUnclaimed && !told[standingText(s)]:
			told[standingText(s)] = true
			a.say("%s", standingText(s))
		}
		return false, nil
	})
}

// hasOwner reports whether somebody has just claimed the node.
func hasOwner(h paths.Home) bool {
	_, err := trust.ReadPin(h.Pin())
	return err == nil
}

func (a *app) tellMember(h paths.Home, c config.Node, was, s api.MeshStatus) error {
	v, err := newReadyView(h, c, s)
	if err != nil {
		return err
	}
	return a.print(v, func() {
		if was.Standing == api.StandingUnclaimed {
			fmt.Fprintf(a.out, "The node has an owner now: it follows %s, and is a member of realm %s.\n", s.Owner, s.Realm)
			return
		}
		fmt.Fprintf(a.out, "The node is a member of realm %s now.\n", s.Realm)
	})
}

// standingText says what a node waits for that is no member.
func standingText(s api.MeshStatus) string {
	note := oneLine(s.Note)
	if note == "" {
		switch s.Standing {
		case api.StandingJoining:
			note = "waits for a member to let it in"
		case api.StandingPending:
			note = "waits for the owner; on a member: realm peers admit " + string(s.Peer)
		case api.StandingRevoked:
			note = "the owner has put it out of the realm; to take it back, on a member: realm peers admit " + string(s.Peer)
		}
	}
	return strings.Join(nonEmpty(string(s.Standing), note), ": ")
}

func (a *app) printReady(v readyView) {
	fmt.Fprintf(a.out, "Realm %s: this node is ready.\n\n", v.Version)
	rows := [][2]string{{"home", v.Home}, {"logs", v.Logs}, {"peer", string(v.Peer)}}
	switch {
	case v.Owner != "":
		rows = append(rows, [2]string{"realm", string(v.Realm)}, [2]string{"follows", v.Owner})
	case v.Pairing != nil:
		rows = append(rows, [2]string{"follows", "nobody yet: it waits to be claimed"})
	default:
		rows = append(rows, [2]string{"follows", "nobody yet, so it runs nothing. To join a realm: realm enroll TOKEN, with"},
			[2]string{"", "a token of realm invite; to begin one: realm init, then start it again"})
	}
	if v.Owner != "" && v.Standing != api.StandingMember {
		rows = append(rows, [2]string{"standing", standingText(api.MeshStatus{Standing: v.Standing, Peer: v.Peer, Note: v.Note})})
	}
	rows = append(rows, [2]string{"programs", "http://" + v.HTTP}, [2]string{"management", "http://" + v.Manage})
	if v.Metrics != "" {
		rows = append(rows, [2]string{"metrics", "http://" + v.Metrics + "/metrics"})
	}
	for _, r := range rows {
		fmt.Fprintf(a.out, "  %-10s  %s\n", r[0], r[1])
	}
	fmt.Fprintln(a.out)
	a.printWay(v)
	fmt.Fprintf(a.out, "Stop it with Ctrl-C or realm down.\n")
}

// printWay says how others come to the node, or it to them.
func (a *app) printWay(v readyView) {
	best := bestAddrs(v.Addrs)
	switch {
	case v.Pairing != nil:
		a.printPairing(*v.Pairing, best)
	case v.Standing == api.StandingMember && len(best) > 0:
		fmt.Fprintf(a.out, "Other machines join with a token of realm invite. This node is reached at\n(realm status --json has all %d):\n\n", len(v.Addrs))
		for _, s := range best {
			fmt.Fprintf(a.out, "  %s\n", s)
		}
		fmt.Fprintln(a.out)
	}
}

// printPairing says what to type where the owner's key is.
func (a *app) printPairing(p api.Pairing, best []string) {
	fmt.Fprintf(a.out, "To make it yours, until %s, on the machine with your owner key:\n\n", p.Until.Local().Format(time.TimeOnly))
	for i, s := range best {
		if i > 0 {
			fmt.Fprintf(a.out, "or\n")
		}
		fmt.Fprintf(a.out, "  realm claim %s --code %s\n", s, p.Code)
	}
	fmt.Fprintln(a.out)
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
