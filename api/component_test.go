package api

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestValidateDesired(t *testing.T) {
	breaks(t, map[string]func(*Component){
		"replicas -1":                    func(c *Component) { c.Replicas = -1 },
		"replicas 10001":                 func(c *Component) { c.Replicas = MaxReplicas + 1 },
		"17 mounts":                      func(c *Component) { c.Mounts = make([]Mount, maxMounts+1) },
		"mount \"/data\": there are two": func(c *Component) { c.Mounts = append(c.Mounts, Mount{Host: "/other", Guest: "/data"}) },
		"host \"data\"":                  func(c *Component) { c.Mounts[0].Host = "data" },
		"33 ports":                       func(c *Component) { c.Ports = make([]Port, maxPorts+1) },
		"port: name":                     func(c *Component) { c.Ports[0].Name = "" },
		"port: name|form":                func(c *Component) { c.Ports[0].Name = "HTTP" },
		"port http: there are two":       func(c *Component) { c.Ports = append(c.Ports, c.Ports[0]) },
		"port http: 0":                   func(c *Component) { c.Ports[0].Port = 0 },
		"port http: -1":                  func(c *Component) { c.Ports[0].Port = -1 },
		"port http: 65536":               func(c *Component) { c.Ports[0].Port = 65536 },
		"protocol \"sctp\"":              func(c *Component) { c.Ports[0].Protocol = "sctp" },
		"visibility \"Public\"":          func(c *Component) { c.Visibility = "Public" },
		"65 allow_hosts":                 func(c *Component) { c.AllowHosts = slices.Repeat([]string{"a"}, maxAllowHosts+1) },
		"allow_hosts: \"\"":              func(c *Component) { c.AllowHosts = []string{""} },
		"the scheme is http or https":    func(c *Component) { c.AllowHosts = []string{"ftp://a"} },
		"allow_hosts: \"me@a\"":          func(c *Component) { c.AllowHosts = []string{"me@a"} },
		"allow_hosts: \"a\\r\"":          func(c *Component) { c.AllowHosts = []string{"a\r"} },
		"allow_hosts: \"aaa":             func(c *Component) { c.AllowHosts = []string{strings.Repeat("a", 262)} },
		"health: path \"ready\"":         func(c *Component) { c.Health.Path = "ready" },
		"path is for programs that":      func(c *Component) { c.Interface = InterfaceCommand },
		"update: order":                  func(c *Component) { c.Update.Order = "both" },
		"restart \"sometimes\"":          func(c *Component) { c.Restart = "sometimes" },
		"route: want a host or a path":   func(c *Component) { c.Route = &Route{} },
		"source: version without":        func(c *Component) { c.Source = Source{Version: 1} },
		"source: manifest":               func(c *Component) { c.Source.Manifest = "Shop" },
		"blob is missing":                func(c *Component) { c.Module.Blob = Digest{} },
	})
	breaks(t, map[string]func(*Mount){
		"host \"\"":          func(m *Mount) { m.Host = "" },
		"host \"./data\"":    func(m *Mount) { m.Host = "./data" },
		"host \"C:data\"":    func(m *Mount) { m.Host = "C:data" },
		"guest \"\"":         func(m *Mount) { m.Guest = "" },
		"guest \"data\"":     func(m *Mount) { m.Guest = "data" },
		"guest \"/a/\"":      func(m *Mount) { m.Guest = "/a/" },
		"guest \"/a/../b\"":  func(m *Mount) { m.Guest = "/a/../b" },
		"guest \"/./b\"":     func(m *Mount) { m.Guest = "/./b" },
		"at most 1024":       func(m *Mount) { m.Host = "/" + strings.Repeat("x", maxPath) },
		"at most 1024|guest": func(m *Mount) { m.Guest = "/" + strings.Repeat("x", maxPath) },
		"no NULs":            func(m *Mount) { m.Host = "/a\x00" },
		"no NULs|guest":      func(m *Mount) { m.Guest = "/a\x00" },
		"in UTF-8":           func(m *Mount) { m.Host = "/a\xff" },
		"in UTF-8|guest":     func(m *Mount) { m.Guest = "/a\xff" },
	})
	for _, host := range []string{"/", "/srv/a b", `C:\data`, "d:/data"} {
		if m := (Mount{Host: host, Guest: "/"}); m.Validate() != nil {
			t.Errorf("%+v: %v", m, m.Validate())
		}
	}
	breaks(t, map[string]func(*Health){
		"path \"ready\"":      func(h *Health) { h.Path = "ready" },
		"path \"/a b\"":       func(h *Health) { h.Path = "/a b" },
		"path \"/a\\r\\nB:\"": func(h *Health) { h.Path = "/a\r\nB:" },
		"path \"/\\xff\"":     func(h *Health) { h.Path = "/\xff" },
		"path \"/aaa":         func(h *Health) { h.Path = "/" + strings.Repeat("a", maxPath) },
		"interval -1ns":       func(h *Health) { h.Interval = -1 },
		"interval 1h0m0.":     func(h *Health) { h.Interval = Duration(maxHealth + 1) },
		"timeout -1ns":        func(h *Health) { h.Timeout = -1 },
		"alive 2h":            func(h *Health) { h.Alive = Duration(2 * time.Hour) },
		"failures -1":         func(h *Health) { h.Failures = -1 },
		"failures 101":        func(h *Health) { h.Failures = maxFailures + 1 },
	})
	breaks(t, map[string]func(*Route){
		"want a host or a path": func(r *Route) { *r = Route{} },
		"host \"a:80\"":         func(r *Route) { r.Host = "a:80" },
		"host \"a/b\"":          func(r *Route) { r.Host = "a/b" },
		"host \"a b\"":          func(r *Route) { r.Host = "a b" },
		"host \"aaa":            func(r *Route) { r.Host = strings.Repeat("a", 254) },
		"path \"shop\"":         func(r *Route) { r.Path = "shop" },
		"path \"/a?b\"":         func(r *Route) { r.Path = "/a?b" },
		"path \"/a#b\"":         func(r *Route) { r.Path = "/a#b" },
		"path \"/a\\n\"":        func(r *Route) { r.Path = "/a\n" },
		"path \"/xxx":           func(r *Route) { r.Path = "/" + strings.Repeat("x", maxPath) },
	})
	breaks(t, map[string]func(*Source){
		"version without": func(s *Source) { s.Manifest = "" },
		"manifest":        func(s *Source) { s.Manifest = "a/b" },
	})
	for s, text := range map[Source]string{{}: "push", {Manifest: "shop", Version: 3}: "manifest shop"} {
		if s.String() != text {
			t.Errorf("%+v is %q", s, s)
		}
	}
}

func TestHealthDefaults(t *testing.T) {
	defaults := Health{Interval: Duration(10 * time.Second), Timeout: Duration(2 * time.Second), Failures: 3, Alive: Duration(250 * time.Millisecond)}
	var none *Health
	if got := none.WithDefaults(); got != defaults {
		t.Errorf("nil: %+v", got)
	}
	some := Health{Path: "/", Timeout: Duration(time.Minute), Failures: 1}
	want := defaults
	want.Path, want.Timeout, want.Failures = some.Path, some.Timeout, some.Failures
	if got := some.WithDefaults(); got != want || some.Interval != 0 {
		t.Errorf("%+v: %+v", some, got)
	}
	if got := want.WithDefaults(); got != want {
		t.Errorf("%+v: %+v", want, got)
	}
	if err := defaults.Validate(); err != nil {
		t.Error(err)
	}
}

// What a replica is made of, and nothing else, makes it another instance.
func TestInstance(t *testing.T) {
	first := func(change func(*Component)) Digest {
		var c Component
		if err := json.Unmarshal(message[Component](t), &c); err != nil {
			t.Fatal(err)
		}
		change(&c)
		return c.Instance()
	}
	same := first(func(*Component) {})
	for what, change := range map[string]func(*Component){
		"replicas":           func(c *Component) { c.Replicas = 7 },
		"update":             func(c *Component) { c.Update = nil },
		"source":             func(c *Component) { c.Source = Source{} },
		"visibility":         func(c *Component) { c.Visibility = VisibilityLocal },
		"route":              func(c *Component) { c.Route = nil },
		"stopped":            func(c *Component) { c.Stopped = false },
		"health spelled out": func(c *Component) { h := c.Health.WithDefaults(); c.Health = &h },
		"the same instant":   func(c *Component) { c.Restarted = c.Restarted.In(time.FixedZone("", 3600)) },
	} {
		if first(change) != same {
			t.Errorf("%s makes it another instance", what)
		}
	}
	seen := map[Digest]string{same: "the first"}
	for what, change := range map[string]func(*Component){
		"blob":        func(c *Component) { c.Module.Blob = Sum(nil) },
		"memory":      func(c *Component) { c.Module.Limits.MemoryMaxMB++ },
		"fuel":        func(c *Component) { c.Module.Limits.Fuel++ },
		"deadline":    func(c *Component) { c.Module.Limits.EpochMS++ },
		"interface":   func(c *Component) { c.Interface = InterfaceCommand },
		"args":        func(c *Component) { c.Args = append(c.Args, "x") },
		"no args":     func(c *Component) { c.Args = nil },
		"env":         func(c *Component) { c.Env["B"] = "c" },
		"mount":       func(c *Component) { c.Mounts[0].RO = false },
		"no mounts":   func(c *Component) { c.Mounts = nil },
		"port":        func(c *Component) { c.Ports[0].Port++ },
		"allow_hosts": func(c *Component) { c.AllowHosts = nil },
		"health":      func(c *Component) { c.Health.Path = "/other" },
		"restart":     func(c *Component) { c.Restart = RestartNever },
		"restarted":   func(c *Component) { c.Restarted = c.Restarted.Add(time.Nanosecond) },
		"at no time":  func(c *Component) { c.Restarted = time.Time{} },
	} {
		d := first(change)
		if other, twice := seen[d]; twice {
			t.Errorf("%s and %s are the same instance", what, other)
		}
		seen[d] = what
	}
	empty := Component{Args: []string{}, Env: map[string]string{}, Mounts: []Mount{}, Ports: []Port{}, AllowHosts: []string{}, Health: &Health{}}
	if none := (Component{}); empty.Instance() != none.Instance() {
		t.Error("an empty list is another instance than none")
	}
	f := Function{Module: Program{Blob: someDigest, Size: 1}}
	stopped, other := f, f
	stopped.Stopped, other.Module.Size = true, 2
	if stopped.Instance() != f.Instance() || other.Instance() == f.Instance() || f.Instance() == (&Component{Module: f.Module}).Instance() {
		t.Error("instances of functions are confused")
	}
}
