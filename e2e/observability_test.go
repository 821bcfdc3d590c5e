package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/realm-mesh/realm/e2e/internal/wasm"
)

// series are the values of each label of each metric of a node.
type series map[string]map[string][]string

// scraped are the labels that Prometheus adds.
var scraped = []string{"job", "instance"}

// readSeries asks a node for all that it counts.
func readSeries(t *testing.T, url string) series {
	t.Helper()
	_, text := request(t, http.MethodGet, url, "", nil)
	p := expfmt.NewTextParser(model.UTF8Validation)
	families, err := p.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	out := series{}
	for name, f := range families {
		names := []string{name}
		if f.GetType().String() == "HISTOGRAM" {
			names = []string{name + "_bucket", name + "_sum", name + "_count"}
		}
		for _, n := range names {
			out[n] = map[string][]string{}
			for _, m := range f.GetMetric() {
				for _, l := range m.GetLabel() {
					out[n][l.GetName()] = append(out[n][l.GetName()], l.GetValue())
				}
				if strings.HasSuffix(n, "_bucket") {
					out[n]["le"] = []string{"+Inf"}
				}
			}
		}
	}
	return out
}

// check wants what an expression asks for to be there: the metric, the labels that are
// matched or grouped by, and the values that are named exactly.
func (s series) check(expr string) error {
	tree, err := parser.ParseExpr(expr)
	if err != nil {
		return err
	}
	var wrong []string
	var grouped []string
	var asked []string
	parser.Inspect(tree, func(n parser.Node, _ []parser.Node) error {
		switch n := n.(type) {
		case *parser.AggregateExpr:
			grouped = append(grouped, n.Grouping...)
		case *parser.VectorSelector:
			if n.Name == "up" {
				break // of Prometheus itself
			}
			asked = append(asked, n.Name)
			has, ok := s[n.Name]
			if !ok {
				wrong = append(wrong, "there is no "+n.Name)
				break
			}
			for _, m := range n.LabelMatchers {
				switch {
				case m.Name == labels.MetricName || slices.Contains(scraped, m.Name):
				case has[m.Name] == nil:
					wrong = append(wrong, n.Name+" has no label "+m.Name)
				case m.Type == labels.MatchEqual && !slices.Contains(has[m.Name], m.Value):
					wrong = append(wrong, fmt.Sprintf("%s is nowhere %s=%q", n.Name, m.Name, m.Value))
				}
			}
		}
		return nil
	})
	for _, l := range grouped {
		for _, name := range asked {
			if has := s[name]; has != nil && has[l] == nil && !slices.Contains(scraped, l) {
				wrong = append(wrong, name+" has no label "+l+" to group by")
			}
		}
	}
	if wrong != nil {
		return fmt.Errorf("%s: %s", expr, strings.Join(wrong, ", "))
	}
	return nil
}

// TestObservability holds the dashboard and the rules against a node that has done some of
// all that it can do.
func TestObservability(t *testing.T) {
	nodes := startMesh(t, 2)
	n := nodes[0]
	do(t, n, "push", "--name", "hello", "--file", sample("hello-http"))
	do(t, n, "fn", "deploy", "--name", "double", "--wasm", sample("double"))
	crash := filepath.Join(t.TempDir(), "crash.wasm")
	if err := wasm.WriteCrash(crash); err != nil {
		t.Fatal(err)
	}
	refuse(t, n, []string{"unreachable"}, "push", "--name", "crash", "--peer", peerOf(t, n), "--file", crash)
	request(t, http.MethodGet, "http://"+n.HTTP+"/hello/", "", nil)
	do(t, n, "fn", "exec", "double", "21")
	for _, program := range []string{sample("wasm-job"), crash} {
		job := filepath.Join(t.TempDir(), "job.toml")
		text := fmt.Sprintf("name = \"seen\"\n[runtime]\ntype = \"wasm\"\nsource = %q\n[targeting]\nnode_ids = [%q]\n", program, peerOf(t, n))
		if err := os.WriteFile(job, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if r := n.CLI(testContext(t), "job", "submit", job, "--wait"); (r.Code == 0) != (program != crash) {
			t.Fatal(r)
		}
	}

	root, err := filepath.Abs("../docs/observability")
	if err != nil {
		t.Fatal(err)
	}
	rules, errs := rulefmt.ParseFile(filepath.Join(root, "alerts.yaml"), false, model.UTF8Validation)
	for _, err := range errs {
		t.Error(err)
	}
	var exprs []string
	for _, g := range rules.Groups {
		for _, r := range g.Rules {
			exprs = append(exprs, r.Expr)
			if r.Annotations["summary"] == "" || r.Annotations["description"] == "" || r.Labels["severity"] == "" {
				t.Errorf("%s says too little", r.Alert)
			}
		}
	}
	asked, titles := dashboard(t, filepath.Join(root, "dashboard.json"))
	exprs = append(exprs, asked...)
	if len(exprs) < 30 || titles < 20 {
		t.Errorf("%d expressions, %d panels", len(exprs), titles)
	}
	until(t, "all series are there", func(context.Context) error {
		s := readSeries(t, "http://"+n.Manage+"/metrics")
		for _, e := range exprs {
			if err := s.check(e); err != nil {
				return err
			}
		}
		return nil
	})
	if err := (series{}).check("rate(nothing[5m])"); err == nil {
		t.Error("what is not there is found")
	}
}

// dashboard reads the expressions of a dashboard, with its variables filled in.
func dashboard(t *testing.T, path string) (exprs []string, panels int) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		UID, Title string
		Panels     []struct {
			Type, Title string
			GridPos     struct{ X, Y, W, H int } `json:"gridPos"`
			Targets     []struct{ Expr string }
		}
		Templating struct {
			List []struct{ Name, Definition string }
		}
	}
	if err := json.Unmarshal(b, &d); err != nil {
		t.Fatal(err)
	}
	if d.UID == "" || d.Title == "" || len(d.Templating.List) == 0 {
		t.Errorf("the dashboard has no name, or no variables")
	}
	fill := strings.NewReplacer("$__rate_interval", "1m", "$job", ".*", "$instance", ".*")
	places := map[[2]int]string{}
	for _, p := range d.Panels {
		at := [2]int{p.GridPos.X, p.GridPos.Y}
		if places[at] != "" || p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("panel %q lies over %q, or outside", p.Title, places[at])
		}
		places[at] = p.Title
		if p.Type != "row" {
			panels++
		}
		for _, target := range p.Targets {
			exprs = append(exprs, fill.Replace(target.Expr))
		}
	}
	return exprs, panels
}
