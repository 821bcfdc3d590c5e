package e2e_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/realm-mesh/realm/e2e/internal/node"
)

const (
	mebibyte   = 1 << 20
	echoed     = 64 * mebibyte
	mayGrow    = 24 * mebibyte // of a daemon, while that flows through it
	idleConns  = 5000
	mayBeIdle  = 150 * 1000 * 1000 // bytes, of gatewayd with so many
	halfHeads  = 500
	besideThem = 50 // requests
)

// memory reads what a process has in memory (VmRSS), or the most that it had since
// forgetPeak (VmHWM), in bytes.
func memory(t *testing.T, pid int, name string) int64 {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			kib, err := strconv.ParseInt(strings.Fields(value)[0], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kib << 10
		}
	}
	t.Fatalf("no %s", name)
	return 0
}

func forgetPeak(t *testing.T, pid int) {
	t.Helper()
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0); err != nil {
		t.Fatal(err)
	}
}

// TestLargeBodies has a program give back 64 MiB while it gets them, on this node and on
// another: no daemon on the way holds more than a little of it.
func TestLargeBodies(t *testing.T) {
	nodes := startMesh(t, 2)
	for i, name := range []string{"here", "there"} {
		do(t, nodes[0], "push", "--name", name, "--http", "cgi", "--peer", peerOf(t, nodes[i]), "--epoch-ms", "120000", "--file", sample("hello-cgi"))
	}
	type process struct {
		name string
		pid  int
	}
	var on [2][]process
	for i, n := range nodes {
		for _, d := range []string{"gatewayd", "meshd", "runnerd"} {
			pid, err := n.DaemonPID(testContext(t), d)
			if err != nil {
				t.Fatal(err)
			}
			on[i] = append(on[i], process{n.Name + " " + d, pid})
		}
	}
	for _, name := range []string{"here", "there"} {
		url := "http://" + nodes[0].HTTP + "/" + name + "/echo"
		flow(t, url, 4*mebibyte) // connections and buffers stand
		before := map[int]int64{}
		for _, p := range append(on[0], on[1]...) {
			forgetPeak(t, p.pid)
			before[p.pid] = memory(t, p.pid, "VmHWM")
		}
		begun := time.Now()
		flow(t, url, echoed)
		t.Logf("%s: 64 MiB up and down in %v", name, time.Since(begun).Round(10*time.Millisecond))
		for _, p := range append(on[0], on[1]...) {
			grown := memory(t, p.pid, "VmHWM") - before[p.pid]
			t.Logf("%s: %s grew by %.1f MiB", name, p.name, float64(grown)/mebibyte)
			if grown > mayGrow {
				t.Errorf("%s grew by %d MiB", p.name, grown/mebibyte)
			}
		}
	}
}

// flow sends size bytes to a program that gives them back, after a head of lines that ends
// with an empty one, and compares.
func flow(t *testing.T, url string, size int64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	sent, got := sha256.New(), sha256.New()
	body := io.TeeReader(io.LimitReader(rand.NewChaCha8([32]byte{}), size), sent)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, body)
	if err != nil {
		t.Fatal(err)
	}
	req.ContentLength = size
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		b, _ := io.ReadAll(resp.Body) // as far as it comes
		t.Fatalf("%s: %s", resp.Status, b)
	}
	r := bufio.NewReader(resp.Body)
	for line := ""; err == nil && line != "\n"; {
		line, err = r.ReadString('\n')
	}
	if err != nil {
		t.Fatal(err)
	}
	if n, err := io.Copy(got, r); err != nil || n != size || !equal(sent, got) {
		t.Fatalf("%d of %d bytes came back, %v; as they were: %t", n, size, err, equal(sent, got))
	}
}

func equal(a, b hash.Hash) bool { return string(a.Sum(nil)) == string(b.Sum(nil)) }

// TestManyConnections keeps 5,000 that do nothing, and as many more as there are half heads,
// beside which others are served.
func TestManyConnections(t *testing.T) {
	n := startNode(t)
	do(t, n, "push", "--name", "hello", "--file", sample("hello-http"))
	pid, err := n.DaemonPID(testContext(t), "gatewayd")
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("gatewayd has %.1f MB", float64(memory(t, pid, "VmRSS"))/1e6)
	const get = "GET /hello/ HTTP/1.1\r\nHost: localhost\r\n\r\n"
	all := dialMany(t, n, idleConns, get, answer)
	rss := memory(t, pid, "VmRSS")
	t.Logf("with %d idle connections %.1f MB", idleConns, float64(rss)/1e6)
	if rss > mayBeIdle {
		t.Errorf("gatewayd has %.1f MB with %d idle connections", float64(rss)/1e6, idleConns)
	}
	dialMany(t, n, halfHeads, "GET /hello/ HTTP/1.1\r\nHost: localhost\r\nX-Half: ", func(net.Conn) error { return nil })
	for range besideThem {
		if status, _ := request(t, http.MethodGet, "http://"+n.HTTP+"/hello/", "", nil); status != http.StatusOK {
			t.Errorf("status %d", status)
		}
	}
	// They are all there yet.
	for _, c := range []net.Conn{all[0], all[len(all)/2], all[len(all)-1]} {
		fmt.Fprint(c, get)
		if err := answer(c); err != nil {
			t.Error(err)
		}
	}
}

// dialMany opens connections, sends text on each, and has then done.
func dialMany(t *testing.T, n *node.Node, count int, text string, then func(net.Conn) error) []net.Conn {
	t.Helper()
	all := make([]net.Conn, count)
	var failed sync.Map
	var dialling sync.WaitGroup
	for worker := range 16 {
		dialling.Go(func() {
			for i := worker; i < count; i += 16 {
				c, err := net.Dial("tcp", n.HTTP)
				if err == nil {
					all[i] = c
					_, err = io.WriteString(c, text)
				}
				if err == nil {
					err = then(c)
				}
				if err != nil {
					failed.Store("error", err)
					return
				}
			}
		})
	}
	dialling.Wait()
	t.Cleanup(func() {
		for _, c := range all {
			if c != nil {
				c.Close()
			}
		}
	})
	if err, ok := failed.Load("error"); ok {
		t.Fatal(err)
	}
	return all
}

// answer reads one from a connection.
func answer(c net.Conn) error {
	_ = c.SetReadDeadline(time.Now().Add(30 * time.Second))
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if b, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %q %w", resp.Status, b, err)
	}
	return nil
}

// TestReplacedUnderARequest replaces a program while it reads a body, on this node and on
// another: the request ends with the version that it began with, the next one gets the new.
func TestReplacedUnderARequest(t *testing.T) {
	t.Parallel()
	nodes := startMesh(t, 2)
	push := func(name, greeting string) {
		t.Helper()
		do(t, nodes[0], "push", "--name", name, "--http", "cgi", "--epoch-ms", "120000", "--env", "GREETING="+greeting, "--file", sample("hello-cgi"),
			"--peer", peerOf(t, map[string]*node.Node{"here": nodes[0], "there": nodes[1]}[name]))
	}
	for _, name := range []string{"here", "there"} {
		push(name, "Old")
		url := "http://" + nodes[0].HTTP + "/" + name
		body, rest := io.Pipe()
		req, err := http.NewRequestWithContext(testContext(t), http.MethodPost, url+"/echo", body)
		if err != nil {
			t.Fatal(err)
		}
		req.ContentLength = 10
		answered := make(chan error, 1)
		go func() {
			resp, err := http.DefaultClient.Do(req)
			if err == nil {
				var b []byte
				b, err = io.ReadAll(resp.Body)
				resp.Body.Close()
				if err == nil && (resp.StatusCode != http.StatusOK || !strings.HasSuffix(string(b), "\n0123456789")) {
					err = fmt.Errorf("%s %s", resp.Status, b)
				}
			}
			answered <- err
		}()
		if _, err := io.WriteString(rest, "01234"); err != nil {
			t.Fatal(err)
		}
		push(name, "New")
		if status, got := request(t, http.MethodGet, url+"/", "", nil); status != http.StatusOK || !strings.HasPrefix(got, "New") {
			t.Errorf("%s: %d %s", name, status, got)
		}
		select {
		case err := <-answered:
			t.Errorf("%s: it was ended: %v", name, err)
			continue
		default:
		}
		if _, err := io.WriteString(rest, "56789"); err != nil {
			t.Fatal(err)
		}
		rest.Close()
		if err := <-answered; err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
