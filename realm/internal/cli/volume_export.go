package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/realm/internal/node"
)

// exportView is what realm volume export says in JSON.
type exportView struct {
	Volume api.Name `json:"volume"`
	Member someone  `json:"member"`
	File   string   `json:"file"`
	Size   int64    `json:"size"` // bytes of the archive
}

func newVolumeExport(a *app) *cobra.Command {
	var peer, file string
	cmd := &cobra.Command{
		Use:   "export VOLUME",
		Short: "Write the files of a volume into a zip archive",
		Long: `Write what is in a copy of a volume into a zip archive, which realm volume import and
restore take back. Only who may sign for volumes can read them. What a program writes
meanwhile may be in it in part: stop the component first where that matters. Links, and
names that some systems do not take, cannot be exported.`,
		Example: `  realm volume export cart -o cart.zip
  realm volume export cart --peer shed -o shed.zip`,
		Args: volumeArgument(),
	}
	cmd.Flags().StringVarP(&file, "output", "o", "", "file to write (default: VOLUME.zip); - for standard output")
	cmd.RunE = a.moving(func(ctx context.Context, _ *cobra.Command, args []string) error {
		name := api.Name(args[0])
		if file == "" {
			file = args[0] + ".zip"
		}
		return a.onNode(ctx, func(n *node.Node) error {
			s, err := a.newSigner(ctx, n)
			if err != nil {
				return err
			}
			all, _, err := a.copies(ctx, n)
			if err != nil {
				return err
			}
			c, err := only(name, peer, all)
			if err != nil {
				return err
			}
			return a.exportVolume(ctx, n, s, c, file)
		})
	})
	return a.volumeCommand(cmd, &peer, "member whose copy is exported, where there are several")
}

func (a *app) exportVolume(ctx context.Context, n *node.Node, s signer, c copyView, file string) error {
	word, err := s.Read(c.Volume, c.Peer, n.Now())
	if err != nil {
		return err
	}
	from, err := n.ExportVolume(ctx, c.Peer, self(n, c.Peer), c.Volume, word)
	if err != nil {
		return err
	}
	defer from.Close()
	out, err := a.openOutput(file)
	if err != nil {
		return err
	}
	shown := a.newProgress(string(c.Volume), -1)
	size, err := io.Copy(out, shown.reader(from))
	shown.end()
	if err != nil {
		return errors.Join(fmt.Errorf("export volume %s: %w", c.Volume, err), out.drop())
	}
	if err := out.keep(); err != nil {
		return err
	}
	if file == stdio {
		return nil
	}
	v := exportView{c.Volume, c.someone, file, size}
	return a.print(v, func() { fmt.Fprintf(a.out, "%s: volume %s of %s, %s\n", file, v.Volume, v.Member, sizeText(size)) })
}
