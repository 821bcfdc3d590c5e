package cli

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/realm/internal/manifest"
	"github.com/realm-mesh/realm/realm/internal/sources"
	"github.com/realm-mesh/realm/realm/internal/wasmfile"
)

// fit settles how the program in file is spoken to: as --http says, if it can be, or else
// as what it is.
func (c *componentFlags) fit(cmd *cobra.Command, file string, about wasmfile.About, body *api.Component) error {
	can, err := about.Interface()
	switch {
	case err != nil:
		return fmt.Errorf("%s is %w", file, err)
	case c.http == "":
		body.Interface = can
		return nil
	}
	if err := about.Speaks(body.Interface); err != nil {
		return misused(cmd, fmt.Errorf("--http %s: %s is %w: leave --http out, or say --http %s", c.http, filepath.Base(file), err, httpWord(can)))
	}
	return nil
}

// unused says, a line each, what of a component is of no use to its program.
func unused(c *api.Component, about wasmfile.About) (out []string) {
	if len(c.AllowHosts) > 0 && !about.Component {
		out = append(out, "allow_hosts is for components: a core module has no way to send requests")
	}
	return out
}

// fits holds the programs of a manifest that are on this machine against what it says of
// them: whatever would be refused by nodes is told of before anything is signed. A manifest
// has to say itself how its programs are spoken to, since they need not be here.
func (a *app) fits(ctx context.Context, c manifest.Component, p sources.Program) error {
	if !p.Here() || ctx.Err() != nil {
		return context.Cause(ctx)
	}
	m, err := p.Read()
	if err != nil {
		return err
	}
	about, err := m.About()
	var can api.Interface
	if err == nil {
		can, err = about.Interface()
	}
	if err != nil {
		return fmt.Errorf("%s: component %s: %s is %w", c.At, c.Name, p.Name, err)
	}
	if err := about.Speaks(c.Body.Interface); err != nil {
		return fmt.Errorf("%s: component %s: %s is %w: %s", c.At, c.Name, p.Name, err, httpKey(can))
	}
	for _, text := range unused(&c.Body, about) {
		a.note("warning: %s: %s", c.Name, text)
	}
	return nil
}

// httpWord is what --http and the key http say of an interface.
func httpWord(i api.Interface) string {
	if i == api.InterfaceCommand {
		return httpNone
	}
	return string(i)
}

// httpKey says how a manifest has it that a program is spoken to like this.
func httpKey(i api.Interface) string {
	if i == api.InterfaceCommand {
		return "leave the key http out"
	}
	return fmt.Sprintf("say http = %q", string(i))
}
