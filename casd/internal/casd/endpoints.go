package casd

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/casd/internal/fetch"
	"github.com/realm-mesh/realm/casd/internal/store"
	"github.com/realm-mesh/realm/internal/kit/local"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
)

// endpoints answer on the daemon's socket.
type endpoints struct {
	store    *store.Store
	fetcher  *fetch.Fetcher
	announce func(...api.Digest)
	vouch    func(h http.Header, blob api.Digest) // on answers about a blob that is here
	metrics  metrics
	idle     time.Duration
	log      *slog.Logger
}

func (e *endpoints) register(mux *http.ServeMux) {
	mux.HandleFunc(api.RouteBlobPut, e.put)
	mux.HandleFunc(api.RouteBlobGet, e.get)
	mux.HandleFunc(api.RouteBlobFetch, e.fetch)
	mux.HandleFunc(api.RouteChunkGet, e.chunk)
}

func (e *endpoints) put(w http.ResponseWriter, r *http.Request) {
	want, err := queryDigest(r.URL.Query())
	var info api.BlobInfo
	var fresh int64
	if err == nil {
		info, fresh, err = e.store.PutNew(r.Context(), newIdleReader(w, r, e.idle), r.ContentLength, want)
	}
	e.metrics.puts.WithLabelValues(result(err)).Inc()
	if err != nil {
		e.fail(w, r, err)
		return
	}
	e.announce(info.SHA256)
	w.Header().Set(api.HeaderNew, strconv.FormatInt(fresh, 10))
	local.WriteJSON(w, http.StatusOK, info)
}

func (e *endpoints) get(w http.ResponseWriter, r *http.Request) {
	d, err := pathDigest(r)
	if err == nil {
		err = e.send(w, r, d)
	}
	e.metrics.gets.WithLabelValues(result(err)).Inc()
	if err != nil {
		e.fail(w, r, err)
	}
}

func (e *endpoints) send(w http.ResponseWriter, r *http.Request, d api.Digest) error {
	blob, err := e.store.Open(d)
	if err != nil {
		return advise(err, d)
	}
	defer blob.Close()
	e.vouch(w.Header(), d)
	return advise(serve(w, r, blob, e.idle), d)
}

func (e *endpoints) chunk(w http.ResponseWriter, r *http.Request) {
	d, err := pathDigest(r)
	var b []byte
	if err == nil {
		b, err = e.store.Chunk(d)
	}
	e.metrics.gets.WithLabelValues(result(err)).Inc()
	if err != nil {
		e.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	_, _ = (&idleWriter{w, e.idle}).Write(b) // the caller has gone if this fails
}

func (e *endpoints) fetch(w http.ResponseWriter, r *http.Request) {
	d, err := pathDigest(r)
	var size int64
	if err == nil {
		size, err = querySize(r.URL.Query())
	}
	var info api.BlobInfo
	if err == nil {
		info, err = e.fetcher.Fetch(r.Context(), d, size)
	}
	e.metrics.fetches.WithLabelValues(result(err)).Inc()
	if err != nil {
		e.fail(w, r, err)
		return
	}
	e.announce(info.SHA256)
	local.WriteJSON(w, http.StatusOK, info)
}

func (e *endpoints) fail(w http.ResponseWriter, r *http.Request, err error) { fail(w, r, err, e.log) }

// failed returns the status of err, and logs what is this node's own trouble.
func (e *endpoints) failed(r *http.Request, err error) int { return failed(r, err, e.log) }

// fail answers with err. What is this node's own trouble is logged, too.
func fail(w http.ResponseWriter, r *http.Request, err error, log *slog.Logger) {
	local.WriteError(w, failed(r, err, log), err)
}

func failed(r *http.Request, err error, log *slog.Logger) int {
	code := status(err)
	if code == http.StatusInternalServerError && r.Context().Err() == nil {
		log.Error("request failed", "request", r.Method+" "+r.URL.Path, telemetry.Error(err))
	}
	return code
}

func pathDigest(r *http.Request) (api.Digest, error) {
	d, err := api.ParseDigest(r.PathValue("sha256"))
	if err != nil {
		return d, fmt.Errorf("%w: %w", errRequest, err)
	}
	return d, nil
}

// queryDigest reads the optional ?sha256=.
func queryDigest(q url.Values) (api.Digest, error) {
	if !q.Has("sha256") {
		return api.Digest{}, nil
	}
	d, err := api.ParseDigest(q.Get("sha256"))
	if err != nil {
		return d, fmt.Errorf("%w: sha256: %w", errRequest, err)
	}
	return d, nil
}

// querySize reads the optional ?size=, in bytes.
func querySize(q url.Values) (int64, error) {
	if !q.Has("size") {
		return 0, nil
	}
	n, err := strconv.ParseInt(q.Get("size"), 10, 64)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%w: size %.20q: want a number of bytes", errRequest, q.Get("size"))
	}
	return n, nil
}
