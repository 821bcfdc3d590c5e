package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/ledger"
	"github.com/realm-mesh/realm/realm/internal/diff"
	"github.com/realm-mesh/realm/realm/internal/node"
	"github.com/realm-mesh/realm/realm/internal/owner"
)

func newHistory(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "history [KIND/]NAME",
		Short: "Show the versions of a program or manifest, who signed them, and forks",
		Long: `Show the versions of a component, function or manifest that this node holds, the
newest first: who signed them, when, what each has changed, and what has become of
them. Each member keeps the newest eight of each signer. Where a manifest has signed
a component, its name and version stand with it.

  current      it counts
  replaced     by one with a later number
  fork         signed at the same time as another with its number, and lost
  shadowed     its signer has no say in this name, or others come first
  quarantine   issued in the future: it counts when that has come`,
		Example: `  realm history ticker
  realm history manifest/shop
  realm history function/double --json`,
		Args:              arguments("NAME"),
		ValidArgsFunction: a.completeHistory,
		RunE: a.bounded(func(ctx context.Context, cmd *cobra.Command, args []string) error {
			refs, err := parseAnyRefs(args[0])
			if err != nil {
				return misused(cmd, err)
			}
			return a.onNode(ctx, func(n *node.Node) error { return a.history(ctx, n, refs) })
		}),
	}
}

// parseAnyRefs is [parseRefs] for any KIND/.
func parseAnyRefs(arg string) ([]api.Ref, error) {
	kind, name, ok := strings.Cut(arg, "/")
	if !ok {
		return parseRefs(arg)
	}
	r := api.Ref{Kind: api.Kind(kind), Name: api.Name(name)}
	return []api.Ref{r}, r.Validate()
}

// versionView is a version in JSON.
type versionView struct {
	api.Version
	Key        string     `json:"signer_key"`           // as realm key show prints it
	CountsFrom time.Time  `json:"counts_from,omitzero"` // where it is in quarantine
	Source     api.Source `json:"source,omitzero"`      // of a component: who looks after it
	// Changes are those from the version that it replaced; Text tells them to people.
	Changes []diff.Change `json:"changes,omitempty"`
	Text    string        `json:"text,omitempty"`
}

func viewVersion(v api.Version) versionView {
	w := versionView{Version: v}
	if pub, err := api.ParseKeyName(v.Signer); err == nil {
		w.Key = keys.Public(pub).String()
	}
	if v.State == api.VersionQuarantine {
		w.CountsFrom = v.Issued.Add(-ledger.MaxAhead)
	}
	return w
}

func (a *app) history(ctx context.Context, n *node.Node, refs []api.Ref) error {
	all := map[api.Ref][]versionView{}
	v := struct {
		Versions []versionView `json:"versions"`
	}{[]versionView{}}
	for _, r := range refs {
		found, err := n.History(ctx, r)
		if err != nil {
			return err
		}
		applied, err := a.applied(ctx, n, found)
		if err != nil {
			return err
		}
		for _, f := range found {
			all[r] = append(all[r], viewVersion(f).since(found, applied))
		}
		v.Versions = append(v.Versions, all[r]...)
	}
	if len(v.Versions) == 0 {
		return fmt.Errorf("%s: nothing has been signed under this name: realm status lists what there is", refs[len(refs)-1].Name)
	}
	return a.print(v, func() {
		shown := 0
		for _, r := range refs {
			if len(all[r]) == 0 {
				continue
			}
			if shown++; shown > 1 {
				fmt.Fprintln(a.out)
			}
			fmt.Fprintln(a.out, r)
			a.printHistory(all[r])
		}
	})
}

// printHistory is a table of versions. Those with one number stand together, with a
// line that ties them.
func (a *app) printHistory(all []versionView) {
	rows := [][]string{{"NUMBER", "DIGEST", "SIGNER", "ISSUED", "WHAT", "STATE"}}
	below := [][]string{nil}
	for i, v := range all {
		number := fmt.Sprint(v.Seq)
		switch after := i > 0 && all[i-1].Seq == v.Seq; {
		case i+1 < len(all) && all[i+1].Seq == v.Seq && after:
			number += " ├"
		case after:
			number += " └"
		case i+1 < len(all) && all[i+1].Seq == v.Seq:
			number += " ┬"
		}
		rows = append(rows, []string{number, v.Digest.Short(), signerText(v), v.Issued.Local().Format(time.DateTime), owner.What(v.Intent), versionText(v)})
		below = append(below, wrapped(v.Text, historyWidth))
	}
	var b strings.Builder
	table(&b, rows)
	for line := range strings.Lines(b.String()) {
		fmt.Fprint(a.out, line)
		for _, text := range below[0] {
			fmt.Fprintf(a.out, "%*s%s\n", historyIndent, "", text)
		}
		below = below[1:]
	}
}

// What versions changed stands below them.
const (
	historyIndent = 8
	historyWidth  = 100
)

// maxSigner is the room for a signer in a table, in characters.
const maxSigner = 28

func signerText(v versionView) string {
	return clip(oneLine(orElse(v.By, v.Key)), maxSigner)
}

// clip shortens s to n characters.
func clip(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n-1]) + "…"
}

func versionText(v versionView) string {
	switch v.State {
	case api.VersionQuarantine:
		return "quarantine until " + v.CountsFrom.Local().Format(time.DateTime)
	case api.VersionFork:
		return "fork: lost to the one above"
	}
	return string(v.State)
}
