package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/paths"
	"github.com/realm-mesh/realm/realm/internal/owner"
)

func newKeyRestore(a *app) *cobra.Command {
	var realm string
	var passphrase bool
	cmd := &cobra.Command{
		Use:   "restore",
		Short: "Make your owner key again of its 24 words",
		Long: `Read the words of realm key backup from the terminal or from standard input, and
write the owner key of this account. A key that is there already is never
overwritten. Case and line breaks do not matter, nor numbers before the words.

The realm id follows from the key, but not from one that came about by a rotation:
give it with --realm, as realm key backup printed it.`,
		Example: `  realm key restore
  realm key restore --passphrase --realm jspnvkd5pwvqamxswqm3wmwrnnp46mgp
  cat words.txt | realm key restore`,
		Args: arguments(),
	}
	cmd.Flags().StringVar(&realm, "realm", "", "id of the realm that the key speaks for (default: follows from the key)")
	cmd.Flags().BoolVar(&passphrase, "passphrase", false, "encrypt the key file with a passphrase, asked for or from --passphrase-file or $"+envPassphrase)
	cmd.RunE = a.bounded(func(ctx context.Context, cmd *cobra.Command, _ []string) error {
		s := owner.Secret{}
		if realm != "" {
			var err error
			if s.Realm, err = api.ParseRealmID(realm); err != nil {
				return misused(cmd, fmt.Errorf("--realm: %w", err))
			}
		}
		return a.restore(ctx, s, passphrase)
	})
	return cmd
}

// restore reads the words of s.
func (a *app) restore(ctx context.Context, s owner.Secret, passphrase bool) error {
	path, err := paths.OwnerKey()
	if err != nil {
		return err
	}
	if err := owner.CheckNone(path); err != nil {
		return err
	}
	text, err := a.readWords(ctx)
	if err != nil {
		return err
	}
	if s.Private, err = owner.ParseWords(text); err != nil {
		return err
	}
	k, err := a.saveKey(ctx, s, passphrase)
	if err != nil {
		return err
	}
	v := viewOwner(k)
	return a.print(v, func() {
		fmt.Fprintf(a.out, `Restored the owner key of this account.

  file   %s
  key    %s
  realm  %s

Compare key and realm with what you wrote down. If the realm is another one, the key
came about by a rotation: remove the file, and restore it with --realm.
`, v.File, v.Key, v.Realm)
	})
}

// saveKey makes s the key of this account, with a passphrase if that is wanted.
func (a *app) saveKey(ctx context.Context, s owner.Secret, passphrase bool) (owner.Key, error) {
	p := ""
	if passphrase {
		var err error
		if p, err = a.newPassphrase(ctx, a.current()); err != nil {
			return owner.Key{}, err
		}
	}
	return owner.Save(s, p)
}

// readWords reads to the end of the input, or, from a terminal, to the last word.
func (a *app) readWords(ctx context.Context) (string, error) {
	if a.in == nil {
		return "", errors.New("there is nothing to read the words from: type them on a terminal, or give them on standard input")
	}
	in := io.LimitReader(a.in, owner.MaxWords+1) // a longer text is refused when it is read
	if !a.terminal() {
		return answer(ctx, func() (string, error) {
			b, err := io.ReadAll(in)
			return string(b), err
		})
	}
	fmt.Fprintf(a.err, "Type the %d words, in as many lines as you like:\n", owner.WordCount)
	return answer(ctx, func() (string, error) {
		var text strings.Builder
		lines := bufio.NewScanner(in)
		for owner.CountWords(text.String()) < owner.WordCount && lines.Scan() {
			text.WriteString(lines.Text() + "\n")
		}
		return text.String(), lines.Err()
	})
}
