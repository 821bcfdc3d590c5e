package engine

import "github.com/realm-mesh/realm/engine/meter"

// Kind is what a program is for its host, by what it exports.
type Kind string

// Kinds of programs.
const (
	KindCommand = Kind(meter.Command)  // it runs once, to its end: _start, or wasi:cli/run
	KindHTTP    = Kind("http handler") // it answers requests: wasi:http/incoming-handler
	KindReactor = Kind(meter.Reactor)  // its _initialize runs before its other exports are called
	KindLibrary = Kind(meter.Library)  // its exports can be called
)

// Kind says what the program is for its host. A component that is both answers requests.
func (s *Shape) Kind() Kind {
	switch {
	case s.Component == nil:
		return Kind(s.Shape.Kind())
	case s.Component.IsHandler():
		return KindHTTP
	case s.Component.IsCommand():
		return KindCommand
	}
	return KindLibrary
}
