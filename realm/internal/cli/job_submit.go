package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/realm/internal/jobfile"
	"github.com/realm-mesh/realm/realm/internal/node"
	"github.com/realm-mesh/realm/realm/internal/owner"
)

// submitFlags are those of realm job submit.
type submitFlags struct {
	name, expires         string
	assets, uses          []string
	wait, follow, replace bool
}

func newJobSubmit(a *app) *cobra.Command {
	var f submitFlags
	cmd := &cobra.Command{
		Use:   "submit FILE...",
		Short: "Sign jobs and have the mesh execute them",
		Long: `Read job files, store what they need on this node, and sign the jobs. Each gets an id
that is unique in the realm: its name and the next number. The command returns when the
jobs are accepted; with --wait when they have ended, with exit code 1 unless all have
succeeded. Ctrl-C, or --timeout where it is given, ends the waiting and not the job.

A job finds its assets as /tmp/assets/NAME, or where a machine does not let it, in the
folder that REALM_ASSETS names.`,
		Example: `  realm job submit build.toml --asset source.tar.gz --wait --follow
  realm job submit test.toml --use-artifact build-1:app --wait
  realm job submit nightly.toml --replace`,
		Args: atLeast("FILE"),
	}
	fs := cmd.Flags()
	fs.StringVar(&f.name, "name", "", "what the job's id begins with, in the place of what its file says")
	fs.StringArrayVar(&f.assets, "asset", nil, "[NAME=]PATH of a file that the jobs read; may be repeated")
	fs.StringArrayVar(&f.uses, "use-artifact", nil, "JOB:NAME[=AS], an artifact of another job, which is waited for; may be repeated")
	fs.BoolVar(&f.wait, "wait", false, "return when the jobs have ended")
	fs.BoolVar(&f.follow, "follow", false, "print what the job writes meanwhile; includes --wait")
	fs.BoolVar(&f.replace, "replace", false, "cancel older jobs of the same name that have not ended")
	fs.StringVar(&f.expires, "expires", "", "how long from now a one-shot job may begin, such as 12h or 7d, in the place of what its file says")
	cmd.RunE = a.open(func(ctx context.Context, cmd *cobra.Command, args []string) error {
		f.wait = f.wait || f.follow
		f.follow = f.follow && !a.json // there, the result is all
		plans, err := f.plans(args)
		if err != nil {
			return misused(cmd, err)
		}
		return a.onJobs(ctx, func(n *node.Node, j node.Jobs) error { return a.submitJobs(ctx, n, j, plans, f) })
	})
	return cmd
}

// plans reads the job files, and what the flags say of them.
func (f *submitFlags) plans(files []string) ([]*jobfile.Plan, error) {
	var expires time.Duration
	var err error
	if f.expires != "" {
		if expires, err = jobfile.Span(f.expires); err != nil {
			return nil, fmt.Errorf("--expires: %w", err)
		}
	}
	if len(files) > 1 && (f.name != "" || f.follow) {
		return nil, errors.New("--name and --follow are for one job file, not several")
	}
	for _, text := range f.assets {
		if _, _, err := parseAsset(text); err != nil {
			return nil, err
		}
	}
	for _, text := range f.uses {
		if _, err := parseUse(text); err != nil {
			return nil, err
		}
	}
	var plans []*jobfile.Plan
	for _, file := range files {
		p, err := jobfile.Read(file)
		if err != nil {
			return nil, err
		}
		if f.name != "" {
			if p.Name, err = jobfile.Base(f.name); err != nil {
				return nil, fmt.Errorf("--name: %w", err)
			}
		}
		switch {
		case p.Body.Type != api.JobOneShot && expires > 0:
			return nil, fmt.Errorf("--expires: %s is a %s job, which does not expire", file, p.Body.Type)
		case p.Body.Type != api.JobOneShot && f.wait:
			return nil, fmt.Errorf("--wait: %s is a %s job, which does not end by itself: follow it by realm job logs -f", file, p.Body.Type)
		case expires > 0:
			p.Expires = expires
		}
		plans = append(plans, p)
	}
	return plans, nil
}

// submittedView is a job that was accepted, in JSON.
type submittedView struct {
	Job    api.Name   `json:"job"`
	Root   api.Digest `json:"root"`
	Digest api.Digest `json:"digest"` // of its intent
	// Status is how it ended, with --wait.
	Status *api.JobStatus `json:"status,omitempty"`
}

func (a *app) submitJobs(ctx context.Context, n *node.Node, j node.Jobs, plans []*jobfile.Plan, f submitFlags) error {
	s, err := a.newSigner(ctx, n) // a passphrase is asked for before bytes move
	if err != nil {
		return err
	}
	if err := a.stock(ctx, n, j, plans, f); err != nil {
		return err
	}
	var jobs []node.NewJob
	for _, p := range plans {
		var expires time.Time
		if p.Expires > 0 {
			expires = time.Now().Add(p.Expires).UTC() // to the nanosecond: two that are alike are two jobs
		}
		jobs = append(jobs, node.NewJob{Base: p.Name, Change: owner.SubmitJob(p.Target, &p.Body, expires)})
	}
	var old []owner.Act
	if f.replace {
		if old, err = older(ctx, j, plans); err != nil {
			return err
		}
	}
	placed, err := n.PlaceJobs(ctx, s.pin, s.Signer, jobs, old, j)
	if err != nil {
		return err
	}
	for _, p := range placed {
		if p.Was != "" || p.Job != p.Name {
			a.say("another job took %s at the same time; this one is %s", orElse(p.Was.String(), p.Name.String()), p.Job)
		}
		a.say("%s is submitted", p.Job)
	}
	for _, act := range old {
		a.say("%s is cancelled", act.Name)
	}
	return a.submitted(ctx, j, placed, f)
}

// stock has the node hold what the plans need.
func (a *app) stock(ctx context.Context, n *node.Node, j node.Jobs, plans []*jobfile.Plan, f submitFlags) (err error) {
	s := a.newStocker(n)
	defer func() { err = errors.Join(err, s.finder.Close()) }()
	var assets []api.JobAsset
	for _, text := range f.assets {
		name, path, _ := parseAsset(text)
		got, err := s.file(ctx, path)
		if err != nil {
			return fmt.Errorf("--asset: %w", err)
		}
		assets = append(assets, api.JobAsset{Name: name, Blob: got.blob})
	}
	for _, text := range f.uses {
		use, _ := parseUse(text)
		st, err := j.Status(ctx, string(use.Job))
		if err != nil {
			return fmt.Errorf("--use-artifact: %w", err)
		}
		use.Job = st.Job // of a base name, its newest
		if _, _, isID := api.SplitJobID(use.Job); !isID {
			return fmt.Errorf("--use-artifact: %s is no id", use.Job)
		}
		if err := leaves(st, use.From); err != nil {
			return fmt.Errorf("--use-artifact: %w", err)
		}
		assets = append(assets, use)
	}
	for _, p := range plans {
		if err := s.plan(ctx, p); err != nil {
			return err
		}
		p.Body.Assets = assets
		if err := p.Body.Validate(); err != nil {
			return err
		}
	}
	return nil
}

// leaves says where a job leaves no artifact of that name.
func leaves(st api.JobStatus, name string) error {
	var names []string
	for _, a := range st.Body.Artifacts {
		if a.Name == name {
			return nil
		}
		names = append(names, a.Name)
	}
	return fmt.Errorf("%s leaves no artifact %.80q: it leaves %s", st.Job, name, orElse(strings.Join(names, ", "), "none"))
}

// older are cancellations of what has not ended of the same names.
func older(ctx context.Context, j node.Jobs, plans []*jobfile.Plan) (out []owner.Act, err error) {
	seen := map[api.Name]bool{}
	for _, p := range plans {
		if seen[p.Name] {
			continue
		}
		seen[p.Name] = true
		all, err := j.List(ctx, string(p.Name), "")
		if err != nil {
			return nil, err
		}
		for _, s := range all {
			if base, _, ok := api.SplitJobID(s.Job); ok && base == p.Name && !s.State.Ended() {
				out = append(out, owner.Act{Ref: owner.JobRef(s.Job), Change: owner.CancelJob()})
			}
		}
	}
	return out, nil
}

// submitted tells of accepted jobs, and waits for them.
func (a *app) submitted(ctx context.Context, j node.Jobs, placed []node.Placed, f submitFlags) error {
	v := struct {
		Jobs []submittedView `json:"jobs"`
	}{[]submittedView{}}
	var failed []error
	for _, p := range placed {
		view := submittedView{Job: p.Job, Root: p.Digest, Digest: p.Digest}
		if f.wait {
			st, err := a.awaitJob(ctx, j, p.Job, f.follow)
			if err != nil {
				return err
			}
			if view.Status = &st; st.State != api.JobSucceeded {
				failed = append(failed, a.blame(ctx, j, st, !f.follow))
			}
		}
		v.Jobs = append(v.Jobs, view)
	}
	err := a.print(v, func() {
		if !f.wait && len(placed) > 0 {
			a.say("Next: realm job status %s, or realm job logs %s -f", placed[0].Job, placed[0].Job)
		}
	})
	return errors.Join(append(failed, err)...)
}
