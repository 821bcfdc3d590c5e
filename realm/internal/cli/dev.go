package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/task"
	"github.com/realm-mesh/realm/realm/internal/dev"
	"github.com/realm-mesh/realm/realm/internal/node"
	"github.com/realm-mesh/realm/realm/internal/owner"
	"github.com/realm-mesh/realm/realm/internal/wasmfile"
)

// devFlags are those of realm dev.
type devFlags struct {
	programFlags
	componentFlags
	name, file, build string
	ignore            []string
	remove, verbose   bool
}

func newDev(a *app) *cobra.Command {
	f := &devFlags{}
	cmd := &cobra.Command{
		Use:   "dev DIR",
		Short: "Build and push a program whenever you save it",
		Long: `Build the program in a folder, push it, and show what it writes on this node; then
do so again whenever something is saved there, until Ctrl-C. What does not build, or
does not come up, is shown, and the version before goes on.

It is built as the folder says: by a Makefile with a target wasm or build, go.mod,
Cargo.toml, package.json with a script build, or any other Makefile; or by --build.
The program is the .wasm file that is made, or --file. Saves in .git, node_modules,
target, build and dist do not count, nor of what begins with a dot or --ignore names.

The other flags are those of realm push. What runs goes on after Ctrl-C, unless
with --rm.`,
		Example: `  realm dev samples/hello-cgi
  realm dev . --name shop --http cgi --env GREETING=Hi --rm
  realm dev web --build ./build.sh --file out/web.wasm --ignore generated`,
		Args: arguments("DIR"),
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.name, "name", "", "what to call it (default: as the folder)")
	flags.StringVar(&f.file, "file", "", "the .wasm file that is made, by its path from DIR")
	flags.StringVar(&f.build, "build", "", "how it is built: a line for the shell, in DIR")
	flags.StringSliceVar(&f.ignore, "ignore", nil, "name whose saves do not count, such as *.css; may be repeated")
	flags.BoolVar(&f.remove, "rm", false, "remove it in the end")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "show what a build says also where it goes well")
	f.programFlags.declare(flags)
	f.componentFlags.declare(flags)
	a.completeFlags(cmd)
	completeWasmFlag(cmd, "file")
	cmd.RunE = a.open(func(ctx context.Context, cmd *cobra.Command, args []string) error {
		return a.dev(ctx, cmd, f, args[0])
	})
	return cmd
}

var unnamable = regexp.MustCompile(`[^a-z0-9_-]+`)

// folder reads DIR and the name of what is in it.
func (f *devFlags) folder(cmd *cobra.Command, arg string) (dir string, name api.Name, err error) {
	if dir, err = filepath.Abs(arg); err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err != nil {
		return "", "", misused(cmd, fmt.Errorf("find folder: %w", err))
	}
	if fi, err := os.Stat(dir); err != nil || !fi.IsDir() {
		return "", "", misused(cmd, fmt.Errorf("%s is no folder: name the one with the program's source", arg))
	}
	if f.name == "" {
		f.name = strings.Trim(unnamable.ReplaceAllString(strings.ToLower(filepath.Base(dir)), "-"), "-_")
	}
	name, err = parseName(cmd, "name", f.name)
	return dir, name, err
}

// dev prepares the work of realm dev, and does it until ctx ends.
func (a *app) dev(ctx context.Context, cmd *cobra.Command, f *devFlags, arg string) (err error) {
	dir, name, err := f.folder(cmd, arg)
	if err != nil {
		return err
	}
	if f.file != "" && !filepath.IsAbs(f.file) {
		f.file = filepath.Join(dir, f.file)
	}
	out, err := os.MkdirTemp("", "realm-dev-")
	if err != nil {
		return fmt.Errorf("make folder for builds: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(out)) }()
	how, err := dev.Find(dir, f.build, f.file, out)
	if err != nil {
		return err
	}
	// What is wrong with the flags, or the node, is wrong with every push.
	if _, err := f.component(); err != nil {
		return misused(cmd, err)
	}
	if err := a.onNode(ctx, func(n *node.Node) error { _, err := a.newSigner(ctx, n); return err }); err != nil {
		return err
	}
	watch, err := dev.Watch(dir, f.ignore, f.file)
	if err != nil {
		return err
	}
	d := &devLoop{app: a, cmd: cmd, flags: f, ref: api.Ref{Kind: api.KindComponent, Name: name}, how: how, watch: watch}
	if a.json {
		a.event = d.pushed
	}
	err = task.Run(ctx, watch.Run, d.run, d.follow)
	return errors.Join(err, d.end(ctx))
}

// devLoop builds and pushes what is saved.
type devLoop struct {
	mu    sync.Mutex // lines of events are whole
	app   *app
	cmd   *cobra.Command
	flags *devFlags
	ref   api.Ref
	how   dev.Builder
	watch *dev.Watcher
	last  api.Digest // of the program that was pushed last; zero: none was, or it failed
	ever  bool       // something was signed
}

// run does the work once, and again after each save. A save while it is at work is
// followed by one more.
func (d *devLoop) run(ctx context.Context) error {
	why := ""
	for {
		d.once(ctx, why)
		if ctx.Err() == nil {
			d.tell(devEvent{Event: "waiting"}, "Waiting for a save in %s (Ctrl-C ends)", d.how.Dir)
		}
		select {
		case <-ctx.Done():
			return nil
		case why = <-d.watch.Saved:
		}
	}
}

// once builds and pushes. What fails is shown, and no reason to end.
func (d *devLoop) once(ctx context.Context, why string) {
	if why != "" {
		d.tell(devEvent{Event: "saved", File: why}, "%s was saved", printable(why))
	}
	d.tell(devEvent{Event: "building", Command: d.how.String()}, "Building: %s", d.how)
	begin := time.Now()
	file, err := d.build(ctx)
	if err != nil {
		d.failed(ctx, "build", err)
		return
	}
	took := time.Since(begin).Seconds()
	d.tell(devEvent{Event: "built", File: file, Seconds: took}, "Built in %.1f s", took)
	if err := d.push(ctx, file); err != nil {
		d.failed(ctx, "push", err)
		d.last = api.Digest{} // the same again may do better
	}
}

func (d *devLoop) build(ctx context.Context) (string, error) {
	if d.flags.verbose && !d.app.json {
		return d.how.Build(ctx, d.app.err)
	}
	return d.how.Build(ctx, nil)
}

// push is realm push of what was built, unless that is what was pushed last.
func (d *devLoop) push(ctx context.Context, file string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, d.app.timeout, &timeoutError{d.app.timeout})
	defer cancel()
	body, err := d.flags.component()
	if err != nil {
		return err
	}
	body.Stopped = !d.flags.start
	files, err := d.flags.readFolders(ctx, body)
	if err != nil {
		return err
	}
	prog, err := d.flags.programFlags.build(d.cmd, d.ref, file, func(m api.Program, about wasmfile.About) (api.Workload, error) {
		body.Module = m
		return body, d.flags.fit(d.cmd, file, about, body)
	}, wasmfile.Read)
	if err != nil {
		return err
	}
	now := body.Instance()
	if now == d.last {
		d.tell(devEvent{Event: "unchanged"}, "It is the same program as before: there is nothing to push")
		return nil
	}
	if !d.ever {
		for _, s := range append(doubts(body), unused(body, prog.about)...) {
			d.app.note("warning: %s", s)
		}
	}
	prog.takeOver, prog.files = d.flags.takeOver, files
	d.ever = true
	if err := d.app.push(ctx, *prog); err != nil {
		return because(ctx, err)
	}
	d.last, d.app.hinted = now, true
	return nil
}

// failed shows what has gone wrong.
func (d *devLoop) failed(ctx context.Context, what string, err error) {
	if ctx.Err() != nil {
		return // that is why
	}
	e := devEvent{Event: "failed", What: what, Error: err.Error()}
	var build *dev.BuildError
	if errors.As(err, &build) {
		e.Output = build.Output
		if !d.app.json && !d.flags.verbose {
			for l := range strings.Lines(build.Output) {
				d.app.note("  | %s", printable(strings.TrimRight(l, "\r\n")))
			}
		}
	}
	if d.app.json {
		d.tell(e, "")
		return
	}
	d.app.note("Failed: %s", err)
	if d.last != (api.Digest{}) {
		d.app.note("What was pushed before goes on.")
	}
}

// endPatience is what removing takes at most.
const endPatience = 30 * time.Second

// end removes what was pushed, or says how to.
func (d *devLoop) end(ctx context.Context) error {
	switch {
	case !d.ever:
		return nil
	case !d.flags.remove:
		d.app.say("%s goes on: remove it with realm rm %s", d.ref.Name, d.ref)
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endPatience)
	defer cancel()
	return d.app.onNode(ctx, func(n *node.Node) error {
		s, err := d.app.newSigner(ctx, n)
		if err != nil {
			return err
		}
		return d.app.change(ctx, n, s, d.ref, owner.Remove(), changeFlags{wait: true})
	})
}
