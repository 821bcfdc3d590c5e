package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/realm-mesh/realm/e2e/internal/node"
	"github.com/realm-mesh/realm/e2e/internal/wasm"
)

type bench struct {
	bin, samples, jco string
	rounds, clients   int
	time              time.Duration

	dir             string
	nodes           []*node.Node
	plain, proxy    target
	isolated        target // without a name if there is no jco
	tiny, component struct{ here, there target }
	rates, p99s     map[string][]float64 // by target, one for each round
}

func (b *bench) run(ctx context.Context) (err error) {
	if b.dir, err = os.MkdirTemp("", "realm-bench-"); err != nil {
		return err
	}
	ctx, stopOthers := context.WithCancel(ctx)
	defer os.RemoveAll(b.dir)
	defer func() {
		stopOthers()
		for _, n := range b.nodes {
			err = errors.Join(err, n.Stop())
		}
	}()
	if b.samples, err = filepath.Abs(b.samples); err != nil {
		return err
	}
	if err := b.startNodes(ctx); err != nil {
		return err
	}
	if err := b.startOthers(ctx); err != nil {
		return err
	}
	return b.measure(ctx)
}

// startNodes brings up two nodes: what is called here runs on both, what is called there on
// the second alone.
func (b *bench) startNodes(ctx context.Context) error {
	for i := range 2 {
		n, err := node.New(ctx, fmt.Sprintf("node %d", i+1), b.bin, filepath.Join(b.dir, fmt.Sprint(i)), filepath.Join(b.dir, "owner.pem"))
		if err != nil {
			return err
		}
		flags := []string{"--mdns=false"}
		if i == 0 {
			if _, err := n.Do(ctx, "init"); err != nil {
				return err
			}
		} else {
			addr, err := b.nodes[0].Addr(ctx)
			if err != nil {
				return err
			}
			flags = append(flags, "--bootstrap", addr)
		}
		b.nodes = append(b.nodes, n)
		if err := n.Start(ctx, flags...); err != nil {
			return err
		}
	}
	return b.deploy(ctx)
}

func (b *bench) deploy(ctx context.Context) error {
	tiny := filepath.Join(b.dir, "tiny.wasm")
	if err := wasm.WriteConst(tiny, 42); err != nil {
		return err
	}
	hello := filepath.Join(b.samples, "hello-http.wasm")
	first := b.nodes[0]
	var one, second node.Whoami
	if err := errors.Join(first.JSON(ctx, &one, "whoami"), b.nodes[1].JSON(ctx, &second, "whoami")); err != nil {
		return err
	}
	for name, peer := range map[string]string{"hello": one.Peer, "hello-there": second.Peer} {
		if _, err := first.Do(ctx, "push", "--name", name, "--peer", peer, "--file", hello); err != nil {
			return err
		}
	}
	for name, peer := range map[string]string{"tiny": one.Peer, "tiny-there": second.Peer} {
		if _, err := first.Do(ctx, "fn", "deploy", "--name", name, "--peer", peer, "--wasm", tiny); err != nil {
			return err
		}
	}
	http := first.HTTP
	b.tiny.here = post("`POST /exec` of a tiny function, on the node", http, "/exec", `{"name":"tiny"}`)
	b.tiny.there = post("the same, one hop away", http, "/exec", `{"name":"tiny-there"}`)
	b.component.here = get("`GET` of a component in C (`hello-http`), on the node", http, "/hello/")
	b.component.there = get("the same component, one hop away", http, "/hello-there/")
	return nil
}

// measure asks all in turn.
func (b *bench) measure(ctx context.Context) error {
	b.rates, b.p99s = map[string][]float64{}, map[string][]float64{}
	all := []target{b.plain, b.proxy, b.tiny.here, b.tiny.there, b.component.here, b.component.there}
	if b.jco != "" {
		all = append(all, b.isolated)
	}
	for _, t := range all { // once, so that connections and caches stand
		if _, err := load(ctx, t, b.clients, time.Second, 0); err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
	}
	for range b.rounds {
		for _, t := range all {
			r, err := load(ctx, t, b.clients, b.time, 0)
			if err != nil {
				return fmt.Errorf("%s: %w", t.name, err)
			}
			b.rates[t.name] = append(b.rates[t.name], r.rate)
		}
	}
	for range b.rounds {
		for _, t := range all {
			r, err := load(ctx, t, b.clients, b.time, median(b.rates[t.name])/2)
			if err != nil {
				return fmt.Errorf("%s at half load: %w", t.name, err)
			}
			b.p99s[t.name] = append(b.p99s[t.name], r.percentile(0.99).Seconds()*1e3)
		}
	}
	b.print(all)
	return nil
}

// print prints the table, with what each is to be held against.
func (b *bench) print(all []target) {
	aims := map[string]struct {
		of   target
		text string
	}{
		b.tiny.here.name:       {b.proxy, "of the reverse proxy: ≥ 0.5"},
		b.tiny.there.name:      {b.tiny.here, "of that on the node: ≥ 0.33"},
		b.component.here.name:  {b.isolated, "of jco: ≥ 3"},
		b.component.there.name: {b.component.here, "of that on the node: ≥ 0.33"},
		b.proxy.name:           {b.plain, "of net/http alone"},
	}
	fmt.Printf("%d connections, %d rounds of %v\n\n", b.clients, b.rounds, b.time)
	fmt.Println("| what | answers a second | ratio | p99 at half of that |")
	fmt.Println("| --- | --- | --- | --- |")
	for _, t := range all {
		ratio := ""
		if aim, ok := aims[t.name]; ok && aim.of.name != "" {
			ratio = fmt.Sprintf("%.2f %s", b.ratio(t, aim.of), aim.text)
		}
		fmt.Printf("| %s | %.0f | %s | %.1f ms |\n", t.name, median(b.rates[t.name]), ratio, median(b.p99s[t.name]))
	}
}

// ratio is the median of the ratios of what was measured next to each other.
func (b *bench) ratio(t, of target) float64 {
	var all []float64
	for i, r := range b.rates[t.name] {
		all = append(all, r/b.rates[of.name][i])
	}
	return median(all)
}

func median(all []float64) float64 {
	return slices.Sorted(slices.Values(all))[len(all)/2]
}
