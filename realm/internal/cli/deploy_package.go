package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/spf13/cobra"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/realm/internal/diff"
	"github.com/realm-mesh/realm/realm/internal/node"
	"github.com/realm-mesh/realm/realm/internal/owner"
	"github.com/realm-mesh/realm/realm/internal/pack"
	"github.com/realm-mesh/realm/realm/internal/plan"
	"github.com/realm-mesh/realm/realm/internal/sources"
	"github.com/realm-mesh/realm/realm/internal/wasmfile"
)

// deployFlags are those of realm deploy-package.
type deployFlags struct {
	programFlags
	name, file       string
	env              []string
	replicas         replicas
	takeOver, dryRun bool
}

func newDeployPackage(a *app) *cobra.Command {
	var f deployFlags
	cmd := &cobra.Command{
		Use:   "deploy-package",
		Short: "Run a package on the mesh",
		Long: `Sign what a package asks for, bring its program and its files to the node here, and wait
as realm push does: until every connected node that it is for runs it, or as many as are
asked for, and three members keep all of it (--durability).

The flags take the place of what the package says; --env adds to its environment. Under
another --name it is another component, with volumes of its own where the package gives
them no names. A component that was pushed by itself, or that a manifest or another
package looks after, is left alone unless with --take-over.`,
		Example: `  realm package inspect shop.realm
  realm deploy-package --file shop.realm
  realm deploy-package --file shop.realm --name shop-test --replicas 1 --tag test --env MODE=test
  realm deploy-package --file shop.realm --dry-run`,
		Args: arguments(),
	}
	fl := cmd.Flags()
	fl.StringVar(&f.file, "file", "", "the package: a file, an https: address, or oci://HOST/REPO:TAG")
	fl.StringVar(&f.name, "name", "", "what to call it (default: what the package calls itself)")
	fl.StringArrayVar(&f.env, "env", nil, "NAME=VALUE in its environment; may be repeated")
	fl.Var(&f.replicas, "replicas", "on how many nodes it runs, of those that it is for")
	fl.BoolVar(&f.takeOver, "take-over", false, "deploy it although something else looks after the component, which it leaves by that")
	fl.BoolVar(&f.dryRun, "dry-run", false, "show what would change, and sign nothing")
	f.declare(fl)
	a.completeFlags(cmd)
	if err := cmd.MarkFlagFilename("file", "realm"); err != nil {
		panic(err) // the flag is declared
	}
	cmd.RunE = a.bounded(func(ctx context.Context, cmd *cobra.Command, _ []string) error {
		if f.file == "" {
			return misused(cmd, errors.New("--file is missing: name the package to deploy"))
		}
		finder := sources.New(nil, a.note)
		defer finder.Close()
		p, err := finder.GetPackage(ctx, f.file)
		if err != nil {
			return err
		}
		prog, err := f.program(cmd, p)
		if err != nil {
			return err
		}
		if body, ok := prog.body.(*api.Component); ok {
			for _, s := range append(doubts(body), unused(body, prog.about)...) {
				a.note("warning: %s", s)
			}
		}
		if f.dryRun {
			return a.onNode(ctx, func(n *node.Node) error { return a.dryPush(ctx, n, *prog) })
		}
		return a.push(ctx, *prog)
	})
	return cmd
}

// program is the package with what the flags say in its place.
func (f *deployFlags) program(cmd *cobra.Command, p *pack.Package) (*program, error) {
	name := p.Name
	if f.name != "" {
		var err error
		if name, err = parseName(cmd, "name", f.name); err != nil {
			return nil, err
		}
	}
	prog, err := f.build(cmd, api.Ref{Kind: api.KindComponent, Name: name}, f.file, func(_ api.Program, about wasmfile.About) (api.Workload, error) {
		c, err := p.Deployed(name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.file, err)
		}
		if err := f.over(cmd, &c); err != nil {
			return nil, misused(cmd, err)
		}
		if err := about.Speaks(c.Interface); err != nil {
			can, _ := about.Interface() // told by Speaks
			return nil, fmt.Errorf("%s: %s is %w: %s in its %s", f.file, p.Wasm, err, httpKey(can), pack.ManifestName)
		}
		c.Source = api.Source{Package: p.Name}
		return &c, nil
	}, func(string) (wasmfile.Module, error) { return p.Module() })
	if err != nil {
		return nil, err
	}
	prog.source, prog.takeOver, prog.files = api.Source{Package: p.Name}, f.takeOver, p.Blobs()[1:]
	return prog, nil
}

// over has the flags that were given take the place of what c says.
func (f *deployFlags) over(cmd *cobra.Command, c *api.Component) error {
	given := cmd.Flags().Changed
	l := &c.Module.Limits
	if given("memory-max-mb") {
		l.MemoryMaxMB = f.memoryMB
	}
	if given("fuel") {
		l.Fuel = f.fuel
	}
	if given("epoch-ms") {
		l.EpochMS = f.epochMS
	}
	if given("replicas") {
		c.Replicas = int(f.replicas)
	}
	if given("start") {
		c.Stopped = !f.start
	}
	env, err := parseEnv(f.env)
	if err != nil || len(env) == 0 {
		return err
	}
	merged := maps.Clone(c.Env)
	if merged == nil {
		merged = map[string]string{}
	}
	maps.Copy(merged, env)
	c.Env = merged
	return nil
}

// dryPush shows what a push would change.
func (a *app) dryPush(ctx context.Context, n *node.Node, p program) error {
	pin, err := readPin(n)
	if err != nil {
		return err
	}
	l, err := n.Ledger(ctx, pin, p.ref)
	if err != nil {
		return err
	}
	item := plan.Item{Name: p.ref.Name, Action: plan.Create}
	from := api.Intent{Body: []byte("{}")}
	var blocked error
	if cur, ok := l.Current(p.ref, n.Now()); ok {
		item.Number = cur.Seq
		if now := componentOf(&cur); now != nil {
			from, item.Action = cur.Intent, plan.Update
			blocked = p.owned(&cur, now, &item)
		}
	}
	if item.Changes, err = diff.Of(from, p.target, p.body); err != nil {
		return err
	}
	if len(item.Changes) == 0 && item.Action == plan.Update {
		item.Action = plan.Unchanged
	}
	err = a.print(item, func() {
		for i, line := range itemLines(item) {
			if i == 0 {
				fmt.Fprintf(a.out, "%s  %s  ", p.ref, item.Action)
			}
			fmt.Fprintf(a.out, "%s\n", line)
		}
	})
	return errors.Join(err, blocked)
}

// owned says what becomes of a component that something else looks after; the error says
// that nothing does.
func (p program) owned(cur *intent.Signed, now *api.Component, item *plan.Item) error {
	if now.Source.Manifest == p.source.Manifest && now.Source.Package == p.source.Package {
		if c, ok := p.body.(*api.Component); ok {
			c.Restarted = now.Restarted
		}
		return nil
	}
	item.Action, item.Note = plan.TakeOver, "from "+now.Source.String()
	if p.takeOver {
		return nil
	}
	_, err := owner.From(p.source, false, p.change)(cur)
	if err != nil {
		item.Action = plan.Blocked
	}
	return err
}
