package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/realm-mesh/realm/realm/internal/owner"
)

func newKeyPassphrase(a *app) *cobra.Command {
	var remove bool
	src := passphraseSource{flag: "new-passphrase-file", env: envNewPassphrase}
	cmd := &cobra.Command{
		Use:   "passphrase",
		Short: "Set, change or remove the passphrase of your owner key",
		Long: `Encrypt the file of your owner key with a passphrase, change that, or take it away
(--remove). The file is replaced in one step; the key stays the same. Nobody can
find out a forgotten passphrase: have the words of realm key backup in a safe place.`,
		Example: `  realm key passphrase
  realm key passphrase --remove
  realm key passphrase --passphrase-file old.txt --new-passphrase-file new.txt`,
		Args: arguments(),
	}
	cmd.Flags().BoolVar(&remove, "remove", false, "leave the key unencrypted")
	cmd.Flags().StringVar(&src.file, src.flag, "", "file with the new passphrase (default: $"+src.env+", else asked for)")
	cmd.RunE = a.bounded(func(ctx context.Context, cmd *cobra.Command, _ []string) error {
		if remove && src.file != "" {
			return misused(cmd, errors.New("--remove and --new-passphrase-file: which of them?"))
		}
		return a.setPassphrase(ctx, src, remove)
	})
	return cmd
}

func (a *app) setPassphrase(ctx context.Context, src passphraseSource, remove bool) error {
	k, err := owner.Load()
	if err != nil {
		return err
	}
	if remove && !k.Sealed() {
		return a.print(viewOwner(k), func() { fmt.Fprintf(a.out, "%s has no passphrase.\n", k.Path) })
	}
	s, err := a.openKey(ctx, k)
	if err != nil {
		return err
	}
	passphrase := ""
	if !remove {
		if passphrase, err = a.newPassphrase(ctx, src); err != nil {
			return err
		}
	}
	next, err := k.SetPassphrase(s, passphrase)
	if err != nil {
		return err
	}
	if remove {
		if _, err := endAgent(next); err != nil {
			return fmt.Errorf("the passphrase is gone, but the key is still held unlocked: %w", err)
		}
	}
	return a.print(viewOwner(next), func() {
		switch {
		case remove:
			fmt.Fprintf(a.out, "%s has no passphrase any more: whoever can read the file can sign.\n", k.Path)
		case k.Sealed():
			fmt.Fprintf(a.out, "%s has another passphrase now. Copies of the file still have the old one.\n", k.Path)
		default:
			fmt.Fprintf(a.out, "%s has a passphrase now. Copies of the file that were made before have none:\nfind and remove them. To sign for a while without typing it: realm key unlock\n", k.Path)
		}
	})
}
