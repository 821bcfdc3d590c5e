// Command meshd makes a node a member of its realm. It is started by realm up.
package main

import (
	"os"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/daemon"
	"github.com/realm-mesh/realm/meshd/internal/meshd"
)

func main() { os.Exit(daemon.Main(api.Meshd, meshd.New)) }
