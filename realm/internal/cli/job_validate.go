package cli

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/schedule"
	"github.com/realm-mesh/realm/realm/internal/jobfile"
	"github.com/realm-mesh/realm/realm/internal/rollout"
	"github.com/realm-mesh/realm/realm/internal/tomlfile"
)

// validView is what realm job validate says of a file in JSON.
type validView struct {
	File     string          `json:"file"`
	Name     api.Name        `json:"name"`
	Type     api.JobType     `json:"type"`
	Runtime  api.RuntimeType `json:"runtime"`
	Program  string          `json:"program"`            // where it comes from
	Platform string          `json:"platform,omitempty"` // that a member must have
	Target   api.Target      `json:"target"`
	Next     []time.Time     `json:"next"` // instants, of a recurring job
	Unseen   []string        `json:"unseen"`
}

func newJobValidate(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "validate FILE...",
		Short: "Check job files, and say what they would run, where and when",
		Long: `Read job files, look at the programs that lie beside them, and say what each would be.
No node has to be up; what an address (https:) or the store (cas:) has is not looked at.`,
		Example: `  realm job validate build.toml
  realm job validate nightly.toml --json`,
		Args: atLeast("FILE"),
		RunE: func(_ *cobra.Command, args []string) error {
			v := struct {
				Jobs []validView `json:"jobs"`
			}{[]validView{}}
			for _, file := range args {
				p, err := jobfile.Read(file)
				if err != nil {
					return err
				}
				view, err := validate(file, p, time.Now())
				if err != nil {
					return err
				}
				v.Jobs = append(v.Jobs, view)
			}
			return a.print(v, func() {
				for _, j := range v.Jobs {
					a.printValid(j)
				}
			})
		},
	}
}

// validate looks at what lies on this machine of a plan.
func validate(file string, p *jobfile.Plan, now time.Time) (validView, error) {
	v := validView{File: file, Name: p.Name, Type: p.Body.Type, Runtime: p.Body.Runtime.Type, Program: p.Program.Text, Target: p.Target, Next: []time.Time{}, Unseen: []string{}}
	for i, b := range append([]jobfile.Blob{p.Program}, p.Stages...) {
		if b.Kind != tomlfile.File {
			v.Unseen = append(v.Unseen, b.Text)
			continue
		}
		head, err := headOf(b.Path)
		if err == nil {
			err = checkDigest(b)
		}
		if err != nil {
			return v, fmt.Errorf("%s: %w", b.At, err)
		}
		if i > 0 {
			continue
		}
		if err := p.Fit(head); err != nil {
			return v, err
		}
	}
	v.Platform = p.Body.Platform
	if s := p.Body.Schedule; s != nil {
		when, err := schedule.Parse(s.Cron, s.TimeZone)
		if err != nil {
			return v, err
		}
		v.Next, _ = when.Between(now, now.AddDate(100, 0, 0), nextInstants)
	}
	return v, nil
}

// checkDigest compares a file of this machine with the digest that it must have, if any.
func checkDigest(b jobfile.Blob) error {
	want := b.Want()
	if want.IsZero() {
		return nil
	}
	f, err := os.Open(b.Path)
	if err != nil {
		return fmt.Errorf("read file: %w", err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return fmt.Errorf("read file: %w", err)
	}
	return otherFile(b, api.Digest(h.Sum(nil)))
}

// otherFile says where a file has another digest than it must; nil where it has that.
func otherFile(b jobfile.Blob, got api.Digest) error {
	if want := b.Want(); !want.IsZero() && got != want {
		return fmt.Errorf("%s is another file than sha256_hex says: its sha256 is %s, not %s", b.Text, got, want)
	}
	return nil
}

// nextInstants is how many instants of a schedule people are shown.
const nextInstants = 3

func (a *app) printValid(v validView) {
	fmt.Fprintf(a.out, "%s: %s, a %s job, %s\n", v.File, v.Name, v.Type, v.Runtime)
	fmt.Fprintf(a.out, "  program  %s\n", v.Program)
	where := "any member"
	if v.Runtime != api.RuntimeWasm {
		where = "members whose policy allows it"
	}
	if v.Platform != "" {
		where += ", on " + v.Platform
	}
	if len(v.Target.Peers)+len(v.Target.Tags) > 0 {
		where += ", of " + rollout.TargetText(v.Target)
	}
	fmt.Fprintf(a.out, "  runs on  %s\n", where)
	var next []string
	for _, t := range v.Next {
		next = append(next, t.Local().Format("2006-01-02 15:04:05 MST"))
	}
	if len(next) > 0 {
		fmt.Fprintf(a.out, "  next     %s\n", strings.Join(next, ", "))
	}
	for _, u := range v.Unseen {
		fmt.Fprintf(a.out, "  not looked at: %s\n", u)
	}
}
