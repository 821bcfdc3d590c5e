package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/trust"
	"github.com/realm-mesh/realm/realm/internal/manifest"
	"github.com/realm-mesh/realm/realm/internal/node"
	"github.com/realm-mesh/realm/realm/internal/pack"
	"github.com/realm-mesh/realm/realm/internal/plan"
	"github.com/realm-mesh/realm/realm/internal/sources"
)

// programs are those that a manifest names, found.
type programs struct {
	finder  *sources.Finder
	found   map[api.Name]sources.Program
	files   []pack.Blob // of mounts
	desired []plan.Desired
}

// resolve finds the programs of m. The caller closes the finder.
func (a *app) resolve(ctx context.Context, n *node.Node, m manifest.Manifest) (*programs, error) {
	p := &programs{finder: sources.New(n, a.note), found: map[api.Name]sources.Program{}}
	found, err := p.finder.All(ctx, m.Components)
	if err != nil {
		p.finder.Close()
		return nil, err
	}
	for i, c := range m.Components {
		if err = p.furnish(ctx, &c, found[i]); err == nil {
			err = a.fits(ctx, c, found[i])
		}
		if err != nil {
			p.finder.Close()
			return nil, err
		}
		p.found[c.Name] = found[i]
		p.desired = append(p.desired, plan.Desired{Name: c.Name, Target: c.Target, Body: c.Body})
	}
	return p, nil
}

// furnish completes a component by what its source and its folders have.
func (p *programs) furnish(ctx context.Context, c *manifest.Component, found sources.Program) error {
	for i, m := range c.Mounts {
		if m.Folder == "" {
			continue
		}
		f, err := pack.Folder(ctx, m.Folder)
		if err != nil {
			return fmt.Errorf("%s: component %s: %w", m.At, c.Name, err)
		}
		c.Body.Mounts[i].Files = &f.BlobInfo
		p.files = append(p.files, f.Blob)
	}
	if pkg := found.Package; pkg != nil {
		base, err := pkg.Deployed(c.Name)
		if err != nil {
			return fmt.Errorf("%s: component %s: %w", c.At, c.Name, err)
		}
		c.Body = c.Over(base)
		p.files = append(p.files, shown(pkg.Blobs(), c.Body)...)
	}
	c.Body.Module.Blob, c.Body.Module.Size = found.SHA256, found.Size
	if err := c.Body.Validate(); err != nil {
		return fmt.Errorf("%s: component %s: %w", c.At, c.Name, err)
	}
	return nil
}

// shown are those of blobs that the mounts of c show.
func shown(blobs []pack.Blob, c api.Component) (out []pack.Blob) {
	for _, b := range blobs {
		if slices.ContainsFunc(c.Mounts, func(m api.Mount) bool { return m.Files != nil && *m.Files == b.BlobInfo }) {
			out = append(out, b)
		}
	}
	return out
}

// upload stores on the node what it has not of the programs that are here: also where
// a component asks for nothing new, since whoever has pushed it may be gone.
func (p *programs) upload(ctx context.Context, a *app, n *node.Node) error {
	done := map[api.Digest]bool{}
	for _, d := range p.desired {
		f, ok := p.found[d.Name]
		if !ok || !f.Here() || done[f.SHA256] {
			continue
		}
		done[f.SHA256] = true
		if _, there, err := n.Stored(ctx, f.SHA256); err != nil || there {
			if err != nil {
				return err
			}
			continue
		}
		m, err := f.Read()
		if err != nil {
			return err
		}
		if err := a.upload(ctx, n, program{file: f.Name, module: m}); err != nil {
			return err
		}
	}
	return a.uploadFiles(ctx, n, p.files)
}

// work is a plan, and what it was made from.
type work struct {
	plan  plan.Plan
	seen  *node.Survey
	again func(context.Context) (*node.Survey, error)
}

// survey looks how a manifest and its components stand, and plans what to change.
func (a *app) survey(ctx context.Context, n *node.Node, pin trust.Pin, name api.Name, desired []plan.Desired, o plan.Options) (work, error) {
	w, err := a.look(ctx, n, pin, name, desired)
	if err == nil {
		w.plan, err = plan.Make(name, desired, w.seen, o)
	}
	return w, err
}

// look is survey without a plan.
func (a *app) look(ctx context.Context, n *node.Node, pin trust.Pin, name api.Name, desired []plan.Desired) (w work, err error) {
	var names []api.Name
	for _, d := range desired {
		names = append(names, d.Name)
	}
	w.again = func(ctx context.Context) (*node.Survey, error) {
		return n.Survey(ctx, pin, []api.Kind{api.KindManifest, api.KindComponent}, plan.Choose(name, names))
	}
	w.seen, err = w.again(ctx)
	return w, err
}

// blocked is the error of a plan that cannot be carried out.
func blocked(p plan.Plan) error {
	var b strings.Builder
	for _, i := range p.Items {
		if i.Action == plan.Blocked {
			fmt.Fprintf(&b, "\n  %s: %s", i.Name, i.Note)
		}
	}
	if b.Len() == 0 {
		return nil
	}
	return fmt.Errorf("nothing was signed: %s of the manifest cannot be changed%s", plural(p.Count(plan.Blocked), "component"), b.String())
}
