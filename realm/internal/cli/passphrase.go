package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/realm/internal/owner"
)

// passphraseSource is where a passphrase comes from: a file, the environment, or
// the terminal, whichever is there first.
type passphraseSource struct {
	flag, file string // --flag FILE
	env        string
}

// current is the source of the passphrase that the key file has.
func (a *app) current() passphraseSource {
	return passphraseSource{"passphrase-file", a.passphraseFile, envPassphrase}
}

// Environment variables with passphrases, for where there is no terminal.
const (
	envPassphrase    = "REALM_PASSPHRASE"
	envNewPassphrase = "REALM_NEW_PASSPHRASE"
)

// given returns the passphrase that nobody needs to be asked for; ok tells whether
// there is one.
func (s passphraseSource) given() (p string, ok bool, err error) {
	if s.file != "" {
		p, err = readPassphrase(s.file)
		if err == nil {
			err = owner.CheckPassphrase(p)
		}
		if err != nil {
			return "", false, fmt.Errorf("--%s %s: %w", s.flag, s.file, err)
		}
		return p, true, nil
	}
	if p, ok = os.LookupEnv(s.env); !ok {
		return "", false, nil
	}
	if err := owner.CheckPassphrase(p); err != nil {
		return "", false, fmt.Errorf("%s: %w", s.env, err)
	}
	return p, true, nil
}

// readPassphrase returns the first line of a file, which must be its only one.
func readPassphrase(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := api.ReadAll(f, owner.MaxPassphrase+2)
	if err != nil {
		return "", err
	}
	line, rest, _ := bytes.Cut(b, []byte("\n"))
	if len(rest) > 0 {
		return "", errors.New("it has more than one line")
	}
	return strings.TrimSuffix(string(line), "\r"), nil
}

// passphraseTries is how often a person may mistype.
const passphraseTries = 3

// openKey asks for the passphrase of k until one fits.
func (a *app) openKey(ctx context.Context, k owner.Key) (owner.Secret, error) {
	s, _, err := a.openWith(ctx, k)
	return s, err
}

// openWith is [app.openKey] that returns the passphrase, too; "" for a key without.
func (a *app) openWith(ctx context.Context, k owner.Key) (owner.Secret, string, error) {
	if !k.Sealed() {
		s, err := k.Open("")
		return s, "", err
	}
	src := a.current()
	p, ok, err := src.given()
	if err != nil {
		return owner.Secret{}, "", err
	}
	if ok {
		s, err := k.Open(p)
		return s, p, err
	}
	if !a.terminal() {
		return owner.Secret{}, "", fmt.Errorf("%w (%s), and there is no terminal to ask for its passphrase: unlock it for a while with realm key unlock, or give the passphrase with --%s FILE or %s",
			owner.ErrLocked, k.Path, src.flag, src.env)
	}
	for try := 1; ; try++ {
		p, err := a.askHidden(ctx, "Passphrase of "+k.Path+": ")
		if err != nil {
			return owner.Secret{}, "", err
		}
		s, err := k.Open(p)
		if err == nil || try == passphraseTries || p != "" && !errors.Is(err, owner.ErrPassphrase) {
			return s, p, err
		}
		fmt.Fprintln(a.err, "That is not it: try again.")
	}
}

// newPassphrase asks for a passphrase to be, twice.
func (a *app) newPassphrase(ctx context.Context, src passphraseSource) (string, error) {
	p, ok, err := src.given()
	if err != nil || ok {
		return p, err
	}
	if !a.terminal() {
		return "", fmt.Errorf("there is no terminal to ask for the new passphrase: give it with --%s FILE or %s", src.flag, src.env)
	}
	if p, err = a.askHidden(ctx, "New passphrase: "); err != nil {
		return "", err
	}
	if err := owner.CheckPassphrase(p); err != nil {
		return "", fmt.Errorf("%w: nothing was changed", err)
	}
	again, err := a.askHidden(ctx, "Once more: ")
	if err != nil {
		return "", err
	}
	if again != p {
		return "", errors.New("the two are not the same: nothing was changed")
	}
	return p, nil
}

// terminal reports whether somebody can be asked.
func (a *app) terminal() bool { return a.in != nil && term.IsTerminal(int(a.in.Fd())) }

// askHidden asks for a line on the terminal and does not show it.
func (a *app) askHidden(ctx context.Context, prompt string) (string, error) {
	fd := int(a.in.Fd())
	shown, err := term.GetState(fd)
	if err != nil {
		return "", fmt.Errorf("ask on the terminal: %w", err)
	}
	fmt.Fprint(a.err, prompt)
	line, err := answer(ctx, func() (string, error) {
		b, err := term.ReadPassword(fd)
		return string(b), err
	})
	fmt.Fprintln(a.err)
	if ctx.Err() != nil {
		return "", errors.Join(context.Cause(ctx), term.Restore(fd, shown))
	}
	if err != nil {
		return "", fmt.Errorf("ask on the terminal: %w", err)
	}
	return line, nil
}

// answer waits for what read returns, or for the end of ctx. A read that nobody
// waits for any more ends with the process.
func answer(ctx context.Context, read func() (string, error)) (string, error) {
	type result struct {
		text string
		err  error
	}
	got := make(chan result, 1)
	go func() {
		text, err := read()
		got <- result{text, err}
	}()
	select {
	case r := <-got:
		return r.text, r.err
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}
