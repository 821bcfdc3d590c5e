package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/realm-mesh/realm/e2e/internal/node"
)

// stepTimeout bounds each step; the demo as a whole then ends, too.
const stepTimeout = 60 * time.Second

type demo struct {
	bin, samples string
	once         bool

	nodes []*node.Node
	step  int
}

func (d *demo) run(ctx context.Context) (err error) {
	dir, err := os.MkdirTemp("", "realm-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if d.bin, err = filepath.Abs(d.bin); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.stop()) }()

	steps := []struct {
		what string
		do   func(context.Context) (string, error)
	}{
		{"make an owner key", func(ctx context.Context) (string, error) { return d.owner(ctx, dir) }},
		{"start three nodes", func(ctx context.Context) (string, error) { return d.start(ctx, dir) }},
		{"wait until each knows the two others", d.meet},
		{"deploy the function double on node 1", d.deploy},
		{"call it on node 3, which it was not pushed to", d.call},
		{"push the component hello-http, which answers HTTP, on node 1", d.push},
		{"read its page on node 2", d.page},
	}
	for _, s := range steps {
		if err := d.do(ctx, s.what, s.do); err != nil {
			return err
		}
	}
	d.next()
	if d.once {
		return nil
	}
	<-ctx.Done()
	fmt.Println("\nStopping.")
	return nil
}

// do runs one step and prints it with what it found.
func (d *demo) do(ctx context.Context, what string, fn func(context.Context) (string, error)) error {
	d.step++
	fmt.Printf("%d. %s\n", d.step, what)
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	begin := time.Now()
	found, err := fn(ctx)
	if err != nil {
		return fmt.Errorf("step %d, %s: %w", d.step, what, err)
	}
	for _, line := range strings.Split(strings.TrimSpace(found), "\n") {
		fmt.Println("     " + line)
	}
	fmt.Printf("     ✓ %.1f s\n", time.Since(begin).Seconds())
	return nil
}

func (d *demo) owner(ctx context.Context, dir string) (string, error) {
	key := filepath.Join(dir, "owner.pem")
	for i := 1; i <= 3; i++ {
		n, err := node.New(ctx, fmt.Sprintf("node %d", i), d.bin, filepath.Join(dir, fmt.Sprintf("node%d", i)), key)
		if err != nil {
			return "", err
		}
		d.nodes = append(d.nodes, n)
	}
	if _, err := d.nodes[0].Do(ctx, "init"); err != nil {
		return "", err
	}
	return d.nodes[0].Do(ctx, "key", "show")
}

// start brings up node 1, and the others with its address: mDNS would do on most
// networks, but the demo has to work on a machine without any.
func (d *demo) start(ctx context.Context, _ string) (string, error) {
	if err := d.nodes[0].Start(ctx); err != nil {
		return "", err
	}
	addr, err := d.nodes[0].Addr(ctx)
	if err != nil {
		return "", err
	}
	var found strings.Builder
	for _, n := range d.nodes[1:] {
		if err := n.StartOnly("--bootstrap", addr); err != nil {
			return "", err
		}
	}
	for _, n := range d.nodes {
		if err := n.WaitReady(ctx); err != nil {
			return "", err
		}
		fmt.Fprintf(&found, "%s  programs http://%s  management http://%s\n", n.Name, n.HTTP, n.Manage)
	}
	return found.String(), nil
}

func (d *demo) meet(ctx context.Context) (string, error) {
	for _, n := range d.nodes {
		err := node.Until(ctx, "peers of "+n.Name, func(ctx context.Context) error {
			peers, err := n.Peers(ctx)
			if err != nil {
				return err
			}
			if connected := peers.Connected(); connected < 2 {
				return fmt.Errorf("%d connected", connected)
			}
			return nil
		})
		if err != nil {
			return "", err
		}
	}
	out, err := d.nodes[0].Do(ctx, "peers")
	table, _, _ := strings.Cut(out, "\n\n") // without the addresses, which nobody needs here
	return table, err
}

func (d *demo) deploy(ctx context.Context) (string, error) {
	return d.nodes[0].Do(ctx, "fn", "deploy", "--wasm", filepath.Join(d.samples, "double.wasm"), "--name", "double")
}

func (d *demo) call(ctx context.Context) (string, error) {
	url := "http://" + d.nodes[2].HTTP + "/exec"
	body := `{"name":"double","arg":21}`
	got, err := fetch(ctx, http.MethodPost, url, body)
	if err != nil {
		return "", err
	}
	var reply struct{ Result json.Number }
	if err := json.Unmarshal([]byte(got), &reply); err != nil || reply.Result != "42" {
		return "", fmt.Errorf("POST %s %s answered %s, want a result of 42", url, body, got)
	}
	return fmt.Sprintf("POST %s %s\n→ %s", url, body, got), nil
}

func (d *demo) push(ctx context.Context) (string, error) {
	return d.nodes[0].Do(ctx, "push", "--name", "hello", "--file", filepath.Join(d.samples, "hello-http.wasm"))
}

func (d *demo) page(ctx context.Context) (string, error) {
	url := "http://" + d.nodes[1].HTTP + "/hello/"
	got, err := fetch(ctx, http.MethodGet, url, "")
	if err != nil {
		return "", err
	}
	first, _, _ := strings.Cut(strings.TrimSpace(got), "\n")
	return "GET " + url + "\n→ " + first, nil
}

func fetch(ctx context.Context, method, url, body string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s %s: %s: %s", method, url, resp.Status, b)
	}
	return string(b), nil
}

// next prints what a person can try while the nodes are up.
func (d *demo) next() {
	one, two := d.nodes[0], d.nodes[1]
	fmt.Printf(`
All steps held.
`)
	if d.once {
		return
	}
	fmt.Printf(`Try next, in another terminal:

  curl http://%s/hello/
  curl -H 'Content-Type: application/json' -d '{"name":"double","arg":4}' http://%s/exec
  curl http://%s/metrics
  export REALM_HOME=%s REALM_OWNER_KEY=%s
  %s status
  %s push --name ticker --file %s
  %s logs ticker -f

Stop everything with Ctrl-C.
`, two.HTTP, two.HTTP, one.Manage, one.Home, one.OwnerKey,
		filepath.Join(d.bin, "realm"), filepath.Join(d.bin, "realm"), filepath.Join(d.samples, "ticker.wasm"), filepath.Join(d.bin, "realm"))
}

func (d *demo) stop() error {
	var errs []error
	for i := len(d.nodes) - 1; i >= 0; i-- {
		errs = append(errs, d.nodes[i].Stop())
	}
	return errors.Join(errs...)
}
