package bridge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/local"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
)

const copyBuffer = 256 << 10

// forwarded are headers about the client at the far end of a call, written by the
// gateway that took it. Programs see them, wherever they run.
var forwarded = []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"}

// proxy forwards requests through next. rewrite sets the URL of the outgoing request.
func proxy(next http.RoundTripper, log *slog.Logger, rewrite func(*httputil.ProxyRequest)) http.Handler {
	p := &httputil.ReverseProxy{
		Transport:     next,
		FlushInterval: -1, // what a program writes is seen at once
		BufferPool:    buffers{},
		ErrorLog:      slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		Rewrite: func(r *httputil.ProxyRequest) {
			rewrite(r)
			r.Out.Host = r.In.Host // programs see the name they were called by
			for _, h := range forwarded {
				if v := r.In.Header[h]; v != nil {
					r.Out.Header[h] = v
				}
			}
			r.Out.Header.Del(local.HeaderToken)
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			if errors.Is(r.Context().Err(), context.DeadlineExceeded) {
				local.WriteError(w, http.StatusGatewayTimeout, errors.New("no answer in time: try again"))
				return
			}
			if r.Context().Err() != nil {
				panic(http.ErrAbortHandler) // the caller has gone
			}
			log.Debug("request could not be forwarded", "path", r.URL.Path, telemetry.Error(err))
			fail(w, r, err)
		},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// A program may answer while it still reads.
		if err := http.NewResponseController(w).EnableFullDuplex(); err != nil && !errors.Is(err, http.ErrNotSupported) {
			local.WriteError(w, http.StatusInternalServerError, err)
			return
		}
		p.ServeHTTP(w, r)
	})
}

// fail says in an answer why a request could not be forwarded, and whether it may have
// been acted on.
func fail(w http.ResponseWriter, r *http.Request, err error) {
	dial, ok := errors.AsType[*net.OpError](err)
	switch {
	case !ok || dial.Op != "dial":
		w.Header().Set(api.HeaderInterrupted, "1")
		err = errors.New("the connection broke before an answer")
	case dial.Net == "unix": // the path of its socket is nobody's business
		err = fmt.Errorf("%s of this member is not up at the moment: try again", r.URL.Host)
		fallthrough
	default:
		w.Header().Set(api.HeaderNotAccepted, "1")
	}
	local.WriteError(w, http.StatusBadGateway, err)
}

// Within bounds how long next takes over a request. What has not begun to be answered
// by then is answered with an error, an answer that goes on is cut off.
func Within(d time.Duration, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), d)
		defer cancel()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// target makes u the address of an outgoing request, on host.
func target(u *url.URL, host string) {
	u.Scheme, u.Host = "http", host
}

// pool holds the buffers of all proxies of the process.
var pool = sync.Pool{New: func() any { return new([copyBuffer]byte) }}

type buffers struct{}

func (buffers) Get() []byte  { return pool.Get().(*[copyBuffer]byte)[:] }
func (buffers) Put(b []byte) { pool.Put((*[copyBuffer]byte)(b)) }
