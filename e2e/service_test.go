//go:build linux

package e2e_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
)

// TestService keeps web servers up, and asks them from all nodes.
func TestService(t *testing.T) {
	t.Parallel()
	nodes := startMesh(t, 3)
	allowNative(t, nodes...)
	last := peerOf(t, nodes[2])
	service := func(name, more string) string {
		return job(t, fmt.Sprintf("name = %q\njob_type = \"service\"\nresources = {cpus = 0.1}\n%s\n[runtime]\ntype = \"native\"\nbinary = %q\n[targeting]\nnode_ids = [%q]\n",
			name, more, sampleFile(t, "web-service"), last), nil)
	}
	ask := func(n int, path, want string) {
		t.Helper()
		until(t, fmt.Sprintf("%s on %s to say %s", path, nodes[n].Name, want), func(ctx context.Context) error {
			status, body, err := tryRequest(ctx, http.MethodGet, "http://"+nodes[n].HTTP+path, "", nil)
			if err == nil && !strings.Contains(body, want) {
				err = fmt.Errorf("%d %s", status, body)
			}
			return err
		})
	}
	port := "ports = [{name = \"http\", port = 18431, protocol = \"http\"}, {name = \"admin\", port = 1}]"
	do(t, nodes[0], "job", "submit", service("one", strings.ReplaceAll(port, ", {name = \"admin\", port = 1}", "")))
	do(t, nodes[0], "job", "submit", service("two", "ports = [{name = \"http\", port = 18431}]"))
	for n := range nodes {
		ask(n, "/one/?a=b", `"query":"a=b"`)
		ask(n, "/one-1/", `"prefix":"/one-1"`)
		ask(n, "/two~http/", `"job":"two-1"`)
	}
	ask(0, "/one/redirect", `"prefix":"/one"`)

	t.Run("a WebSocket", func(t *testing.T) {
		for _, n := range nodes {
			conn, err := net.Dial("tcp", n.HTTP)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
			key := make([]byte, 16)
			rand.Read(key)
			fmt.Fprintf(conn, "GET /one/echo HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n\r\n",
				n.HTTP, base64.StdEncoding.EncodeToString(key))
			in := bufio.NewReader(conn)
			resp, err := http.ReadResponse(in, nil)
			if err != nil || resp.StatusCode != http.StatusSwitchingProtocols || resp.Header.Get("Sec-WebSocket-Accept") == "" {
				t.Fatalf("%s: %+v, %v", n.Name, resp, err)
			}
			for _, word := range []string{"hello", "again"} {
				_, _ = conn.Write(append([]byte{0x81, 0x80 | byte(len(word)), 0, 0, 0, 0}, word...)) // masked with zeros
				got := make([]byte, 2+len(word))
				if _, err := io.ReadFull(in, got); err != nil || string(got[2:]) != word {
					t.Fatalf("%s: %q, %v", n.Name, got, err)
				}
			}
		}
	})

	t.Run("it is started again", func(t *testing.T) {
		before := awaitJob(t, nodes[0], "one-1", api.JobRunning)
		do(t, nodes[2], "restart", "runnerd") // its program goes on, on the port that it has
		ask(0, "/one/", `"job":"one-1"`)
		if after := awaitJob(t, nodes[0], "one-1", api.JobRunning); len(after.RunList[0].Executions) != len(before.RunList[0].Executions) {
			t.Errorf("another execution goes on: %+v, it was %+v", after.RunList[0], before.RunList[0])
		}
	})

	t.Run("a port of another", func(t *testing.T) {
		_, manage, err := net.SplitHostPort(nodes[2].Manage)
		if err != nil {
			t.Fatal(err)
		}
		file := script(t, "thief", "job_type = \"service\"\nresources = {cpus = 0.1}\nports = [{name = \"http\", port = "+manage+"}]", "sleep 60")
		f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(f, "[targeting]\nnode_ids = [%q]\n", last)
		f.Close()
		do(t, nodes[0], "job", "submit", file)
		awaitJob(t, nodes[0], "thief-1", api.JobRunning)
		time.Sleep(2 * time.Second) // a service that listens is ready by then
		status, body := request(t, http.MethodGet, "http://"+nodes[2].HTTP+"/thief/healthz", "", nil)
		if status != http.StatusNotFound && status != http.StatusServiceUnavailable {
			t.Errorf("the node's own port is published: %d %s", status, body)
		}
	})

	t.Run("its end", func(t *testing.T) {
		do(t, nodes[1], "job", "cancel", "two-1")
		until(t, "nobody to answer for it", func(ctx context.Context) error {
			status, body, err := tryRequest(ctx, http.MethodGet, "http://"+nodes[0].HTTP+"/two/", "", nil)
			if err == nil && status != http.StatusServiceUnavailable && status != http.StatusNotFound {
				err = fmt.Errorf("%d %s", status, body)
			}
			return err
		})
	})
}

// sampleFile is the absolute path of a sample.
func sampleFile(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "samples", "build", name))
	if err != nil {
		t.Fatal(err)
	}
	return path
}
