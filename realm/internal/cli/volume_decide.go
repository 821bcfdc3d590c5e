package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/archive"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/realm/internal/node"
	"github.com/realm-mesh/realm/realm/internal/owner"
)

// decidedView is what commands that decide about a volume say in JSON.
type decidedView struct {
	Volume  api.Name      `json:"volume"`
	Version uint64        `json:"version"`          // of the volume's intent
	Digest  api.Digest    `json:"digest"`           // likewise
	Member  *someone      `json:"member,omitempty"` // whose copy it is about; nil: all
	Files   *api.BlobInfo `json:"files,omitempty"`  // that the copy begins with
}

// importLimits bound what is imported.
var importLimits = archive.Limits{Bytes: api.MaxMountFiles, Files: archive.MaxFiles}

func newVolumeClear(a *app) *cobra.Command {
	var peer string
	var yes bool
	cmd := &cobra.Command{
		Use:   "clear VOLUME",
		Short: "Remove what is in a volume, for good",
		Long: `Sign that all copies of a volume are to be removed, those that are set aside too, or with
--peer those of one member. Members that are away do it when they are back. A component
that wants the volume later begins with an empty one, or with what its package seeds.
Stop the component first: what is open is not removed.`,
		Example: `  realm volume clear cart
  realm volume clear cart --peer shed --yes`,
		Args: volumeArgument(),
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	cmd.RunE = a.bounded(func(ctx context.Context, _ *cobra.Command, args []string) error {
		return a.onVolume(ctx, args[0], peer, true, func(d *decision) error {
			what := fmt.Sprintf("Volume %s is removed on all members, with what is in it.", d.name)
			if d.who != nil {
				what = fmt.Sprintf("Volume %s is removed on %s, with what is in it.", d.name, *d.who)
			}
			if err := d.idle(); err != nil {
				return err
			}
			if err := a.confirm(ctx, yes, what); err != nil {
				return err
			}
			signed, err := d.sign(ctx, func(v *api.Volume, next uint64) {
				if d.who == nil {
					*v = api.Volume{Since: next, Cleared: next}
					return
				}
				owner.SetCopy(v, api.VolumeCopy{Peer: d.who.Peer, Since: next, Cleared: next})
			})
			if err != nil {
				return err
			}
			return d.tell(signed, nil, "is cleared: members remove it, those that are away when they are back.")
		})
	})
	return a.volumeCommand(cmd, &peer, "member whose copies are removed (default: all)")
}

func newVolumeAbandon(a *app) *cobra.Command {
	var peer string
	var yes bool
	cmd := &cobra.Command{
		Use:   "abandon VOLUME",
		Short: "Give up a member's copy of a volume, so that its replica begins anew elsewhere",
		Long: `Sign that the copy of a volume on a member counts no more. What waited for it (blocked)
starts on another member with an empty volume, or with what its package seeds. When the
member comes back it sets its copy aside, where it stays until realm volume clear.`,
		Example: `  realm volume abandon cart --peer shed`,
		Args:    volumeArgument(),
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	cmd.RunE = a.bounded(func(ctx context.Context, cmd *cobra.Command, args []string) error {
		if peer == "" {
			return misused(cmd, errors.New("--peer is missing: whose copy is given up? realm volume ls shows who has one"))
		}
		return a.onVolume(ctx, args[0], peer, true, func(d *decision) error {
			if err := a.confirm(ctx, yes, fmt.Sprintf("The copy of volume %s on %s counts no more; another member begins anew.", d.name, *d.who)); err != nil {
				return err
			}
			signed, err := d.sign(ctx, func(v *api.Volume, next uint64) {
				owner.SetCopy(v, api.VolumeCopy{Peer: d.who.Peer, Since: next})
			})
			if err != nil {
				return err
			}
			return d.tell(signed, nil, "on "+d.who.String()+" counts no more.")
		})
	})
	return a.volumeCommand(cmd, &peer, "member whose copy is given up")
}

// decision is what is being decided about a volume.
type decision struct {
	*app
	n      *node.Node
	s      signer
	name   api.Name
	who    *someone // nil: all
	copies []copyView
}

// onVolume has fn decide about a volume, with the member that peer names. has: it has to have
// a copy, or to have had one.
func (a *app) onVolume(ctx context.Context, name, peer string, has bool, fn func(*decision) error) error {
	return a.onNode(ctx, func(n *node.Node) error {
		s, err := a.newSigner(ctx, n)
		if err != nil {
			return err
		}
		d := &decision{app: a, n: n, s: s, name: api.Name(name)}
		all, _, err := a.copies(ctx, n)
		if err != nil {
			return err
		}
		d.copies = slices.DeleteFunc(all, func(c copyView) bool { return c.Volume != d.name })
		if has && len(d.copies) == 0 {
			return fmt.Errorf("volume %s: %w", name, errNoVolume)
		}
		if peer == "" {
			return fn(d)
		}
		realm, err := members(ctx, n)
		if err != nil {
			return err
		}
		who, err := whom(peer, realm)
		if err != nil {
			return fmt.Errorf("--peer: %w", err)
		}
		if has && !slices.ContainsFunc(d.copies, func(c copyView) bool { return c.Peer == who.Peer }) {
			return fmt.Errorf("volume %s: %s has no copy of it, as far as is known: realm volume ls shows who has", name, who)
		}
		d.who = &who
		return fn(d)
	})
}

// idle makes sure that nothing has a copy open which is to be replaced.
func (d *decision) idle() error {
	for _, c := range d.copies {
		if c.InUse && (d.who == nil || d.who.Peer == c.Peer) {
			return fmt.Errorf("volume %s is in use on %s: stop its component first: realm stop %s", d.name, c.someone, orElse(string(c.User), "NAME"))
		}
	}
	return nil
}

func (d *decision) sign(ctx context.Context, change func(v *api.Volume, next uint64)) (intent.Signed, error) {
	signed, _, err := d.act(ctx, d.n, d.s, owner.DecideVolume(d.name, change))
	return signed, err
}

func (d *decision) tell(signed intent.Signed, files *api.BlobInfo, what string) error {
	v := decidedView{d.name, signed.Seq, signed.Digest, d.who, files}
	return d.print(v, func() { fmt.Fprintf(d.out, "Volume %s %s\n", d.name, what) })
}

// put stores an archive, signs that d's member is to begin a copy with it, and waits until
// it has.
func (d *decision) put(ctx context.Context, file string, change func(v *api.Volume, next uint64, files api.BlobInfo)) error {
	if err := d.idle(); err != nil {
		return err
	}
	if err := d.checkArchive(ctx, file); err != nil {
		return err
	}
	in, err := d.openInput(file)
	if err != nil {
		return err
	}
	defer in.Close()
	stored, err := d.app.put(ctx, d.n, in)
	if err != nil {
		return err
	}
	epoch := uint64(0)
	signed, err := d.sign(ctx, func(v *api.Volume, next uint64) {
		epoch = next
		change(v, next, stored.BlobInfo)
	})
	if err != nil {
		return err
	}
	if err := d.await(ctx, epoch); err != nil {
		return err
	}
	return d.tell(signed, &stored.BlobInfo, "on "+d.who.String()+" has these files.")
}

// checkArchive makes sure that members will take a file.
func (d *decision) checkArchive(ctx context.Context, file string) error {
	if file == stdio {
		return errors.New("the archive is read twice: name a file, not standard input")
	}
	in, err := d.openInput(file)
	if err != nil {
		return err
	}
	defer in.Close()
	if in.size < 0 || in.size > api.MaxMountFiles {
		return fmt.Errorf("%s: want a file of at most %s", file, bytesText(api.MaxMountFiles))
	}
	all, err := archive.Open(in.file, in.size, importLimits)
	if err == nil {
		err = all.Verify(ctx)
	}
	if err != nil {
		return fmt.Errorf("%s: %w. realm volume export makes archives that can be imported", file, err)
	}
	return nil
}

// awaitEvery is how often a member is asked whether it has a copy.
const awaitEvery = 300 * time.Millisecond

// await waits until the member has the copy of an epoch.
func (d *decision) await(ctx context.Context, epoch uint64) error {
	tick := time.NewTicker(awaitEvery)
	defer tick.Stop()
	for {
		all, err := d.n.Volumes(ctx, d.who.Peer, self(d.n, d.who.Peer))
		if err == nil && slices.ContainsFunc(all, func(v api.VolumeInfo) bool { return v.Volume == d.name && v.Epoch >= epoch && !v.Void }) {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("%s does not have the files yet: it goes on trying, realm volume ls shows when it has them: %w", *d.who, context.Cause(ctx)), err)
		case <-tick.C:
		}
	}
}
