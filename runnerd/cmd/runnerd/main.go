// Command runnerd brings this node to what the owner's intents ask of it, and
// runs programs in sandboxes.
package main

import (
	"os"

	"github.com/realm-mesh/realm/runnerd/internal/runnerd"
)

func main() { os.Exit(runnerd.Main()) }
