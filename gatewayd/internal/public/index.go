package public

import (
	"cmp"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/gatewayd/internal/route"
)

// row is one workload on the index page.
type row struct {
	api.Ref
	State string // on how many members, in words
}

// Link is where a component is reached; a function has none.
func (r row) Link() string {
	if r.Kind != api.KindComponent {
		return ""
	}
	return "/" + string(r.Name) + "/"
}

var page = template.Must(template.New("index").Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Realm</title>
<h1>What runs here</h1>
{{if .}}<table>
<tr><th align="left">kind<th align="left">name<th align="left">state</tr>
{{range .}}<tr><td>{{.Kind}}<td>{{if .Link}}<a href="{{.Link}}">{{.Name}}</a>{{else}}{{.Name}}{{end}}<td>{{.State}}</tr>
{{end}}</table>
{{else}}<p>Nothing yet: begin with <code>realm push --name hello --file hello.wasm</code>.
{{end}}</html>
`))

// index lists what runs here.
func (h *Handler) index(w http.ResponseWriter, r *http.Request) {
	if !allow(w, r, http.MethodGet, http.MethodHead) {
		return
	}
	table, _ := h.live.Now()
	rows := rows(table)
	head := w.Header()
	head.Set("Content-Security-Policy", "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("Cache-Control", "no-store")
	head.Set("Vary", "Accept")
	if strings.Contains(r.Header.Get("Accept"), "text/html") {
		head.Set("Content-Type", "text/html; charset=utf-8")
		// What fails here is the client's connection.
		_ = page.Execute(w, rows)
		return
	}
	head.Set("Content-Type", "text/plain; charset=utf-8")
	if len(rows) == 0 {
		fmt.Fprintln(w, "nothing runs here yet: begin with realm push --name hello --file hello.wasm")
	}
	for _, r := range rows {
		fmt.Fprintf(w, "%-9s  %-20s  %s\n", r.Kind, r.Name, r.State)
	}
}

func rows(t *route.Table) []row {
	var out []row
	for _, ref := range t.Refs() {
		out = append(out, row{ref, summary(t, ref)})
	}
	return out
}

// summary says on how many members r is in which state, the most frequent first.
func summary(t *route.Table, r api.Ref) string {
	count := map[api.State]int{}
	for _, p := range t.Replicas(r) {
		count[p.State]++
	}
	states := make([]api.State, 0, len(count))
	for s := range count {
		states = append(states, s)
	}
	slices.SortFunc(states, func(a, b api.State) int { return cmp.Or(count[b]-count[a], cmp.Compare(a, b)) })
	words := make([]string, 0, len(states)+1)
	for _, s := range states {
		words = append(words, fmt.Sprintf("%s on %d", s, count[s]))
	}
	if t.Here(r) {
		words = append(words, "this node among them")
	}
	return strings.Join(words, ", ")
}
