package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/realm/internal/node"
)

func newStorageList(a *app) *cobra.Command {
	var f listFlags
	cmd := &cobra.Command{
		Use:   "ls [SHA256]",
		Short: "List the blobs of this node, why each is kept, and how many members have it",
		Long: `List the blobs on this node: how much of each is here, when it was read or asked for
last, on how many members it is, and what it is kept for. What is kept for nothing is
cached, and goes when room is wanted. --all adds what the realm needs and other members
have. With SHA256, say all there is to know of one blob, also who has it: they are asked.`,
		Example: `  realm storage ls --all --sort size
  realm storage ls 93a44bbb96c7`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return blobArgument(cmd, args)
		},
		ValidArgsFunction: a.completeBlobs,
	}
	f.declare(cmd)
	cmd.RunE = a.bounded(func(ctx context.Context, cmd *cobra.Command, args []string) error {
		order, ok := blobOrders[f.sort]
		if !ok {
			return misused(cmd, fmt.Errorf("--sort %.40q: want %s", f.sort, strings.Join(sortWords(), ", ")))
		}
		return a.onNode(ctx, func(n *node.Node) error {
			if len(args) == 1 {
				return a.describe(ctx, n, args)
			}
			all, err := listBlobs(ctx, n, f.all)
			if err != nil {
				return err
			}
			slices.SortStableFunc(all.Blobs, order)
			return a.print(all, func() { a.printBlobs(all, f.long, time.Now()) })
		})
	})
	return cmd
}

type listFlags struct {
	all, long bool
	sort      string
}

func (f *listFlags) declare(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.all, "all", false, "also what the realm needs and is not here")
	cmd.Flags().BoolVarP(&f.long, "long", "l", false, "all 64 digits of each SHA-256")
	cmd.Flags().StringVar(&f.sort, "sort", "why", "order: "+strings.Join(sortWords(), ", "))
	if err := cmd.RegisterFlagCompletionFunc("sort", cobra.FixedCompletions(sortWords(), cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // the flag is declared above
	}
}

// blobView is a blob of the node, or of the realm, in JSON.
type blobView struct {
	api.BlobInfo
	Here    bool        `json:"here"` // some of it is on this node
	Has     int64       `json:"has"`  // bytes that are
	Whole   bool        `json:"whole"`
	Damaged bool        `json:"damaged,omitempty"`
	Added   time.Time   `json:"added,omitzero"`
	Used    time.Time   `json:"used,omitzero"`
	Pinned  bool        `json:"pinned,omitempty"` // on this node alone
	Keeper  bool        `json:"keeper,omitempty"` // this node is one of those that keep it for the realm
	Refs    []reference `json:"refs"`             // what in the realm needs it
	Copies  int         `json:"copies,omitempty"` // members that were last seen to have it; 0: not known here
}

type blobsView struct {
	Blobs    []blobView `json:"blobs"`
	Problems []string   `json:"problems"` // what could not be found out
}

// blobOrders are those of realm storage ls --sort.
var blobOrders = map[string]func(x, y blobView) int{
	"why":    compareWhy,
	"size":   func(x, y blobView) int { return cmp.Or(cmp.Compare(y.Size, x.Size), x.SHA256.Compare(y.SHA256)) },
	"used":   func(x, y blobView) int { return cmp.Or(y.Used.Compare(x.Used), x.SHA256.Compare(y.SHA256)) },
	"sha256": func(x, y blobView) int { return x.SHA256.Compare(y.SHA256) },
}

func sortWords() []string { return slices.Sorted(maps.Keys(blobOrders)) }

// compareWhy puts first what the realm needs, by name; then what is pinned here; then
// what is cached, the most recently used first.
func compareWhy(x, y blobView) int {
	rank := func(b blobView) int {
		switch {
		case len(b.Refs) > 0:
			return 0
		case b.Pinned:
			return 1
		}
		return 2
	}
	name := func(b blobView) string {
		if len(b.Refs) == 0 {
			return ""
		}
		return b.Refs[0].Ref.String()
	}
	version := func(b blobView) uint64 {
		if len(b.Refs) == 0 {
			return 0
		}
		return b.Refs[0].Version
	}
	return cmp.Or(cmp.Compare(rank(x), rank(y)), strings.Compare(name(x), name(y)), cmp.Compare(version(y), version(x)),
		y.Used.Compare(x.Used), x.SHA256.Compare(y.SHA256))
}

// listBlobs gathers what is on the node; elsewhere: also what only others have.
func listBlobs(ctx context.Context, n *node.Node, elsewhere bool) (blobsView, error) {
	v := blobsView{Blobs: []blobView{}, Problems: []string{}}
	needs, err := needsSoon(ctx, n)
	if err != nil {
		v.Problems = append(v.Problems, oneLine(err.Error()))
	}
	err = n.Blobs(ctx, func(r api.BlobRecord) error {
		v.Blobs = append(v.Blobs, viewBlob(r, needs[r.SHA256]))
		delete(needs, r.SHA256)
		return nil
	})
	if elsewhere {
		for d, b := range needs {
			v.Blobs = append(v.Blobs, blobView{BlobInfo: api.BlobInfo{SHA256: d, Size: b.size}, Refs: b.refs})
		}
	}
	return v, err
}

// needsPatience is how long meshd is waited for where that is not all there is to say: a
// node that is no member yet cannot know what the realm needs.
const needsPatience = 2 * time.Second

// needsSoon is [readNeeds] for who can do without.
func needsSoon(ctx context.Context, n *node.Node) (needs, error) {
	ctx, cancel := context.WithTimeout(ctx, needsPatience)
	defer cancel()
	return readNeeds(ctx, n)
}

// viewBlob is a blob of the node. need is nil where the realm does not need it, or
// meshd has not said so.
func viewBlob(r api.BlobRecord, b *need) blobView {
	v := blobView{BlobInfo: r.BlobInfo, Here: true, Has: r.Has, Whole: r.Whole, Damaged: r.Damaged, Added: r.Added, Used: r.Used,
		Pinned: r.Pinned, Keeper: r.Keeper, Refs: []reference{}, Copies: r.Copies}
	if b != nil {
		v.Refs = b.refs
		return v
	}
	for _, ref := range r.Refs {
		v.Refs = append(v.Refs, reference{Ref: ref})
	}
	return v
}

// detailView is all there is to know of one blob, in JSON.
type detailView struct {
	blobView
	Members  *copiesView `json:"members,omitempty"` // left out where nobody could be asked
	Problems []string    `json:"problems"`
}

// describe says all there is to know of one blob.
func (a *app) describe(ctx context.Context, n *node.Node, args []string) error {
	d, err := blob(ctx, n, args)
	if err != nil {
		return err
	}
	all, err := listBlobs(ctx, n, true)
	if err != nil {
		return err
	}
	v := detailView{blobView: blobView{BlobInfo: api.BlobInfo{SHA256: d}, Refs: []reference{}}, Problems: all.Problems}
	i := slices.IndexFunc(all.Blobs, func(b blobView) bool { return b.SHA256 == d })
	if i >= 0 {
		v.blobView = all.Blobs[i]
	}
	c, err := copies(ctx, n, d)
	if err == nil {
		v.Members = &c
	} else {
		v.Problems = append(v.Problems, oneLine(err.Error()))
	}
	if i < 0 && (err != nil || len(c.Have) == 0) {
		return errors.Join(err, fmt.Errorf("%s is not on this node, the realm does not need it, and nobody here knows who has it: realm storage get looks for it on the mesh", d.Short()))
	}
	return a.print(v, func() { a.printBlob(v, time.Now()) })
}
