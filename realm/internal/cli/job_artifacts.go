package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/realm/internal/node"
)

// artifactView is an artifact in JSON.
type artifactView struct {
	Name    string       `json:"name"`
	Blob    api.BlobInfo `json:"blob,omitzero"`
	Missing string       `json:"missing,omitempty"` // why there is none
	Run     api.RunKey   `json:"run"`
	Epoch   int          `json:"epoch"`
	Peer    api.PeerID   `json:"peer"` // that made it
}

// artifactsView is what realm job artifacts says in JSON.
type artifactsView struct {
	Job       api.Name       `json:"job"`
	Artifacts []artifactView `json:"artifacts"`
}

// newArtifactsView lists what the executions left that count, or of runs where none
// does, those that ended last: a run that has failed may have left what tells why.
func newArtifactsView(id api.Name, runs []api.JobRun) artifactsView {
	v := artifactsView{id, []artifactView{}}
	for _, r := range runs {
		if e, ok := counting(r); ok {
			for _, o := range e.Artifacts {
				v.Artifacts = append(v.Artifacts, artifactView{o.Name, o.Blob, o.Missing, r.Run, e.Epoch, e.Peer})
			}
		}
	}
	return v
}

// counting is the execution of a run that counts, or ended last.
func counting(r api.JobRun) (e api.JobExec, ok bool) {
	for _, x := range r.Executions {
		if r.Accepted != nil && *r.Accepted == x.Exec() {
			return x, true
		}
		if x.State.Ended() && x.State != api.ExecMoved && x.State != api.ExecSkipped {
			e, ok = x, true
		}
	}
	return e, ok
}

// newJobArtifacts makes artifacts, or artifacts-json, which prints JSON without being asked to.
func newJobArtifacts(a *app, use string, asJSON bool) *cobra.Command {
	cmd := &cobra.Command{
		Use:   use + " JOB",
		Short: "List what a job left",
		Long: `List the artifacts of a job, of each run the result that counts; where a run has failed,
what it left all the same.`,
		Example:           "  realm job " + use + " build-1",
		Args:              arguments("JOB"),
		ValidArgsFunction: a.completeJobs,
	}
	a.showsJob(cmd, asJSON, "artifacts", func(ctx context.Context, j node.Jobs, arg jobArg) error {
		v, err := artifactsOf(ctx, j, arg)
		if err != nil {
			return err
		}
		return a.print(v, func() { a.printArtifacts(v) })
	})
	return cmd
}

func artifactsOf(ctx context.Context, j node.Jobs, arg jobArg) (v artifactsView, err error) {
	st, err := j.Status(ctx, arg.job)
	if err != nil {
		return v, err
	}
	runs, err := arg.runs(st)
	return newArtifactsView(st.Job, runs), err
}

func (a *app) printArtifacts(v artifactsView) {
	if len(v.Artifacts) == 0 {
		fmt.Fprintf(a.out, "%s has left no artifacts\n", v.Job)
		return
	}
	rows := [][]string{{"NAME", "RUN", "SIZE", "SHA256", "NOTE"}}
	for _, x := range v.Artifacts {
		sum := "-"
		if x.Missing == "" {
			sum = x.Blob.SHA256.Short()
		}
		rows = append(rows, []string{printable(x.Name), runText(x.Run), bytesText(x.Blob.Size), sum, oneLine(x.Missing)})
	}
	table(a.out, rows)
}

func newJobDownload(a *app) *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "download JOB [NAME]",
		Short: "Write what a job left into files",
		Long: `Write one artifact of a job into a file, or all of them into a folder, each under its
name. They come from this node or from any member that has them, and every byte is
checked against its SHA-256. Of a job with many runs it is those of the newest;
JOB@RUN names another. A folder that was an artifact comes as a tar archive.`,
		Example: `  realm job download build-1 app -o app
  realm job download build -o results/`,
		Args:              jobAndName,
		ValidArgsFunction: a.completeJobs,
	}
	cmd.Flags().StringVarP(&out, "output", "o", "", "file or folder to write (default: here, under the name of the artifact); - is standard output")
	cmd.RunE = a.moving(func(ctx context.Context, cmd *cobra.Command, args []string) error {
		arg, err := parseJob(args[0])
		if err == nil && out == stdio && (a.json || len(args) < 2) {
			err = errors.New("-o -: standard output is for one artifact: name it, and leave --json out")
		}
		if err != nil {
			return misused(cmd, err)
		}
		return a.onJobs(ctx, func(n *node.Node, j node.Jobs) error {
			v, err := artifactsOf(ctx, j, arg)
			if err != nil {
				return err
			}
			wanted, err := v.choose(strings.Join(args[1:], ""))
			if err != nil {
				return err
			}
			return a.download(ctx, n, wanted, out, len(args) > 1)
		})
	})
	return cmd
}

func jobAndName(cmd *cobra.Command, args []string) error {
	if len(args) == 2 {
		return nil
	}
	return arguments("JOB")(cmd, args)
}

// choose are the artifacts of the newest run that has any; with a name, only that.
func (v artifactsView) choose(name string) ([]artifactView, error) {
	var out []artifactView
	var names []string
	for _, x := range v.Artifacts {
		names = append(names, printable(x.Name))
		switch {
		case name != "" && x.Name != name, len(out) > 0 && out[0].Run != x.Run:
		case x.Missing != "" && name != "":
			return nil, fmt.Errorf("%s has no %s: %s", v.Job, printable(name), oneLine(x.Missing))
		case x.Missing == "":
			out = append(out, x)
		}
	}
	switch {
	case len(out) > 0:
		return out, nil
	case len(names) == 0:
		return nil, fmt.Errorf("%s has left no artifacts", v.Job)
	}
	return nil, fmt.Errorf("%s has left no %s: it left %s", v.Job, orElse(printable(name), "files"), strings.Join(names, ", "))
}

// downloadedView is an artifact that was written, in JSON.
type downloadedView struct {
	artifactView
	File string `json:"file"`
}

// download writes artifacts into files: one of them under the name out, unless that is a folder.
func (a *app) download(ctx context.Context, n *node.Node, all []artifactView, out string, one bool) error {
	v := struct {
		Files []downloadedView `json:"files"`
	}{[]downloadedView{}}
	dir := strings.HasSuffix(out, "/") || strings.HasSuffix(out, string(filepath.Separator)) || !one && out != ""
	if fi, err := os.Stat(out); out != "" && err == nil && fi.IsDir() {
		dir = true
	}
	if dir {
		if err := os.MkdirAll(out, 0o750); err != nil {
			return fmt.Errorf("download artifacts: %w", err)
		}
	}
	for _, x := range all {
		if !api.ValidFile(x.Name) {
			return fmt.Errorf("download artifacts: %q cannot be the name of a file", printable(x.Name))
		}
		file := out
		switch {
		case dir:
			file = filepath.Join(out, x.Name)
		case out == "":
			file = x.Name
		}
		if err := a.writeBlob(ctx, n, x.Blob, file); err != nil {
			return fmt.Errorf("download %s: %w", x.Name, err)
		}
		if file == stdio {
			return nil
		}
		a.say("%s: %s, sha256 %s", file, sizeText(x.Blob.Size), x.Blob.SHA256.Short())
		v.Files = append(v.Files, downloadedView{x, file})
	}
	return a.print(v, func() {})
}

// writeBlob brings a blob to the node, and from there into a file.
func (a *app) writeBlob(ctx context.Context, n *node.Node, b api.BlobInfo, file string) error {
	_, here, err := n.Here(ctx, b.SHA256)
	if err == nil && !here {
		_, err = a.fetch(ctx, n, b.SHA256)
	}
	if err != nil {
		return err
	}
	out, err := a.openOutput(file)
	if err != nil {
		return err
	}
	if err := a.copyOut(ctx, n, b, out.Writer); err != nil {
		return errors.Join(err, out.drop())
	}
	return out.keep()
}
