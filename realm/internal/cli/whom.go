package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/realm/internal/node"
)

// someone is a member as people call it.
type someone struct {
	Peer api.PeerID `json:"peer"`
	Host string     `json:"host,omitempty"`
}

func (s someone) String() string { return peerText(oneLine(s.Host), s.Peer) }

// members are those of the realm that the node here knows, by host.
func members(ctx context.Context, n *node.Node) ([]someone, error) {
	all, err := n.Members(ctx)
	if err != nil {
		return nil, err
	}
	s, err := n.Look(ctx, node.Scope{})
	if err != nil {
		return nil, err
	}
	var out []someone
	for _, m := range all.Members {
		if m.Standing == api.StandingMember {
			out = append(out, someone{m.Peer, s.Peers[m.Peer].Host})
		}
	}
	slices.SortFunc(out, func(a, b someone) int { return cmp.Or(cmp.Compare(a.Host, b.Host), cmp.Compare(a.Peer, b.Peer)) })
	return out, nil
}

// leastPart is the fewest characters of an id that name a member.
const leastPart = 4

// whom is the member of all that word means: its peer id, an end of that which no other
// has, or its host's name.
func whom(word string, all []someone) (someone, error) {
	var found []someone
	var hosts []string
	part := strings.TrimPrefix(word, "…")
	for _, m := range all {
		switch {
		case string(m.Peer) == word:
			return m, nil
		case m.Host == word, len(part) >= leastPart && (strings.HasSuffix(string(m.Peer), part) || strings.HasPrefix(string(m.Peer), part)):
			found = append(found, m)
		}
		hosts = append(hosts, m.Host)
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		var names []string
		for _, m := range found {
			names = append(names, fmt.Sprintf("%s %s", orDash(oneLine(m.Host)), m.Peer))
		}
		return someone{}, fmt.Errorf("%q may be any of these: say which, by its id:\n  %s", word, strings.Join(names, "\n  "))
	}
	if like := nearest(word, hosts); len(like) > 0 {
		return someone{}, fmt.Errorf("there is no member %q: did you mean %s?", word, oneLine(strings.Join(like, " or ")))
	}
	return someone{}, fmt.Errorf("there is no member %q: want a host's name, a peer id, or the end of one: realm peers lists them", word)
}

// completeWhom offers members by their hosts' names, and by the ends of their ids where
// several have one.
func (a *app) completeWhom(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completionPatience)
	defer cancel()
	var words []string
	_ = a.atHand(ctx, func(n *node.Node) error { // without a node there is nothing to offer
		all, err := members(ctx, n)
		for _, m := range all {
			twins := slices.DeleteFunc(slices.Clone(all), func(o someone) bool { return o.Host != m.Host })
			if m.Host == "" || len(twins) > 1 || strings.ContainsAny(m.Host, " \t\n") {
				words = append(words, m.Peer.Short())
			} else {
				words = append(words, m.Host)
			}
		}
		return err
	})
	return words, cobra.ShellCompDirectiveNoFileComp
}
