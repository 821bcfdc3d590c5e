package cli

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/realm-mesh/realm/realm/internal/plan"
)

// A person at a terminal is asked before something is lost; nobody else is.
func TestConfirmPlan(t *testing.T) {
	lossy := plan.Plan{Items: []plan.Item{{Action: plan.Remove}, {Action: plan.Remove}, {Action: plan.TakeOver}}}
	harmless := plan.Plan{Items: []plan.Item{{Action: plan.Create}, {Action: plan.Update}}}
	for answer, want := range map[string]error{"y": nil, "Yes": nil, "n": errDeclined, "": errDeclined} {
		p := newTypist(t)
		got := ask(func() (string, error) { return "", p.app().confirmPlan(t.Context(), lossy, false) })
		p.waitFor("This removes 2 components and takes 1 component over. Go on? [y/N]", 1)
		p.types(answer + "\n")
		if a := p.hears(got); !errors.Is(a.err, want) {
			t.Errorf("%q: %v", answer, a.err)
		}
	}
	p := newTypist(t)
	for name, err := range map[string]error{
		"--yes":       p.app().confirmPlan(t.Context(), lossy, true),
		"harmless":    p.app().confirmPlan(t.Context(), harmless, false),
		"no terminal": (&app{}).confirmPlan(context.Background(), lossy, false),
	} {
		if err != nil || strings.Contains(p.screen(), "Go on?") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
