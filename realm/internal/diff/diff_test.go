package diff

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
)

const (
	peerA api.PeerID = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN"
	peerB api.PeerID = "12D3KooWEpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN" // ends alike
)

func version(t *testing.T, target api.Target, w api.Workload) api.Intent {
	t.Helper()
	raw, err := json.Marshal(w)
	if err != nil {
		t.Fatal(err)
	}
	return api.Intent{Ref: api.Ref{Kind: api.KindComponent, Name: "web"}, Target: target, Body: raw}
}

func base() api.Component {
	return api.Component{Module: api.Program{Blob: api.Sum([]byte("a")), Size: 1}, Env: map[string]string{"GREETING": "Hi"}}
}

func TestBetween(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*api.Component)
		target api.Target
		want   string
	}{
		"nothing":        {func(*api.Component) {}, api.Target{}, ""},
		"source":         {func(c *api.Component) { c.Source = api.Source{Manifest: "shop", Version: 3} }, api.Target{}, ""},
		"empty parts":    {func(c *api.Component) { c.Health, c.Update = &api.Health{}, &api.Update{} }, api.Target{}, ""},
		"program":        {func(c *api.Component) { c.Module.Blob, c.Module.Size, c.Args = api.Sum(nil), 7, []string{"-v"} }, api.Target{}, `program sha256 ca978112ca1b -> sha256 e3b0c44298fc; args (none) -> ["-v"]`},
		"limits":         {func(c *api.Component) { c.Module.Limits = api.Limits{MemoryMaxMB: 64, Fuel: 9, EpochMS: 5} }, api.Target{}, "epoch_ms default -> 5; fuel default -> 9; memory_max_mb default -> 64"},
		"stopped":        {func(c *api.Component) { c.Stopped = true }, api.Target{}, "start true -> false"},
		"replicas":       {func(c *api.Component) { c.Replicas = 3 }, api.Target{}, "replicas every -> 3"},
		"env":            {func(c *api.Component) { c.Env = map[string]string{"GREETING": "", "a.b": "=\x1b"} }, api.Target{}, `env.GREETING "Hi" -> ""; env.a.b (none) -> "=\x1b"`},
		"http":           {func(c *api.Component) { c.Interface = api.InterfaceCGI }, api.Target{}, "http (none) -> cgi"},
		"mounts./b":      {func(c *api.Component) { c.Mounts = []api.Mount{{Host: "/a", Guest: "/b", RO: true}} }, api.Target{}, "mounts./b (none) -> host /a, read-only"},
		"secrets":        {func(c *api.Component) { c.Secrets = []api.SecretUse{{Name: "db", Env: "DB"}} }, api.Target{}, "secrets (none) -> [env=DB name=db]"},
		"ports":          {func(c *api.Component) { c.Ports = []api.Port{{Name: "http", Port: 80}} }, api.Target{}, "ports (none) -> [name=http port=80]"},
		"visibility":     {func(c *api.Component) { c.Visibility, c.AllowHosts = api.VisibilityPublic, []string{"example.org"} }, api.Target{}, `allow_hosts (none) -> ["example.org"]; visibility local -> public`},
		"health":         {func(c *api.Component) { c.Health = &api.Health{Interval: api.Duration(time.Second), Failures: 2} }, api.Target{}, "health.failures default -> 2; health.interval default -> 1s"},
		"update":         {func(c *api.Component) { c.Update = &api.Update{Order: api.StopFirst, MaxUnavailable: "2"} }, api.Target{}, "update.max_unavailable default -> 2; update.order start-first -> stop-first"},
		"restart, route": {func(c *api.Component) { c.Restart, c.Route = api.RestartNever, &api.Route{Path: "/x"} }, api.Target{}, "restart on-failure -> never; route.path (none) -> /x"},
		"restarted":      {func(c *api.Component) { c.Restarted = time.Unix(0, 0).UTC() }, api.Target{}, "restarted (none) -> 1970-01-01T00:00:00Z"},
		"target":         {func(*api.Component) {}, api.Target{Peers: []api.PeerID{peerA}, Tags: []string{"edge", "eu"}}, "target_peer_ids all -> …4kx6nXTN; target_tags all -> edge, eu"},
	} {
		from, to := base(), base()
		c.change(&to)
		var got []string
		a, b := version(t, api.Target{}, &from), version(t, c.target, &to)
		for _, f := range Between(a, b) {
			got = append(got, f.String())
		}
		if strings.Join(got, "; ") != c.want {
			t.Errorf("%s: %s\nwant %s", name, strings.Join(got, "; "), c.want)
		}
		if back := Between(b, a); len(back) != len(got) {
			t.Errorf("%s: %d changes, but %d the other way", name, len(got), len(back))
		}
		of, err := Of(a, c.target, &to)
		if err != nil || fmt.Sprint(of) != fmt.Sprint(Between(a, b)) {
			t.Errorf("%s: Of says %v, %v", name, of, err)
		}
	}
}

// What only looks alike in short is not alike.
func TestShownShort(t *testing.T) {
	c := base()
	if d := Between(version(t, api.Target{Peers: []api.PeerID{peerA}}, &c), version(t, api.Target{Peers: []api.PeerID{peerB}}, &c)); len(d) != 1 {
		t.Errorf("got %v", d)
	}
	other := base()
	other.Module.Blob[31] ^= 1
	if d := Between(version(t, api.Target{}, &c), version(t, api.Target{}, &other)); len(d) != 1 || d[0].From != d[0].To {
		t.Errorf("got %v", d)
	}
}

// No field of a component can change unseen.
func TestEveryField(t *testing.T) {
	seen := map[string]bool{}
	for _, change := range []func(*api.Component){
		func(c *api.Component) { c.Module.Blob = api.Sum(nil) }, func(c *api.Component) { c.Interface = "cgi" },
		func(c *api.Component) { c.Args = []string{""} }, func(c *api.Component) { c.Env = nil },
		func(c *api.Component) { c.Stopped = true }, func(c *api.Component) { c.Replicas = 1 },
		func(c *api.Component) { c.Mounts = []api.Mount{{}} }, func(c *api.Component) { c.Ports = []api.Port{{}} },
		func(c *api.Component) { c.Visibility = "public" }, func(c *api.Component) { c.AllowHosts = []string{"x"} },
		func(c *api.Component) { c.Health = &api.Health{Failures: 1} }, func(c *api.Component) { c.Update = &api.Update{MaxUnavailable: "1"} },
		func(c *api.Component) { c.Restart = "always" }, func(c *api.Component) { c.Route = &api.Route{Host: "x"} },
		func(c *api.Component) { c.Restarted = time.Unix(1, 0) }, func(c *api.Component) { c.Secrets = []api.SecretUse{{Name: "db"}} },
	} {
		from, to := base(), base()
		change(&to)
		if len(Between(version(t, api.Target{}, &from), version(t, api.Target{}, &to))) == 0 {
			t.Errorf("not seen: %+v", to)
		}
		a, b := reflect.ValueOf(from), reflect.ValueOf(to)
		for i := range a.NumField() {
			if !reflect.DeepEqual(a.Field(i).Interface(), b.Field(i).Interface()) {
				seen[a.Type().Field(i).Name] = true
			}
		}
	}
	for i, typ := 0, reflect.TypeFor[api.Component](); i < typ.NumField(); i++ {
		if name := typ.Field(i).Name; !seen[name] && name != "Source" {
			t.Errorf("%s is tried by none", name)
		}
	}
}

// A body of a newer version is compared as it is.
func TestStrange(t *testing.T) {
	a, b := api.Intent{Body: []byte(`[1]`)}, api.Intent{Body: []byte(`[2]`)}
	if len(Between(a, a)) != 0 || len(Between(a, b)) != 1 {
		t.Error("lists")
	}
	a, b = api.Intent{Body: []byte(`{"new":{"x":1}}`)}, api.Intent{Body: []byte(`{"new":{"x":2}}`)}
	if d := Between(a, b); len(d) != 1 || d[0].String() != "new.x 1 -> 2" {
		t.Errorf("got %v", d)
	}
}

func TestManifest(t *testing.T) {
	manifest := func(intents ...string) (m api.Manifest) {
		for _, s := range intents {
			name, what, _ := strings.Cut(s, " ")
			m.Components = append(m.Components, api.ManifestComponent{Name: api.Name(name), Intent: api.Sum([]byte(what))})
		}
		return m
	}
	for want, c := range map[string][2]api.Manifest{
		"":                                   {manifest("a 1"), manifest("a 1")},
		"new: a, b":                          {manifest(), manifest("a 1", "b 1")},
		"new: d; changed: b; removed: a, c2": {manifest("a 1", "b 1", "c 1", "c2 1"), manifest("b 2", "c 1", "d 1")},
	} {
		if got := Manifest(c[0], c[1]).String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
