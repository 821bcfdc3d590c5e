package public

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/gatewayd/internal/forward"
	"github.com/realm-mesh/realm/internal/kit/local"
)

// component answers /NAME/REST; name and rest are escaped. Without the slash it
// sends the client there, so that relative links of the program work.
func (h *Handler) component(w http.ResponseWriter, r *http.Request, name, rest string, slash bool) {
	n, port, err := parseMount(name)
	if err != nil {
		local.WriteError(w, http.StatusNotFound, fmt.Errorf("no program can have this path: %w", err))
		return
	}
	if !slash {
		u := url.URL{Path: "/" + name + "/", RawQuery: r.URL.RawQuery}
		http.Redirect(w, r, u.String(), http.StatusTemporaryRedirect)
		return
	}
	ref, base := h.find(n, port)
	h.Pass(w, r, Passage{Ref: ref, Base: base, Mount: "/" + name, Rest: rest, Fail: func(w http.ResponseWriter, status int, err error) {
		if status == http.StatusNotFound && h.has(api.Ref{Kind: api.KindFunction, Name: ref.Name}) {
			err = fmt.Errorf(`%q is a function: call it with POST /exec {"name":%q,"arg":…}`, ref.Name, ref.Name)
		}
		local.WriteError(w, status, err)
	}})
}

// parseMount reads the first segment of a path: the name of a program, and after "~" that
// of a port, which services alone have.
func parseMount(segment string) (name, port api.Name, err error) {
	text, of, named := strings.Cut(segment, "~")
	if name, err = api.ParseName(text); err != nil || !named {
		return name, "", err
	}
	port, err = api.ParseName(of)
	return name, port, err
}

// find is what a name stands for, and the path below which members have it: a component,
// or a service if there is none.
func (h *Handler) find(name, port api.Name) (ref api.Ref, base string) {
	ref = api.Ref{Kind: api.KindComponent, Name: name}
	t, _ := h.live.Now()
	service, ok := t.Service(name)
	switch {
	case port == "" && (!ok || len(t.Replicas(ref)) > 0):
		return ref, api.PathComponent(name) + "/"
	case !ok:
		service = api.Ref{Kind: api.KindJob, Name: name}
	}
	if port == "" {
		port = api.AnyPort
	}
	return service, api.PathService(service.Name, port) + "/"
}

// plainPath decodes an escaped path that goes on to a program as it is. Segments
// that mean another folder, which no client sends by itself, and NULs, which no
// environment variable holds, are refused.
func plainPath(escaped string) (string, error) {
	plain, err := url.PathUnescape(escaped)
	if err != nil {
		return "", fmt.Errorf("path: %w", err)
	}
	if strings.ContainsRune(plain, 0) {
		return "", errors.New("path: it holds a NUL")
	}
	for s := range strings.SplitSeq(plain, "/") {
		if s == "." || s == ".." {
			return "", fmt.Errorf("path: a segment is %q: ask for the path that you mean", s)
		}
	}
	return plain, nil
}

// withoutEmptySegments escapes the second of two slashes. The path means the same;
// but the routers of the daemons on its way would answer an empty segment with a
// redirect to an address of their own.
func withoutEmptySegments(escaped string) string { return strings.ReplaceAll(escaped, "//", "/%2F") }

// member is the transport to whichever member runs a workload.
type member struct {
	sender *forward.Sender
	ref    api.Ref
}

func (m member) RoundTrip(r *http.Request) (*http.Response, error) { return m.sender.Send(m.ref, r) }

// rewrite makes of the client's request the one that a member gets.
func rewrite(p *httputil.ProxyRequest, to *url.URL) {
	p.Out.URL = to
	p.Out.Trailer = p.In.Trailer // filled in while the body is read
	for name := range p.Out.Header {
		if untrusted(name) {
			delete(p.Out.Header, name)
		}
	}
	local.DropOwn(p.Out.Header)
	p.SetXForwarded()
}

// untrusted reports whether a header would tell a program something that only the
// gateway knows. CGI programs see '-' and '_' as one, and "Proxy" as the setting
// HTTP_PROXY.
func untrusted(name string) bool {
	switch name {
	case "Forwarded", "Proxy", "X-Real-Ip", "X-Client-Ip", "True-Client-Ip":
		return true
	}
	return strings.HasPrefix(name, "X-Forwarded-") || strings.ContainsRune(name, '_')
}

// bufferPool lends the buffers through which answers flow.
type bufferPool struct{ pool sync.Pool }

const bufferSize = 32 << 10

func (b *bufferPool) Get() []byte {
	if p, ok := b.pool.Get().(*[bufferSize]byte); ok {
		return p[:]
	}
	return make([]byte, bufferSize)
}

func (b *bufferPool) Put(p []byte) { b.pool.Put((*[bufferSize]byte)(p)) }
