module github.com/realm-mesh/realm/runnerd

go 1.26.0

require (
	github.com/realm-mesh/realm/api v0.0.0
	github.com/realm-mesh/realm/internal/kit v0.0.0
)

require (
	github.com/cenkalti/backoff/v5 v5.0.3 // indirect
	github.com/prometheus/client_golang v1.25.0 // indirect
	github.com/tetratelabs/wazero v1.12.0 // indirect
	go.uber.org/goleak v1.3.0 // indirect
	golang.org/x/sync v0.24.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
	gopkg.in/natefinch/lumberjack.v2 v2.2.1 // indirect
)

replace (
	github.com/realm-mesh/realm/api => ../api
	github.com/realm-mesh/realm/internal/kit => ../internal/kit
)
