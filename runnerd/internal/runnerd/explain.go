package runnerd

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/bus"
	"github.com/realm-mesh/realm/internal/kit/local"
	"github.com/realm-mesh/realm/internal/kit/paths"
	"github.com/realm-mesh/realm/runnerd/internal/logs"
	"github.com/realm-mesh/realm/runnerd/internal/reconcile"
)

// explainer tells people where workloads should run, where they do, and why.
type explainer struct {
	duties *reconcile.Reconciler
	facts  *bus.Bucket // of all members
	home   paths.Home
}

// register has x answer on the bus and on the socket.
func (x *explainer) register(s *bus.Service, mux *http.ServeMux) error {
	mux.HandleFunc(api.RouteAccount, x.account)
	return bus.Handle(s, api.SubjectExplain, func(ctx context.Context, r *api.ExplainRequest) (any, error) {
		return x.explain(ctx, r.Ref)
	})
}

// explain adds to what the reconciler knows what each member says itself.
func (x *explainer) explain(ctx context.Context, ref api.Ref) (*api.ExplainReply, error) {
	reply, err := x.duties.Explain(ref)
	if err != nil {
		return nil, err
	}
	said, err := x.said(ctx, ref)
	if err != nil {
		return nil, err
	}
	for i, m := range reply.Members {
		if f, ok := said[m.Peer]; ok && m.Fact == nil {
			reply.Members[i].Fact = &f
		}
	}
	return reply, fit(reply)
}

// said is what members say of ref, as far as it can be read.
func (x *explainer) said(ctx context.Context, ref api.Ref) (map[api.PeerID]api.WorkloadFact, error) {
	entries, err := x.facts.All(ctx, api.KeyIntent(ref)+".*")
	if err != nil {
		return nil, err
	}
	out := make(map[api.PeerID]api.WorkloadFact, len(entries))
	for _, e := range entries {
		if f, err := workloadFact(e); err == nil {
			out[f.Peer] = f
		}
	}
	return out, nil
}

// fit makes an answer about very many members short enough: log lines go first, then
// facts that say nothing but that all is well, then the others.
func fit(r *api.ExplainReply) error {
	for _, shorten := range []func(*api.Ranked){
		func(*api.Ranked) {},
		func(m *api.Ranked) {
			if m.Fact != nil {
				f := *m.Fact
				f.Tail, m.Fact = nil, &f
			}
		},
		func(m *api.Ranked) {
			if m.Fact != nil && m.Fact.State.Reached() {
				m.Fact = nil
			}
		},
		func(m *api.Ranked) { m.Fact = nil },
	} {
		for i := range r.Members {
			shorten(&r.Members[i])
		}
		b, err := json.Marshal(r)
		if err != nil || len(b) <= api.MaxMessage {
			return err
		}
	}
	return fmt.Errorf("explain %s: %w: %d members", r.Ref, api.ErrTooLarge, len(r.Members))
}

// account tells how a workload stands here, with the last lines of its log.
func (x *explainer) account(w http.ResponseWriter, r *http.Request) {
	ref := api.Ref{Kind: api.Kind(r.PathValue("kind")), Name: api.Name(r.PathValue("name"))}
	n, err := tailLines(r)
	if err == nil {
		err = ref.Validate()
	}
	if err == nil && !ref.Kind.Workload() {
		err = fmt.Errorf("a %s is no program: want component or function", ref.Kind)
	}
	if err != nil {
		local.WriteError(w, http.StatusBadRequest, err)
		return
	}
	out := x.duties.Account(ref)
	if out.Log, err = logs.Last(x.home.WorkloadLog(ref), n); err != nil {
		local.WriteError(w, http.StatusInternalServerError, err)
		return
	}
	local.WriteJSON(w, http.StatusOK, out)
}

// tailLines is how many lines of a log are asked for.
func tailLines(r *http.Request) (int, error) {
	text := r.URL.Query().Get("tail")
	if text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > api.MaxAccountLog {
		return 0, fmt.Errorf("tail %.20q: want 0 to %d lines", text, api.MaxAccountLog)
	}
	return n, nil
}
