package ingress_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/ingress"
)

func public(name, host, path string) ingress.Component {
	return ingress.Component{Name: api.Name(name), Route: api.Route{Host: host, Path: path}}
}

var realm = []ingress.Component{
	public("web", "", ""),
	public("shop", "Shop.Example.org", ""),
	public("cart", "shop.example.org", "/cart/"),
	public("docs", "", "/docs/v1"),
	public("greedy", "", "/web"), // the name of another
	public("second", "shop.example.org", "/cart"),
	public("deep", "api.example.org", "/a%20b/c"),
}

func TestFind(t *testing.T) {
	table := ingress.New(realm)
	for _, c := range []struct{ host, path, want string }{
		{"", "/web/x", "web /web x"},
		{"192.0.2.1:8443", "/web", "web /web !"},
		{"elsewhere", "/web/", "web /web "},
		{"elsewhere", "/webs/", ""},
		{"elsewhere", "/", ""},
		{"elsewhere", "//web/", ""},
		{"elsewhere", "*", ""},
		{"elsewhere", "", ""},
		{"elsewhere", "/shop/x/y%2Fz", "shop /shop x/y%2Fz"},
		{"shop.example.org", "/x", "shop  x"},
		{"SHOP.example.org.:443", "/x", "shop  x"},
		{"shop.example.org", "/web/x", "shop  web/x"}, // no other by its name here
		{"shop.example.org", "/cart/1", "cart /cart 1"},
		{"shop.example.org", "/%63art/1", "cart /cart 1"},
		{"shop.example.org", "/cart%2F1", "shop  cart%2F1"},
		{"shop.example.org", "/docs/v1/x", "shop  docs/v1/x"},
		{"elsewhere", "/docs/v1/x", "docs /docs/v1 x"},
		{"elsewhere", "/docs/x", "docs /docs x"},
		{"elsewhere", "/greedy/x", "greedy /greedy x"},
		{"api.example.org", "/a%20b/c/d", "deep /a%20b/c d"},
		{"api.example.org", "/web/", ""},
		{"api.example.org", "/docs/v1/", "docs /docs/v1 "},
		{"xapi.example.org", "/a%20b/c/d", ""},
	} {
		m, ok := table.Find(c.host, c.path)
		got := ""
		if ok {
			got = string(m.Name) + " " + m.Mount + " " + m.Rest
			if m.Whole {
				got += "!"
			}
		}
		if got != c.want {
			t.Errorf("%s%s: %q, want %q", c.host, c.path, got, c.want)
		}
	}
}

// TestSameEverywhere has members hear of components in any order.
func TestSameEverywhere(t *testing.T) {
	for range 50 {
		all := slices.Clone(realm)
		rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		table := ingress.New(all)
		if by, ok := table.Taken("second"); !ok || by != "cart" {
			t.Fatalf("second: %q %v", by, ok)
		}
		if by, ok := table.Taken("greedy"); !ok || by != "web" {
			t.Fatalf("greedy: %q %v", by, ok)
		}
		if by, ok := table.Taken("cart"); ok {
			t.Fatalf("cart: %q", by)
		}
		if got := strings.Join(table.Hosts(), " "); got != "api.example.org shop.example.org" {
			t.Fatal(got)
		}
	}
}

func TestOf(t *testing.T) {
	yes := api.Component{Visibility: api.VisibilityPublic, Interface: api.InterfaceHTTP, Route: &api.Route{Path: "/x"}}
	if c, ok := ingress.Of("a", &yes); !ok || c != public("a", "", "/x") {
		t.Error(c, ok)
	}
	for name, no := range map[string]func(*api.Component){
		"local":   func(c *api.Component) { c.Visibility = api.VisibilityLocal },
		"stopped": func(c *api.Component) { c.Stopped = true },
		"command": func(c *api.Component) { c.Interface = api.InterfaceCommand },
	} {
		c := yes
		no(&c)
		if _, ok := ingress.Of("a", &c); ok {
			t.Errorf("%s: it is served", name)
		}
	}
	if !ingress.New(nil).Empty() || ingress.New(realm).Empty() || !new(ingress.Table).Empty() {
		t.Error("empty or not")
	}
	if _, ok := new(ingress.Table).Find("a", "/b"); ok {
		t.Error("the zero Table finds something")
	}
}

// FuzzFind wants what is found to be the path that was asked for.
func FuzzFind(f *testing.F) {
	table := ingress.New(realm)
	f.Add("shop.example.org", "/cart/%2e%2e/x")
	f.Add("a:b:c", "//web")
	f.Fuzz(func(t *testing.T, host, path string) {
		m, ok := table.Find(host, path)
		if !ok {
			return
		}
		if !strings.HasSuffix(path, m.Rest) || m.Whole && m.Rest != "" {
			t.Errorf("%q: %+v", path, m)
		}
		if segments := strings.Count(m.Mount, "/"); segments != strings.Count(strings.TrimSuffix(path, m.Rest), "/")-1 && !m.Whole {
			t.Errorf("%q: %+v", path, m)
		}
	})
}
