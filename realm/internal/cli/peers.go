package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/realm/internal/node"
	"github.com/realm-mesh/realm/realm/internal/rollout"
)

// peersView is what realm peers says in JSON: nodes that this one has seen lately,
// and what the signed intents say of nodes, which includes those that wait.
type peersView struct {
	Peers   []api.PeerRecord `json:"peers"`
	Members []api.Member     `json:"members"`
	Drained []api.PeerID     `json:"drained"` // by the owner

	loads map[api.PeerID]loadView // what runs on each; nil: it is not shown
}

// drained are the members that are to run nothing.
func drained(s node.Snapshot) []api.PeerID {
	out := []api.PeerID{}
	for p, v := range s.Settings {
		if v.Drain {
			out = append(out, p)
		}
	}
	slices.Sort(out)
	return out
}

func newPeers(a *app) *cobra.Command {
	list := func(use string) *cobra.Command {
		return &cobra.Command{
			Use:   use,
			Short: "List the members of the realm that this node knows",
			Long: `List the members of the realm, this node first: whether they are connected, how far
they are, what they run on, and where they are reached; those that wait to be
admitted, and those that were revoked.

A conflict is two nodes with one key: one of them is a copy.`,
			Example: `  realm peers
  realm peers ls --json`,
			Args: arguments(),
			RunE: a.bounded(func(ctx context.Context, _ *cobra.Command, _ []string) error {
				return a.onNode(ctx, func(n *node.Node) error { return a.listPeers(ctx, n) })
			}),
		}
	}
	cmd := list("peers")
	cmd.AddCommand(list("ls"), newAdmit(a), newRevoke(a))
	return cmd
}

func (a *app) listPeers(ctx context.Context, n *node.Node) error {
	s, err := lookAtAll(ctx, n)
	if err != nil {
		return err
	}
	members, err := n.Members(ctx)
	if err != nil {
		return err
	}
	v := peersView{Peers: append([]api.PeerRecord{}, s.PeerList()...), Members: append([]api.Member{}, members.Members...), Drained: drained(s)}
	slices.SortFunc(v.Peers, rollout.ComparePeers)
	return a.print(v, func() {
		now := time.Now()
		a.printPeers(v, now)
		a.printWaiting(v.Members, now)
		a.printGone(v.Members, now)
		a.printAddrs(v.Peers)
	})
}

// maxHost is the room for a host's name in a table, in characters.
const maxHost = 20

// printPeers is a table of who is, or should be, here, with a line below each of
// whom there is something to say. It fits into 100 columns unless roles are many.
func (a *app) printPeers(v peersView, now time.Time) {
	heads := []string{"MEMBER", "PEER", "STANDING", "CONNECTED", "RTT", "ROLES", "PLATFORM", "VERSION"}
	if v.loads != nil {
		heads[6] = "PROGRAMS"
	}
	rows := [][]string{heads}
	notes := [][]string{nil} // below each row
	seen := map[api.PeerID]bool{}
	standing := map[api.PeerID]api.Standing{}
	for _, m := range v.Members {
		standing[m.Peer] = m.Standing
	}
	for _, p := range v.Peers {
		seen[p.Peer] = true
		is := string(standing[p.Peer])
		if p.Client {
			is = string(api.StandingClient)
		}
		about := orDash(oneLine(p.Platform))
		if v.loads != nil {
			about = v.loads[p.Peer].text(p)
		}
		rows = append(rows, []string{orDash(clip(oneLine(p.Host), maxHost)), "…" + p.Peer.Short(), v.standing(p.Peer, is), connectedText(p, now), rttText(p),
			orDash(strings.Join(p.Roles, ",")), about, orDash(oneLine(p.Version))})
		notes = append(notes, peerNotes(p))
	}
	for _, m := range v.Members {
		if m.Standing == api.StandingMember && !seen[m.Peer] {
			rows = append(rows, []string{"-", "…" + m.Peer.Short(), v.standing(m.Peer, string(m.Standing)), "not seen", "-", orDash(strings.Join(m.Roles, ",")), "-", "-"})
		}
	}
	tableWithNotes(a.out, rows, notes)
}

// standing is what a node is in the realm, and whether it is drained.
func (v peersView) standing(p api.PeerID, is string) string {
	if slices.Contains(v.Drained, p) {
		return strings.Join(nonEmpty(is, "drained"), ", ")
	}
	return orDash(is)
}

// tableWithNotes is [table] with lines below some of its rows.
func tableWithNotes(w io.Writer, rows, notes [][]string) {
	var b strings.Builder
	table(&b, rows)
	i := 0
	for line := range strings.Lines(b.String()) {
		fmt.Fprint(w, line)
		if i < len(notes) {
			for _, n := range notes[i] {
				fmt.Fprintf(w, "  %s\n", n)
			}
		}
		i++
	}
}

// peerNotes are what is wrong with a member, in words.
func peerNotes(p api.PeerRecord) []string {
	var out []string
	if len(p.Conflict) > 0 {
		out = append(out, fmt.Sprintf("conflict: %s use its key at the same time (%s): one is a copy; stop that, and revoke the key",
			plural(len(p.Conflict), "node"), clip(oneLine(strings.Join(p.Conflict, ", ")), maxNote)))
	}
	if len(p.Down) > 0 {
		out = append(out, downNote(p.Down))
	}
	if p.Conduct != "" {
		out = append(out, "conduct: "+clip(oneLine(p.Conduct), maxNote))
	}
	if d := time.Duration(p.Skew); d > 0 {
		out = append(out, fmt.Sprintf("clock: %s ahead of the one here", d.Round(time.Second)))
	} else if d < 0 {
		out = append(out, fmt.Sprintf("clock: %s behind the one here", (-d).Round(time.Second)))
	}
	return out
}

// downNote says which daemons of a member are down, what that means, and what to do.
func downNote(down api.DaemonList) string {
	var all []string
	for _, d := range down {
		text := string(d)
		if d == api.Runnerd {
			text += " (no program runs there)"
		}
		all = append(all, text)
	}
	return fmt.Sprintf("down: %s: see realm logs %s there, then realm restart %[2]s", strings.Join(all, ", "), down[0])
}

// maxNote is the longest part of a note that others have written, in characters.
const maxNote = 200

func connectedText(p api.PeerRecord, now time.Time) string {
	switch {
	case p.Self:
		return "this node"
	case p.Connected:
		return "for " + ageText(now, p.Since)
	case p.Live:
		return "through others"
	default:
		return "gone for " + ageText(now, p.Since)
	}
}

func rttText(p api.PeerRecord) string {
	if p.Self || p.RTT == 0 {
		return "-"
	}
	d := time.Duration(p.RTT)
	if d < 10*time.Millisecond {
		return fmt.Sprintf("%.1fms", float64(d)/float64(time.Millisecond))
	}
	return d.Round(time.Millisecond).String()
}

// standingOf are the nodes with a standing, the latest first.
func standingOf(all []api.Member, s api.Standing) []api.Member {
	out := slices.DeleteFunc(slices.Clone(all), func(m api.Member) bool { return m.Standing != s })
	slices.SortStableFunc(out, func(a, b api.Member) int { return b.Since.Compare(a.Since) })
	return out
}

// printWaiting lists nodes that wait, with what lets them in.
func (a *app) printWaiting(all []api.Member, now time.Time) {
	waiting := standingOf(all, api.StandingPending)
	if len(waiting) == 0 {
		return
	}
	fmt.Fprintf(a.out, "\n%s to be admitted. Compare the peer id with what realm whoami says there, then:\n", waitText(len(waiting)))
	for _, m := range waiting {
		since := ""
		if !m.Since.IsZero() {
			since = ", " + ageText(now, m.Since) + " ago"
		}
		fmt.Fprintf(a.out, "  realm peers admit %s   # pending, knocked from %s%s\n", m.Peer, orElse(oneLine(m.Addr), "somewhere"), since)
	}
}

func waitText(n int) string {
	if n == 1 {
		return "1 node waits"
	}
	return fmt.Sprintf("%d nodes wait", n)
}

// maxRevoked is how many revoked nodes are listed for people.
const maxRevoked = 10

func (a *app) printGone(all []api.Member, now time.Time) {
	revoked := standingOf(all, api.StandingRevoked)
	if len(revoked) == 0 {
		return
	}
	fmt.Fprintln(a.out, "\nRevoked:")
	for _, m := range revoked[:min(len(revoked), maxRevoked)] {
		fmt.Fprintf(a.out, "  %s  %s ago\n", m.Peer, ageText(now, m.Since))
	}
	if more := len(revoked) - maxRevoked; more > 0 {
		fmt.Fprintf(a.out, "  and %d before (realm peers --json)\n", more)
	}
}

// printAddrs lists peer ids, and where members are reached, ready to paste.
func (a *app) printAddrs(peers []api.PeerRecord) {
	for _, p := range peers {
		fmt.Fprintf(a.out, "\n%s\n", peerText(oneLine(p.Host), p.Peer))
		if len(p.Addrs) == 0 {
			fmt.Fprintf(a.out, "  %s\n", p.Peer)
		}
		for _, s := range p.Addrs {
			fmt.Fprintf(a.out, "  %s/p2p/%s\n", oneLine(s), p.Peer)
		}
	}
}

// printInvites is a table of invites.
func (a *app) printInvites(all []api.InviteStatus, now time.Time) {
	if len(all) == 0 {
		fmt.Fprintln(a.out, "No invites: realm invite makes one.")
		return
	}
	rows := [][]string{{"FOR", "USED", "ROLES", "ENDS", "INVITE"}}
	for _, i := range all {
		used := fmt.Sprint(i.Used)
		if i.Uses > 0 {
			used = fmt.Sprintf("%d of %d", i.Used, i.Uses)
		}
		rows = append(rows, []string{orDash(clip(oneLine(i.Comment), maxSigner)), used, orElse(strings.Join(i.Roles, ","), "its own"),
			endText(i.Expires, i.Revoked, now), string(i.Key)})
	}
	table(a.out, rows)
}
