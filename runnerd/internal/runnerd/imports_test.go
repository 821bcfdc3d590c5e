package runnerd

import (
	_ "github.com/cenkalti/backoff/v5"
	_ "github.com/prometheus/client_golang/prometheus"
	_ "github.com/realm-mesh/realm/internal/kit/daemon"
	_ "golang.org/x/sync/errgroup"
)
