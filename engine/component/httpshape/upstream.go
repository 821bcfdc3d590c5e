package httpshape

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// Upstream serves what guests ask of other servers.
type Upstream struct {
	Addr   string
	server *http.Server
}

// StartUpstream listens on a free port of this machine.
func StartUpstream(ctx context.Context) (*Upstream, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for guests: %w", err)
	}
	u := &Upstream{Addr: l.Addr().String(), server: &http.Server{Handler: upstreamRoutes(), ReadHeaderTimeout: patience}}
	go func() { _ = u.server.Serve(l) }() // ends with Close
	return u, nil
}

// Close ends the server and its connections.
func (u *Upstream) Close() error { return u.server.Close() }

func upstreamRoutes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/plain", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-From", "upstream")
		_, _ = io.WriteString(w, "said by the upstream to "+r.Method+" "+r.URL.RequestURI()+"\n")
	})
	mux.HandleFunc("/teapot", func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["X-Two"] = []string{"one", "two"}
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, "short and stout\n")
	})
	mux.HandleFunc("/big", func(w http.ResponseWriter, _ *http.Request) {
		for range 16 {
			_, _ = w.Write(pattern(pieceSize))
		}
	})
	mux.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) {
		for range 3 {
			_, _ = io.WriteString(w, "part\n")
			_ = http.NewResponseController(w).Flush()
			select {
			case <-r.Context().Done():
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	})
	mux.HandleFunc("/trailers", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Trailer", "X-Sum")
		_, _ = io.WriteString(w, "with trailers\n")
		w.Header().Set("X-Sum", "42")
	})
	mux.HandleFunc("/redirect", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "/plain")
		w.WriteHeader(http.StatusFound)
	})
	mux.HandleFunc("/cut", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "only this\n")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	mux.HandleFunc("/show", show)
	return mux
}

// show answers with what it was asked.
func show(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "%s %s\n", r.Method, r.URL.RequestURI())
	for _, name := range []string{"X-One", "Accept", "Content-Type", "Te"} {
		fmt.Fprintf(w, "%s: %q\n", name, r.Header[name])
	}
	d, err := readBody(r.Body, 0)
	fmt.Fprintf(w, "%d bytes, %x, %v\n", d.size, d.sum[:8], err)
}
