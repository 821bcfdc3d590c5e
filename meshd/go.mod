module github.com/realm-mesh/realm/meshd

go 1.26.0

require (
	github.com/realm-mesh/realm/api v0.0.0
	github.com/realm-mesh/realm/internal/kit v0.0.0
)

replace (
	github.com/realm-mesh/realm/api => ../api
	github.com/realm-mesh/realm/internal/kit => ../internal/kit
)
