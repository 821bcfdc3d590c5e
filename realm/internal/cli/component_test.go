package cli

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/realm-mesh/realm/api"
)

func TestComponentFlags(t *testing.T) {
	for args, want := range map[string]string{
		"":                              `{}`,
		"--replicas every":              `{}`,
		"--replicas 3":                  `{"replicas":3}`,
		"--replicas 0":                  "--replicas",
		"--replicas 10001":              "--replicas",
		"--http cgi --arg x":            `{"interface":"cgi","args":["x"]}`,
		"--http fcgi":                   "want wasi, cgi or none",
		"--http wasi --health-path /ok": `{"interface":"wasi","health":{"path":"/ok"}}`,
		"--http none":                   `{}`,
		"--env A=B=C":                   `{"env":{"A":"B=C"}}`,
		"--env A":                       "NAME=VALUE",
		"--mount host=/a,guest=/b":      `{"mounts":[{"host":"/a","guest":"/b"}]}`,
		`--mount host=C:\a,guest=/`:     `{"mounts":[{"host":"C:\\a","guest":"/"}]}`,
		"--mount ro,guest=/b,host=/a --mount host=/a,guest=/c": `{"mounts":[{"host":"/a","guest":"/b","ro":true},{"host":"/a","guest":"/c"}]}`,
		"--mount /a:/b":                        "want KEY=VALUE",
		"--mount host=/a":                      "guest",
		"--mount host=a,guest=/b":              "absolute",
		"--mount host=/a,guest=/b,ro=yes":      "want KEY=VALUE",
		"--mount host=/a,host=/c,guest=/b":     "want KEY=VALUE",
		"--port web=:8080/http --port a=:53":   `{"ports":[{"name":"web","port":8080,"protocol":"http"},{"name":"a","port":53}]}`,
		"--port 8080":                          "NAME=:PORT",
		"--port web=8080":                      "NAME=:PORT",
		"--port web=:x":                        "NAME=:PORT",
		"--visibility Public":                  `{"visibility":"public"}`,
		"--visibility LOCAL":                   `{}`,
		"--visibility secret":                  "want local or public",
		"--allow-host a.example:443":           `{"allow_hosts":["a.example:443"]}`,
		"--allow-host https://*.example":       `{"allow_hosts":["https://*.example"]}`,
		"--allow-host a/b":                     "as a whole",
		"--http cgi --health-path /ok":         `{"interface":"cgi","health":{"path":"/ok"}}`,
		"--order stop-first":                   `{"update":{"order":"stop-first"}}`,
		"--order start-first":                  `{}`,
		"--order sideways":                     "want start-first or stop-first",
		"--max-unavailable 25%":                `{}`,
		"--max-unavailable 1":                  `{"update":{"max_unavailable":"1"}}`,
		"--max-unavailable 0":                  "max_unavailable",
		"--update-deadline 30s":                `{"update":{"deadline":"30s"}}`,
		"--update-deadline 0s":                 "--update-deadline",
		"--update-deadline 48h":                "deadline",
		"--restart always":                     `{"restart":"always"}`,
		"--restart on-failure":                 `{}`,
		"--restart maybe":                      "want on-failure",
		"--route shop.example/cart":            `{"route":{"host":"shop.example","path":"/cart"}}`,
		"--route /cart":                        `{"route":{"path":"/cart"}}`,
		"--route shop.example":                 `{"route":{"host":"shop.example"}}`,
		"--route shop.example:80":              "route",
		"--restart never --order stop-first":   `{"update":{"order":"stop-first"},"restart":"never"}`,
		"--max-unavailable 2 --replicas every": `{"update":{"max_unavailable":"2"}}`,
	} {
		var c componentFlags
		f := pflag.NewFlagSet("push", pflag.ContinueOnError)
		c.declare(f)
		err := f.Parse(strings.Fields(args))
		var body *api.Component
		if err == nil {
			body, err = c.component()
		}
		if err != nil {
			if !strings.Contains(err.Error(), want) || strings.HasPrefix(want, "{") {
				t.Errorf("%s: %v, want %s", args, err, want)
			}
			continue
		}
		b, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Replace(string(b), `"program":{"blob":"","size":0,"limits":{}}`, "", 1)
		if got = strings.Replace(got, "{,", "{", 1); got != want {
			t.Errorf("%s: %s, want %s", args, got, want)
		}
		body.Module = api.Program{Blob: api.Sum(nil), Size: 1}
		if err := body.Validate(); err != nil {
			t.Errorf("%s makes what nodes refuse: %v", args, err)
		}
	}
}

func TestDoubts(t *testing.T) {
	if got := doubts(&api.Component{Replicas: 3, Health: &api.Health{Path: "/"}, Mounts: []api.Mount{{}}, AllowHosts: []string{"a"}, Module: api.Program{Limits: api.Limits{Fuel: 1}}}); len(got) != 0 {
		t.Errorf("of what is acted on: %q", got)
	}
	state := []api.Mount{{Kind: api.MountState, Volume: "cart"}}
	if got := doubts(&api.Component{Mounts: state}); len(got) != 1 || !strings.Contains(got[0], "a volume of its own") || len(doubts(&api.Component{Mounts: state, Replicas: 1})) != 0 {
		t.Errorf("of state on every member: %q", got)
	}
	all := &api.Component{Visibility: api.VisibilityPublic, Ports: []api.Port{{}}, Route: &api.Route{}}
	got := doubts(all)
	if got = append(got, doubts(&api.Component{Route: &api.Route{}})...); len(doubts(&api.Component{Visibility: api.VisibilityPublic, Interface: api.InterfaceHTTP, Route: &api.Route{}})) != 0 {
		t.Error("a warning of a public web program")
	}
	for i, word := range []string{"visibility public", "ports", "route"} {
		if len(got) != 3 || !strings.HasPrefix(got[i], word) {
			t.Fatalf("%q: no warning of %s", got, word)
		}
	}
}

// What is kept and not acted on is told, and does not spoil what a program reads.
func TestPushWarns(t *testing.T) {
	m := newMesh(t)
	push := []string{"push", "--name", "web", "--file", m.file, "--wait=false", "--port", "http=:80", "--route", "/x"}
	m.want(0, []string{"warning: ports are kept", "warning: route is kept"}, push...)
	code, out, errs := m.realm(append(push, "--json")...)
	var r resultView
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != 0 || errs != "" || len(r.Warnings) != 2 {
		t.Errorf("%d %v %s%s", code, err, out, errs)
	}
}
