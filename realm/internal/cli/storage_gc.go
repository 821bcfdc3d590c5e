package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/realm/internal/node"
)

func newStorageCollect(a *app) *cobra.Command {
	var free sizeFlag
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "gc",
		Short: "Make room in the store of this node",
		Long: `Remove what is cached, the least recently used first: all of it, or until --free is
reached. What the realm needs, what is pinned here and what is being read stays. The
store does this by itself when room is wanted.`,
		Example: `  realm storage gc --free 2GiB --dry-run
  realm storage gc`,
		Args: arguments(),
	}
	cmd.Flags().Var(&free, "free", "how much room to make, such as 500MiB (default: all that is cached)")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "show what would be removed, and remove nothing")
	cmd.RunE = a.bounded(func(ctx context.Context, _ *cobra.Command, _ []string) error {
		return a.onNode(ctx, func(n *node.Node) error {
			got, err := n.Collect(ctx, api.CollectRequest{Free: int64(free), DryRun: dryRun})
			if err != nil {
				return err
			}
			v := collectView{Freed: got.Freed, DryRun: dryRun, Blobs: append([]api.BlobInfo{}, got.Blobs...), More: got.More}
			if err := a.print(v, func() { a.printCollected(v) }); err != nil {
				return err
			}
			if got.Freed < int64(free) {
				return fmt.Errorf("%s of %s can go: the rest is needed, pinned here or in use: realm storage du, and realm storage ls for what it is", sizeText(got.Freed), sizeText(int64(free)))
			}
			return nil
		})
	})
	return cmd
}

// collectView is what realm storage gc says in JSON.
type collectView struct {
	Freed  int64          `json:"freed"` // bytes; with DryRun those that would be
	DryRun bool           `json:"dry_run"`
	Blobs  []api.BlobInfo `json:"blobs"`
	More   int            `json:"more,omitempty"` // blobs that the list leaves out
}

// maxListed is how many blobs people are shown of those that were removed, or are lost.
const maxListed = 20

func (a *app) printCollected(v collectView) {
	for i, b := range v.Blobs {
		if i == maxListed {
			break
		}
		fmt.Fprintf(a.out, "  %s\n", blobText(b))
	}
	all := len(v.Blobs) + v.More
	if more := all - maxListed; more > 0 {
		fmt.Fprintf(a.out, "  and %d more\n", more)
	}
	switch {
	case all == 0:
		fmt.Fprintln(a.out, "There is nothing to remove: nothing is cached.")
	case v.DryRun:
		fmt.Fprintf(a.out, "%s would go, and make room for %s.\n", plural(all, "blob"), sizeText(v.Freed))
	default:
		fmt.Fprintf(a.out, "Removed %s: room for %s.\n", plural(all, "blob"), sizeText(v.Freed))
	}
}
