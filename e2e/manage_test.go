//go:build unix

package e2e_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/e2e/internal/node"
)

// followed is a stream of events of a node's management address.
type followed struct {
	*testing.T
	lines *bufio.Scanner
}

func follow(t *testing.T, n *node.Node, path string) *followed {
	t.Helper()
	req, err := http.NewRequestWithContext(testContext(t), http.MethodGet, "http://"+n.Manage+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%s: %s", path, resp.Status)
	}
	return &followed{t, bufio.NewScanner(resp.Body)}
}

// await reads events until one of this name is as ok wants it.
func (f *followed) await(name string, ok func(data string) bool) {
	f.Helper()
	is := ""
	for f.lines.Scan() {
		if n, found := strings.CutPrefix(f.lines.Text(), "event: "); found {
			is = n
		}
		if data, found := strings.CutPrefix(f.lines.Text(), "data: "); found && is == name && ok(data) {
			return
		}
	}
	f.Fatalf("no such event %s: %v", name, f.lines.Err())
}

// TestManage reads of a node what programs read.
func TestManage(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	until(t, "/readyz", func(ctx context.Context) error {
		status, body, err := tryRequest(ctx, http.MethodGet, "http://"+n.Manage+"/readyz", "", nil)
		if err == nil && (status != http.StatusOK || !strings.Contains(body, `"ready":true`)) {
			err = fmt.Errorf("%d %s", status, body)
		}
		return err
	})
	events := follow(t, n, "/events")
	do(t, n, "push", "--name", "ticker", "--file", sample("ticker"))
	events.await("workload", func(data string) bool {
		var x api.Notice
		return json.Unmarshal([]byte(data), &x) == nil && x.Workload.Name == "ticker" && x.Workload.To == api.StateRunning
	})
	logs := follow(t, n, "/logs?component=ticker&follow=1&grep=tick")
	for range 3 {
		logs.await("line", func(data string) bool { return strings.Contains(data, `"name":"ticker"`) })
	}
	do(t, n, "fn", "deploy", "--wasm", sample("double"), "--name", "double")
	do(t, n, "job", "submit", job(t, fmt.Sprintf("name = \"count\"\njob_type = \"one-shot\"\n[runtime]\ntype = \"wasm\"\nsource = %q\n", sample("ticker")), nil))
	events.await("job", func(data string) bool { return strings.Contains(data, `"job":"count-1"`) })
	walk(t, n, strings.NewReplacer("/components/{name}", "/components/ticker", "/functions/{name}", "/functions/double", "/intents/{kind}/{name}", "/intents/component/ticker",
		"{peer}", peerOf(t, n), "{job}", "count-1"))

	// One daemon less, and what is open ends with the node.
	killForGood(t, n, "casd")
	status, body := request(t, http.MethodGet, "http://"+n.Manage+"/readyz", "", nil)
	if status != http.StatusServiceUnavailable || !strings.Contains(body, "casd") {
		t.Errorf("/readyz: %d %s", status, body)
	}
	do(t, n, "down")
	events.await("end", func(string) bool { return true })
}

// walk asks for every path of the document that says what a node tells.
func walk(t *testing.T, n *node.Node, fill *strings.Replacer) {
	t.Helper()
	base := "http://" + n.Manage + api.PathAPI
	var doc struct{ Paths map[string]any }
	status, body := request(t, http.MethodGet, base+"/openapi.json", "", nil)
	if err := json.Unmarshal([]byte(body), &doc); err != nil || status != http.StatusOK || len(doc.Paths) < 20 {
		t.Fatalf("%d %v %d paths", status, err, len(doc.Paths))
	}
	for pattern := range doc.Paths {
		path := fill.Replace(pattern)
		want := http.StatusOK
		if strings.HasPrefix(pattern, "/manifests/{") { // nothing was applied
			path, want = "/manifests/none", http.StatusNotFound
		}
		status, body := request(t, http.MethodGet, base+path, "", nil)
		if status != want || !json.Valid([]byte(body)) {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	for path, want := range map[string]string{"/components": `"name":"ticker"`, "/functions/double": `"state":"running"`, "/jobs": `"count-1"`,
		"/intents/component/ticker": `"state":"current"`, "/node": `"daemon":"casd"`, "/members": `"standing":"member"`, "/events": `"ticker"`} {
		if _, body := request(t, http.MethodGet, base+path, "", nil); !strings.Contains(body, want) {
			t.Errorf("%s: no %s in %s", path, want, body)
		}
	}
}
