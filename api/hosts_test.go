package api

import (
	"errors"
	"strings"
	"testing"
)

func TestAllowHosts(t *testing.T) {
	for grant, want := range map[string]error{
		"example.org": nil, "Example.org.": nil, "example.org:8443": nil, "https://example.org": nil, "HTTP://example.org:80": nil,
		"*.example.org": nil, "*": nil, "*:*": nil, "example.org:*": nil, "db_1.internal=private": nil, "localhost:3000": nil,
		"192.0.2.1": nil, "192.0.2.1:8080": nil, "[2001:db8::1]:443": nil, "2001:db8::1": nil, "[2001:db8::1]": nil,
		"10.0.0.0/8": nil, "10.0.0.0/8:8080": nil, "fd00::/8": nil, "https://10.0.0.0/8": nil,
		"":                       errGrantHost,
		"a..b":                   errGrantHost,
		"a b":                    errGrantHost,
		"me@example.org":         errGrantHost,
		"exa*mple.org":           errGrantHost,
		"a\r":                    errGrantHost,
		strings.Repeat("a", 254): errGrantHost,
		"a:0":                    errGrantPort,
		"a:65536":                errGrantPort,
		"a:http":                 errGrantPort,
		"ftp://a":                errGrantScheme,
		"a=public":               errGrantMark,
		"10.0.0.1=private":       errGrantRange,
		"https://a/path":         errGrantPath,
		"10.0.0.0/33":            errGrantPath,
	} {
		if err := ValidateAllowHosts([]string{grant}); !errors.Is(err, want) || (err == nil) != (want == nil) {
			t.Errorf("%q: %v, want %v", grant, err, want)
		}
	}
}

func TestRunSpecServes(t *testing.T) {
	for name, c := range map[string]struct {
		spec RunSpec
		want string
	}{
		"loopback":       {RunSpec{Serve: "127.0.0.1:8080"}, ""},
		"any port":       {RunSpec{Serve: "[::1]:0", AllowHosts: []string{"*"}}, ""},
		"all interfaces": {RunSpec{Serve: ":80"}, ""},
		"no port":        {RunSpec{Serve: "127.0.0.1"}, "with a port"},
		"port":           {RunSpec{Serve: "127.0.0.1:http"}, "with a port"},
		"large port":     {RunSpec{Serve: "127.0.0.1:65536"}, "with a port"},
		"invoke":         {RunSpec{Serve: ":80", Invoke: "f"}, "serve and invoke"},
		"stats":          {RunSpec{Serve: ":80", Stats: true}, "serve and stats"},
		"hosts":          {RunSpec{AllowHosts: []string{"a/b"}}, "as a whole"},
	} {
		c.spec.File, c.spec.Cache = "a.wasm", "/cache"
		err := c.spec.Validate()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
