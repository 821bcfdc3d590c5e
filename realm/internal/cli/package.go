package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/realm/internal/diff"
	"github.com/realm-mesh/realm/realm/internal/pack"
	"github.com/realm-mesh/realm/realm/internal/tomlfile"
)

func newPackage(a *app) *cobra.Command {
	return group(&cobra.Command{
		Use:   "package",
		Short: "Programs with their settings and files in one file: create, inspect",
		Long: `A package is a .realm file: a program, how it is to be run, the files that it shows, and
what its volumes begin with. realm deploy-package runs one, and so does realm apply, where
the source of a component is a package.`,
		Example: `  realm package create --dir shop --name shop
  realm package inspect shop.realm
  realm deploy-package --file shop.realm`,
	}, newPackageCreate(a), newPackageInspect(a))
}

func newPackageCreate(a *app) *cobra.Command {
	var dir, name, output string
	cmd := &cobra.Command{
		Use:   "create",
		Short: "Make a package of a folder",
		Long: `Make a package of a folder. What is in it is what the folder's manifest.toml names: the
program, and the folders of its mounts. Where that leaves out the sha256 of the program,
it is written into the package's.

A folder without a manifest.toml has one made for it, and needs a --name: the .wasm file
in it is the program, static/ is shown at /www and config/ at /etc/app, read-only; work/
asks for an empty folder at /work; and seed-data/ is what a volume at /data begins with.

The same folder is the same package, byte for byte, on every machine.`,
		Example: `  realm package create --dir shop --name shop
  realm package create --dir . -o build/shop.realm`,
		Args: arguments(),
	}
	f := cmd.Flags()
	f.StringVar(&dir, "dir", "", "the folder")
	f.StringVar(&name, "name", "", "what to call what it runs (default: what manifest.toml says)")
	f.StringVarP(&output, "output", "o", "", "the package (default NAME"+tomlfile.PackageExt+" in this folder)")
	for _, err := range []error{cmd.MarkFlagDirname("dir"), cmd.MarkFlagFilename("output", "realm"), cmd.RegisterFlagCompletionFunc("name", cobra.NoFileCompletions)} {
		if err != nil {
			panic(err) // the flags are declared
		}
	}
	cmd.RunE = a.bounded(func(ctx context.Context, cmd *cobra.Command, _ []string) error {
		switch {
		case dir == "":
			return misused(cmd, errors.New("--dir is missing: name the folder to make a package of"))
		case output == stdio:
			return misused(cmd, errors.New("--output: name a file"))
		}
		var n api.Name
		if name != "" {
			var err error
			if n, err = api.ParseName(name); err != nil {
				return misused(cmd, fmt.Errorf("--name: %w", err))
			}
		}
		return a.createPackage(ctx, dir, n, output)
	})
	return cmd
}

// createPackage makes a package, and reads it as those do who get it.
func (a *app) createPackage(ctx context.Context, dir string, name api.Name, output string) error {
	d, err := pack.Create(ctx, dir, name)
	if err != nil {
		return err
	}
	defer d.Close()
	if output == "" {
		output = string(d.Name) + tomlfile.PackageExt
	}
	out, err := a.openOutput(output)
	if err != nil {
		return err
	}
	if err := d.Write(ctx, out); err != nil {
		return errors.Join(err, out.drop())
	}
	if err := out.keep(); err != nil {
		return err
	}
	if d.Made {
		a.note("%s has no %s: one was made from what is in it", dir, pack.ManifestName)
	}
	if n := len(d.Left); n > 0 {
		a.note("warning: %s below work are not in the package: each replica begins with an empty folder", plural(n, "file"))
	}
	return a.inspectPackage(ctx, output)
}

func newPackageInspect(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "inspect FILE",
		Short: "Say what is in a package, and what it would run",
		Long: `Read a package and say what it would run: its settings, its mounts with what is in them,
and what its program is, imports and exports. The whole file is checked; nothing of it is
unpacked or run, and no node is asked.`,
		Example: `  realm package inspect shop.realm
  realm package inspect --json shop.realm`,
		Args:              arguments("FILE"),
		ValidArgsFunction: completePackage,
		RunE: a.bounded(func(ctx context.Context, _ *cobra.Command, args []string) error {
			return a.inspectPackage(ctx, args[0])
		}),
	}
}

// completePackage offers packages for the first argument.
func completePackage(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return []string{"realm"}, cobra.ShellCompDirectiveFilterFileExt
}

// packageView is what package create and inspect say in JSON.
type packageView struct {
	File    string           `json:"file"`
	Size    int64            `json:"size"`
	SHA256  api.Digest       `json:"sha256"`
	Name    api.Name         `json:"name"`
	Body    api.Component    `json:"component"` // as it is deployed under its name
	Mounts  []mountFilesView `json:"mounts"`
	Program inspectView      `json:"program"`
	Unused  int              `json:"unused,omitempty"` // files that the manifest does not name
}

// mountFilesView is a mount of a package, and what is in it.
type mountFilesView struct {
	api.Mount
	Source string `json:"source,omitempty"` // folder in the package
	Count  int    `json:"count,omitempty"`  // of files
	Bytes  int64  `json:"bytes,omitempty"`  // of all of them
}

func (a *app) inspectPackage(ctx context.Context, file string) error {
	p, err := pack.Open(ctx, file)
	if err != nil {
		return err
	}
	defer p.Close()
	m, err := p.Module()
	if err != nil {
		return err
	}
	about, err := m.About()
	if err != nil {
		return fmt.Errorf("%s is %w", p.Wasm, err)
	}
	c, err := p.Deployed(p.Name)
	if err != nil {
		return err
	}
	v := packageView{File: file, Size: p.Info.Size, SHA256: p.Info.SHA256, Name: p.Name, Body: c, Mounts: []mountFilesView{}, Program: newInspection(p.Wasm, m, about), Unused: p.Unused}
	for i, mount := range c.Mounts {
		view := mountFilesView{Mount: mount, Source: p.Mounts[i].Folder}
		if f := p.Files[i]; f != nil {
			view.Count, view.Bytes = f.Count, f.Bytes
		}
		v.Mounts = append(v.Mounts, view)
	}
	if err := a.print(v, func() { a.printPackage(v); a.printInspection(v.Program, about) }); err != nil {
		return err
	}
	if err := about.Speaks(c.Interface); err != nil {
		return fmt.Errorf("%s cannot be deployed: %s is %w", filepath.Base(file), p.Wasm, err)
	}
	return nil
}

func (a *app) printPackage(v packageView) {
	fmt.Fprintf(a.out, "%s: package %s, %s, sha256 %s\n", printable(filepath.Base(v.File)), v.Name, bytesText(v.Size), v.SHA256)
	bare := v.Body
	bare.Mounts = nil
	changes, err := diff.Of(api.Intent{Body: []byte("{}")}, api.Target{}, &bare)
	if err != nil {
		return // what was read can be written
	}
	var settings []string
	for _, c := range changes {
		if c.Field != diff.FieldProgram {
			settings = append(settings, c.Field+" "+clip(oneLine(c.To), maxValue))
		}
	}
	for _, line := range wrapped(strings.Join(settings, ", "), planWidth) {
		fmt.Fprintf(a.out, "  %s\n", line)
	}
	if len(v.Mounts) > 0 {
		fmt.Fprintln(a.out, "mounts")
	}
	var rows [][]string
	for _, m := range v.Mounts {
		rows = append(rows, []string{"  " + m.Guest, diff.MountText(m.Mount), m.text()})
	}
	table(a.out, rows)
	if v.Unused > 0 {
		fmt.Fprintf(a.out, "%s in it are of no use: the manifest does not name them\n", plural(v.Unused, "file"))
	}
}

// text says what is in a mount.
func (m mountFilesView) text() string {
	if m.Files == nil {
		return ""
	}
	return fmt.Sprintf("%s, %s, from %s", plural(m.Count, "file"), bytesText(m.Bytes), oneLine(m.Source))
}
