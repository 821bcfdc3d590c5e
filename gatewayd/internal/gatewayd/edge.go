package gatewayd

import (
	"net/http"
	"path/filepath"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/gatewayd/internal/edge"
	"github.com/realm-mesh/realm/gatewayd/internal/public"
	"github.com/realm-mesh/realm/gatewayd/internal/seen"
	"github.com/realm-mesh/realm/gatewayd/internal/server"
	"github.com/realm-mesh/realm/internal/kit/daemon"
)

// newEdge wires what is open while isEdge says so.
func newEdge(env *daemon.Env, isEdge func() bool, h *public.Handler, listens *server.Metrics, see *seen.Seen) *edge.Edge {
	return edge.New(edge.Config{
		IsEdge: isEdge, HTTP: env.Config.EdgeListen, HTTPS: env.Config.EdgeTLSListen,
		Certs: certs(env), Listen: listen, Handler: h, Listens: listens, Log: env.Log,
		See: func(h http.Handler) http.Handler { return see.Handler("edge", true, h) },
	}, edge.NewMetrics(env.Metrics))
}

// certs is where certificates come from; nil: from nowhere.
func certs(env *daemon.Env) edge.Certs {
	c := env.Config
	var files *edge.Files
	if len(c.EdgeCerts) > 0 {
		files = &edge.Files{Log: env.Log}
	}
	for i := range c.EdgeCerts {
		files.Pairs = append(files.Pairs, edge.Pair{Cert: c.EdgeCerts[i], Key: c.EdgeKeys[i]})
	}
	switch {
	case c.ACMEDirectory != "":
		return &edge.ACME{Directory: c.ACME(), Email: c.ACMEEmail, Root: c.ACMERoot, Dir: filepath.Join(env.Home.State(api.Gatewayd), "acme"),
			HTTP: c.EdgeListen, HTTPS: c.EdgeTLSListen, Files: files, Log: env.Log}
	case files != nil:
		return files
	}
	return nil
}
