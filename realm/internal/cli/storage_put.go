package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/realm/internal/node"
)

func newStoragePut(a *app) *cobra.Command {
	var pin bool
	var p pinFlags
	cmd := &cobra.Command{
		Use:   "put FILE",
		Short: "Store a file on this node, and with --pin in the realm",
		Long: `Store a file, or with - what comes on standard input, of any size, and print its
SHA-256. What is stored already, of any blob, takes no room again. It is here, whole and
on the disk, when the command returns with 0; else nothing of it is to be seen.

It goes when room is wanted, unless it is pinned: --pin does that as realm storage pin,
and waits until three members have it.`,
		Example: `  realm storage put disk.img --pin --name image
  tar c photos | realm storage put - --json`,
		Args: arguments("FILE"),
	}
	f := cmd.Flags()
	f.BoolVar(&pin, "pin", false, "have the realm keep it, on three members")
	f.StringVar(&p.name, "name", "", "with --pin: what to call the pin (default: after the SHA-256)")
	f.BoolVar(&p.wait, "wait", true, "with --pin: return when the members have it; --wait=false: when the pin is accepted")
	a.completePinFlag(cmd)
	cmd.RunE = a.moving(func(ctx context.Context, cmd *cobra.Command, args []string) error {
		if !pin && (cmd.Flags().Changed("name") || cmd.Flags().Changed("wait")) {
			return misused(cmd, errors.New("--name and --wait are for a pin: add --pin"))
		}
		if err := p.check(); err != nil {
			return misused(cmd, err)
		}
		if at, err := a.where(); err == nil && at.node != "" && !pin {
			return misused(cmd, errors.New("--node: the store of this command's own node goes with it: add --pin, so that members keep the blob"))
		}
		in, err := a.openInput(args[0])
		if err != nil {
			return err
		}
		defer in.Close()
		return a.onNode(ctx, func(n *node.Node) error {
			if pin {
				return a.putAndPin(ctx, n, in, p)
			}
			v, err := a.put(ctx, n, in)
			if err != nil {
				return err
			}
			return a.print(v, func() {
				a.say("It stays here until room is wanted. To have the realm keep it: realm storage pin %s", v.SHA256.Short())
			})
		})
	})
	return cmd
}

// putAndPin stores what in gives, and has the realm keep it.
func (a *app) putAndPin(ctx context.Context, n *node.Node, in *input, p pinFlags) error {
	s, err := a.newSigner(ctx, n) // a passphrase is asked for before the bytes move
	if err != nil {
		return err
	}
	v, err := a.put(ctx, n, in)
	if err != nil {
		return err
	}
	pinned, failed := a.pin(ctx, n, s, v.BlobInfo, p)
	if v.Pinned = &pinned; failed != nil && pinned.Digest.IsZero() {
		return fmt.Errorf("%s is stored on this node, but not pinned: %w", v.SHA256, failed)
	}
	return errors.Join(a.print(v, func() {}), failed)
}

// putView is what realm storage put says in JSON.
type putView struct {
	api.BlobInfo
	New     *int64   `json:"new,omitempty"` // bytes that this node did not have; left out where casd does not tell
	Seconds float64  `json:"seconds"`
	Pinned  *pinView `json:"pinned,omitempty"`
}

// put stores what in gives, and tells people so.
func (a *app) put(ctx context.Context, n *node.Node, in *input) (v putView, err error) {
	begin := time.Now()
	shown := a.newProgress(in.name, in.size)
	stored, err := a.store(ctx, n, in, shown)
	shown.end()
	if err != nil {
		return v, err
	}
	v.BlobInfo, v.Seconds = stored.BlobInfo, time.Since(begin).Seconds()
	text := ""
	if stored.New >= 0 {
		v.New, text = &stored.New, ", "+sizeText(stored.New)+" of it new here"
	}
	a.say("%s", v.SHA256)
	a.say("%s: %s%s, stored in %.1f s", in.name, sizeText(v.Size), text, v.Seconds)
	return v, nil
}

// store has casd read a file by itself, where it can, and else sends it the bytes.
func (a *app) store(ctx context.Context, n *node.Node, in *input, shown *progress) (node.Received, error) {
	if in.seek {
		stored, err := n.Import(ctx, in.file, in.size, func(done int64) { shown.set(done, in.size) })
		if err == nil {
			return stored, in.skip()
		}
		if !errors.Is(err, node.ErrBytes) {
			return stored, err
		}
	}
	return n.Put(ctx, in.size, func() (io.Reader, error) {
		if err := in.rewind(); err != nil {
			return nil, err
		}
		return shown.reader(in), nil
	})
}
