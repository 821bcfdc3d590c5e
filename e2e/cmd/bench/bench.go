package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/realm-mesh/realm/e2e/internal/node"
	"github.com/realm-mesh/realm/e2e/internal/wasm"
)

const meshSize = 5

type bench struct {
	bin, samples  string
	calls, pushes int
	jobs          int // 0: they are not measured, else nothing but they

	dir   string
	nodes []*node.Node
}

func (b *bench) run(ctx context.Context) (err error) {
	if b.dir, err = os.MkdirTemp("", "realm-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	defer func() { err = errors.Join(err, b.stop()) }()

	fmt.Println("| what | p50 | p95 | ratio |")
	fmt.Println("| --- | --- | --- | --- |")
	if err := b.idle(ctx); err != nil {
		return err
	}
	if err := b.join(ctx); err != nil {
		return err
	}
	if b.jobs > 0 {
		return b.measureJobs(ctx)
	}
	if err := b.serve(ctx); err != nil {
		return err
	}
	return b.push(ctx)
}

func (b *bench) add(ctx context.Context, flags ...string) error {
	i := len(b.nodes) + 1
	n, err := node.New(ctx, fmt.Sprintf("node %d", i), b.bin, filepath.Join(b.dir, fmt.Sprint(i)), filepath.Join(b.dir, "owner.pem"))
	if err != nil {
		return err
	}
	if i == 1 {
		if _, err := n.Do(ctx, "init"); err != nil {
			return err
		}
	}
	b.nodes = append(b.nodes, n)
	return n.Start(ctx, append(flags, "--mdns=false")...)
}

// settle is how long a node is left alone before its memory is read.
const settle = 10 * time.Second

// idle reads the resident memory of a lone node that does nothing.
func (b *bench) idle(ctx context.Context) error {
	if err := b.add(ctx); err != nil {
		return err
	}
	select {
	case <-time.After(settle):
	case <-ctx.Done():
		return ctx.Err()
	}
	ps, err := b.nodes[0].PS(ctx)
	if err != nil {
		return err
	}
	launcher, err := rss(ps.PID)
	if err != nil {
		return err
	}
	total := launcher
	row("resident, idle: realm up with the bus", mib(launcher), "", "")
	for _, d := range ps.Daemons {
		total += d.RSS
		row("resident, idle: "+d.Daemon, mib(d.RSS), "", "")
	}
	row("resident, idle: the whole node", mib(total), "", "")
	return nil
}

// rss is the resident memory of a process, from /proc.
func rss(pid int) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, err
	}
	var size, resident int64
	if _, err := fmt.Sscan(string(b), &size, &resident); err != nil {
		return 0, err
	}
	return resident * int64(os.Getpagesize()), nil
}

// join makes the mesh whole.
func (b *bench) join(ctx context.Context) error {
	addr, err := b.nodes[0].Addr(ctx)
	if err != nil {
		return err
	}
	for len(b.nodes) < meshSize {
		if err := b.add(ctx, "--bootstrap", addr); err != nil {
			return err
		}
	}
	for _, n := range b.nodes {
		err := node.Until(ctx, "peers of "+n.Name, func(ctx context.Context) error {
			p, err := n.Peers(ctx)
			if err == nil && p.Connected() != meshSize-1 {
				err = fmt.Errorf("%d connected", p.Connected())
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// serve measures calls on the node that runs the program, and over one hop from a
// node that does not.
func (b *bench) serve(ctx context.Context) error {
	here, away := b.nodes[0], b.nodes[1]
	var who node.Whoami
	if err := here.JSON(ctx, &who, "whoami"); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"fn", "deploy", "--name", "double", "--peer", who.Peer, "--wasm", filepath.Join(b.samples, "double.wasm")},
		{"push", "--name", "hello", "--peer", who.Peer, "--http", "cgi", "--file", filepath.Join(b.samples, "hello-cgi.wasm")},
	} {
		if _, err := here.Do(ctx, args...); err != nil {
			return err
		}
	}
	const double = `{"name":"double","arg":21}`
	exec, err := b.alternate(ctx,
		call{http.MethodPost, "http://" + here.HTTP + "/exec", double},
		call{http.MethodPost, "http://" + away.HTTP + "/exec", double})
	if err != nil {
		return err
	}
	row("`POST /exec` of `double` (stock Go), on the node that runs it", ms(exec[0].p(50)), ms(exec[0].p(95)), "1")
	row("the same over one hop", ms(exec[1].p(50)), ms(exec[1].p(95)), ratio(exec[1].p(50), exec[0].p(50)))
	row("what the hop adds", ms(exec[1].p(50)-exec[0].p(50)), "", "")
	cgi, err := b.alternate(ctx,
		call{http.MethodGet, "http://" + here.HTTP + "/hello/", ""},
		call{http.MethodGet, "http://" + away.HTTP + "/hello/", ""})
	if err != nil {
		return err
	}
	row("`GET /hello/` of a Go `http.Handler` under CGI, on the node that runs it", ms(cgi[0].p(50)), ms(cgi[0].p(95)), "1")
	row("the same over one hop", ms(cgi[1].p(50)), ms(cgi[1].p(95)), ratio(cgi[1].p(50), cgi[0].p(50)))
	return nil
}

type call struct{ method, url, body string }

// alternate makes each call in turn, so many times, and returns their times.
func (b *bench) alternate(ctx context.Context, calls ...call) ([]times, error) {
	out := make([]times, len(calls))
	for range b.calls {
		for i, c := range calls {
			begin := time.Now()
			if err := c.do(ctx); err != nil {
				return nil, err
			}
			out[i] = append(out[i], time.Since(begin))
		}
	}
	return out, nil
}

func (c call) do(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, c.method, c.url, strings.NewReader(c.body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var body bytes.Buffer
	if _, err := io.Copy(&body, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %s", c.url, resp.Status, body.Bytes())
	}
	return nil
}

// moduleSize is that of the program whose push is measured, in bytes.
const moduleSize = 200_000

// push measures from the start of realm push until its end: the program is
// uploaded, accepted, fetched, compiled and ready on every node.
func (b *bench) push(ctx context.Context) error {
	var took times
	for i := range b.pushes {
		file := filepath.Join(b.dir, fmt.Sprintf("m%d.wasm", i))
		if err := os.WriteFile(file, wasm.Sized(int64(i), moduleSize), 0o600); err != nil {
			return err
		}
		begin := time.Now()
		if _, err := b.nodes[0].Do(ctx, "fn", "deploy", "--name", fmt.Sprintf("m%d", i), "--wasm", file); err != nil {
			return err
		}
		took = append(took, time.Since(begin))
	}
	row(fmt.Sprintf("`realm fn deploy` of a 200 kB module until it runs on %d nodes of this machine", meshSize), ms(took.p(50)), ms(took.p(95)), "")
	return nil
}

func (b *bench) stop() error {
	var errs []error
	for i := len(b.nodes) - 1; i >= 0; i-- {
		errs = append(errs, b.nodes[i].Stop())
	}
	return errors.Join(errs...)
}

// times are durations of equal calls.
type times []time.Duration

// p is the percentile q, 0 to 100, by nearest rank.
func (t times) p(q int) time.Duration {
	s := slices.Sorted(slices.Values(t))
	return s[min(len(s)-1, len(s)*q/100)]
}

func row(what, p50, p95, ratio string) {
	fmt.Printf("| %s | %s | %s | %s |\n", what, p50, p95, ratio)
}

func ms(d time.Duration) string {
	return fmt.Sprintf("%.2f ms", float64(d)/float64(time.Millisecond))
}

func mib(b int64) string { return fmt.Sprintf("%.1f MiB", float64(b)/(1<<20)) }

func ratio(a, b time.Duration) string { return fmt.Sprintf("%.2f", float64(a)/float64(b)) }
