package exchange

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/realm-mesh/realm/engine"
	"github.com/realm-mesh/realm/internal/kit/buildinfo"
)

// Server is a web program: it answers r, whose URL has the form /anything/NAME/path…, and
// path is what follows NAME, decoded, without its slash.
type Server interface {
	Serve(w http.ResponseWriter, r *http.Request, path string) error
}

// Probe asks the program NAME for path, which begins with a slash and may have a query, and
// returns nil if it answers with a status from 200 to 399 within timeout. Else the
// error says what it does instead.
func Probe(ctx context.Context, s Server, name, path string, timeout time.Duration) error {
	begin := "/probe/" + name
	at, err := url.ParseRequestURI(begin + path)
	if err != nil {
		return fmt.Errorf("GET %s: %w", path, err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("no answer within %s", timeout))
	defer cancel()
	r := &http.Request{Method: http.MethodGet, URL: at, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Host: "localhost",
		Header: http.Header{"User-Agent": {"realm-probe/" + buildinfo.Version}}, Body: http.NoBody}
	answer := &verdict{header: http.Header{}}
	if err := probe(ctx, s, answer, r, begin); err != nil {
		if stopped := new(engine.StoppedError); errors.As(err, &stopped) {
			err = stopped.Cause // what it has used does not count here
		}
		return fmt.Errorf("GET %s: %w", path, err)
	}
	if answer.status < http.StatusOK || answer.status >= http.StatusBadRequest {
		return fmt.Errorf("GET %s: it answers %d %s", path, answer.status, http.StatusText(answer.status))
	}
	return nil
}

// probe serves r, where there is no connection to break off.
func probe(ctx context.Context, s Server, w http.ResponseWriter, r *http.Request, begin string) (err error) {
	defer func() {
		switch v := recover(); v {
		case nil:
		case http.ErrAbortHandler:
			err = errors.New("the answer breaks off")
			if cause := context.Cause(ctx); cause != nil {
				err = cause
			}
		default:
			panic(v)
		}
	}()
	return s.Serve(w, r.WithContext(ctx), r.URL.Path[len(begin+"/"):])
}

// verdict takes of an answer nothing but its status.
type verdict struct {
	header http.Header
	status int
}

// Header implements [http.ResponseWriter].
func (v *verdict) Header() http.Header { return v.header }

// WriteHeader implements [http.ResponseWriter].
func (v *verdict) WriteHeader(status int) { v.status = status }

// Write implements [http.ResponseWriter].
func (v *verdict) Write(b []byte) (int, error) { return io.Discard.Write(b) }
