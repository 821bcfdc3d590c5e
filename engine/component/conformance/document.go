package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/realm-mesh/realm/engine/component/httpshape"
)

// document is a text in Markdown.
type document struct{ strings.Builder }

func (d *document) say(format string, args ...any) { fmt.Fprintf(d, format+"\n", args...) }

// table writes the head of a table; row adds to it.
func (d *document) table(columns ...string) {
	d.say("")
	d.row(columns...)
	d.row(slices.Repeat([]string{"---"}, len(columns))...)
}

func (d *document) row(cells ...string) {
	for i, c := range cells {
		cells[i] = strings.ReplaceAll(c, "|", `\|`)
	}
	d.say("| %s |", strings.Join(cells, " | "))
}

func code(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return "`" + strings.Join(names, "`, `") + "`"
}

// Document is docs/CONFORMANCE.md. It says nothing that differs between machines.
func (r *Report) Document() string {
	d := &document{}
	d.say("# Conformance\n")
	d.say("What the engine holds to of the component model, as far as WASI 0.2 goes, and of WASI 0.2: each rule, with the")
	d.say("cases that hold it. `make conformance` runs the cases and writes this file; a test runs them, too, and fails if")
	d.say("one is not as it must be, if a rule or a function is without a case, or if this file is not what would be written.")
	d.table("part", "cases")
	d.row("[Validation](#validation)", fmt.Sprintf("%d rules; %d components that are refused for the reason that they must be, %d that are not refused", len(validRules())+len(malformedRules()), len(r.invalid.right)+len(malformedRules()), len(r.valid.right)))
	d.row("[Canonical ABI](#canonical-abi)", fmt.Sprintf("%d rules; %d components that run, %d vectors", len(abiRules()), len(r.cases), r.allVectors))
	d.row("[Hostile guests](#hostile-guests)", fmt.Sprintf("%d components", len(r.hostile)))
	d.row("[WASI 0.2](#wasi-02)", fmt.Sprintf("%d functions and resources, all called by a component", len(r.functions)))
	d.row("[Hosts compared](#hosts-compared)", fmt.Sprintf("%d requests", len(httpshape.Shapes())))
	d.row("[Not supported](#not-supported)", fmt.Sprintf("%d components that are refused", len(r.missing)))
	r.validation(d)
	r.canonical(d)
	r.hostiles(d)
	r.interfaces(d)
	r.hosts(d)
	r.unsupported(d)
	return d.String()
}

func (r *Report) validation(d *document) {
	d.say("\n## Validation\n")
	d.say("Rules of `Binary.md` and `Explainer.md` that a component of WASI 0.2 can break, in our words. The components are in")
	d.say("`engine/%s`: each says in its first line for what reason it is refused, and is", validFolder)
	d.say("decoded and checked. Core modules are validated when they are compiled.")
	section := ""
	for _, rule := range validRules() {
		if rule.section != section {
			section = rule.section
			d.say("\n### %s", section)
			d.table("rule", "broken by", "kept by")
		}
		d.row(rule.text, code(r.invalid.matching(rule.breaks)), code(r.valid.matching(rule.keeps)))
	}
	d.say("\n### Binary format\n")
	d.say("Bytes that are no component are refused before anything else; `engine/component/internal/binary` has more of them.")
	d.table("rule", "refused, for")
	for _, rule := range malformedRules() {
		d.row(rule.text, rule.reason)
	}
}

func (r *Report) canonical(d *document) {
	d.say("\n## Canonical ABI\n")
	d.say("Every case is a component in `engine/component/conformance/testdata`, run as a program by the engine, with its")
	d.say("meters. In `values` one component gives values to another, as arguments and as results, and each looks at what lies in")
	d.say("its own memory; in `calls` components call each other, and lend and give resources. A case returns if all was found as it")
	d.say("had to be, traps with the reason that it must, or is ended by a limit. Vectors are values, core values and memory that")
	d.say("the specification's own definitions made; unit tests of the canonical ABI hold lifting and lowering to them. One")
	d.say("of them counts for each type in it.")
	d.table("rule", "of", "cases: return", "trap", "end by a limit", "vectors", "of them trap")
	for _, rule := range abiRules() {
		count := map[string]int{}
		for _, c := range r.cases {
			if c.Rule == rule.id {
				how, _, _ := strings.Cut(c.Must, ":")
				count[how]++
			}
		}
		d.row(rule.text, rule.section, number(count["returns"]), number(count["traps"]), number(count["stops"]), number(r.vectors.all[rule.id]), number(r.vectors.traps[rule.id]))
	}
	d.say("\n### Cases")
	d.table("case", "rule", "shows", "must")
	for _, c := range r.cases {
		d.row("`"+c.Name+"`", "`"+c.Rule+"`", c.What, must(c.Must))
	}
}

func number(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}

// must is a verdict in words.
func must(s string) string {
	how, why, found := strings.Cut(s, ": ")
	if !found {
		return "return"
	}
	return map[string]string{"traps": "trap", "stops": "end without", "refused": "be refused", "missing": "be refused, for want of"}[how] + ": " + why
}

func (r *Report) hostiles(d *document) {
	d.say("\n## Hostile guests\n")
	d.say("Components in `engine/%s`. Others are among the cases above: allocators that lie or never return,", hostileFolder)
	d.say("overlapping allocations, lengths that wrap, destructors and start functions that never end.")
	d.table("guest", "does", "must")
	for _, g := range r.hostile {
		d.row("`hostile-"+g.name+"`", g.does, must(g.must))
	}
}

func (r *Report) interfaces(d *document) {
	d.say("\n## WASI 0.2\n")
	d.say("One component in C, `engine/component/conformance/testdata/wasi`, calls every function and drops every resource of every")
	d.say("interface, as a command and as a web program, and says of each whether it did what it has to. There are no sockets and no")
	d.say("terminals: who asks for one is told so, and what can only be called with one can never be called. How much more")
	d.say("of the functions is tested stands in the packages `engine/wasi` and `engine/mount`.")
	section := ""
	for _, f := range r.functions {
		iface, name, _ := strings.Cut(f, " ")
		if iface != section {
			section = iface
			d.say("\n### %s", section)
			d.table("function or resource", "how it is run")
		}
		d.row("`"+name+"`", r.answers[f])
	}
}

func (r *Report) hosts(d *document) {
	shapes, deviations := httpshape.Shapes(), httpshape.Deviations()
	by := map[string]int{}
	for _, s := range shapes {
		by[s.Component]++
	}
	d.say("\n## Hosts compared\n")
	d.say("What clients see of a host of `wasi:http` is compared with what they see of `jco serve --isolate-requests instance`, in %d", len(shapes))
	d.say("requests to components of several toolchains. In %d of them that host is not followed, for a reason. The", len(deviations))
	d.say("tests of `runnerd/internal/wasihttp` run the requests; the command that recorded the other host is")
	d.say("`engine/component/httpshape/comparehttp`.")
	d.table("component", "requests")
	for _, name := range slices.Sorted(maps.Keys(by)) {
		d.row("`"+name+"`", number(by[name]))
	}
	d.table("request", "why the other host is not followed")
	for _, name := range slices.Sorted(maps.Keys(deviations)) {
		d.row(name, deviations[name].Why)
	}
}

func (r *Report) unsupported(d *document) {
	d.say("\n## Not supported\n")
	d.say("What came after WASI 0.2, and what no host gives, is refused when a component is read, with a list of what is missing.")
	d.table("case", "what", "must")
	for _, c := range r.missing {
		d.row("`"+c.Name+"`", c.What, must(c.Must))
	}
}
