package program

import "github.com/realm-mesh/realm/engine"

// Account is told what the instances of a program use. Its functions may be nil, are
// called from several goroutines, and must not block.
type Account struct {
	Used  func(engine.Usage) // when an instance ends
	Holds func(bytes int64)  // more, or fewer, of memory and tables
}
