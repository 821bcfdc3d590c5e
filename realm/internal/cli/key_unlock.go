package cli

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/realm-mesh/realm/realm/internal/keyagent"
	"github.com/realm-mesh/realm/realm/internal/owner"
)

const defaultUnlock = 15 * time.Minute

func newKeyUnlock(a *app) *cobra.Command {
	var life time.Duration
	cmd := &cobra.Command{
		Use:   "unlock",
		Short: "Ask for the passphrase now, and not again for a while",
		Long: `Ask for the passphrase of your owner key once, and let every command of this user
sign with it until the time is over. A process of its own holds the key in memory
meanwhile; it survives the terminal, and ends with realm key lock, when the time is
over, also when the machine sleeps, and with the machine.`,
		Example: `  realm key unlock
  realm key unlock --for 2h
  REALM_PASSPHRASE=… realm key unlock --for 5m`,
		Args: arguments(),
	}
	cmd.Flags().DurationVar(&life, "for", defaultUnlock, "how long, at most "+keyagent.MaxLife.String())
	cmd.RunE = a.bounded(func(ctx context.Context, cmd *cobra.Command, _ []string) error {
		if life < time.Second || life > keyagent.MaxLife {
			return misused(cmd, fmt.Errorf("--for %s: want 1s to %s", life, keyagent.MaxLife))
		}
		return a.unlock(ctx, life)
	})
	return cmd
}

func (a *app) unlock(ctx context.Context, life time.Duration) error {
	k, err := owner.Load()
	if err != nil {
		return err
	}
	if !k.Sealed() {
		return a.print(viewOwner(k), func() {
			fmt.Fprintf(a.out, "%s has no passphrase, so there is nothing to unlock. Set one with realm key passphrase.\n", k.Path)
		})
	}
	s, err := a.openKey(ctx, k)
	if err != nil {
		return err
	}
	_, err = keyagent.Start(ctx, keyagent.Options{Key: s.Private, KeyFile: k.Path, Life: life,
		Args: []string{os.Args[0], "key", agentCommand}, Env: withoutPassphrases(os.Environ())})
	if err != nil {
		return err
	}
	v := viewOwner(k)
	return a.print(v, func() { fmt.Fprintf(a.out, "%s is %s. Lock it before with realm key lock.\n", k.Path, v.state()) })
}

// withoutPassphrases is an environment that others may read in the process table.
func withoutPassphrases(env []string) []string {
	return slices.DeleteFunc(env, func(kv string) bool {
		return strings.HasPrefix(kv, envPassphrase+"=") || strings.HasPrefix(kv, envNewPassphrase+"=")
	})
}

func newKeyLock(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "lock",
		Short: "End what realm key unlock has begun",
		Long:  "End the process that holds your owner key unlocked, at once. From then on commands that sign ask for the passphrase.",
		Example: `  realm key lock
  realm key lock --json`,
		Args: arguments(),
		RunE: func(*cobra.Command, []string) error {
			k, err := owner.Load()
			if err != nil {
				return err
			}
			was, err := endAgent(k) // also where the file has no passphrase any more
			if err != nil {
				return err
			}
			if !k.Sealed() {
				return fmt.Errorf("%s has no passphrase, so it cannot be locked: set one with realm key passphrase", k.Path)
			}
			v := struct {
				ownerView
				Was bool `json:"was_unlocked"`
			}{viewOwner(k), was}
			return a.print(v, func() {
				if was {
					fmt.Fprintf(a.out, "%s is locked.\n", k.Path)
				} else {
					fmt.Fprintf(a.out, "%s was locked already.\n", k.Path)
				}
			})
		},
	}
}

// agentCommand is the subcommand of realm key that the agent's process runs.
const agentCommand = "agent"

func newKeyAgent(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     agentCommand,
		Short:   "Hold an unlocked key (run by realm key unlock)",
		Long:    "The process that realm key unlock starts: it gets the key on its standard input, and holds it until its time is over.",
		Example: "  realm key unlock",
		Hidden:  true,
		Args:    arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if a.terminal() {
				return misused(cmd, fmt.Errorf("%s is run by realm key unlock", cmd.CommandPath()))
			}
			return keyagent.Run(cmd.Context(), a.in, os.Stdout)
		},
	}
}
