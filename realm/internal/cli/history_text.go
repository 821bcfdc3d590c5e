package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/trust"
	"github.com/realm-mesh/realm/realm/internal/diff"
	"github.com/realm-mesh/realm/realm/internal/node"
	"github.com/realm-mesh/realm/realm/internal/plan"
	"github.com/realm-mesh/realm/realm/internal/rollback"
)

// since is v with what it has changed since the version that it replaced, if that is
// among all. applied are those that manifests have asked for.
func (v versionView) since(all []api.Version, applied map[api.Digest]uint64) versionView {
	if v.Tombstone {
		return v
	}
	if w, err := v.Workload(); err == nil {
		if c, ok := w.(*api.Component); ok {
			v.Source = c.Source
		}
	}
	var texts []string
	i := slices.IndexFunc(all, func(w api.Version) bool { return w.Digest == v.Prev })
	switch {
	case v.Prev.IsZero():
	case i < 0:
		texts = append(texts, "the version before it is not held any more")
	case all[i].Tombstone:
		texts = append(texts, "back after its removal")
	case v.Kind == api.KindManifest:
		texts = append(texts, manifestText(all[i].Intent, v.Intent))
	case v.Kind.Workload():
		v.Changes = diff.Between(all[i].Intent, v.Intent)
		for _, c := range v.Changes {
			texts = append(texts, inWords(c))
		}
	}
	v.Text = strings.Join(nonEmpty(v.by(all, applied), strings.Join(nonEmpty(texts...), ", ")), ": ")
	return v
}

// by says which manifest has signed v, or that somebody has done so by hand.
func (v versionView) by(all []api.Version, applied map[api.Digest]uint64) string {
	if v.Source.Manifest == "" {
		return ""
	}
	of := fmt.Sprintf("manifest %s version %d", v.Source.Manifest, v.Source.Version)
	if _, ok := applied[v.Digest]; ok {
		return of
	}
	i := slices.IndexFunc(all, func(w api.Version) bool { return w.Digest == v.Prev })
	switch {
	case i < 0 && !v.Prev.IsZero(): // who knows
		return "of " + of
	case i >= 0 && !all[i].Tombstone:
		if w, err := all[i].Workload(); err == nil {
			if c, ok := w.(*api.Component); ok && c.Source == v.Source {
				return "by hand, after " + of
			}
		}
	}
	return of
}

// applied tells of components which versions a manifest has asked for, by its own.
func (a *app) applied(ctx context.Context, n *node.Node, found []api.Version) (map[api.Digest]uint64, error) {
	out := map[api.Digest]uint64{}
	asked := map[api.Name]bool{}
	for _, v := range found {
		if v.Tombstone || v.Kind != api.KindComponent {
			continue
		}
		w, err := v.Workload()
		if err != nil {
			continue // a newer version's
		}
		c, ok := w.(*api.Component)
		if !ok || c.Source.Manifest == "" || asked[c.Source.Manifest] {
			continue
		}
		asked[c.Source.Manifest] = true
		versions, err := n.History(ctx, plan.Ref(c.Source.Manifest))
		if err != nil {
			return nil, err
		}
		for _, m := range rollback.Manifests(versions) {
			if c, ok := m.Body.Component(v.Name); ok {
				out[c.Intent] = m.Body.Version
			}
		}
	}
	return out, nil
}

// inWords is a change as people would say it.
func inWords(c diff.Change) string {
	switch {
	case c.Field == diff.FieldProgram:
		return "new program"
	case c.Field == diff.FieldStart && c.To == "true":
		return "started"
	case c.Field == diff.FieldStart:
		return "stopped"
	case c.Field == diff.FieldRestarted && c.To != "":
		return "started anew"
	}
	return changeText(c)
}

func manifestText(from, to api.Intent) string {
	var was, is api.Manifest
	if api.Decode(from.Body, api.MaxEnvelope, &was) != nil || api.Decode(to.Body, api.MaxEnvelope, &is) != nil {
		return ""
	}
	return diff.Manifest(was, is).String()
}

// wrapped breaks text into lines of at most width characters, where its words allow it.
func wrapped(text string, width int) (lines []string) {
	var line string
	for _, word := range strings.Fields(oneLine(text)) {
		if line != "" && len([]rune(line))+1+len([]rune(word)) > width {
			lines = append(lines, line)
			line = ""
		}
		line = strings.Join(nonEmpty(line, word), " ")
	}
	return append(lines, nonEmpty(line)...)
}

// completeHistory offers what has a history of versions to go back to: programs, and
// manifests.
func (a *app) completeHistory(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	names, directive := a.completeNames(api.KindComponent, api.KindFunction)(cmd, args, word)
	if len(args) > 0 {
		return names, directive
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completionPatience)
	defer cancel()
	// Without a node there is nothing to offer.
	_ = a.atHand(ctx, func(n *node.Node) error {
		pin, err := trust.ReadPin(n.Home.Pin())
		if err != nil {
			return err
		}
		all, err := n.Wanted(ctx, pin, api.KindManifest)
		for _, s := range all {
			names = append(names, s.String())
		}
		return err
	})
	return names, directive
}
