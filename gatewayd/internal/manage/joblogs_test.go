package manage

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/gatewayd/internal/sse"
	"github.com/realm-mesh/realm/gatewayd/internal/standin"
	"github.com/realm-mesh/realm/internal/kit/local"
)

func TestLogsOfJob(t *testing.T) {
	home := standin.Home(t)
	mux := http.NewServeMux()
	mux.HandleFunc(api.RouteJobLogs, func(w http.ResponseWriter, r *http.Request) {
		if r.PathValue("job") != "build-1" {
			local.WriteError(w, http.StatusNotFound, fmt.Errorf("job %q is not known here", r.PathValue("job")))
			return
		}
		fmt.Fprintln(w)
		_ = json.NewEncoder(w).Encode(api.JobLogLine{Run: "0", Epoch: 1, Peer: standin.Peer(1), LogLine: api.LogLine{Time: noon, Stream: "stdout", Line: "asked " + r.URL.RawQuery}})
	})
	standin.Serve(t, home, api.Runnerd, mux)
	hub := sse.NewHub(prometheus.NewRegistry())
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = hub.Run(ctx)
	}()
	defer func() { stop(); <-ended }()
	get := served(t, Node{Client: standin.Client(t, home), Streams: hub})
	if resp, body := get("/logs?job=build-1&grep=a.b&tail=7"); resp.StatusCode != http.StatusOK || body != noon.Format(time.RFC3339Nano)+" stdout asked grep=a.b&tail=7\n" {
		t.Errorf("%s %q", resp.Status, body)
	}
	resp, body := get("/logs?job=build-1&follow=1&tail=7")
	want := []string{":\n\n", "event: line\ndata: {\"run\":\"0\"", "asked follow=1", "event: end\ndata: {\"why\":\"the job has ended\"}\n\n"}
	for _, want := range want {
		if resp.Header.Get("Content-Type") != "text/event-stream" || !strings.Contains(body, want) {
			t.Errorf("no %q in %s", want, body)
		}
	}
	for path, status := range map[string]int{
		"job=other": http.StatusNotFound, "job=other&follow=1": http.StatusNotFound, "job=build-1&component=web": http.StatusBadRequest,
		"job=build-1&grep=(": http.StatusBadRequest, "job=..": http.StatusBadRequest, "job=" + strings.Repeat("x", 200): http.StatusBadRequest,
	} {
		if resp, body := get("/logs?" + path); resp.StatusCode != status {
			t.Errorf("%s: %s %s", path, resp.Status, body)
		}
	}
}

func FuzzJobQuery(f *testing.F) {
	for _, s := range []string{"job=a", "job=a/../b&since=5m", "job=a&grep=(", "job=%00&tail=-1", "job=a&follow=1&since=2026-01-01T00:00:00Z"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, query string) {
		v, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		job := v.Get("job")
		path, _, err := jobQuery(v, noon)
		if err != nil {
			return
		}
		u, err := url.Parse(path)
		if err != nil || u.Path != "/jobs/"+job+"/logs" {
			t.Errorf("%q asks %q", query, path)
		}
	})
}
