package function

import "github.com/realm-mesh/realm/engine"

const (
	poolMost  = 16 // unused instances ready, while a function is called often
	poolMakes = 2  // of them made at once
)

// guest is an instance with the streams that it writes to.
type guest struct {
	*engine.Instance
	flush func()
}

func (g *guest) close() {
	g.Close()
	g.flush()
}
