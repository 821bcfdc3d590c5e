package public_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/gatewayd/internal/standin"
	"github.com/realm-mesh/realm/internal/kit/local"
)

// BenchmarkHop measures what the gateway adds: a call straight to runnerd's socket,
// then the same through the gateway, here and on another member, where the test's
// meshd adds nothing but a socket. Run by:
//
//	go test -run '^$' -bench Hop ./internal/public
func BenchmarkHop(b *testing.B) {
	answer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, `{"result":42}`)
	})
	w := newWorld(b, answer, double, hello)
	w.connect(other, answer)
	away := api.Ref{Kind: api.KindFunction, Name: "away"}
	w.fact(away, other, api.StateRunning)
	socket := standin.Client(b, w.home)
	w.client.Transport.(*http.Transport).MaxIdleConnsPerHost = 64 //nolint:forcetypeassert // set by newWorld

	for _, c := range []struct {
		name, url, body string
		client          *http.Client
	}{
		{"runnerd alone", local.URL(api.Runnerd, api.PathFunction("double")), `{"args":[21]}`, socket},
		{"exec here", w.url + "/exec", `{"name":"double","arg":21}`, w.client},
		{"exec elsewhere", w.url + "/exec", `{"name":"away","arg":21}`, w.client},
		{"component here", w.url + "/hello/", `body`, w.client},
	} {
		send := func() error {
			req, err := http.NewRequest(http.MethodPost, c.url, strings.NewReader(c.body))
			if err != nil {
				return err
			}
			req.Header.Set("Content-Type", "application/json")
			resp, err := c.client.Do(req)
			if err != nil {
				return err
			}
			defer resp.Body.Close()
			if body, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusOK {
				return fmt.Errorf("%s %s %w", resp.Status, body, err)
			}
			return nil
		}
		b.Run(c.name+"/one at a time", func(b *testing.B) {
			for b.Loop() {
				if err := send(); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(c.name+"/64 at a time", func(b *testing.B) {
			b.SetParallelism(32)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := send(); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}
