// Command casd keeps the blobs of a node and brings missing ones from peers.
package main

import (
	"os"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/casd/internal/casd"
	"github.com/realm-mesh/realm/internal/kit/daemon"
)

func main() { os.Exit(daemon.Main(api.Casd, casd.New)) }
