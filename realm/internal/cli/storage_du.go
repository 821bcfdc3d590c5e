package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/realm-mesh/realm/realm/internal/node"
)

func newStorageUsage(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "du",
		Short: "Say how full the store of this node is, and how much of that could go",
		Long: `Say how much the store of this node holds, of how much it may, how much of that is
needed and how much is cached, how much blobs have in common, and when all of it was
read and checked last. The quota is the setting storage_quota_mb.`,
		Example: `  realm storage du
  realm configure --storage-quota-mb 20000`,
		Args: arguments(),
		RunE: a.bounded(func(ctx context.Context, _ *cobra.Command, _ []string) error {
			return a.onNode(ctx, func(n *node.Node) error {
				s, err := n.Storage(ctx)
				if err != nil {
					return err
				}
				return a.print(s, func() {
					for _, row := range usageRows(s, time.Now()) {
						fmt.Fprintf(a.out, "%-8s  %s\n", row[0], row[1])
					}
				})
			})
		}),
	}
}
