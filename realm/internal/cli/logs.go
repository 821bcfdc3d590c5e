package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/logfile"
	"github.com/realm-mesh/realm/internal/kit/paths"
	"github.com/realm-mesh/realm/realm/internal/node"
)

const (
	defaultTail = 200
	maxTail     = 100_000
	maxLogRead  = 32 << 20 // bytes of a log that are read at most
)

func newLogs(a *app) *cobra.Command {
	var tail int
	var follow, times bool
	cmd := &cobra.Command{
		Use:   "logs NAME|DAEMON",
		Short: "Show what a program or a daemon wrote on this node",
		Long: `Show the last lines that a program, or a daemon of this node, wrote here. Without
-f the node need not be up. A program that has the name of a daemon is reached as
component/NAME or function/NAME.`,
		Example: `  realm logs ticker -f
  realm logs meshd --tail 50
  realm logs component/runnerd`,
		Args:              arguments("NAME"),
		ValidArgsFunction: a.completeLogs,
	}
	cmd.Flags().IntVar(&tail, "tail", defaultTail, "how many lines that are there already")
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on with new lines, until Ctrl-C")
	cmd.Flags().BoolVarP(&times, "times", "t", false, "show when, and on which stream, a program wrote each line")
	cmd.RunE = a.open(func(ctx context.Context, cmd *cobra.Command, args []string) error {
		if tail < 0 || tail > maxTail {
			return misused(cmd, fmt.Errorf("--tail %d: want 0 to %d lines", tail, maxTail))
		}
		h, err := a.home()
		if err != nil {
			return err
		}
		src, err := findLog(h, args[0])
		if err != nil {
			return misused(cmd, err)
		}
		p := &linePrinter{app: a, source: src, times: times}
		if src.shadowed != "" {
			a.note("(the daemon; for the program of that name: realm logs %s)", src.shadowed)
		}
		if follow && src.subject == "" {
			return misused(cmd, fmt.Errorf("the log of %s cannot be followed: leave -f out", args[0]))
		}
		if follow {
			return a.onNode(ctx, func(n *node.Node) error { return p.follow(ctx, n, tail) })
		}
		_, err = p.tail(tail)
		if errors.Is(err, fs.ErrNotExist) && src.daemon {
			return fmt.Errorf("%s has written nothing yet in %s", args[0], h.Root())
		}
		if _, _, isID := api.SplitJobID(api.Name(args[0])); isID && errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s has written nothing on this node; if it is a job: realm job logs %s", args[0], args[0])
		}
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s has written nothing on this node: see realm status for where it runs, and realm logs there", args[0])
		}
		return err
	})
	return cmd
}

// logSource is a log on this node.
type logSource struct {
	path     string
	subject  string // of its new lines; "" where they are not told
	daemon   bool   // its lines are text; a program's have time and stream
	shadowed string // what to ask for instead, where a program has the daemon's name
}

// findLog tells a daemon from a program; a daemon comes first.
func findLog(h paths.Home, arg string) (logSource, error) {
	d := api.Daemon(arg)
	if slices.Contains(append(api.Daemons(), api.Launcher), d) {
		src := logSource{path: h.DaemonLog(d), daemon: true}
		if d != api.Launcher {
			src.subject = api.SubjectDaemonLog(d)
		}
		refs, err := parseRefs(arg)
		for _, r := range refs {
			if _, tailErr := logfile.Tail(h.WorkloadLog(r), 0, maxLogRead); tailErr == nil {
				src.shadowed = r.String()
				break
			}
		}
		return src, err
	}
	refs, err := parseRefs(arg)
	if err != nil {
		return logSource{}, err
	}
	ref := refs[0]
	for _, r := range refs {
		if _, err := logfile.Tail(h.WorkloadLog(r), 0, maxLogRead); err == nil {
			ref = r
			break
		}
	}
	return logSource{path: h.WorkloadLog(ref), subject: api.SubjectLog(ref)}, nil
}

// lineView is a line of a log in JSON.
type lineView struct {
	Time   time.Time `json:"time,omitzero"`
	Stream string    `json:"stream,omitempty"`
	Line   string    `json:"line"`
}

// linePrinter writes the lines of one log.
type linePrinter struct {
	app    *app
	source logSource
	times  bool
}

func (p *linePrinter) print(l api.LogLine) {
	switch {
	case p.app.json:
		_ = json.NewEncoder(p.app.out).Encode(lineView(l)) // nobody is left to read
	case p.times && !p.source.daemon && !l.Time.IsZero():
		fmt.Fprintf(p.app.out, "%s %s %s\n", l.Time.Format(time.RFC3339Nano), l.Stream, l.Line)
	default:
		fmt.Fprintln(p.app.out, l.Line)
	}
}

func (p *linePrinter) parse(s string) api.LogLine {
	if p.source.daemon {
		return api.LogLine{Line: s}
	}
	l, _ := logfile.Parse(s) // what is no line of a program is all text
	return l
}

// tail prints the last n lines of the file, and returns them.
func (p *linePrinter) tail(n int) ([]api.LogLine, error) {
	if n == 0 {
		return nil, nil
	}
	lines, err := logfile.Tail(p.source.path, n, maxLogRead)
	if err != nil {
		return nil, err
	}
	out := make([]api.LogLine, 0, len(lines))
	for _, s := range lines {
		l := p.parse(s)
		p.print(l)
		out = append(out, l)
	}
	return out, nil
}

// follow prints the last n lines and then the new ones. It listens first, so that
// no line is missed; one that is in both comes once.
func (p *linePrinter) follow(ctx context.Context, n *node.Node, count int) error {
	var mu sync.Mutex
	printed := map[string]bool{}
	mu.Lock()
	return n.FollowLog(ctx, p.source.subject, func() error {
		defer mu.Unlock() // new lines wait until here
		lines, err := p.tail(count)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // it may begin to write at any time
		}
		for _, l := range lines {
			printed[p.key(l)] = true
		}
		return err
	}, func(l api.LogLine) {
		mu.Lock()
		defer mu.Unlock()
		if k := p.key(l); printed[k] {
			delete(printed, k)
			return
		}
		p.print(l)
	})
}

// key tells lines apart. A daemon's lines begin with their time.
func (p *linePrinter) key(l api.LogLine) string {
	if p.source.daemon {
		return l.Line
	}
	return strings.Join([]string{l.Time.UTC().Format(time.RFC3339Nano), l.Stream, l.Line}, " ")
}
