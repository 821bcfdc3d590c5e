package cli

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/realm/internal/node"
)

// maxOffered is how many blobs a shell is offered: nobody reads more.
const maxOffered = 200

// completeBlobs offers the blobs of the node here and of the realm, by as many digits as
// people are shown, or by all where more were typed.
func (a *app) completeBlobs(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	begin, prefix := strings.ToLower(word), ""
	if rest, ok := strings.CutPrefix(begin, "sha256:"); ok {
		begin, prefix = rest, "sha256:"
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completionPatience)
	defer cancel()
	var words []string
	_ = a.atHand(ctx, func(n *node.Node) error { // without a node there is nothing to offer
		all, err := listBlobs(ctx, n, true)
		slices.SortStableFunc(all.Blobs, compareWhy)
		for _, b := range all.Blobs {
			name := b.SHA256.Short()
			if len(begin) > len(name) {
				name = b.SHA256.String()
			}
			if strings.HasPrefix(name, begin) && len(words) < maxOffered {
				words = append(words, cobra.CompletionWithDesc(prefix+name, sizeText(b.Size)+", "+b.whyText()))
			}
		}
		return err
	})
	return words, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
}

// completePinFlag offers the names of pins as the value of --name.
func (a *app) completePinFlag(cmd *cobra.Command) {
	err := cmd.RegisterFlagCompletionFunc("name", func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		ctx, cancel := context.WithTimeout(cmd.Context(), completionPatience)
		defer cancel()
		var words []string
		_ = a.atHand(ctx, func(n *node.Node) error { // without a node there is nothing to offer
			all, err := readPins(ctx, n)
			for name, b := range all {
				if name != api.PinName(b.SHA256) {
					words = append(words, string(name))
				}
			}
			return err
		})
		slices.Sort(words)
		return words, cobra.ShellCompDirectiveNoFileComp
	})
	if err != nil {
		panic(err) // the flag is declared, once
	}
}
