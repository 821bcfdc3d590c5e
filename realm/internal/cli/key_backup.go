package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/mdp/qrterminal/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/realm/internal/owner"
)

// backupView is the key in words, in JSON.
type backupView struct {
	Key   keys.Public `json:"key"`
	Realm api.RealmID `json:"realm"`
	Words string      `json:"words"`
}

func newKeyBackup(a *app) *cobra.Command {
	var qr, yes bool
	cmd := &cobra.Command{
		Use:   "backup",
		Short: "Write your owner key in 24 words, for paper",
		Long: `Print your owner key as 24 English words (BIP-39). Write them down, with the realm
id, and keep the paper where only you come: whoever has the words has the key,
passphrase or not. realm key restore makes the key of them again. The passphrase is
asked for, also while the key is unlocked.

They are printed on a terminal only, so that they do not end up in a file or a log;
--yes prints them anywhere.`,
		Example: `  realm key backup
  realm key backup --qr
  realm key backup --yes`,
		Args: arguments(),
	}
	cmd.Flags().BoolVar(&qr, "qr", false, "as a QR code of the same words")
	cmd.Flags().BoolVar(&yes, "yes", false, "print the secret even where it is not shown on a terminal")
	cmd.RunE = a.bounded(func(ctx context.Context, cmd *cobra.Command, _ []string) error {
		if qr && a.json {
			return misused(cmd, errors.New("--qr is a picture: leave out --json"))
		}
		if f, ok := a.out.(*os.File); !yes && (!ok || !term.IsTerminal(int(f.Fd()))) {
			return errors.New("this would print your private key to something that is not a terminal: give --yes if that is meant")
		}
		return a.backup(ctx, qr)
	})
	return cmd
}

func (a *app) backup(ctx context.Context, qr bool) error {
	k, err := owner.Load()
	if err != nil {
		return err
	}
	s, err := a.openKey(ctx, k)
	if err != nil {
		return err
	}
	words, err := owner.Words(s.Private)
	if err != nil {
		return err
	}
	v := backupView{k.Public(), k.Realm(), strings.Join(words, " ")}
	return a.print(v, func() {
		if qr {
			printQR(a.out, v.Words)
		} else {
			printWords(a.out, words)
		}
		fmt.Fprintf(a.out, "\nkey    %s\nrealm  %s\n\nTo make the key of them again:  %s\n", v.Key, v.Realm, restoreCommand(v))
	})
}

// restoreCommand names the realm where the key does not tell.
func restoreCommand(v backupView) string {
	if v.Realm == api.NewRealmID(v.Key.Key()) {
		return "realm key restore"
	}
	return "realm key restore --realm " + string(v.Realm)
}

const wordsInLine = 4

func printWords(w io.Writer, words []string) {
	for i, word := range words {
		end := ""
		if i%wordsInLine == wordsInLine-1 {
			end = "\n"
		}
		fmt.Fprintf(w, "%2d. %-9s%s", i+1, word, end)
	}
}

// printQR draws text in upper case, which QR codes hold in fewer dots, black on
// white whatever the colours of the terminal are.
func printQR(w io.Writer, text string) {
	var b bytes.Buffer
	qrterminal.GenerateHalfBlock(strings.ToUpper(text), qrterminal.M, &b)
	const whiteOnBlack, plain = "\x1b[97;40m", "\x1b[0m"
	for line := range strings.Lines(b.String()) {
		fmt.Fprintf(w, "%s%s%s\n", whiteOnBlack, strings.TrimSuffix(line, "\n"), plain)
	}
}
