package apiv1

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// args are the parameters of a request, checked by its route. Those that were not given
// are not there.
type args map[string]string

// int is the number that a parameter has; or else.
func (a args) int(name string, or int) int {
	if n, err := strconv.Atoi(a[name]); err == nil {
		return n
	}
	return or
}

// list is what a parameter has of several.
func (a args) list(name string) []string {
	if a[name] == "" {
		return nil
	}
	return strings.Split(a[name], ",")
}

// inPath reports whether the path of r names p.
func (r *endpoint) inPath(p *param) bool { return strings.Contains(r.path, "{"+p.name+"}") }

// read checks the parameters of a request. What the route does not know is refused: who
// asks for a filter that is not there would take all for what it asked for.
func (r *endpoint) read(req *http.Request) (args, error) {
	query, err := url.ParseQuery(req.URL.RawQuery)
	if err != nil {
		return nil, fmt.Errorf("the query cannot be read: %w", err)
	}
	a := args{}
	for i := range r.params {
		p := &r.params[i]
		given := query[p.name]
		if r.inPath(p) {
			given = []string{req.PathValue(p.name)}
		} else {
			delete(query, p.name)
		}
		switch {
		case len(given) == 0:
			continue
		case len(given) > 1:
			return nil, fmt.Errorf("%s is given %d times: give it once", p.name, len(given))
		}
		if err := p.check(given[0]); err != nil {
			return nil, err
		}
		a[p.name] = given[0]
	}
	for _, name := range slices.Sorted(maps.Keys(query)) {
		return nil, fmt.Errorf("%.40q is no parameter here: see /api/v1/openapi.json", name)
	}
	return a, nil
}

func (p *param) check(text string) error {
	switch {
	case p.integer:
		if n, err := strconv.Atoi(text); err != nil || n < p.min || n > p.max {
			return fmt.Errorf("%s %.40q: want a number from %d to %d", p.name, text, p.min, p.max)
		}
	case p.list:
		for one := range strings.SplitSeq(text, ",") {
			if !slices.Contains(p.enum, one) {
				return fmt.Errorf("%s %.40q: want some of %s, with commas between", p.name, one, strings.Join(p.enum, ", "))
			}
		}
		if strings.Count(text, ",") >= len(p.enum) {
			return fmt.Errorf("%s: each at most once", p.name)
		}
	case text == "" || len(text) > p.max || !utf8.ValidString(text):
		return fmt.Errorf("%s %.40q: want 1 to %d bytes of text", p.name, text, p.max)
	}
	return nil
}
