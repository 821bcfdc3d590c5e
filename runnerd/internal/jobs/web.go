package jobs

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/local"
	"github.com/realm-mesh/realm/runnerd/internal/jobs/book"
)

// maxGrep caps an expression that lines have to match, in bytes.
const maxGrep = 1 << 10

// Register has m answer on mux.
func (m *Manager) Register(mux *http.ServeMux) {
	mux.HandleFunc(api.RouteJobs, m.serveList)
	mux.HandleFunc(api.RouteJob, m.serveStatus)
	mux.HandleFunc(api.RouteJobExplain, m.serveExplain)
	mux.HandleFunc(api.RouteJobLogs, m.serveLogs)
	mux.HandleFunc(api.RouteJobClaims, ofMember(func(p api.PeerID, c *api.JobClaims) (any, error) { return m.Claims(p, c), nil }))
	mux.HandleFunc(api.RouteJobTake, ofMember(func(p api.PeerID, t *api.JobTake) (any, error) { return m.Give(p, t), nil }))
	mux.HandleFunc(api.RouteJobVotes, ofMember(func(p api.PeerID, v *api.JobVote) (any, error) {
		who, err := m.cfg.Votes.Vote(*v, p)
		return api.JobVoted{Peer: who}, err
	}))
	mux.HandleFunc(api.RouteJobTail, ofMember(func(p api.PeerID, t *api.JobTail) (any, error) {
		t.Peer = p // nobody speaks for others
		return api.Empty{}, m.cfg.Output.Keep(t)
	}))
}

// ofMember serves a route that only other members use.
func ofMember[T any, M interface {
	*T
	api.Validator
}](answer func(api.PeerID, M) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		from, err := api.ParsePeerID(r.Header.Get(local.HeaderPeer))
		if err != nil {
			local.WriteError(w, http.StatusForbidden, errors.New("members ask this, by meshd"))
			return
		}
		in := M(new(T))
		body, err := api.ReadAll(r.Body, api.MaxMessage)
		if err == nil {
			err = api.Decode(body, api.MaxMessage, in)
		}
		if err != nil {
			local.WriteError(w, http.StatusBadRequest, err)
			return
		}
		out, err := answer(from, in)
		if err != nil {
			local.WriteError(w, http.StatusInternalServerError, err)
			return
		}
		local.WriteJSON(w, http.StatusOK, out)
	}
}

func (m *Manager) serveList(w http.ResponseWriter, r *http.Request) {
	q, err := listQuery(r.URL.Query())
	if err != nil {
		local.WriteError(w, http.StatusBadRequest, err)
		return
	}
	m.mu.Lock()
	list, err := m.book.List(q, m.cfg.Now())
	m.mu.Unlock()
	if err != nil {
		local.WriteError(w, http.StatusBadRequest, err)
		return
	}
	local.WriteJSON(w, http.StatusOK, list)
}

func listQuery(v url.Values) (q book.Query, err error) {
	q.After = v.Get("after")
	for _, s := range v["state"] {
		for s := range strings.SplitSeq(s, ",") {
			if !slices.Contains(api.JobStates(), api.JobState(s)) {
				return q, fmt.Errorf("state %.40q: want one of %v", s, api.JobStates())
			}
			q.States = append(q.States, api.JobState(s))
		}
	}
	if text := v.Get("limit"); text != "" {
		if q.Limit, err = strconv.Atoi(text); err != nil || q.Limit < 1 || q.Limit > api.MaxJobsPage {
			return q, fmt.Errorf("limit %.20q: want 1 to %d", text, api.MaxJobsPage)
		}
	}
	if text := v.Get("name"); text != "" {
		q.Name = api.Name(text)
	}
	return q, nil
}

// resolved calls fn with the job that a request is about; m.mu is held.
func (m *Manager) resolved(w http.ResponseWriter, r *http.Request, fn func(root api.Digest, run api.RunKey) any) {
	m.mu.Lock()
	root, run, err := m.resolve(r.PathValue("job"))
	var out any
	if err == nil {
		out = fn(root, run)
	}
	m.mu.Unlock()
	if err != nil {
		local.WriteError(w, statusOf(err), err)
		return
	}
	local.WriteJSON(w, http.StatusOK, out)
}

// resolve finds what a person names; m.mu is held.
func (m *Manager) resolve(text string) (api.Digest, api.RunKey, error) {
	root, run, err := m.book.Resolve(text)
	if err != nil && !errors.Is(err, book.ErrUnknown) {
		err = fmt.Errorf("%w: %w", errQuery, err)
	}
	return root, run, err
}

func statusOf(err error) int {
	switch {
	case errors.Is(err, book.ErrUnknown), errors.Is(err, ErrNoOutput):
		return http.StatusNotFound
	case errors.Is(err, errQuery):
		return http.StatusBadRequest
	}
	return http.StatusInternalServerError
}

func (m *Manager) serveStatus(w http.ResponseWriter, r *http.Request) {
	m.resolved(w, r, func(root api.Digest, run api.RunKey) any {
		st, _ := m.book.Status(root, m.cfg.Now())
		if run != "" {
			st.RunList = slices.DeleteFunc(st.RunList, func(x api.JobRun) bool { return x.Run != run })
		}
		return st
	})
}

func (m *Manager) serveExplain(w http.ResponseWriter, r *http.Request) {
	m.resolved(w, r, func(root api.Digest, _ api.RunKey) any {
		x, _ := m.planner.Explain(root, m.cfg.Now())
		for i := range x.Members {
			if x.Members[i].Peer == m.cfg.Self {
				x.Members[i].Confined = m.cfg.Confined()
			}
		}
		return x
	})
}

// errQuery is what is wrong with the query of a request.
var errQuery = errors.New("query")

// logQuery reads what lines are asked for.
func logQuery(v url.Values) (s Selection, err error) {
	s.Tail = -1
	bad := func(name, want string) error {
		return fmt.Errorf("%w: %s %.80q: want %s", errQuery, name, v.Get(name), want)
	}
	if text := v.Get(api.QueryRun); text != "" {
		if s.Run, err = api.ParseRunKey(text); err != nil {
			return s, fmt.Errorf("%w: %w", errQuery, err)
		}
	}
	if text := v.Get(api.QueryEpoch); text != "" {
		if s.Epoch, err = strconv.Atoi(text); err != nil || s.Epoch < 1 {
			return s, bad(api.QueryEpoch, "a number from 1")
		}
	}
	if text := v.Get(api.QueryTail); text != "" {
		if s.Tail, err = strconv.Atoi(text); err != nil || s.Tail < 0 || s.Tail > api.MaxJobTail {
			return s, bad(api.QueryTail, fmt.Sprintf("0 to %d lines", api.MaxJobTail))
		}
	}
	if text := v.Get(api.QuerySince); text != "" {
		if s.Since, err = time.Parse(time.RFC3339Nano, text); err != nil {
			return s, bad(api.QuerySince, "an instant such as 2026-11-23T02:00:00Z")
		}
	}
	if text := v.Get(api.QueryGrep); text != "" {
		if len(text) > maxGrep {
			return s, bad(api.QueryGrep, fmt.Sprintf("at most %d bytes", maxGrep))
		}
		if s.Match, err = regexp.Compile(text); err != nil {
			return s, bad(api.QueryGrep, fmt.Sprintf("a regular expression of RE2, at most %d bytes", maxGrep))
		}
	}
	s.Follow = v.Get(api.QueryFollow) == "1"
	return s, nil
}

func (m *Manager) serveLogs(w http.ResponseWriter, r *http.Request) {
	v := r.URL.Query()
	sel, err := logQuery(v)
	if err != nil {
		local.WriteError(w, http.StatusBadRequest, err)
		return
	}
	out := &lineWriter{w: w, to: http.NewResponseController(w), flush: sel.Follow}
	if sel.Follow {
		defer out.beat()()
	}
	if v.Get(api.QueryHere) == "1" {
		err = m.serveHere(r, sel, out)
	} else {
		sel.Job = r.PathValue("job")
		err = m.Follow(r.Context(), sel, out.write)
	}
	switch begun := out.end(err == nil); {
	case err == nil:
	case begun:
		panic(http.ErrAbortHandler) // what is cut short must not look whole
	default:
		local.WriteError(w, statusOf(err), err)
	}
}

func (m *Manager) serveHere(r *http.Request, sel Selection, out *lineWriter) error {
	root, err := api.ParseDigest(r.PathValue("job"))
	if err != nil {
		return fmt.Errorf("%w: %w", errQuery, err)
	}
	peer, err := api.ParsePeerID(r.URL.Query().Get(api.QueryPeer))
	if err != nil {
		return fmt.Errorf("%w: %w", errQuery, err)
	}
	return m.Here(r.Context(), api.Exec{Root: root, Run: sel.Run, Epoch: sel.Epoch, Peer: peer}, sel.Lines, out.write)
}
