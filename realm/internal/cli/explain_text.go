package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/realm/internal/rollout"
)

// printExplain is what a person reads: what is wanted, a table of members with what
// there is to say of each below its row, and what to do next.
func (a *app) printExplain(v *explainView, now time.Time) {
	fmt.Fprintf(a.out, "%s\n\n", v.Ref)
	for _, row := range v.head(now) {
		fmt.Fprintf(a.out, "%-8s  %s\n", row[0], row[1])
	}
	for _, p := range v.Problems {
		fmt.Fprintf(a.out, "%-8s  %s\n", "problem", p)
	}
	if rows, notes := v.table(now); len(rows) > 1 {
		fmt.Fprintln(a.out)
		tableWithNotes(a.out, rows, notes)
	}
	if len(v.Next) > 0 {
		fmt.Fprintln(a.out, "\nNext:")
		for _, n := range v.Next {
			fmt.Fprintf(a.out, "  %s\n", n)
		}
	}
}

// head is what is wanted, and how far that is so.
func (v *explainView) head(now time.Time) [][2]string {
	wanted := v.Wanted
	if v.Wanted == "running" {
		every := "on every node"
		if len(v.Target.Peers)+len(v.Target.Tags) > 0 {
			every += " with " + rollout.TargetText(v.Target)
		}
		if wanted += " " + every; v.Replicas > 0 {
			wanted = strings.Join(nonEmpty("running, "+plural(v.Replicas, "replica"), forText(v.Target)), ", ")
		}
	}
	rows := [][2]string{
		{"wanted", wanted},
		{"version", fmt.Sprintf("%d, signed by %s %s ago", v.Version, orElse(oneLine(v.SignedBy), "somebody"), ageText(now, v.Issued))},
	}
	if v.Size > 0 {
		rows = append(rows, [2]string{"program", strings.Join(nonEmpty(string(v.Interface), bytesText(v.Size), "sha256 "+v.Blob.Short(), bySource(v.Source)), ", ")})
	}
	if c := v.Copies; c != nil {
		rows = append(rows, [2]string{"kept", c.line()})
	}
	if v.Public != nil {
		rows = append(rows, v.Public.rows()...)
	}
	if v.Wanted == "running" || v.Running > 0 {
		rows = append(rows, [2]string{"runs", v.runsText()})
	}
	if v.Pending != "" {
		rows = append(rows, [2]string{"pending", oneLine(v.Pending)})
	}
	return rows
}

func forText(t api.Target) string {
	if len(t.Peers)+len(t.Tags) == 0 {
		return ""
	}
	return "for " + rollout.TargetText(t)
}

// bySource is who looks after a component; of one that was pushed nobody in particular.
func bySource(source string) string {
	if source == "" || source == (api.Source{}).String() {
		return ""
	}
	return "of " + source
}

func (v *explainView) runsText() string {
	things := "node"
	if v.Replicas > 0 {
		things = "replica"
	}
	text := fmt.Sprintf("%d of %s", v.Running, plural(v.Desired, things))
	switch {
	case v.Wanted != "running":
		return plural(v.Running, "node") + " still"
	case v.Running > v.Desired:
		text = fmt.Sprintf("%s, where %d were asked for", plural(v.Running, "node"), v.Desired)
	}
	if v.Updated < v.Running {
		text += fmt.Sprintf("; version %d on %d of them", v.Version, v.Updated)
	}
	return text
}

// table has a row for each member, and lines below those of which there is more to say.
func (v *explainView) table(now time.Time) (rows, notes [][]string) {
	rows = [][]string{{"RANK", "MEMBER", "DUTY", "STATE", "FOR", "VERSION", "RESTARTS"}}
	notes = [][]string{nil}
	for _, m := range v.Members {
		if v.Wanted == "removed" && m.State == "" && m.Silent == "" {
			continue // as it should be
		}
		rank, version, since := "-", "-", "-"
		if m.Rank > 0 {
			rank = fmt.Sprint(m.Rank)
		}
		if m.State != "" {
			version, since = fmt.Sprint(m.Version), ageText(now, m.Since)
		}
		rows = append(rows, []string{rank, m.name(), orDash(string(m.Duty)), orDash(string(m.State)), since, version, fmt.Sprint(m.Restarts)})
		notes = append(notes, m.notes())
	}
	return rows, notes
}

func (x whereView) name() string {
	var marks []string
	if x.Self {
		marks = append(marks, "this node")
	}
	if x.Drained {
		marks = append(marks, "drained")
	}
	for _, d := range x.Down {
		marks = append(marks, string(d)+" down")
	}
	if !x.Live {
		marks = append(marks, "away")
	}
	return strings.Join(nonEmpty(peerText(clip(oneLine(x.Host), maxHost), x.Peer), strings.Join(marks, ", ")), ", ")
}

// notes are why a member has its duty, what ails the program there, and what it wrote.
func (x whereView) notes() []string {
	const indent = "    "
	var out []string
	if x.Why != "" {
		out = append(out, indent+oneLine(x.Why))
	}
	if x.Reason != "" && x.Reason != x.Why {
		out = append(out, indent+string(x.State)+": "+oneLine(x.Reason))
	}
	if goesOn := fmt.Sprintf("version %d goes on", x.Serving); x.Serving != 0 && !strings.Contains(x.Reason, goesOn) {
		out = append(out, indent+goesOn)
	}
	if x.Silent != "" {
		out = append(out, indent+"did not answer itself: "+clip(x.Silent, maxNote))
	}
	for _, l := range x.Log {
		out = append(out, indent+"| "+printable(l.Line))
	}
	return out
}
