module github.com/realm-mesh/realm/engine/bench

go 1.26.0

require (
	github.com/bytecodealliance/wasmtime-go/v37 v37.0.0
	github.com/realm-mesh/realm/engine v0.0.0
	github.com/tetratelabs/wazero v1.12.0
	golang.org/x/sys v0.49.0
)

replace github.com/realm-mesh/realm/engine => ../
