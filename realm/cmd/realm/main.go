// Command realm is the command line of a realm, and, as "realm up", the launcher
// of a node.
package main

import (
	"os"

	"github.com/realm-mesh/realm/realm/internal/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:], os.Stdout, os.Stderr)) }
