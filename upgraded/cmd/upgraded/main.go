// Command upgraded reports which release a node runs.
package main

import (
	"os"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/daemon"
	"github.com/realm-mesh/realm/upgraded/internal/upgraded"
)

func main() { os.Exit(daemon.Main(api.Upgraded, upgraded.New)) }
