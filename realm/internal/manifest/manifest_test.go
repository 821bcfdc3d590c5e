package manifest

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/realm/internal/tomlfile"
)

// go test ./internal/manifest -update writes what is wanted anew, to be looked at.
var update = flag.Bool("update", false, "write the wanted texts of testdata/wrong anew")

func TestProblems(t *testing.T) {
	files, err := filepath.Glob("testdata/wrong/*.txtar")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			_, err = Parse(a.Files[0].Name, ".", a.Files[0].Data)
			var problems Problems
			if !errors.As(err, &problems) || len(problems) == 0 {
				t.Fatalf("got %v", err)
			}
			var got strings.Builder
			for _, p := range problems { // all, also those that a person is not shown at once
				fmt.Fprintln(&got, p)
			}
			if *update {
				a.Files[1].Data = []byte(got.String())
				if err := os.WriteFile(file, txtar.Format(a), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if want := string(a.Files[1].Data); got.String() != want {
				t.Errorf("got\n%s\nwant\n%s", got.String(), want)
			}
		})
	}
}

const full = `
name = "shop"
[components.web]
source = "build/web.wasm"
sha256_hex = "0101010101010101010101010101010101010101010101010101010101010101"
memory_max_mb = 0x40
fuel = 1_000_000
epoch_ms = 500
replicas = 3
visibility = "Public"
target_peer_ids = ["12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN"]
target_tags = ["edge", "eu"]
start = false
http = "cgi"
args = ["-v", '']
env.GREETING = "Hi"
allow_hosts = ["example.org:443"]
restart = "Always"
mounts = [{ host = "/srv/web", guest = "/data", ro = true }]
ports = [{ name = "http", port = 80, protocol = "http" }, { name = "dns", port = 53 }]
health = { path = "/healthz", interval = "30s", timeout = "1s", failures = 2, alive = "1s" }
update = { order = "stop-first", max_unavailable = 2, deadline = "1m" }
route.host = "example.org"
route.path = "/shop"
[components.api]
source = "https://example.org/api.wasm"
replicas = "every"
visibility = "local"
restart = "on-failure"
update.order = "start-first"
update.max_unavailable = "25%"
health = {}
[components.kept]
source = "cas:0101010101010101010101010101010101010101010101010101010101010101"
`

func TestParse(t *testing.T) {
	m, err := Parse("realm.toml", filepath.FromSlash("/home/me"), []byte(full))
	if err != nil {
		t.Fatal(err)
	}
	if m.Name != "shop" || len(m.Components) != 3 || m.Components[0].Name != "api" || m.Components[1].Name != "kept" {
		t.Fatalf("%s: %v", m.Name, m.Components)
	}
	web := m.Components[2]
	want := api.Component{
		Module:    api.Program{Limits: api.Limits{MemoryMaxMB: 64, Fuel: 1e6, EpochMS: 500}},
		Interface: api.InterfaceCGI, Args: []string{"-v", ""}, Env: map[string]string{"GREETING": "Hi"}, Stopped: true, Replicas: 3,
		Mounts:     []api.Mount{{Host: "/srv/web", Guest: "/data", RO: true}},
		Ports:      []api.Port{{Name: "http", Port: 80, Protocol: "http"}, {Name: "dns", Port: 53}},
		Visibility: api.VisibilityPublic, AllowHosts: []string{"example.org:443"},
		Health:  &api.Health{Path: "/healthz", Interval: api.Duration(30 * time.Second), Timeout: api.Duration(time.Second), Failures: 2, Alive: api.Duration(time.Second)},
		Update:  &api.Update{Order: api.StopFirst, MaxUnavailable: "2", Deadline: api.Duration(time.Minute)},
		Restart: api.RestartAlways, Route: &api.Route{Host: "example.org", Path: "/shop"},
	}
	if got, want := fmt.Sprintf("%+v %+v %+v %+v", web.Body, *web.Body.Health, *web.Body.Update, *web.Body.Route), fmt.Sprintf("%+v %+v %+v %+v", want, *want.Health, *want.Update, *want.Route); len(got) != len(want) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if web.Body.Instance() != want.Instance() || *web.Body.Update != *want.Update || *web.Body.Route != *want.Route || web.Body.Replicas != 3 || !web.Body.Stopped || web.Body.Visibility != want.Visibility {
		t.Errorf("got %+v", web.Body)
	}
	if web.Source.Kind != File || web.Source.Path != filepath.FromSlash("/home/me/build/web.wasm") || web.SHA256 == (api.Digest{}) || web.At != "realm.toml:4:10" {
		t.Errorf("source %+v %s at %s", web.Source, web.SHA256, web.At)
	}
	if len(web.Target.Peers) != 1 || len(web.Target.Tags) != 2 {
		t.Errorf("target %+v", web.Target)
	}
	first := m.Components[0]
	if first.Source.Kind != URL || first.Source.URL.Host != "example.org" || first.Body.Replicas != 0 || first.Body.Health != nil || *first.Body.Update != (api.Update{MaxUnavailable: "25%"}) {
		t.Errorf("got %+v", first)
	}
	if kept := m.Components[1].Source; kept.Kind != Blob || kept.SHA256 != web.SHA256 {
		t.Errorf("got %+v", kept)
	}
}

func TestNothingToRun(t *testing.T) {
	m, err := Parse("realm.toml", ".", []byte("[components]\n"))
	if err != nil || m.Name != DefaultName || len(m.Components) != 0 {
		t.Errorf("%v %v", m, err)
	}
}

func TestCaps(t *testing.T) {
	var many strings.Builder
	for i := range api.MaxComponents + 1 {
		fmt.Fprintf(&many, "[components.c%d]\nsource = 'x'\n", i)
	}
	var keys strings.Builder
	for i := range tomlfile.MaxKeys + 1 {
		fmt.Fprintf(&keys, "a%d=1\n", i)
	}
	var wrong strings.Builder
	wrong.WriteString("[components.web]\nsource='x'\n")
	for i := range tomlfile.MaxShown + 2 {
		fmt.Fprintf(&wrong, "unheard_of_%d=1\n", i)
	}
	for name, c := range map[string]struct{ text, want string }{
		"components": {many.String(), fmt.Sprintf("%d components, at most %d", api.MaxComponents+1, api.MaxComponents)},
		"keys":       {keys.String(), "16385 keys, at most 16384"},
		"problems":   {wrong.String(), "and 2 more"},
		"utf-8":      {"[components]\n# \xff", "realm.toml:2:3: this is no text in UTF-8"},
	} {
		_, err := Parse("realm.toml", ".", []byte(c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %.200v", name, err)
		}
	}
	path := filepath.Join(t.TempDir(), "realm.toml")
	if err := os.WriteFile(path, make([]byte, MaxFile+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(path); err == nil || !strings.Contains(err.Error(), "larger than 1024 KiB") {
		t.Errorf("size: %v", err)
	}
	if _, err := Read(path + "x"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

// TestMistakesWithoutEnd has a file of the largest size be wrong everywhere, in one
// line: what is told of it is bounded.
func TestMistakesWithoutEnd(t *testing.T) {
	const head = "[components.web]\nsource='x'\nargs=["
	text := head + strings.Repeat("1,", (MaxFile-len(head)-1)/2) + "]"
	_, err := Parse("realm.toml", ".", []byte(text))
	var problems Problems
	if !errors.As(err, &problems) || len(problems) != tomlfile.MaxProblems {
		t.Fatalf("%d problems, want %d; %.200v", len(problems), tomlfile.MaxProblems, err)
	}
	says := err.Error()
	if !strings.HasSuffix(says, "\nand more") || strings.Count(says, "put it in quotes") != tomlfile.MaxShown || len(says) > tomlfile.MaxShown*1024 {
		t.Errorf("%.2000s", says)
	}
}
