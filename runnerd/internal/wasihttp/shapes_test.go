package wasihttp

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/engine/component/httpshape"
	"github.com/realm-mesh/realm/engine/enginetest"
	"github.com/realm-mesh/realm/runnerd/internal/exchange"
	"github.com/realm-mesh/realm/runnerd/internal/logs"
	"github.com/realm-mesh/realm/runnerd/internal/program"
)

var rig enginetest.Rig

func TestMain(m *testing.M) {
	enginetest.Main(m, &rig, func() error { return nil })
}

// folders have the components of the tests, and those that people are shown.
var folders = []string{"../../../engine/component/testdata", "../../../samples/hello-http", "../../../samples/proxy"}

func wasm(t testing.TB, name string) []byte {
	t.Helper()
	for _, dir := range folders {
		if b, err := os.ReadFile(filepath.Join(dir, name+".wasm")); err == nil {
			return b
		}
	}
	t.Fatalf("%s.wasm is in none of %v", name, folders)
	return nil
}

// site is a program behind a server.
type site struct {
	*httptest.Server
	program *Program
	log     *logs.Log
}

// serve has a program answer at the root of a server.
func serve(t testing.TB, name string, change func(*exchange.Config)) *site {
	t.Helper()
	log := logs.Open(api.Ref{Kind: api.KindComponent, Name: "web"}, filepath.Join(t.TempDir(), "log"), func(api.Ref, api.LogLine) {}, slog.New(slog.DiscardHandler))
	c := exchange.Config{Module: rig.Ready(t, wasm(t, name), 64), Name: "web", Component: &api.Component{Interface: api.InterfaceHTTP}, Log: log, Root: true}
	change(&c)
	s := &site{log: log}
	var err error
	if s.program, err = New(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := s.program.Serve(w, r, strings.TrimPrefix(r.URL.Path, "/")); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	}))
	t.Cleanup(func() {
		s.Close()
		s.program.Close()
		log.Close()
	})
	return s
}

// TestShapes holds what clients are answered to what an independent host does, and to the
// specifications where that is wrong.
func TestShapes(t *testing.T) {
	golden, err := httpshape.Golden()
	if err != nil {
		t.Fatal(err)
	}
	upstream, err := httpshape.StartUpstream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer upstream.Close()
	groups := map[string][]httpshape.Shape{}
	for _, s := range httpshape.Shapes() {
		groups[s.Component] = append(groups[s.Component], s)
	}
	n := 0
	for name, shapes := range groups {
		if name == "hello-js" {
			continue // made on request alone
		}
		n += len(shapes)
		t.Run(name, func(t *testing.T) {
			s := serve(t, name, func(c *exchange.Config) {
				sender, release, err := program.NewSender([]string{upstream.Addr, "127.0.0.1:1"})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(release)
				c.Sender = sender
				if name == "proxy" {
					c.Component.Env = map[string]string{"UPSTREAM": "http://" + upstream.Addr}
				}
				c.Component.Module.Limits.EpochMS = int64(20 * time.Second / time.Millisecond)
			})
			got, err := httpshape.Run(t.Context(), httpshape.Fixed(s.Listener.Addr().String()), upstream.Addr, shapes)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range httpshape.Compare(got, golden) {
				t.Error(d.String())
			}
		})
	}
	if n < 60 {
		t.Errorf("%d shapes", n)
	}
}
