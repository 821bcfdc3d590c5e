package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/realm/internal/oci"
	"github.com/realm-mesh/realm/realm/internal/sources"
	"github.com/realm-mesh/realm/realm/internal/wasmfile"
)

// sourceFlags say where a program is.
type sourceFlags struct {
	flag   string // that names it
	text   string // a file, an address, or what a registry has
	sha256 string
	want   api.Digest // zero: any
}

func (s *sourceFlags) declare(f *pflag.FlagSet, flag string) {
	s.flag = flag
	f.StringVar(&s.text, flag, "", "the .wasm file, its http(s) address, or oci://HOST/REPO:TAG")
	f.StringVar(&s.sha256, "sha256", "", "what its digest must be, in hex; http addresses of other machines need it")
}

// check reads the flags.
func (s *sourceFlags) check(cmd *cobra.Command) (err error) {
	if s.text == "" {
		return misused(cmd, fmt.Errorf("--%s is missing: name a .wasm file, its http(s) address, or oci://HOST/REPO:TAG", s.flag))
	}
	if oci.Is(s.text) {
		if _, err := oci.Parse(s.text); err != nil {
			return misused(cmd, fmt.Errorf("--%s: %w", s.flag, err))
		}
	}
	if s.sha256 != "" {
		if s.want, err = api.ParseDigest(strings.ToLower(s.sha256)); err != nil {
			return misused(cmd, fmt.Errorf("--sha256: %w", err))
		}
	}
	return nil
}

// load fetches the program.
func (s *sourceFlags) load(ctx context.Context, a *app) func(string) (wasmfile.Module, error) {
	return func(text string) (wasmfile.Module, error) { return sources.Get(ctx, text, s.want, a.note) }
}
