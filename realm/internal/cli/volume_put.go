package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/realm/internal/owner"
)

func newVolumeImport(a *app) *cobra.Command {
	var peer string
	cmd := &cobra.Command{
		Use:   "import VOLUME FILE",
		Short: "Replace what is in a copy of a volume by the files of a zip archive",
		Long: `Have a member's copy of a volume begin anew with the files of a zip archive, such as
realm volume export writes. What it had is set aside on the member. Stop the component
first: a copy that is open is not replaced. Other members' copies stay as they are.`,
		Example: `  realm volume import cart cart.zip`,
		Args:    volumeArgument("FILE"),
	}
	cmd.RunE = a.moving(func(ctx context.Context, _ *cobra.Command, args []string) error {
		return a.onVolume(ctx, args[0], peer, false, func(d *decision) error {
			if d.who == nil {
				c, err := only(d.name, "", d.copies)
				if err != nil {
					return err
				}
				d.who = &c.someone
			}
			return d.put(ctx, args[1], func(v *api.Volume, next uint64, files api.BlobInfo) {
				owner.SetCopy(v, api.VolumeCopy{Peer: d.who.Peer, Since: next, Files: &files})
			})
		})
	})
	return a.volumeCommand(cmd, &peer, "member whose copy is replaced, or that is to have one (default: the only one that has)")
}

func newVolumeRestore(a *app) *cobra.Command {
	var peer string
	cmd := &cobra.Command{
		Use:   "restore VOLUME FILE",
		Short: "Put a volume on a member from a zip archive; no other copy counts any more",
		Long: `Have a member make a copy of a volume from a zip archive, such as realm volume export
writes, and have no other copy count any more: what waited for a member that is gone
(blocked) goes on with it. A member that comes back sets its own copy aside.`,
		Example: `  realm volume restore cart cart.zip --peer attic`,
		Args:    volumeArgument("FILE"),
	}
	cmd.RunE = a.moving(func(ctx context.Context, cmd *cobra.Command, args []string) error {
		if peer == "" {
			return misused(cmd, errors.New("--peer is missing: which member is to have it?"))
		}
		return a.onVolume(ctx, args[0], peer, false, func(d *decision) error {
			return d.put(ctx, args[1], func(v *api.Volume, next uint64, files api.BlobInfo) {
				*v = api.Volume{Since: next, Cleared: v.Cleared, Copies: []api.VolumeCopy{{Peer: d.who.Peer, Since: next, Files: &files}}}
			})
		})
	})
	return a.volumeCommand(cmd, &peer, "member that is to have it")
}
