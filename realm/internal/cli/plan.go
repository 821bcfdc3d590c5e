package cli

import (
	"fmt"
	"strings"

	"github.com/realm-mesh/realm/realm/internal/diff"
	"github.com/realm-mesh/realm/realm/internal/plan"
)

// warn tells of what components ask for and this version does not act on yet: each once.
func (a *app) warn(desired []plan.Desired) {
	names := map[string][]string{}
	var texts []string
	for _, d := range desired {
		for _, text := range doubts(&d.Body) {
			if names[text] == nil {
				texts = append(texts, text)
			}
			names[text] = append(names[text], string(d.Name))
		}
	}
	for _, text := range texts {
		a.note("warning: %s: %s", clip(strings.Join(names[text], ", "), maxValue), text)
	}
}

// signs are what a plan's actions look like, at a glance.
var signs = map[plan.Action]string{
	plan.Create: "+", plan.Update: "~", plan.TakeOver: ">", plan.Remove: "-", plan.Leave: ".", plan.Blocked: "!",
}

// printPlan shows what would be changed.
func (a *app) printPlan(p plan.Plan) {
	fmt.Fprintln(a.out, planTitle(p))
	width := 0
	for _, i := range p.Items {
		if i.Action != plan.Unchanged {
			width = max(width, len(i.Name))
		}
	}
	for _, i := range p.Items {
		if i.Action == plan.Unchanged {
			continue
		}
		for n, line := range itemLines(i) {
			if n == 0 {
				fmt.Fprintf(a.out, "  %s %-*s  %-9s  %s\n", signs[i.Action], width, i.Name, i.Action, line)
			} else {
				fmt.Fprintf(a.out, "    %-*s  %-9s  %s\n", width, "", "", line)
			}
		}
	}
	fmt.Fprintln(a.out, planSum(p))
}

func planTitle(p plan.Plan) string {
	switch {
	case p.Last == 0:
		return fmt.Sprintf("manifest %s, version %d: it has not been applied before", p.Manifest, p.Version)
	case p.Version == p.Last:
		return fmt.Sprintf("manifest %s, version %d", p.Manifest, p.Version)
	}
	return fmt.Sprintf("manifest %s, version %d: the last one was %d", p.Manifest, p.Version, p.Last)
}

// itemLines are what there is to say of a component, at least one line.
func itemLines(i plan.Item) []string {
	var lines, news []string
	for _, c := range i.Changes {
		switch {
		case i.Action != plan.Create:
			lines = append(lines, changeText(c))
		case c.Field == diff.FieldProgram:
			news = append(news, c.To)
		default:
			news = append(news, c.Field+" "+clip(oneLine(c.To), maxValue))
		}
	}
	lines = append(lines, wrapped(strings.Join(news, ", "), planWidth)...)
	if i.Note != "" {
		lines = append(lines, oneLine(i.Note))
	}
	for _, c := range i.ByHand {
		lines = append(lines, "by hand: "+changeText(c))
	}
	if len(lines) == 0 {
		lines = []string{""}
	}
	return lines
}

// Room for a value in a line of a plan, and for a line, in characters.
const (
	maxValue  = 60
	planWidth = 90 // of what a new component has
)

func changeText(c diff.Change) string {
	c.From, c.To = clip(oneLine(c.From), maxValue), clip(oneLine(c.To), maxValue)
	return c.String()
}

func planSum(p plan.Plan) string {
	var parts []string
	for _, c := range []struct {
		action plan.Action
		text   string
	}{{plan.Create, "to create"}, {plan.Update, "to update"}, {plan.TakeOver, "to take over"}, {plan.Remove, "to remove"}, {plan.Blocked, "blocked"}} {
		if n := p.Count(c.action); n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, c.text))
		}
	}
	unchanged := fmt.Sprintf("%d unchanged", p.Count(plan.Unchanged))
	switch {
	case len(parts) > 0:
		return strings.Join(append(parts, unchanged), ", ") + "."
	case p.Pending():
		return "Only the manifest itself is signed: " + unchanged + "."
	}
	return "Nothing to change: " + unchanged + "."
}
