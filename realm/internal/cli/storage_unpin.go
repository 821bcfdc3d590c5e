package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/realm/internal/node"
	"github.com/realm-mesh/realm/realm/internal/owner"
)

func newStorageUnpin(a *app) *cobra.Command {
	var p pinFlags
	cmd := &cobra.Command{
		Use:   "unpin [SHA256]",
		Short: "Take a pin back",
		Long: `Sign that the realm does not need a blob any more because of a pin: the one of this
name, or the only one of this blob. It stays where it is until room is wanted, or for as
long as a program needs it. With --local take back what realm storage pin --local did.`,
		Example: `  realm storage unpin --name image
  realm storage unpin 93a44bbb96c7 --local`,
		Args: func(cmd *cobra.Command, args []string) error {
			given := cmd.Flags().Changed("name")
			switch {
			case len(args) == 0 && given:
				return nil
			case len(args) == 0:
				return misused(cmd, errors.New("SHA256, or --name, is missing: which pin is to go?"))
			}
			err := blobArgument(cmd, args)
			if _, no := api.ParseName(args[0]); err != nil && no == nil && !given {
				err = misused(cmd, fmt.Errorf("%w. A pin goes by its name with --name %s", err, args[0]))
			}
			return err
		},
		ValidArgsFunction: a.completeBlobs,
	}
	f := cmd.Flags()
	f.StringVar(&p.name, "name", "", "name of the pin")
	f.BoolVar(&p.local, "local", false, "what is kept on this node alone")
	a.completePinFlag(cmd)
	cmd.RunE = a.bounded(func(ctx context.Context, cmd *cobra.Command, args []string) error {
		if err := a.checkPin(cmd, p, ""); err != nil {
			return misused(cmd, err)
		}
		return a.onNode(ctx, func(n *node.Node) error {
			if p.local {
				return a.release(ctx, n, args)
			}
			s, err := a.newSigner(ctx, n)
			if err != nil {
				return err
			}
			return a.unpin(ctx, n, s, args, p)
		})
	})
	return cmd
}

// release takes back that a blob is kept on this node.
func (a *app) release(ctx context.Context, n *node.Node, args []string) error {
	d, err := blob(ctx, n, args)
	if err != nil {
		return err
	}
	was, err := n.Release(ctx, d)
	if err == nil && !was {
		err = fmt.Errorf("%s is not pinned on this node: without --local it is about the pins of the realm; realm storage ls says what there is", d.Short())
	}
	if err != nil {
		return err
	}
	v := pinView{BlobInfo: api.BlobInfo{SHA256: d}, Local: true}
	if b, here, err := n.Here(ctx, d); err == nil && here {
		v.BlobInfo = b
	}
	return a.print(v, func() { fmt.Fprintf(a.out, "%s is not kept on this node any more for its own sake.\n", d.Short()) })
}

// unpin signs that a pin is gone.
func (a *app) unpin(ctx context.Context, n *node.Node, s signer, args []string, p pinFlags) error {
	pins, err := readPins(ctx, n)
	if err != nil {
		return err
	}
	name := api.Name(p.name)
	if len(args) == 1 {
		d, err := blob(ctx, n, args)
		if err != nil {
			return err
		}
		if name, err = pins.only(d, name); err != nil {
			return err
		}
	}
	signed, _, err := a.act(ctx, n, s, owner.Unpin(name))
	if errors.Is(err, owner.ErrNotPinned) {
		return pins.unknown(name, err)
	}
	if err != nil {
		return err
	}
	v := pinView{BlobInfo: pins[name], Name: name, Version: signed.Seq, Digest: signed.Digest}
	return a.print(v, func() {
		of := ""
		if !v.SHA256.IsZero() {
			of = " of " + blobText(v.BlobInfo)
		}
		fmt.Fprintf(a.out, "%s%s is gone. What nothing else needs stays until room is wanted.\n", signed.Ref, of)
	})
}

// pins are the blobs that pins of the realm name.
type pins map[api.Name]api.BlobInfo

func readPins(ctx context.Context, n *node.Node) (pins, error) {
	all := pins{}
	err := n.References(ctx, func(r api.Reference) error {
		if r.Kind == api.KindPin {
			all[r.Name] = api.BlobInfo{SHA256: r.Blob, Size: r.Size}
		}
		return nil
	})
	return all, err
}

// only is the name of the one pin of d; of several it is the one that was given.
func (p pins) only(d api.Digest, given api.Name) (api.Name, error) {
	var found []string
	for name, b := range p {
		if b.SHA256 == d {
			found = append(found, string(name))
		}
	}
	slices.Sort(found)
	switch {
	case slices.Contains(found, string(given)):
		return given, nil
	case len(found) == 0:
		return "", fmt.Errorf("no pin of the realm names %s: realm storage ls %s says what it is kept for; with --local take back what keeps it on this node", d.Short(), d.Short())
	case given != "":
		return "", fmt.Errorf("pin %s does not name %s: %s", given, d.Short(), strings.Join(found, " and "))
	case len(found) > 1:
		return "", fmt.Errorf("several pins name %s: say which with --name: %s", d.Short(), strings.Join(found, ", "))
	}
	return api.Name(found[0]), nil
}

// unknown is the error about a pin that there is not.
func (p pins) unknown(name api.Name, err error) error {
	var names []string
	for n := range p {
		names = append(names, string(n))
	}
	slices.Sort(names)
	if like := nearest(string(name), names); len(like) > 0 {
		return fmt.Errorf("%s: %w: did you mean %s?", name, err, strings.Join(like, " or "))
	}
	return fmt.Errorf("%s: %w: realm storage ls --all lists them", name, err)
}
