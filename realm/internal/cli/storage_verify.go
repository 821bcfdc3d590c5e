package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/realm/internal/node"
)

func newStorageVerify(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Read and check every byte of the store of this node",
		Long: `Read every byte of the store of this node and check it against its digest. What is
damaged is brought anew from members that have it. Exit code 1: sound bytes of some blobs
could not be had, which are listed. The store does this by itself, slowly, in the
background.`,
		Example: `  realm storage verify
  realm storage verify --json --timeout 1h`,
		Args: arguments(),
	}
	cmd.RunE = a.moving(func(ctx context.Context, _ *cobra.Command, _ []string) error {
		return a.onNode(ctx, func(n *node.Node) error {
			v, err := a.verify(ctx, n)
			if err != nil {
				return err
			}
			return errors.Join(a.print(v, func() { a.printVerified(v) }), v.failure())
		})
	})
	return cmd
}

// verifyView is what realm storage verify says in JSON.
type verifyView struct {
	Checked int64        `json:"checked"` // bytes
	Total   int64        `json:"total"`   // bytes in the store
	Seconds float64      `json:"seconds"`
	Damaged []api.Digest `json:"damaged"`         // blobs that were found damaged
	Mended  []api.Digest `json:"mended"`          // of those, from other members
	Lost    []api.Digest `json:"lost"`            // of those, that no member could give sound bytes of
	Error   string       `json:"error,omitempty"` // it ended early
}

// verify has the store checked, and shows how far that is.
func (a *app) verify(ctx context.Context, n *node.Node) (verifyView, error) {
	v := verifyView{Damaged: []api.Digest{}, Mended: []api.Digest{}, Lost: []api.Digest{}}
	begin := time.Now()
	shown := a.newProgress("verify", -1)
	defer shown.end()
	err := n.Verify(ctx, func(p api.VerifyProgress) error {
		v.take(p)
		if len(v.Damaged) > 0 {
			shown.tell(plural(len(v.Damaged), "blob") + " damaged")
		}
		shown.set(p.Done, p.Total)
		if len(p.Damaged)+len(p.Mended)+len(p.Lost) > 0 {
			a.moves() // also while damage is mended
		}
		return nil
	})
	v.Seconds = time.Since(begin).Seconds()
	return v, err
}

func (v *verifyView) take(p api.VerifyProgress) {
	v.Checked, v.Total, v.Error = p.Done, p.Total, oneLine(p.Error)
	for _, list := range []struct {
		all  *[]api.Digest
		news []api.Digest
	}{{&v.Damaged, p.Damaged}, {&v.Mended, p.Mended}, {&v.Lost, p.Lost}} {
		for _, d := range list.news {
			if !slices.Contains(*list.all, d) {
				*list.all = append(*list.all, d)
			}
		}
	}
}

func (a *app) printVerified(v verifyView) {
	text := "no damage."
	if n := len(v.Damaged); n > 0 {
		text = fmt.Sprintf("%s damaged, %d mended from other members.", plural(n, "blob"), len(v.Mended))
	}
	fmt.Fprintf(a.out, "Read %s in %.1f s: %s\n", sizeText(v.Checked), v.Seconds, text)
	for i, d := range v.Mended {
		if i == maxListed {
			fmt.Fprintf(a.out, "  and %d more\n", len(v.Mended)-maxListed)
			break
		}
		fmt.Fprintf(a.out, "  mended %s\n", d)
	}
}

// failure says what is not as it should be after all has been checked.
func (v verifyView) failure() error {
	if v.Error != "" {
		return fmt.Errorf("the store was not checked to its end: %s", v.Error)
	}
	bad := slices.DeleteFunc(slices.Clone(v.Damaged), func(d api.Digest) bool { return slices.Contains(v.Mended, d) })
	for _, d := range v.Lost {
		if !slices.Contains(bad, d) {
			bad = append(bad, d)
		}
	}
	if len(bad) == 0 {
		return nil
	}
	var b strings.Builder
	for i, d := range bad {
		if i == maxListed {
			fmt.Fprintf(&b, "\n  and %d more", len(bad)-maxListed)
			break
		}
		fmt.Fprintf(&b, "\n  %s", d)
	}
	return fmt.Errorf("%s could not be mended, since no member that is up has sound bytes of it:%s\nA member that is away may: verify again when it is back. What you have the file of: realm storage put FILE. What each is for: realm storage ls SHA256", plural(len(bad), "blob"), b.String())
}
