package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/realm/internal/node"
	"github.com/realm-mesh/realm/realm/internal/owner"
)

// pinFlags say how a blob is pinned.
type pinFlags struct {
	name  string // "": after the digest
	local bool
	wait  bool
}

func (p pinFlags) check() error {
	if p.name == "" {
		return nil
	}
	if _, err := api.ParseName(p.name); err != nil {
		return fmt.Errorf("--name: %w", err)
	}
	return nil
}

// pinName is what the pin of d is called.
func (p pinFlags) pinName(d api.Digest) api.Name {
	if p.name != "" {
		return api.Name(p.name)
	}
	return api.PinName(d)
}

func newStoragePin(a *app) *cobra.Command {
	var p pinFlags
	cmd := &cobra.Command{
		Use:   "pin SHA256",
		Short: "Have the realm keep a blob, on three members",
		Long: `Sign that the realm needs a blob, until realm storage unpin, and wait until three
members have it, or as many as there are. A pin has a name: given once more for another
blob, it leaves the one that it had. With --local the blob is kept on this node alone,
which is not signed and tells nobody. What is not here and not known is fetched first.`,
		Example: `  realm storage pin 93a44bbb96c7 --name image
  realm storage pin 93a44bbb96c7 --local`,
		Args:              blobArgument,
		ValidArgsFunction: a.completeBlobs,
	}
	f := cmd.Flags()
	f.StringVar(&p.name, "name", "", "what to call the pin (default: after the SHA-256)")
	f.BoolVar(&p.local, "local", false, "keep it on this node alone")
	f.BoolVar(&p.wait, "wait", true, "return when the members have it; --wait=false: when the pin is accepted")
	a.completePinFlag(cmd)
	cmd.RunE = a.moving(func(ctx context.Context, cmd *cobra.Command, args []string) error {
		if err := a.checkPin(cmd, p, "wait"); err != nil {
			return misused(cmd, err)
		}
		return a.onNode(ctx, func(n *node.Node) error {
			if p.local {
				return a.hold(ctx, n, args)
			}
			s, err := a.newSigner(ctx, n)
			if err != nil {
				return err
			}
			b, err := a.known(ctx, n, args)
			if err != nil {
				return err
			}
			v, err := a.pin(ctx, n, s, b, p)
			if v.Digest.IsZero() {
				return err
			}
			return errors.Join(a.print(v, func() {}), err)
		})
	})
	return cmd
}

// checkPin refuses flags of pins that do not go together. wait is the name of the flag
// that says whether to wait; "" where there is none.
func (a *app) checkPin(cmd *cobra.Command, p pinFlags, wait string) error {
	if err := p.check(); err != nil || !p.local {
		return err
	}
	if p.name != "" || wait != "" && cmd.Flags().Changed(wait) {
		return errors.New("--local: what is kept on this node alone has no name, and there is nobody to wait for")
	}
	if at, err := a.where(); err == nil && at.node != "" {
		return errors.New("--local: it is about the node on this machine, and --node about another")
	}
	return nil
}

// known is a blob with its size, as this node or the realm knows it; what neither does
// is fetched.
func (a *app) known(ctx context.Context, n *node.Node, args []string) (api.BlobInfo, error) {
	d, err := blob(ctx, n, args)
	if err != nil {
		return api.BlobInfo{}, err
	}
	if b, here, err := n.Here(ctx, d); here || err != nil {
		return b, err
	}
	all, err := readNeeds(ctx, n)
	if err != nil {
		return api.BlobInfo{}, err
	}
	if b := all[d]; b != nil {
		return api.BlobInfo{SHA256: d, Size: b.size}, nil
	}
	return a.fetch(ctx, n, d)
}

// hold keeps a blob on this node.
func (a *app) hold(ctx context.Context, n *node.Node, args []string) error {
	d, err := blob(ctx, n, args)
	if err != nil {
		return err
	}
	b, here, err := n.Here(ctx, d)
	if err == nil && !here {
		b, err = a.fetch(ctx, n, d)
	}
	if err == nil {
		err = n.Hold(ctx, d)
	}
	if err != nil {
		return err
	}
	v := pinView{BlobInfo: b, Local: true}
	return a.print(v, func() { fmt.Fprintf(a.out, "%s is kept on this node.\n", blobText(b)) })
}

// pinView is what realm storage pin and unpin say in JSON.
type pinView struct {
	api.BlobInfo
	Local   bool        `json:"local"`             // on this node alone; else what follows
	Name    api.Name    `json:"name,omitempty"`    // of the pin
	Version uint64      `json:"version,omitempty"` // of the pin
	Digest  api.Digest  `json:"digest,omitzero"`   // of its intent
	Was     bool        `json:"was,omitempty"`     // it was pinned so already
	Copies  *copiesView `json:"copies,omitempty"`
}

// pin signs that the realm needs b, and waits until enough members have it. A view
// without a digest says that nothing was signed.
func (a *app) pin(ctx context.Context, n *node.Node, s signer, b api.BlobInfo, p pinFlags) (v pinView, err error) {
	v = pinView{BlobInfo: b, Name: p.pinName(b.SHA256)}
	signed, was, err := a.act(ctx, n, s, owner.Pin(v.Name, b))
	if err != nil {
		return v, err
	}
	v.Version, v.Digest, v.Was = signed.Seq, signed.Digest, was
	if was {
		a.say("%s: nothing to change, it is of this blob already", signed.Ref)
	} else {
		a.say("%s: version %d is accepted", signed.Ref, signed.Seq)
	}
	if !p.wait {
		return v, nil
	}
	begin, last := time.Now(), ""
	all, err := awaitCopies(ctx, n, []api.Digest{b.SHA256}, api.Copies, func(all map[api.Digest]copiesView) {
		c := all[b.SHA256]
		if text := c.line(); text != last {
			last = text
			a.moves()
			a.say("  %5.1f s  kept %s", time.Since(begin).Seconds(), text)
		}
	})
	if err != nil {
		return v, fmt.Errorf("%s is accepted, but not known is who has the blob: %w", signed.Ref, err)
	}
	c := all[b.SHA256]
	if v.Copies = &c; !c.enough(api.Copies) {
		err = c.tooFew(signed.String()+" is accepted", "see realm storage ls "+b.SHA256.Short()+"; wait longer with --timeout")
	}
	return v, err
}

// act signs one change that overrules nobody by being last: was tells that there was
// nothing to change.
func (a *app) act(ctx context.Context, n *node.Node, s signer, act owner.Act) (signed intent.Signed, was bool, err error) {
	step, err := n.Begin(ctx, s.pin, s.Signer, act.Ref, act.Change, true)
	if errors.Is(err, owner.ErrUnchanged) {
		return *step.Current(), true, nil
	}
	if err == nil {
		signed, err = step.Submit(ctx)
	}
	return signed, false, err
}
