package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/realm/internal/node"
)

func newVolume(a *app) *cobra.Command {
	return group(&cobra.Command{
		Use:   "volume",
		Short: "What programs keep: ls, inspect, export, import, clear, restore, abandon",
		Long: `A volume is a folder that a component keeps its state in. It stays on its member whatever
becomes of the program: replicas go where their volumes are, and wait for a member that
is away (blocked) until it is back, or until you say that its copy is restored elsewhere,
or given up.

Nothing is removed but what you clear. A copy that does not count any more, because its
volume was restored or given up while its member was away, is set aside there.`,
		Example: `  realm volume ls
  realm volume export cart -o cart.zip
  realm volume restore cart cart.zip --peer shed`,
	}, newVolumeList(a), newVolumeInspect(a), newVolumeExport(a), newVolumeImport(a), newVolumeClear(a), newVolumeRestore(a), newVolumeAbandon(a))
}

// copyView is one member's copy of a volume, in JSON.
type copyView struct {
	api.VolumeInfo
	someone
	// Away: the member is not connected; what it has said last is shown.
	Away bool `json:"away,omitempty"`
}

// state is how a copy stands, for people.
func (c copyView) state() string {
	switch {
	case c.Void:
		return "set aside"
	case c.Away:
		return "away"
	case c.InUse:
		return "in use"
	}
	return "kept"
}

// volumePatience is how long a member may take to say which volumes it has.
const volumePatience = 5 * time.Second

// volumesAtOnce is how many members are asked at a time.
const volumesAtOnce = 16

// copies are the copies of all volumes that members tell of, and who did not answer.
func (a *app) copies(ctx context.Context, n *node.Node) (out []copyView, silent []someone, err error) {
	s, err := lookAtAll(ctx, n)
	if err != nil {
		return nil, nil, err
	}
	var (
		mu sync.Mutex
		g  errgroup.Group
		up = map[api.PeerID]bool{}
	)
	g.SetLimit(volumesAtOnce)
	for _, m := range upNow(s) {
		if m.Client {
			continue
		}
		up[m.Peer] = true
		g.Go(func() error {
			ctx, cancel := context.WithTimeout(ctx, volumePatience)
			defer cancel()
			who := someone{m.Peer, m.Host}
			all, err := n.Volumes(ctx, m.Peer, m.Self)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				silent = append(silent, who)
			}
			for _, v := range all {
				out = append(out, copyView{VolumeInfo: v, someone: who})
			}
			return nil
		})
	}
	_ = g.Wait()                     // there are no errors
	for _, h := range s.Holdings() { //nolint:contextcheck // reading what is signed waits for nothing
		if up[h.Peer] {
			continue
		}
		for _, held := range h.Volumes {
			d := s.Volumes[held.Volume]
			out = append(out, copyView{VolumeInfo: api.VolumeInfo{HeldVolume: held, Void: !d.Counts(h.Peer, held.Epoch)}, someone: someone{h.Peer, s.Peers[h.Peer].Host}, Away: true})
		}
	}
	slices.SortFunc(out, func(a, b copyView) int {
		return cmp.Or(cmp.Compare(a.Volume, b.Volume), cmp.Compare(a.Host, b.Host), cmp.Compare(a.Peer, b.Peer), cmp.Compare(b.Epoch, a.Epoch))
	})
	return out, silent, ctx.Err()
}

// volumesView is what realm volume ls says in JSON.
type volumesView struct {
	Copies []copyView `json:"copies"`
	Silent []someone  `json:"silent"` // members that are connected and did not answer
}

func newVolumeList(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "ls",
		Short: "List the volumes of the realm, and on which members they are",
		Long: `List each copy of each volume: whose it is, on which member, how full it is, and whether a
program has it open, it is kept, its member is away, or it is set aside.`,
		Example: `  realm volume ls
  realm volume ls --json`,
		Args: arguments(),
		RunE: a.bounded(func(ctx context.Context, _ *cobra.Command, _ []string) error {
			return a.onNode(ctx, func(n *node.Node) error {
				all, silent, err := a.copies(ctx, n)
				if err != nil {
					return err
				}
				v := volumesView{append([]copyView{}, all...), append([]someone{}, silent...)}
				return a.print(v, func() { a.printVolumes(v) })
			})
		}),
	}
}

func (a *app) printVolumes(v volumesView) {
	if len(v.Copies) == 0 {
		fmt.Fprintln(a.out, "There are no volumes.")
	} else {
		rows := [][]string{{"VOLUME", "COMPONENT", "MEMBER", "USED", "OF", "FILES", "STATE"}}
		for _, c := range v.Copies {
			used, of, files := sizeText(c.Used), bytesText(c.Limit), fmt.Sprint(c.Files)
			if c.Away {
				used, of, files = "-", "-", "-"
			}
			rows = append(rows, []string{string(c.Volume), orDash(string(c.User)), c.String(), used, of, files, c.state()})
		}
		table(a.out, rows)
	}
	for _, s := range v.Silent {
		a.note("%s did not answer: what it has is not shown.", s)
	}
}

// volumeArgument wants a volume's name, and what else is named.
func volumeArgument(more ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := arguments(append([]string{"VOLUME"}, more...)...)(cmd, args); err != nil {
			return err
		}
		_, err := api.ParseName(args[0])
		return misused(cmd, err)
	}
}

// errNoVolume says that no member tells of a volume.
var errNoVolume = errors.New("no member that answers has it: realm volume ls lists what there is")

// only is the copy of a volume that is meant: the one on the member that peer names, or the
// only one that counts and can be asked.
func only(name api.Name, peer string, all []copyView) (copyView, error) {
	var found []copyView
	for _, c := range all {
		if c.Volume == name && !c.Void && !c.Away {
			found = append(found, c)
		}
	}
	if peer != "" {
		var whose []someone
		for _, c := range found {
			whose = append(whose, c.someone)
		}
		who, err := whom(peer, whose)
		if err != nil {
			return copyView{}, fmt.Errorf("volume %s: --peer: %w", name, err)
		}
		found = slices.DeleteFunc(found, func(c copyView) bool { return c.Peer != who.Peer })
	}
	switch len(found) {
	case 0:
		return copyView{}, fmt.Errorf("volume %s: %w", name, errNoVolume)
	case 1:
		return found[0], nil
	}
	text := fmt.Sprintf("volume %s is on %d members: say which with --peer:", name, len(found))
	for _, c := range found {
		text += "\n  " + c.String()
	}
	return copyView{}, errors.New(text)
}

// completeVolumes offers the names of volumes.
func (a *app) completeVolumes(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveDefault
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completionPatience)
	defer cancel()
	var names []string
	_ = a.atHand(ctx, func(n *node.Node) error { // without a node there is nothing to offer
		all, _, err := a.copies(ctx, n)
		for _, c := range all {
			names = append(names, string(c.Volume))
		}
		return err
	})
	return slices.Compact(names), cobra.ShellCompDirectiveNoFileComp
}

// volumeCommand declares a command about a volume, with the flag --peer.
func (a *app) volumeCommand(cmd *cobra.Command, peer *string, what string) *cobra.Command {
	cmd.ValidArgsFunction = a.completeVolumes
	cmd.Flags().StringVar(peer, "peer", "", what)
	if err := cmd.RegisterFlagCompletionFunc("peer", func(cmd *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
		return a.completeWhom(cmd, nil, word)
	}); err != nil {
		panic(err) // the flag is declared above
	}
	return cmd
}

// self reports whether p is the node that is asked.
func self(n *node.Node, p api.PeerID) bool {
	k, err := n.Self()
	return err == nil && keys.Peer(k.Key()) == p
}
