package cli

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/paths"
	"github.com/realm-mesh/realm/realm/internal/node"
	"github.com/realm-mesh/realm/realm/internal/owner"
	"github.com/realm-mesh/realm/realm/internal/plan"
	"github.com/realm-mesh/realm/realm/internal/rollout"
	"github.com/realm-mesh/realm/realm/internal/wasmfile"
)

func newPush(a *app) *cobra.Command {
	var p programFlags
	var c componentFlags
	var name string
	var from sourceFlags
	cmd := &cobra.Command{
		Use:   "push",
		Short: "Run a program on the mesh",
		Long: `Sign a program, hand it to the node here, and wait until every connected node
that it is for runs it, or as many as --replicas says, and three members keep it, so
that it outlives any of them (--durability). It is a component with WASI 0.2, or a
core Wasm module with WASI 0.1: a command, which runs and is started again when it
fails, or a web program, which answers under /NAME/ of every node, by wasi:http or
as CGI. Which of these it is the file tells; --http says otherwise. realm inspect
shows more of it. A later push under the same name replaces it: the old version goes
on until the new one is ready.

If it does not come up somewhere, the exit code is 1, with the reason and the
last log lines. A node that is away gets it when it is back. If somebody else has
signed a version meanwhile, nothing is signed, unless with --force; nor is it, if
the component belongs to a manifest, unless with --take-over.`,
		Example: `  realm push --name ticker --file ticker.wasm
  realm push --name hello --file hello-http.wasm
  realm push --name shop --file oci://ghcr.io/acme/shop:1.2
  realm push --name greet --http cgi --file hello-cgi.wasm --env GREETING=Hi --replicas 2
  realm push --name worker --file worker.wasm --tag edge --memory-max-mb 64 --arg --verbose
  realm push --name shop --file shop.wasm --health-path /healthz --allow-host api.example.org
  realm push --name count --file count.wasm --replicas 1 --mount kind=state,guest=/data,volume=count,size_mb=64
  realm push --name site --file site.wasm --mount kind=static,guest=/www,source=public`,
		Args: arguments(),
	}
	f := cmd.Flags()
	f.StringVar(&name, "name", "", "what to call it")
	from.declare(f, "file")
	p.declare(f)
	c.declare(f)
	a.completeFlags(cmd)
	completeWasmFlag(cmd, "file")
	cmd.RunE = a.bounded(func(ctx context.Context, cmd *cobra.Command, _ []string) error {
		n, err := parseName(cmd, "name", name)
		if err != nil {
			return err
		}
		if err := from.check(cmd); err != nil {
			return err
		}
		body, err := c.component()
		if err != nil {
			return misused(cmd, err)
		}
		files, err := c.readFolders(ctx, body)
		if err != nil {
			return err
		}
		body.Stopped = !p.start
		file := from.text
		prog, err := p.build(cmd, api.Ref{Kind: api.KindComponent, Name: n}, file, func(m api.Program, about wasmfile.About) (api.Workload, error) {
			body.Module = m
			return body, c.fit(cmd, file, about, body)
		}, from.load(ctx, a))
		if err != nil {
			return err
		}
		for _, s := range append(doubts(body), unused(body, prog.about)...) {
			a.note("warning: %s", s)
		}
		prog.takeOver, prog.files = c.takeOver, files
		return a.push(ctx, *prog)
	})
	return cmd
}

// push brings a program to the node of the home, and by it to the mesh.
func (a *app) push(ctx context.Context, p program) error {
	a.say("%s: %s", filepath.Base(p.file), p.about)
	return a.onNode(ctx, func(n *node.Node) error {
		s, err := a.newSigner(ctx, n)
		if err != nil {
			return err
		}
		if c, ok := p.body.(*api.Component); ok {
			if err := a.mayGive(ctx, n, s, plan.Desired{Name: p.ref.Name, Target: p.target, Body: *c}); err != nil {
				return err
			}
		}
		step, err := n.Begin(ctx, s.pin, s.Signer, p.ref, owner.From(p.source, p.takeOver, p.change), p.force)
		if err != nil {
			return err
		}
		if err := a.upload(ctx, n, p); err != nil {
			return err
		}
		next, err := step.Submit(ctx)
		if err != nil {
			return err
		}
		return a.accepted(ctx, n, next, p.changeFlags)
	})
}

// change asks for p in the place of cur. That somebody had that started anew is no
// reason to do so once more.
func (p program) change(cur *intent.Signed) (owner.Wanted, error) {
	if c, ok := p.body.(*api.Component); ok {
		c.Restarted = time.Time{}
		if now := componentOf(cur); now != nil {
			c.Restarted = now.Restarted
		}
	}
	return owner.Set(p.target, p.body)(cur)
}

// componentOf is a component that is there; nil where none is.
func componentOf(cur *intent.Signed) *api.Component {
	if cur == nil || cur.Tombstone {
		return nil
	}
	w, err := cur.Workload()
	if err != nil {
		return nil
	}
	c, _ := w.(*api.Component)
	return c
}

// pushFirst is push for realm up --wasm.
func (a *app) pushFirst(ctx context.Context, h paths.Home, p program) error {
	ctx, cancel := context.WithTimeoutCause(ctx, defaultTimeout, &timeoutError{defaultTimeout})
	defer cancel()
	inHome := &app{in: a.in, key: a.key, out: a.out, err: a.err, json: a.json, homeDir: h.Root(), timeout: defaultTimeout, passphraseFile: a.passphraseFile, grantFile: a.grantFile}
	return because(ctx, inHome.push(ctx, p))
}

// changeFlags say how a change of a program is made.
type changeFlags struct {
	wait, force bool
	durability  durability
}

func (c *changeFlags) declare(f *pflag.FlagSet, wait string) {
	f.BoolVar(&c.wait, "wait", true, wait+"; --wait=false: when it is accepted")
	f.BoolVar(&c.force, "force", false, "sign on top of what others have signed while this command ran")
}

// change signs the next version of ref, and waits until the mesh has followed it.
func (a *app) change(ctx context.Context, n *node.Node, s signer, ref api.Ref, change owner.Change, f changeFlags) error {
	step, err := n.Begin(ctx, s.pin, s.Signer, ref, change, f.force)
	var next intent.Signed
	if err == nil {
		next, err = step.Submit(ctx)
	}
	switch {
	case errors.Is(err, owner.ErrUnknown):
		return unknown(ctx, n, ref.Name)
	case errors.Is(err, owner.ErrUnchanged):
		next = *step.Current()
		a.say("%s: nothing to change, version %d says so already", ref, next.Seq)
		return a.follow(ctx, n, next, f)
	case err != nil:
		return err
	}
	return a.accepted(ctx, n, next, f)
}

// accepted tells that a version is on its way, and follows it.
func (a *app) accepted(ctx context.Context, n *node.Node, s intent.Signed, f changeFlags) error {
	a.say("%s: version %d is accepted", s.Ref, s.Seq)
	return a.follow(ctx, n, s, f)
}

func (a *app) follow(ctx context.Context, n *node.Node, s intent.Signed, f changeFlags) error {
	if !f.wait {
		return a.print(acceptedResult(s), func() {})
	}
	return a.await(ctx, n, s, f.durability)
}

// resultView is what push, stop, start, scale, restart, rm and fn say in JSON.
type resultView struct {
	api.Ref
	Version  uint64       `json:"version"`
	Digest   api.Digest   `json:"digest"` // of the intent
	Reached  bool         `json:"reached"`
	Replicas int          `json:"replicas"`           // asked for; 0: every member that its target names
	Pending  string       `json:"pending,omitempty"`  // why fewer can run it than were asked for
	Members  []memberView `json:"members"`            // that had to do with it
	Warnings []string     `json:"warnings,omitempty"` // what of it is kept, and not acted on
	Copies   *copiesView  `json:"copies,omitempty"`   // who has its program; left out where that was not waited for
}

// newResult is how a version stands that was followed.
func newResult(st stand) resultView {
	r := acceptedResult(st.Signed)
	r.Reached, r.Pending, r.Members = st.Outcome == rollout.Done, st.Pending, memberViews(st.Members)
	return r
}

// acceptedResult is how a version stands of which it is only known that it was accepted.
func acceptedResult(s intent.Signed) resultView {
	r := resultView{Ref: s.Ref, Version: s.Seq, Digest: s.Digest, Members: []memberView{}}
	if w, err := rollout.WantedOf(s); err == nil {
		r.Replicas = w.Work.Replicas
	}
	if w, err := s.Workload(); err == nil {
		if c, ok := w.(*api.Component); ok {
			r.Warnings = doubts(c)
		}
	}
	return r
}
