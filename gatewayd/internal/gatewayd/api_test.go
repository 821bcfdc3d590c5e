package gatewayd

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/gatewayd/internal/apiv1/schematest"
	"github.com/realm-mesh/realm/gatewayd/internal/standin"
	"github.com/realm-mesh/realm/internal/kit/bus"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/local"
)

// sign puts an intent of the owner's into the bucket, as meshd does.
func (l *launcher) sign(in api.Intent) api.Version {
	l.Helper()
	_, owner, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		l.Fatal(err)
	}
	in.Realm, in.Seq, in.Issued = api.NewRealmID(keys.PublicOf(owner).Key()), 1, time.Now().UTC()
	s, err := intent.Sign(in, owner)
	if err != nil {
		l.Fatal(err)
	}
	l.put(api.BucketIntents, api.KeySlot(s.Ref, s.By()), s.Envelope)
	return api.Version{Intent: s.Intent, Digest: s.Digest, Signer: s.By(), By: "owner", State: api.VersionCurrent}
}

// meshd answers in its place, from what was signed.
func (l *launcher) meshd(signed map[api.Ref]api.Version) {
	l.Helper()
	conn, err := bus.Connect(l.Context(), l.home, api.Meshd, slog.New(slog.DiscardHandler))
	if err != nil {
		l.Fatal(err)
	}
	l.Cleanup(conn.Close)
	svc, err := conn.NewService(context.WithoutCancel(l.Context()))
	if err != nil {
		l.Fatal(err)
	}
	for _, err := range []error{
		bus.Handle(svc, api.SubjectMesh, func(context.Context, *api.Empty) (any, error) {
			return api.MeshStatus{Peer: l.self, Addrs: []string{}, Standing: api.StandingMember, Pairing: &api.Pairing{Code: "secret-code"}}, nil
		}),
		bus.Handle(svc, api.SubjectMembers, func(_ context.Context, r *api.MembersRequest) (any, error) {
			if r.After != "" {
				return api.MembersReply{}, nil
			}
			return api.MembersReply{Members: []api.Member{{Peer: l.self, Standing: api.StandingMember, By: "owner", Since: time.Now().UTC()}}, More: true}, nil
		}),
		bus.Handle(svc, api.SubjectHistory, func(_ context.Context, r *api.HistoryRequest) (any, error) {
			reply := api.HistoryReply{Versions: []api.Version{}}
			if v, ok := signed[r.Ref]; ok {
				reply.Versions = append(reply.Versions, v)
			}
			return reply, nil
		}),
	} {
		if err != nil {
			l.Fatal(err)
		}
	}
}

// jobsOf answers for runnerd about one job.
func jobsOf(s api.JobStatus) http.Handler {
	mux := http.NewServeMux()
	known := func(fn http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.PathValue("job") != string(s.Job) {
				local.WriteError(w, http.StatusNotFound, fmt.Errorf("job %q is not known here", r.PathValue("job")))
				return
			}
			fn(w, r)
		}
	}
	mux.HandleFunc(api.RouteJobs, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("name") == "none" {
			local.WriteJSON(w, http.StatusOK, api.JobsReply{})
			return
		}
		local.WriteJSON(w, http.StatusOK, api.JobsReply{Jobs: []api.JobSummary{s.JobSummary}, Next: "more"})
	})
	mux.HandleFunc(api.RouteJob, known(func(w http.ResponseWriter, _ *http.Request) { local.WriteJSON(w, http.StatusOK, s) }))
	mux.HandleFunc(api.RouteJobExplain, known(func(w http.ResponseWriter, _ *http.Request) {
		local.WriteJSON(w, http.StatusOK, api.JobExplain{Job: s.Job, Root: s.Root, State: s.State, Members: []api.JobMember{{Peer: s.Peer, Why: "it is the only one"}}})
	}))
	mux.HandleFunc(api.RouteJobLogs, known(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w) // as runnerd beats
		for i := range 2 {
			_ = json.NewEncoder(w).Encode(api.JobLogLine{Run: "0", Epoch: 1, Peer: s.Peer, LogLine: api.LogLine{Time: time.Now().UTC(), Stream: "stdout", Line: fmt.Sprint(i, r.URL.RawQuery)}})
		}
	}))
	return mux
}

func blobs(self api.PeerID) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc(api.RouteStorage, func(w http.ResponseWriter, _ *http.Request) {
		local.WriteJSON(w, http.StatusOK, api.StorageStatus{Dir: "/store", Blobs: 3, Stored: 1 << 40})
	})
	mux.HandleFunc(api.RouteTransfers, func(w http.ResponseWriter, _ *http.Request) {
		local.WriteJSON(w, http.StatusOK, api.TransfersReply{Transfers: []api.Transfer{{
			BlobInfo: api.BlobInfo{SHA256: api.Sum([]byte("x")), Size: 5}, Began: time.Now().UTC(), Rate: 0.5,
			Sources: []api.TransferSource{{Peer: self, State: "active"}},
		}}})
	})
	return mux
}

// report is a node of which everything can be told.
type report struct {
	*process
	l   *launcher
	doc *schematest.Document
}

func newReport(t *testing.T) *report {
	l := newLauncher(t)
	job := api.Ref{Kind: api.KindJob, Name: "build-1"}
	set := api.Ref{Kind: api.KindManifest, Name: "shop"}
	signed := map[api.Ref]api.Version{}
	program := api.BlobInfo{SHA256: api.Sum([]byte("p")), Size: 1}
	body := api.Job{Type: api.JobService, Runtime: api.JobRuntime{Type: api.RuntimeWasm, Program: program, Env: map[string]string{"KEY": "secret-value"}}}
	for r, body := range map[api.Ref]any{
		job: body, set: api.Manifest{Version: 3, Components: []api.ManifestComponent{{Name: "web", Intent: program.SHA256}}},
		hello:  api.Component{Module: api.Program{Blob: program.SHA256, Size: 1}, Env: map[string]string{"KEY": "secret-value"}},
		double: nil,
	} {
		in := api.Intent{Ref: r, Tombstone: body == nil}
		if body != nil {
			b, err := json.Marshal(body)
			if err != nil {
				t.Fatal(err)
			}
			in.Body = b
		}
		signed[r] = l.sign(in)
	}
	l.put(api.BucketIntents, "nonsense.x.y", []byte("{"))
	l.peer(l.self, true)
	l.peer(standin.Peer(5), true)
	l.fact(hello, l.self, api.StateRunning)
	l.fact(double, standin.Peer(5), api.StateRunning)
	l.fact(double, l.self, api.StateFailed)
	l.meshd(signed)
	exit := 0
	rec := l.record(job.Name, 1, api.ExecRunning)
	rec.Exit = &exit
	standin.Serve(t, l.home, api.Runnerd, jobsOf(api.JobStatus{
		JobSummary: api.JobSummary{Job: job.Name, Root: rec.Root, Type: api.JobService, Runtime: api.RuntimeWasm, State: api.JobRunning, Issued: time.Now().UTC(), Peer: l.self},
		Seq:        1, Intent: signed[job].Digest, Body: body,
		RunList: []api.JobRun{{Run: rec.Run, State: api.JobRunning, Executions: []api.JobExec{{JobRecord: rec}}}},
	}))
	standin.Serve(t, l.home, api.Casd, blobs(l.self))
	p := start(t, l.home).ready(l)
	l.event(double, "", api.StateRunning)
	r := &report{process: p, l: l}
	resp, text := r.get(api.PathAPI + "/openapi.json")
	var err error
	if r.doc, err = schematest.Read([]byte(text)); err != nil || resp.StatusCode != http.StatusOK || r.doc.OpenAPI != "3.1.0" || r.doc.Servers[0].URL != api.PathAPI {
		t.Fatalf("%s %v", resp.Status, err)
	}
	until(t, "an event is kept", func() bool { _, text := r.get(api.PathAPI + "/events"); return strings.Contains(text, `"workload"`) })
	return r
}

func (r *report) get(path string) (*http.Response, string) {
	r.Helper()
	resp, err := client.Get("http://" + r.manage + path)
	if err != nil {
		r.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		r.Fatal(err)
	}
	return resp, string(b)
}

// hold asks for a path below [api.PathAPI] and holds the answer against the schema of
// pattern.
func (r *report) hold(pattern, path string, status int) string {
	r.Helper()
	resp, body := r.get(api.PathAPI + path)
	if resp.StatusCode != status {
		r.Errorf("%s: %s, want %d: %s", path, resp.Status, status, body)
	}
	if err := r.doc.Answer(pattern, fmt.Sprint(resp.StatusCode), resp.Header.Get("Content-Type"), []byte(body)); err != nil {
		r.Errorf("%s: %v\n%s", path, err, body)
	}
	if strings.Contains(body, "secret") {
		r.Errorf("%s tells a secret: %s", path, body)
	}
	return body
}

// TestAPI asks for every path of the document, with and without parameters.
func TestAPI(t *testing.T) {
	r := newReport(t)
	values := map[string]string{
		"{peer}": string(r.l.self), "{job}": "build-1", "{kind}": "job",
		"/components/{name}": "hello", "/functions/{name}": "double", "/manifests/{name}": "shop", "/intents/{kind}/{name}": "build-1",
	}
	unknown := map[string]string{"{peer}": string(standin.Peer(77)), "{job}": "nothing", "{kind}": "job", "{name}": "nothing"}
	for pattern, methods := range r.doc.Paths {
		op := methods["get"]
		if len(methods) != 1 || op.OperationID == "" {
			t.Errorf("%s: %v", pattern, methods)
		}
		path, nobody := pattern, pattern
		for at, v := range values {
			if i := strings.LastIndex(at, "{"); strings.HasPrefix(pattern, at) && i > 0 || i == 0 {
				path = strings.Replace(path, at[i:], v, 1)
			}
		}
		for at, v := range unknown {
			nobody = strings.Replace(nobody, at, v, 1)
		}
		if pattern == "/openapi.json" {
			continue
		}
		r.hold(pattern, path, http.StatusOK)
		if _, may := op.Responses["404"]; may != (nobody != pattern) {
			t.Errorf("%s: 404 in the document: %v", pattern, may)
		} else if may {
			if body := r.hold(pattern, nobody, http.StatusNotFound); !strings.Contains(body, "GET "+api.PathAPI) {
				t.Errorf("%s does not say what to do next: %s", nobody, body)
			}
		}
		r.hold(pattern, path+"?surely=not", http.StatusBadRequest)
		for _, p := range op.Parameters {
			if p.In == "path" {
				continue
			}
			r.param(pattern, path, p.Name, p.Schema)
		}
	}
}

// param gives a parameter values that its schema allows, and some that it does not.
func (r *report) param(pattern, path, name string, s map[string]any) {
	r.Helper()
	good := map[string]string{"run": "0", "since": "2026-01-01T00:00:00Z"}[name]
	var bad string
	switch s["type"] {
	case "integer":
		most := int(s["maximum"].(float64))
		good, bad = fmt.Sprint(most), fmt.Sprint(most+1)
	case "array":
		for _, one := range s["items"].(map[string]any)["enum"].([]any) {
			good += "," + one.(string)
		}
		good, bad = good[1:], "weather"
	default:
		bad = strings.Repeat("x", int(s["maxLength"].(float64))+1)
		if good == "" {
			good = "zzz"
		}
		switch pattern {
		case "/events":
			good = "zzz-1"
		case "/members":
			good = string(r.l.self)
		}
	}
	r.hold(pattern, path+"?"+name+"="+good, http.StatusOK)
	r.hold(pattern, path+"?"+name+"="+bad, http.StatusBadRequest)
	r.hold(pattern, path+"?"+name+"="+good+"&"+name+"="+good, http.StatusBadRequest)
}

func TestAPIRefuses(t *testing.T) {
	r := newReport(t)
	for path, status := range map[string]int{
		"/api/v1": http.StatusNotFound, "/api/v1/": http.StatusNotFound, "/api/v1/nothing": http.StatusNotFound, "/api/v2/node": http.StatusNotFound, "/api/v1/jobs/": http.StatusNotFound,
		"/api/v1/peers/nobody": http.StatusBadRequest, "/api/v1/members?after=nobody": http.StatusBadRequest, "/api/v1/events?after=x": http.StatusBadRequest,
		"/api/v1/components/..x": http.StatusBadRequest, "/api/v1/intents/9/x": http.StatusBadRequest,
		"/api/v1/jobs/build-1/logs?since=yesterday": http.StatusBadRequest,
	} {
		if resp, body := r.get(path); resp.StatusCode != status {
			t.Errorf("%s: %s %s", path, resp.Status, body)
		}
	}
	for _, method := range []string{http.MethodPost, http.MethodDelete, http.MethodPut} {
		status, body := ask(t, method, "http://"+r.manage+"/api/v1/jobs", "{}", "")
		if status != http.StatusMethodNotAllowed || !strings.Contains(body, "realm command") {
			t.Errorf("%s: %d %s", method, status, body)
		}
	}

	// Pages follow each other.
	var one, two api.PeersReport
	for path, into := range map[string]*api.PeersReport{"?limit=1": &one, "": &two} {
		if _, body := r.get("/api/v1/peers" + path); json.Unmarshal([]byte(body), into) != nil {
			t.Error(body)
		}
	}
	if len(one.Peers) != 1 || one.Next != one.Peers[0].Peer || len(two.Peers) != 2 || two.Next != "" {
		t.Errorf("%+v %+v", one, two)
	}
	_, body := r.get("/api/v1/peers?limit=1&after=" + string(one.Next))
	if json.Unmarshal([]byte(body), &one) != nil || one.Peers[0].Peer != two.Peers[1].Peer {
		t.Error(body)
	}

	// The others are away.
	for _, d := range []string{"/storage", "/transfers"} {
		r.hold(d, d, http.StatusOK)
	}
	r.l.stopBus()
	for _, path := range []string{"/node", "/peers", "/members", "/intents", "/manifests"} {
		r.hold(path, path, http.StatusServiceUnavailable)
	}
	r.hold("/jobs", "/jobs", http.StatusOK)
	r.hold("/functions", "/functions", http.StatusOK)
	r.l.startBus()
}
