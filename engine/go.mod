module github.com/realm-mesh/realm/engine

go 1.26.0

require (
	github.com/tetratelabs/wazero v1.12.0
	go.uber.org/goleak v1.3.0
	golang.org/x/sys v0.49.0
)
