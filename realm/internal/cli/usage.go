package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/realm-mesh/realm/api"
)

// usageError says that the command line was wrong: exit code 2.
type usageError struct {
	error
	cmd *cobra.Command // whose help to read
}

func (e *usageError) Unwrap() error { return e.error }

// misused makes a usage error of cmd; nil stays nil.
func misused(cmd *cobra.Command, err error) error {
	if err == nil {
		return nil
	}
	return &usageError{err, cmd}
}

// arguments wants exactly these arguments, by their names in the help.
func arguments(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < len(names):
			return misused(cmd, fmt.Errorf("%s is missing", names[len(args)]))
		case len(args) > len(names) && len(names) == 0:
			return misused(cmd, fmt.Errorf("%s takes no arguments, but got %q", cmd.CommandPath(), args[0]))
		case len(args) > len(names):
			return misused(cmd, fmt.Errorf("%s takes %s and no more, but got %q, too", cmd.CommandPath(), strings.Join(names, " and "), args[len(names)]))
		}
		return nil
	}
}

// group makes a command that only holds others.
func group(cmd *cobra.Command, subs ...*cobra.Command) *cobra.Command {
	cmd.AddCommand(subs...)
	cmd.SuggestionsMinimumDistance = suggestDistance
	// Its flags are those of a subcommand whose name is not right: that is the error to tell.
	cmd.FParseErrWhitelist.UnknownFlags = true
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		text := fmt.Sprintf("unknown command %q for %q", args[0], cmd.CommandPath())
		if like := cmd.SuggestionsFor(args[0]); len(like) > 0 {
			text += "\n\nDid you mean this?\n\t" + strings.Join(like, "\n\t") + "\n"
		}
		return misused(cmd, errors.New(text))
	}
	return cmd
}

const suggestDistance = 2

// parseName is [api.ParseName] with a hint for a name that was left out.
func parseName(cmd *cobra.Command, flag, s string) (api.Name, error) {
	if s == "" && !cmd.Flags().Changed(flag) {
		return "", misused(cmd, fmt.Errorf("--%s is missing: give the program a name", flag))
	}
	n, err := api.ParseName(s)
	return n, misused(cmd, err)
}
