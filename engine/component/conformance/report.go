package main

import (
	"context"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/realm-mesh/realm/engine"
)

// Report is what came of all cases.
type Report struct {
	valid, invalid *validated
	cases          []Case // of the canonical ABI
	missing        []Case // of what is not supported
	vectors        *vectorCounts
	allVectors     int
	hostile        []hostileGuest
	functions      []string // of WASI, and resources: interface and name
	answers        answers
	// Wrong is what is not as it must be.
	Wrong []string
}

// Conform runs all cases. Files are those of the module engine.
func Conform(ctx context.Context, files fs.FS) (*Report, error) {
	h, err := newHost()
	if err != nil {
		return nil, err
	}
	defer h.close()
	r := &Report{hostile: hostileGuests()}
	for _, part := range []func(context.Context, *host, fs.FS) error{r.validate, r.abi, r.guests, r.wasi} {
		if err := part(ctx, h, files); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (r *Report) fails(format string, args ...any) {
	r.Wrong = append(r.Wrong, fmt.Sprintf(format, args...))
}

// validate has every component that is there for a rule be named by one.
func (r *Report) validate(_ context.Context, _ *host, files fs.FS) (err error) {
	if r.valid, err = validate(files, "valid"); err != nil {
		return err
	}
	if r.invalid, err = validate(files, "invalid"); err != nil {
		return err
	}
	r.Wrong = slices.Concat(r.Wrong, parseMalformed(), r.valid.wrong, r.invalid.wrong)
	var named []string
	for _, rule := range validRules() {
		breaks, keeps := r.invalid.matching(rule.breaks), r.valid.matching(rule.keeps)
		named = append(named, breaks...)
		if len(breaks) == 0 || len(keeps) == 0 {
			r.fails("no component breaks and none keeps: %s", rule.text)
		}
	}
	for _, name := range r.invalid.right {
		if !slices.Contains(named, name) {
			r.fails("the component %s breaks no rule of the table", name)
		}
	}
	return nil
}

// run runs the cases of a folder.
func (r *Report) run(ctx context.Context, h *host, files fs.FS, folder string) ([]Case, error) {
	cases, err := read(files, "component/conformance/testdata/"+folder)
	if err != nil {
		return nil, err
	}
	for _, c := range cases {
		if err := verdict(c.Must, h.run(ctx, c.wasm, engine.Env{})); err != nil {
			r.fails("%s/%s: %v", folder, c.Name, err)
		}
	}
	return cases, nil
}

func (r *Report) abi(ctx context.Context, h *host, files fs.FS) (err error) {
	for _, folder := range []string{"values", "calls"} {
		cases, err := r.run(ctx, h, files, folder)
		if err != nil {
			return err
		}
		r.cases = append(r.cases, cases...)
	}
	rules := abiRules()
	for _, c := range r.cases {
		if !slices.ContainsFunc(rules, func(rule abiRule) bool { return rule.id == c.Rule }) {
			r.fails("the case %s is of no rule of the table: %s", c.Name, c.Rule)
		}
	}
	for _, rule := range rules {
		if !slices.ContainsFunc(r.cases, func(c Case) bool { return c.Rule == rule.id }) {
			r.fails("no case is of the rule %s", rule.id)
		}
	}
	r.vectors, r.allVectors, err = countVectors(files)
	return err
}

func (r *Report) guests(ctx context.Context, h *host, files fs.FS) (err error) {
	for _, g := range r.hostile {
		if err := h.runHostile(ctx, files, g); err != nil {
			r.fails("hostile-%s: %v", g.name, err)
		}
	}
	r.missing, err = r.run(ctx, h, files, "missing")
	return err
}

// wasi has every function and resource of WASI be called.
func (r *Report) wasi(ctx context.Context, h *host, files fs.FS) error {
	list, err := fs.ReadFile(files, "wasi/testdata/functions.txt")
	if err != nil {
		return fmt.Errorf("read list of functions: %w", err)
	}
	for line := range strings.Lines(string(list)) {
		if f := strings.Fields(line); len(f) == 3 {
			r.functions = append(r.functions, f[0]+" "+f[2])
		}
	}
	var wrong []string
	if r.answers, wrong, err = callWASI(ctx, h, files); err != nil {
		return err
	}
	r.Wrong = append(r.Wrong, wrong...)
	for _, name := range r.functions {
		if r.answers[name] == "" {
			r.fails("nobody calls %s", name)
		}
	}
	return nil
}
