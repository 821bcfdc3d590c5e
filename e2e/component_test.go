//go:build unix

package e2e_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/realm-mesh/realm/e2e/internal/node"
)

// guest is a component of the engine's tests.
func guest(name string) string {
	return filepath.Join("..", "engine", "component", "testdata", name+".wasm")
}

// TestComponents pushes components on one node, and uses them there and from another.
func TestComponents(t *testing.T) {
	t.Parallel()
	nodes := startMesh(t, 2)
	here, there := nodes[0], nodes[1]

	t.Run("a component of C answers everywhere", func(t *testing.T) {
		do(t, here, "push", "--name", "hello", "--file", sample("hello-http"))
		for _, n := range nodes {
			status, got := request(t, http.MethodGet, "http://"+n.HTTP+"/hello/some/path?x=1", "", nil)
			if status != http.StatusOK || !strings.Contains(got, "path: /some/path?x=1") {
				t.Errorf("%s: %d %s", n.Name, status, got)
			}
		}
	})

	do(t, here, "push", "--name", "web", "--http", "wasi", "--peer", peerOf(t, there), "--file", guest("http"))
	for _, n := range nodes {
		url := "http://" + n.HTTP + "/web"
		t.Run("requests by "+strings.ReplaceAll(n.Name, " ", "-"), func(t *testing.T) {
			for range 2 { // a counter in its memory
				if status, got := request(t, http.MethodGet, url+"/count", "", nil); status != http.StatusOK || strings.TrimSpace(got) != "1" {
					t.Errorf("state is left: %d %s", status, got)
				}
			}
			whole := strings.Repeat("0123456789abcdef", 1<<17) // 2 MiB
			if status, got := request(t, http.MethodPost, url+"/echo", whole, nil); status != http.StatusOK || got != whole {
				t.Errorf("echo: %d, %d bytes", status, len(got))
			}
			if status, got := request(t, http.MethodGet, url+"/fetch?http://127.0.0.1:1/", "", nil); status != http.StatusBadGateway || !strings.Contains(got, "error-code") {
				t.Errorf("a request of its own, which is not granted: %d %s", status, got)
			}
			talk(t, url+"/echo")
			trap(t, there, url)
		})
	}

	t.Run("requests that are granted", func(t *testing.T) {
		other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "from elsewhere ", r.URL) }))
		defer other.Close()
		do(t, here, "push", "--name", "asks", "--http", "wasi", "--allow-host", strings.TrimPrefix(other.URL, "http://"), "--file", guest("http"))
		if status, got := request(t, http.MethodGet, "http://"+here.HTTP+"/asks/fetch?"+other.URL+"/page", "", nil); status != http.StatusOK || !strings.Contains(got, "from elsewhere /page") {
			t.Errorf("%d %s", status, got)
		}
	})

	t.Run("commands", func(t *testing.T) {
		do(t, here, "push", "--name", "tool", "--file", guest("rust-command"), "--arg", "args", "--arg", "some", "--arg", "words", "--peer", peerOf(t, here))
		says(t, here, "tool", `["some", "words"]`)
		do(t, here, "push", "--name", "library", "--file", guest("text/library"), "--peer", peerOf(t, here))
		says(t, here, "library", "nothing runs")
	})

	t.Run("what cannot run", func(t *testing.T) {
		refuse(t, here, []string{"async functions"}, "push", "--name", "later", "--file", guest("text/async-import"))
		refuse(t, here, []string{"interface example:missing/thing@1.0.0"}, "push", "--name", "foreign", "--file", guest("text/unknown-import"))
		bad := filepath.Join(t.TempDir(), "bad.wasm")
		whole, err := os.ReadFile(guest("http"))
		if err == nil {
			err = os.WriteFile(bad, whole[:len(whole)/2], 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		refuse(t, here, []string{"cut short"}, "push", "--name", "half", "--file", bad)
	})
}

// talk has a conversation with an echo: each word comes back before the next is said.
func talk(t *testing.T, url string) {
	t.Helper()
	body, say := io.Pipe()
	r, err := http.NewRequestWithContext(testContext(t), http.MethodPost, url, body)
	if err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.WriteString(say, "begin") }()
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	hears := func(want string) {
		t.Helper()
		got := make([]byte, len(want))
		if _, err := io.ReadFull(resp.Body, got); err != nil || string(got) != want {
			t.Errorf("heard %q, %v, want %q", got, err, want)
		}
	}
	hears("begin")
	for i := range 3 {
		word := fmt.Sprintf("word %d", i)
		if _, err := io.WriteString(say, word); err != nil {
			t.Fatal(err)
		}
		hears(word)
	}
	say.Close()
	if rest, err := io.ReadAll(resp.Body); err != nil || len(rest) > 0 {
		t.Errorf("in the end %q, %v", rest, err)
	}
}

var failure = regexp.MustCompile(`failure ([0-9a-f]{8})`)

// trap has the component fail: its log, on the node that runs it, has the id of the answer.
func trap(t *testing.T, runs *node.Node, url string) {
	t.Helper()
	status, got := request(t, http.MethodGet, url+"/trap", "", nil)
	id := failure.FindStringSubmatch(got)
	if status != http.StatusInternalServerError || id == nil {
		t.Fatalf("it traps: %d %s", status, got)
	}
	until(t, "the log tells of failure "+id[1], func(ctx context.Context) error {
		out, err := runs.Do(ctx, "logs", "web")
		if err == nil && !strings.Contains(out, "failure "+id[1]+": trap: unreachable") {
			err = fmt.Errorf("the log is %s", out)
		}
		return err
	})
	if status, rest, err := tryRequest(testContext(t), http.MethodGet, url+"/trap-after", "", nil); err == nil {
		t.Errorf("a trap within the answer: it seems whole, %d %q", status, rest)
	}
}

// says waits until a program's log has these words.
func says(t *testing.T, n *node.Node, name, words string) {
	t.Helper()
	until(t, name+" says "+words, func(ctx context.Context) error {
		out, err := n.Do(ctx, "logs", name)
		if err == nil && !strings.Contains(out, words) {
			err = fmt.Errorf("the log is %s", out)
		}
		return err
	})
}
