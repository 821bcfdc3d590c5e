package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"
)

// errDeclined is the error of a command whose question was not answered with yes.
var errDeclined = errors.New("nothing was changed")

// confirm asks a person whether to go on; yes is that of --yes.
func (a *app) confirm(ctx context.Context, yes bool, question string) error {
	if yes {
		return nil
	}
	if !a.terminal() {
		return fmt.Errorf("%s\nThere is no terminal to answer on: give --yes if that is meant; %w", question, errDeclined)
	}
	fmt.Fprintf(a.err, "%s Go on? [y/N] ", question)
	text, err := answer(ctx, func() (string, error) {
		line, err := bufio.NewReader(a.in).ReadString('\n')
		if line != "" {
			err = nil
		}
		return line, err
	})
	if err != nil {
		return fmt.Errorf("ask on the terminal: %w", err)
	}
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "y", "yes":
		return nil
	}
	return errDeclined
}
