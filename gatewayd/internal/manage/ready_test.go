package manage

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/gatewayd/internal/standin"
)

func TestReady(t *testing.T) {
	all := api.Daemons()
	for name, c := range map[string]struct {
		ps      *api.PSReply
		err     error
		away    bool       // the bus is
		blind   bool       // the table is not complete
		hangs   api.Daemon // takes requests and answers none
		missing api.Daemon // has no socket
		want    []string   // in what is missing; none: it is ready
	}{
		"ready":      {ps: ready(all...)},
		"no bus":     {ps: ready(all...), away: true, want: []string{"bus is not reachable"}},
		"no table":   {ps: ready(all...), blind: true, want: []string{"what runs"}},
		"launcher":   {err: errors.New("nobody"), want: []string{"launcher does not answer"}},
		"one less":   {ps: ready(all[1:]...), want: []string{"casd is not known"}},
		"one ended":  {ps: &api.PSReply{Daemons: append(ready(all[:4]...).Daemons, api.DaemonStatus{Daemon: all[4], State: api.DaemonBackoff})}, want: []string{"upgraded is backoff"}},
		"frozen":     {ps: ready(all...), hangs: api.Casd, want: []string{"realm restart casd"}},
		"deaf":       {ps: ready(all...), missing: api.Runnerd, want: []string{"runnerd does not answer"}},
		"stopping":   {ps: &api.PSReply{Daemons: ready(all...).Daemons, Stopping: true}, want: []string{"the node is stopping"}},
		"two things": {ps: ready(all[1:]...), blind: true, missing: api.Meshd, want: []string{"casd", "what runs", "meshd"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			home := standin.Home(t)
			for _, d := range all {
				if d == api.Gatewayd || d == c.missing {
					continue
				}
				standin.Serve(t, home, d, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if d == c.hangs {
						<-r.Context().Done()
					}
					http.NotFound(w, r)
				}))
			}
			get := served(t, Node{
				Client: standin.Client(t, home), PS: func(context.Context) (*api.PSReply, error) { return c.ps, c.err },
				Connected: func() bool { return !c.away }, Complete: func() bool { return !c.blind },
			})
			resp, body := get("/readyz")
			var a Readiness
			if err := json.Unmarshal([]byte(body), &a); err != nil || resp.Header.Get("Content-Type") != "application/json" {
				t.Fatalf("%v %s", err, body)
			}
			if ok := len(c.want) == 0; a.Ready != ok || (resp.StatusCode == http.StatusOK) != ok || (resp.StatusCode == http.StatusServiceUnavailable) == ok {
				t.Errorf("%s %s", resp.Status, body)
			}
			if len(a.Missing) != len(c.want) {
				t.Errorf("%q, want %q", a.Missing, c.want)
			}
			for _, want := range c.want {
				if !slices.ContainsFunc(a.Missing, func(s string) bool { return strings.Contains(s, want) }) {
					t.Errorf("nothing of %q in %q", want, a.Missing)
				}
			}
			if c.hangs != "" && a.Daemons[c.hangs] != daemonSilent {
				t.Errorf("%s", body)
			}
		})
	}
}
