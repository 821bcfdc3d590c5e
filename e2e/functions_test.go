package e2e_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/e2e/internal/node"
)

// TestFunctionsOfText deploys a command from a file and from an address, on one node each,
// and calls both from the other.
func TestFunctionsOfText(t *testing.T) {
	nodes := startMesh(t, 2)
	program, err := os.ReadFile(sample("shout"))
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/moved.wasm" {
			http.Redirect(w, r, "/shout.wasm", http.StatusMovedPermanently)
			return
		}
		_, _ = w.Write(program)
	}))
	t.Cleanup(srv.Close)
	do(t, nodes[0], "fn", "deploy", "--name", "shout", "--peer", peerOf(t, nodes[1]), "--wasm", sample("shout"))
	refuse(t, nodes[0], []string{"--sha256"}, "fn", "deploy", "--name", "cry", "--wasm", srv.URL+"/moved.wasm", "--sha256", strings.Repeat("ab", 32))
	do(t, nodes[0], "fn", "deploy", "--name", "cry", "--peer", peerOf(t, nodes[0]), "--wasm", srv.URL+"/moved.wasm", "--sha256", api.Sum(program).String())
	if out := do(t, nodes[0], "fn", "list"); !strings.Contains(out, "shout") || !strings.Contains(out, "cry") {
		t.Errorf("realm fn list:\n%s", out)
	}

	for name, from := range map[string]*node.Node{"shout": nodes[0], "cry": nodes[1]} {
		if out := do(t, from, "fn", "exec", name, "two\nlines\tthere"); out != "TWO\nLINES\tTHERE\n" {
			t.Errorf("realm fn exec %s: %q", name, out)
		}
		refuse(t, from, []string{"nothing to shout"}, "fn", "exec", name)
		body, err := json.Marshal(map[string]string{"name": name, "arg": "<ü> 42"})
		if err != nil {
			t.Fatal(err)
		}
		if status, got := request(t, http.MethodPost, "http://"+from.HTTP+"/exec", string(body), jsonType); status != http.StatusOK || strings.TrimSpace(got) != `{"result":"<Ü> 42"}` {
			t.Errorf("POST /exec: %d %s", status, got)
		}
		large, err := json.Marshal(map[string]string{"name": name, "arg": strings.Repeat("x", api.MaxText+1)})
		if err != nil {
			t.Fatal(err)
		}
		if status, got := request(t, http.MethodPost, "http://"+from.HTTP+"/exec", string(large), jsonType); status != http.StatusRequestEntityTooLarge && status != http.StatusBadRequest {
			t.Errorf("too large: %d %s", status, got)
		}
	}
	listed(t, nodes)
}

// listed asks a node for what there is to call, and by whom.
func listed(t *testing.T, nodes []*node.Node) {
	t.Helper()
	get := func(path string, v any) {
		t.Helper()
		status, got := request(t, http.MethodGet, "http://"+nodes[0].HTTP+path, "", nil)
		if status != http.StatusOK {
			t.Fatalf("GET %s: %d %s", path, status, got)
		}
		if err := json.Unmarshal([]byte(got), v); err != nil {
			t.Fatalf("GET %s: %v in %s", path, err, got)
		}
	}
	var functions api.FunctionsReply
	get("/functions", &functions)
	var names []api.Name
	for _, f := range functions.Functions {
		if len(f.Peers) != 1 {
			t.Errorf("%s answers on %v", f.Name, f.Peers)
		}
		names = append(names, f.Name)
	}
	if !slices.Equal(names, []api.Name{"cry", "shout"}) {
		t.Errorf("functions: %v", names)
	}
	var peers api.PeersReply
	get("/peers", &peers)
	if len(peers.Peers) != 2 || !slices.ContainsFunc(peers.Peers, func(p api.PeerStatus) bool {
		return string(p.Peer) == peerOf(t, nodes[1]) && p.Connected && p.Platform != ""
	}) {
		t.Errorf("peers: %+v", peers.Peers)
	}
	_, metrics := request(t, http.MethodGet, "http://"+nodes[0].Manage+"/metrics", "", nil)
	for _, want := range []string{"\nnebula_edge_peers 1\n", "\nnebula_edge_exec_duration_seconds_count 3\n", "\nnebula_edge_exec_total 3\n"} {
		if !strings.Contains(metrics, want) {
			t.Errorf("no %q in the metrics:\n%s", want, strings.Join(slices.DeleteFunc(strings.Split(metrics, "\n"), func(l string) bool { return !strings.HasPrefix(l, "nebula_") }), "\n"))
		}
	}
}
