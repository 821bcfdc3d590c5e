package cli

import (
	"context"
	"fmt"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/ledger"
	"github.com/realm-mesh/realm/realm/internal/node"
	"github.com/realm-mesh/realm/realm/internal/owner"
)

// adoptedView is something that the owner has signed so that it stays, in JSON.
type adoptedView struct {
	api.Ref
	Version uint64 `json:"version"`
}

// adopt signs with the owner's key what else would be lost.
func (a *app) adopt(ctx context.Context, n *node.Node, s signer, l *ledger.Ledger, loss owner.Loss) ([]adoptedView, error) {
	out := []adoptedView{}
	for {
		acts, err := loss.Adopt(l, n.Now())
		if err != nil {
			return nil, err
		}
		part := acts[len(out):]
		part = part[:owner.Together(part)]
		err = n.SignAll(ctx, s.pin, s.Signer, l, part, func(in intent.Signed) { out = append(out, adoptedView{in.Ref, in.Seq}) })
		if err == nil && len(out) < len(acts) {
			l, err = n.WholeLedger(ctx, s.pin)
		}
		if err != nil {
			return out, fmt.Errorf("sign in your name what is to stay: %w (%d of %d are done, and nothing was revoked: repeat the command)", err, len(out), len(acts))
		}
		if len(out) == len(acts) {
			return out, nil
		}
	}
}

func (a *app) printAdopted(adopted []adoptedView, dropped []api.Ref) {
	for _, v := range adopted {
		fmt.Fprintf(a.out, "  %s goes on, in your name: version %d\n", v.Ref, v.Version)
	}
	for _, r := range dropped {
		fmt.Fprintf(a.out, "  %s ends\n", r)
	}
}
