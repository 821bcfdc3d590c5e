package node

import (
	"errors"
	"fmt"
	"net"
	"strings"
)

// pattern splits a route of package api into its method and path.
func pattern(route string) (method, path string) {
	method, path, _ = strings.Cut(route, " ")
	return method, path
}

// notSent reports whether err came before a single byte of the request was sent.
func notSent(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

func wrap(verb string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", verb, err)
}
