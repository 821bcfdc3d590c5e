package edge

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/gatewayd/internal/public"
	"github.com/realm-mesh/realm/internal/kit/ingress"
	"github.com/realm-mesh/realm/internal/kit/local"
)

// handle answers all requests to what is public.
func (e *Edge) handle(w http.ResponseWriter, r *http.Request) { e.cfg.Handler.Watch(w, r, e.dispatch) }

func (e *Edge) dispatch(w http.ResponseWriter, r *http.Request) {
	m, ok := e.table.Load().Find(r.Host, r.URL.EscapedPath())
	switch {
	case !ok || r.Method == http.MethodConnect:
		fail(w, http.StatusNotFound, nil)
	case m.Whole && m.Mount != "":
		to := m.Mount + "/"
		if r.URL.RawQuery != "" {
			to += "?" + r.URL.RawQuery
		}
		w.Header().Set("Location", to)
		w.WriteHeader(http.StatusTemporaryRedirect)
	default:
		e.pass(w, r, m)
	}
}

func (e *Edge) pass(w http.ResponseWriter, r *http.Request, m ingress.Match) {
	e.cfg.Handler.Pass(w, r, public.Passage{
		Ref:  api.Ref{Kind: api.KindComponent, Name: m.Name},
		Base: api.PathComponent(m.Name) + "/", Mount: m.Mount, Rest: m.Rest,
		Fail: fail, Modify: conceal,
	})
}

// fail tells a stranger no more than the status. Who owns the realm finds the reason in
// the log of the component, and by realm explain.
func fail(w http.ResponseWriter, status int, _ error) { local.WriteError(w, status, words(status)) }

func words(status int) error { return errors.New(strings.ToLower(http.StatusText(status))) }

// conceal takes from an error that a daemon tells, of a program that has failed, what its
// owner alone is to read: what it logged last, and why it ended.
func conceal(resp *http.Response) {
	if resp.Header.Get(api.HeaderFailed) == "" {
		return
	}
	body, err := json.Marshal(api.ErrorReply{Error: words(resp.StatusCode).Error()})
	if err != nil {
		return // it holds a string
	}
	resp.Body.Close()
	resp.Body, resp.ContentLength, resp.Trailer = io.NopCloser(bytes.NewReader(body)), int64(len(body)), nil
	resp.Header.Set("Content-Length", strconv.Itoa(len(body)))
}
