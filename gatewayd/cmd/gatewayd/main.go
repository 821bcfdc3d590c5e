// Gatewayd is the daemon that programs on the mesh are reached through.
package main

import (
	"os"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/gatewayd/internal/gatewayd"
	"github.com/realm-mesh/realm/internal/kit/daemon"
)

func main() { os.Exit(daemon.Main(api.Gatewayd, gatewayd.New)) }
