package manage

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
)

func TestParseQuery(t *testing.T) {
	for text, want := range map[string]query{
		"":                                   {tail: defaultTail},
		"component=web":                      {name: "web", tail: defaultTail},
		"component=__all__&tail=7":           {name: all, tail: 7},
		"tail=123456789":                     {tail: maxTail},
		"since=15m":                          {tail: maxTail, since: noon.Add(-15 * time.Minute)},
		"since=0s":                           {tail: maxTail, since: noon},
		"since=1h30m&tail=5":                 {tail: 5, since: noon.Add(-90 * time.Minute)},
		"since=2026-03-04T11:00:00Z":         {tail: maxTail, since: noon.Add(-time.Hour)},
		"since=2026-03-04T11:59:59.5Z":       {tail: maxTail, since: noon.Add(-time.Second / 2)},
		"since=2026-03-04T12:00:00%2b01:00":  {tail: maxTail, since: noon.Add(-time.Hour)},
		"since=2026-03-04T12:00:00+01:00":    {tail: maxTail, since: noon.Add(-time.Hour)},
		"component=web&follow=1":             {name: "web", tail: defaultTail, follow: true},
		"component=web&follow=true":          {name: "web", tail: defaultTail, follow: true},
		"component=web&follow=0":             {name: "web", tail: defaultTail},
		"component=web&follow=1&tail=0&q=no": {name: "web", follow: true},
	} {
		v, err := url.ParseQuery(text)
		if err != nil {
			t.Fatal(err)
		}
		got, err := parseQuery(v, noon)
		if err != nil || !got.since.Equal(want.since) || got.name != want.name || got.tail != want.tail || got.follow != want.follow || got.match != nil {
			t.Errorf("%s: %+v %v", text, got, err)
		}
	}
	for text, want := range map[string]string{
		"since=-5m":                              "since",
		"since=yesterday":                        "15m",
		"since=9999999h":                         "since",
		"since=2026-03-04":                       "2026-11-23T02:00:00Z",
		"since=2026-03-04T25:00:00Z":             "since",
		"since=1761177600":                       "since",
		"grep=(":                                 "RE2",
		"grep=a(?=b)":                            "RE2",
		"grep=" + strings.Repeat("a", maxGrep+1): "at most 256",
		"component=web&follow=yes":               "follow",
		"follow=1":                               "component=NAME",
		"component=..&follow=1":                  "name",
	} {
		v, err := url.ParseQuery(text)
		if err != nil {
			t.Fatal(err)
		}
		if q, err := parseQuery(v, noon); err == nil || !strings.Contains(err.Error(), want) || len(err.Error()) > 400 {
			t.Errorf("%s: %+v %v, want %q", text, q, err, want)
		}
	}
}

func FuzzParseQuery(f *testing.F) {
	for _, s := range []string{"component=web&tail=5&since=15m&grep=a%2Bb&follow=1", "component=__all__&since=2026-03-04T12:00:00+01:00", "grep=(a{0,1000}){1}", "since=-1ns&tail=-0", "since=2562047h47m16.854775807s"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := url.ParseQuery(text)
		if err != nil {
			return
		}
		q, err := parseQuery(v, noon)
		if err != nil {
			if len(err.Error()) > 1000 {
				t.Errorf("%d bytes of error for %q", len(err.Error()), text)
			}
			return
		}
		if _, err := api.ParseName(q.name); err != nil && q.name != "" && q.name != all {
			t.Errorf("%q is no name", q.name)
		}
		if q.tail < 0 || q.tail > maxTail || q.follow && q.name == "" {
			t.Errorf("%q: %+v", text, q)
		}
		if q.match != nil && (len(q.match.String()) > maxGrep || q.match.String() != v.Get("grep")) {
			t.Errorf("%q: matches %q", text, q.match)
		}
		q.wants(noon, text) // must end
	})
}

// TestLogsFiltered has lines of two programs, the one with a part that no time stands before.
func TestLogsFiltered(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "component/a.log.1", numbered(0, 50)...)
	write(t, dir, "component/a.log", append(numbered(50, 100), "  at line 99", line(100, "number 100 again"))...)
	write(t, dir, "function/b.log", line(98, "number b"), line(97, "out of order"), line(200, "late"))
	get := served(t, Node{Logs: dir})
	at := func(n int) string {
		return url.QueryEscape(noon.Add(time.Duration(n) * time.Second).Format(time.RFC3339))
	}
	for query, want := range map[string][]string{
		"component=a&since=" + at(97):               {line(98, "number 98"), line(99, "number 99"), "  at line 99", line(100, "number 100 again")},
		"component=a&since=" + at(97) + "&tail=2":   {"  at line 99", line(100, "number 100 again")},
		"component=a&since=" + at(45) + "&tail=100": slices.Concat(numbered(46, 100), []string{"  at line 99", line(100, "number 100 again")}),
		"component=a&since=" + at(100):              nil,
		"component=a&grep=number+%5cd%24":           numbered(0, 10),
		"component=a&grep=%5enumber+9%5cd&tail=3":   numbered(97, 100),
		"component=a&grep=stdout":                   nil, // it is no part of what was written
		"component=a&grep=at+line":                  {"  at line 99"},
		"component=b&since=" + at(96):               {line(98, "number b"), line(97, "out of order"), line(200, "late")},
		"component=b&since=" + at(97):               {line(98, "number b"), line(200, "late")},
		"component=__all__&grep=er+b%7cagain&since=" + at(0): {
			strings.Replace(line(98, "number b"), " stdout", " function/b stdout", 1), strings.Replace(line(100, "number 100 again"), " stdout", " component/a stdout", 1)},
		"component=a&since=1s": nil,
	} {
		resp, body := get("/logs?" + query)
		var got []string
		if body != "" {
			got = strings.Split(strings.TrimSuffix(body, "\n"), "\n")
		}
		if resp.StatusCode != http.StatusOK || !slices.Equal(got, want) || resp.Header.Get(headerCut) != "" {
			t.Errorf("%s: %s %q\n%s\nwant\n%s", query, resp.Status, resp.Header.Get(headerCut), body, strings.Join(want, "\n"))
		}
	}
}

// TestLogsCut asks for more than is looked for in one answer.
func TestLogsCut(t *testing.T) {
	dir := t.TempDir()
	text := strings.Repeat(line(1, strings.Repeat("z", 10_000))+"\n", 800)
	for age := range 9 {
		name := "component/large.log"
		if age > 0 {
			name += fmt.Sprint(".", age)
		}
		writeText(t, dir, name, text)
	}
	get := served(t, Node{Logs: dir})
	if resp, body := get("/logs?component=large&grep=nowhere"); resp.StatusCode != http.StatusOK || body != "" || !strings.Contains(resp.Header.Get(headerCut), "were read") {
		t.Errorf("%s %q %d bytes", resp.Status, resp.Header.Get(headerCut), len(body))
	}
	if resp, body := get("/logs?component=large&since=2026-01-01T00:00:00Z"); len(body) > maxText || len(body) < maxText/2 || !strings.Contains(resp.Header.Get(headerCut), "more than") {
		t.Errorf("%s %q %d bytes", resp.Status, resp.Header.Get(headerCut), len(body))
	}
}
