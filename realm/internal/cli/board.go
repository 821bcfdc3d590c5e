package cli

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/realm/internal/rollout"
)

// board shows how several versions come on: on a terminal as a table in its place,
// else by a line for each that has news.
type board struct {
	app    *app
	begin  time.Time
	screen *os.File // nil: no terminal
	drawn  int      // lines of the table on the screen
	last   map[api.Ref]string
}

func newBoard(a *app, begin time.Time) *board {
	b := &board{app: a, begin: begin, last: map[api.Ref]string{}}
	if f, ok := a.out.(*os.File); ok && !a.json && term.IsTerminal(int(f.Fd())) {
		b.screen = f
	}
	return b
}

func (b *board) show(all []stand) {
	if b.screen == nil {
		b.tell(all)
		return
	}
	width, height, err := term.GetSize(int(b.screen.Fd()))
	if err != nil {
		width, height = 80, 24
	}
	b.draw(boardRows(all, time.Since(b.begin), width, height))
}

// end leaves what was to see in the end.
func (b *board) end(all []stand) {
	if b.screen == nil {
		return
	}
	b.draw(boardRows(all, time.Since(b.begin), 1<<10, 1<<10))
}

// draw puts rows in the place of those drawn before.
func (b *board) draw(rows []string) {
	var out bytes.Buffer
	if b.drawn > 0 {
		fmt.Fprintf(&out, "\x1b[%dA", b.drawn)
	}
	const clearBelow = "\x1b[J"
	out.WriteString(clearBelow)
	for _, r := range rows {
		out.WriteString(r + "\n")
	}
	b.drawn = len(rows)
	_, _ = b.screen.Write(out.Bytes()) // nobody is left to see
}

// tell prints a line for each version whose state has changed.
func (b *board) tell(all []stand) {
	for _, st := range all {
		text := st.summary()
		if b.last[st.Ref] != text {
			b.last[st.Ref] = text
			b.app.say("  %5.1f s  %-28s  %s", time.Since(b.begin).Seconds(), st.Ref, text)
		}
	}
}

// boardRows is the table of all, of at most height lines and width columns: what is
// not done first, and a count of what is.
func boardRows(all []stand, since time.Duration, width, height int) []string {
	open := slices.DeleteFunc(slices.Clone(all), func(st stand) bool { return st.Outcome == rollout.Done })
	slices.SortStableFunc(open, func(x, y stand) int { return cmp.Compare(boardOrder(x), boardOrder(y)) })
	room := max(height-3, 1) // for the count, what is left out, and the cursor
	var rows [][]string
	for _, st := range open[:min(len(open), room)] {
		rows = append(rows, []string{"  " + st.String(), fmt.Sprintf("%d of %d", st.done(), st.wantedCount()), st.summary()})
	}
	var text strings.Builder
	table(&text, rows)
	var out []string
	for line := range strings.Lines(text.String()) {
		out = append(out, clip(strings.TrimRight(line, "\n"), max(width-1, 1)))
	}
	if more := len(open) - len(rows); more > 0 {
		out = append(out, fmt.Sprintf("  and %d more", more))
	}
	return append(out, clip(fmt.Sprintf("%d of %s, after %.0f s", len(all)-len(open), plural(len(all), "program"), since.Seconds()), max(width-1, 1)))
}

// boardOrder puts first what a person should see first.
func boardOrder(st stand) int {
	switch {
	case st.Outcome == rollout.Failed:
		return 0
	case st.Pending != "":
		return 1
	case len(st.Members) > 0:
		return 2
	}
	return 3
}

// wantedCount is on how many members the version should come to its goal.
func (st stand) wantedCount() int {
	if st.wanted.Goal == rollout.Run {
		return st.Asked
	}
	return st.Desired
}

// summary is where a version stands, in a line.
func (st stand) summary() string {
	switch st.Outcome {
	case rollout.Done:
		return st.reachedText()
	case rollout.Failed:
		if st.replaced != nil {
			return fmt.Sprintf("version %d has taken its place", st.replaced.Seq)
		}
		for _, m := range st.Members {
			if m.Outcome == rollout.Failed {
				return fmt.Sprintf("failed on %s: %s", someone{m.Peer, m.Host}, progressText(m))
			}
		}
	}
	if st.Pending != "" {
		return "pending: " + oneLine(st.Pending)
	}
	counts := map[string]int{}
	for _, m := range st.Members {
		if m.Outcome == rollout.Waiting && m.State != "" {
			counts[string(m.State)]++
		}
	}
	var parts []string
	for state, n := range counts {
		parts = append(parts, fmt.Sprintf("%s on %d", state, n))
	}
	slices.Sort(parts)
	return orElse(strings.Join(parts, ", "), "on its way")
}
