package bridge

import (
	"errors"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"slices"
	"strings"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/local"
)

// errNotOffered is told to a peer that asks for what this service does not offer.
var errNotOffered = errors.New("members do not offer this to each other")

// Blobs serves [api.ServiceBlob]: reading blobs, indexes and chunks from casd, and
// following what it has of a blob. next reaches the node's daemons.
func Blobs(next http.RoundTripper, log *slog.Logger) http.Handler {
	forward := toDaemon(next, api.Casd, log)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isBlobPath(r.Method, r.URL.Path) {
			refuse(w)
			return
		}
		forward.ServeHTTP(w, r)
	})
}

func isBlobPath(method, path string) bool {
	if path == api.PathChunks {
		return method == http.MethodPost
	}
	f := strings.Split(path, "/")
	if len(f) < 3 || f[0] != "" || method != http.MethodGet && method != http.MethodHead {
		return false
	}
	if _, err := api.ParseDigest(f[2]); err != nil {
		return false
	}
	switch f[1] {
	case "blobs":
		return len(f) == 3 || len(f) == 4 && (f[3] == "index" || f[3] == "have" && method == http.MethodGet)
	case "chunks":
		return len(f) == 3
	}
	return false
}

// Calls serves [api.ServiceCall]: functions, components and services of runnerd, and the
// files of volumes to who shows the owner's word. next reaches the node's daemons.
func Calls(next http.RoundTripper, log *slog.Logger) http.Handler {
	forward := toDaemon(next, api.Runnerd, log)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isCallPath(r.Method, r.URL.Path) {
			refuse(w)
			return
		}
		forward.ServeHTTP(w, r)
	})
}

func isCallPath(method, path string) bool {
	f := strings.Split(path, "/")
	if len(f) < 3 || f[0] != "" || slices.Contains(f, "..") || slices.Contains(f, ".") {
		return false
	}
	if _, err := api.ParseName(f[2]); err != nil {
		return false
	}
	switch f[1] {
	case "functions":
		return method == http.MethodPost && len(f) == 3
	case "components", "services":
		return true
	case "volumes":
		return method == http.MethodPost && len(f) == 4 && f[3] == "export" // who may is for runnerd to say
	}
	return false
}

// Accounts serves [api.ServiceNode]: what runnerd tells of a workload ([api.RouteAccount])
// and of its volumes, within so long.
func Accounts(next http.RoundTripper, within time.Duration, log *slog.Logger) http.Handler {
	forward := Within(within, toDaemon(next, api.Runnerd, log))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || !isAccountPath(r.URL.Path) {
			refuse(w)
			return
		}
		forward.ServeHTTP(w, r)
	})
}

func isAccountPath(path string) bool {
	f := strings.Split(path, "/")
	if path == api.PathVolumes {
		return true
	}
	if len(f) != 4 || f[0] != "" {
		return false
	}
	if f[1] == "volumes" {
		_, err := api.ParseName(f[2])
		return err == nil && f[3] == "files"
	}
	if f[1] != "workloads" {
		return false
	}
	r := api.Ref{Kind: api.Kind(f[2]), Name: api.Name(f[3])}
	return r.Kind.Workload() && r.Validate() == nil
}

// Jobs serves [api.ServiceJob]: what runnerd tells of jobs, and what members ask of each
// other about them and about secrets, which clients may not: writer reports who may.
func Jobs(next http.RoundTripper, writer func(*http.Request) bool, log *slog.Logger) http.Handler {
	forward := toDaemon(next, api.Runnerd, log)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isJobPath(r.Method, r.URL.Path) || r.Method != http.MethodGet && !writer(r) {
			refuse(w)
			return
		}
		forward.ServeHTTP(w, r)
	})
}

func isJobPath(method, path string) bool {
	if path == api.PathSecretKey {
		return method == http.MethodPost
	}
	f := strings.Split(path, "/")
	if len(f) < 2 || len(f) > 4 || f[0] != "" || f[1] != "jobs" || slices.Contains(f, "..") || slices.Contains(f, ".") {
		return false
	}
	if method == http.MethodPost {
		return slices.Contains([]string{api.PathJobClaims, api.PathJobTake, api.PathJobTail, api.PathJobVotes}, path)
	}
	return method == http.MethodGet
}

func refuse(w http.ResponseWriter) { local.WriteError(w, http.StatusForbidden, errNotOffered) }

// toDaemon forwards to the same path of a daemon of this node.
func toDaemon(next http.RoundTripper, d api.Daemon, log *slog.Logger) http.Handler {
	return proxy(next, log, func(r *httputil.ProxyRequest) { target(r.Out.URL, string(d)) })
}
