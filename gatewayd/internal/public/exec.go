package public

import (
	"bytes"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/gatewayd/internal/forward"
	"github.com/realm-mesh/realm/internal/kit/local"
)

const jsonType = "application/json"

// exec answers POST /exec.
func (h *Handler) exec(w http.ResponseWriter, r *http.Request) {
	if !allow(w, r, http.MethodPost) {
		return
	}
	if status, err := h.checkOrigin(r); err != nil {
		local.WriteError(w, status, err)
		return
	}
	b, err := api.ReadAll(r.Body, api.MaxExec)
	if err != nil {
		h.fail(w, r, &forward.BodyError{Err: err})
		return
	}
	req, err := decodeExec(b)
	if err != nil {
		local.WriteError(w, http.StatusBadRequest, err)
		return
	}
	release, ok := h.take(w, r, api.Ref{Kind: api.KindFunction, Name: req.Name})
	if !ok {
		return
	}
	defer release()
	begun := time.Now()
	h.call(w, r, req)
	h.metrics.execDone(time.Since(begun))
}

// checkOrigin refuses what a browser may send on behalf of another site.
func (h *Handler) checkOrigin(r *http.Request) (int, error) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != jsonType {
		return http.StatusUnsupportedMediaType, errors.New("want JSON: send it with the header Content-Type: " + jsonType)
	}
	if err := h.origin.Check(r); err != nil {
		return http.StatusForbidden, errors.New("pages of other sites may not call functions")
	}
	if from := r.Header.Get("Origin"); from != "" {
		if u, err := url.Parse(from); err != nil || u.Host != r.Host {
			return http.StatusForbidden, fmt.Errorf("pages of %.80q may not call functions", from)
		}
	}
	return 0, nil
}

// decodeExec reads the body of POST /exec. Arguments stay as they are written: what fits
// a function, whoever runs it knows.
func decodeExec(b []byte) (*api.ExecRequest, error) {
	req := new(api.ExecRequest)
	if err := api.Decode(b, api.MaxExec, req); err != nil {
		return nil, fmt.Errorf(`want {"name":"double","arg":21}, or "args":[…] for several: %w`, err)
	}
	return req, nil
}

// call has req answered by a member.
func (h *Handler) call(w http.ResponseWriter, r *http.Request, req *api.ExecRequest) {
	ref := api.Ref{Kind: api.KindFunction, Name: req.Name}
	reply, err := h.ask(r, ref, req.Call())
	var status *local.StatusError
	switch {
	case err == nil:
		local.WriteJSON(w, http.StatusOK, reply)
	case errors.As(err, &status):
		if status.Status == http.StatusServiceUnavailable {
			w.Header().Set("Retry-After", retrySoon)
		}
		local.WriteJSON(w, status.Status, status.ErrorReply)
	case statusOf(err) == http.StatusNotFound && h.has(api.Ref{Kind: api.KindComponent, Name: req.Name}):
		local.WriteError(w, http.StatusNotFound, fmt.Errorf("%q is a component, not a function: reach it under /%s/", req.Name, req.Name))
	default:
		h.fail(w, r, err)
	}
}

func (h *Handler) ask(r *http.Request, ref api.Ref, call *api.CallRequest) (*api.CallReply, error) {
	b, err := local.Marshal(call)
	if err != nil {
		return nil, fmt.Errorf("encode the call: %w", err)
	}
	out, err := http.NewRequestWithContext(r.Context(), http.MethodPost, api.PathFunction(ref.Name), bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("make the call: %w", err)
	}
	out.Header.Set("Content-Type", jsonType)
	resp, err := h.sender.Send(ref, out)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if err := local.CheckStatus(resp); err != nil {
		return nil, err
	}
	b, err = api.ReadAll(resp.Body, api.MaxResult)
	if err != nil {
		return nil, fmt.Errorf("read the answer of %s %q, which may have run: %w", ref.Kind, ref.Name, err)
	}
	reply := new(api.CallReply)
	if err := api.Decode(b, api.MaxResult, reply); err != nil {
		return nil, fmt.Errorf("the member's answer is none: %w", err)
	}
	return reply, nil
}
