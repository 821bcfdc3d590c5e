package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/realm/internal/node"
)

// inspectedVolume is what realm volume inspect says in JSON.
type inspectedVolume struct {
	Volume api.Name   `json:"volume"`
	Copies []copyView `json:"copies"`
	// Files are those of the copy on Member.
	Member *someone         `json:"member,omitempty"`
	Files  []api.VolumeFile `json:"files"`
	More   bool             `json:"more,omitempty"` // there are more files
}

func newVolumeInspect(a *app) *cobra.Command {
	var peer string
	cmd := &cobra.Command{
		Use:   "inspect VOLUME",
		Short: "Show the copies of a volume, and what is in one",
		Long: `Show each copy of a volume, and the files of the one on --peer, or of the only one that a
connected member has. At most 500 files are listed.`,
		Example: `  realm volume inspect cart
  realm volume inspect cart --peer shed --json`,
		Args: volumeArgument(),
	}
	cmd.RunE = a.bounded(func(ctx context.Context, _ *cobra.Command, args []string) error {
		return a.onNode(ctx, func(n *node.Node) error { return a.inspectVolume(ctx, n, api.Name(args[0]), peer) })
	})
	return a.volumeCommand(cmd, &peer, "member whose copy is listed, where there are several")
}

func (a *app) inspectVolume(ctx context.Context, n *node.Node, name api.Name, peer string) error {
	all, _, err := a.copies(ctx, n)
	if err != nil {
		return err
	}
	v := inspectedVolume{Volume: name, Copies: []copyView{}, Files: []api.VolumeFile{}}
	for _, c := range all {
		if c.Volume == name {
			v.Copies = append(v.Copies, c)
		}
	}
	if len(v.Copies) == 0 {
		return fmt.Errorf("volume %s: %w", name, errNoVolume)
	}
	c, err := only(name, peer, v.Copies)
	switch {
	case err == nil:
		files, err := n.VolumeFiles(ctx, c.Peer, self(n, c.Peer), name)
		if err != nil {
			return err
		}
		v.Member, v.Files, v.More = &c.someone, files.Files, files.More
	case peer != "":
		return err
	}
	return a.print(v, func() { a.printVolume(v, time.Now()) })
}

func (a *app) printVolume(v inspectedVolume, now time.Time) {
	for _, c := range v.Copies {
		fmt.Fprintf(a.out, "%s on %s: %s", c.Volume, c.someone, c.state())
		if c.User != "" {
			fmt.Fprintf(a.out, ", component %s", c.User)
		}
		if !c.Away {
			fmt.Fprintf(a.out, ", %s of %s, made %s ago", sizeText(c.Used), bytesText(c.Limit), ageText(now, c.Created))
		}
		fmt.Fprintln(a.out)
	}
	if v.Member == nil {
		return
	}
	fmt.Fprintf(a.out, "\nFiles on %s:\n", *v.Member)
	rows := [][]string{{"SIZE", "CHANGED", "PATH"}}
	for _, f := range v.Files {
		path, size := oneLine(f.Path), sizeText(f.Size)
		switch f.Kind {
		case "dir":
			path, size = path+"/", "-"
		case "link":
			size = "link"
		}
		rows = append(rows, []string{size, ageText(now, f.Time) + " ago", path})
	}
	if len(v.Files) == 0 {
		rows = append(rows, []string{"-", "-", "(it is empty)"})
	}
	table(a.out, rows)
	if v.More {
		fmt.Fprintln(a.out, "… and more.")
	}
}
