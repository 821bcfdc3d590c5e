package main

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// bench measures servers.
type bench struct {
	options
	dir string
}

// table is what is asked, and who is.
type table struct {
	name    string
	clients int
	asks    []ask
	servers []server
}

// ask is a request.
type ask struct {
	what     string
	method   string
	path     string
	sends    int // bytes
	receives int // bytes, at least
}

// server is a program that is asked; what makes the first of a table is 1.
type server struct {
	name string
	args []string // of this very program
	run  []string // of another one; %s: its port
	file string   // component
}

const (
	hello  = "../samples/hello-http/hello-http.wasm"
	bodies = "../engine/component/testdata/http.wasm"
)

func (b *bench) tables() []table {
	plain := server{name: "net/http in Go", args: []string{plainServer}}
	get := ask{what: "GET /", method: "GET", path: "/", receives: 10}
	out := []table{
		{"small", 8, []ask{get}, []server{plain, {name: "hello-http", file: hello}}},
		{"bodies", 1, []ask{
			{"echo 1 MiB", "POST", "/echo", 1 << 20, 1 << 20},
			{"send 64 MiB", "GET", "/big/67108864", 0, 64 << 20},
		}, []server{plain, {name: "a component in C", file: bodies}}},
	}
	if b.js == "" {
		return out
	}
	js := table{"js", 4, []ask{get}, []server{plain, {name: "hello-js", file: b.js}}}
	if b.jco != "" {
		js.servers = append(js.servers, server{name: "hello-js on jco", run: []string{b.jco, "serve", "--isolate-requests", "instance", "--port", "%s", b.js}})
	}
	return append(out, js)
}

// figure is what a server did in a round.
type figure struct {
	requests int
	cpu      time.Duration
}

// table measures, and prints.
func (b *bench) table(ctx context.Context, t table) error {
	var all []*process
	defer func() {
		for _, p := range all {
			p.stop()
		}
	}()
	for _, s := range t.servers {
		p, err := b.start(ctx, s)
		if err != nil {
			return fmt.Errorf("start %s: %w", s.name, err)
		}
		all = append(all, p)
	}
	fmt.Println("| server | request | time of the processor | in a second of it | |")
	fmt.Println("| --- | --- | --- | --- | --- |")
	for _, a := range t.asks {
		if err := b.rows(ctx, t, a, all); err != nil {
			return err
		}
	}
	for n, p := range all {
		if r := p.ready; r.Load > 0 {
			fmt.Printf("%s: compiled in %s, loaded from the cache in %s; an instance that has not run takes %d KiB of memory for itself\n",
				t.servers[n].name, short(r.Compile), short(r.Load), r.Instance>>10)
		}
	}
	fmt.Println()
	return nil
}

// rows are what a request costs each server.
func (b *bench) rows(ctx context.Context, t table, a ask, all []*process) error {
	took := make([][]time.Duration, len(all))
	for range b.rounds {
		for n, p := range all {
			f, err := p.round(ctx, a, t.clients, b.round)
			if err != nil {
				return fmt.Errorf("ask %s: %w", t.servers[n].name, err)
			}
			took[n] = append(took[n], f.cpu/time.Duration(f.requests))
		}
	}
	first := median(took[0])
	for n, s := range t.servers {
		each := median(took[n])
		fmt.Printf("| %s | %s | %s | %s | %.1f × |\n", s.name, a.what, short(each), a.rate(each), each.Seconds()/first.Seconds())
	}
	return nil
}

// rate is how much a second is worth.
func (a ask) rate(each time.Duration) string {
	if n := max(a.sends, a.receives); n >= 1<<20 {
		return fmt.Sprintf("%.0f MB", float64(n)/1e6/each.Seconds())
	}
	return fmt.Sprintf("%.0f requests", 1/each.Seconds())
}

func short(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return fmt.Sprintf("%.0f µs", d.Seconds()*1e6)
	case d < time.Second:
		return fmt.Sprintf("%.1f ms", d.Seconds()*1e3)
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

func median(of []time.Duration) time.Duration {
	of = slices.Clone(of)
	slices.Sort(of)
	return of[len(of)/2]
}
