package cli

import (
	"strings"
	"testing"

	"github.com/realm-mesh/realm/api"
)

func TestAdvice(t *testing.T) {
	where := func(p api.PeerID, host string, fill func(*whereView)) whereView {
		m := whereView{someone: someone{p, host}, Live: true, Version: 3}
		fill(&m)
		return m
	}
	state := func(s api.State, restarts int, serving uint64) func(*whereView) {
		return func(m *whereView) { m.State, m.Restarts, m.Serving, m.Reason = s, restarts, serving, "because" }
	}
	drained := func(m *whereView) { m.Drained = true }
	tags := api.Target{Tags: []string{"gpu"}}
	for name, c := range map[string]struct {
		view explainView
		want []string // the beginning of each
	}{
		"all is well":   {explainView{Version: 3, Members: []whereView{where(peerA, "alpha", state(api.StateRunning, 0, 0))}}, nil},
		"removed":       {explainView{Wanted: "removed"}, []string{"realm rollback web   # brings it back"}},
		"stopped":       {explainView{Wanted: "stopped"}, []string{"realm start web"}},
		"nobody fits":   {explainView{Pending: "no connected node is one that it is for (tag gpu)", Target: tags}, []string{"realm node set PEER --role gpu"}},
		"too few nodes": {explainView{Pending: "2 of 3 replicas can run: there are no more nodes", Target: tags, Replicas: 3, Fit: 2}, []string{"realm scale web 2 ", "realm invite "}},
		"peers away":    {explainView{Pending: "no", Target: api.Target{Peers: []api.PeerID{peerA}}, Members: []whereView{where(peerA, "alpha", func(m *whereView) { m.Live = false })}}, []string{"realm peers   # 1 node is away"}},
		"peers named":   {explainView{Pending: "no", Target: api.Target{Peers: []api.PeerID{peerA}}}, []string{"realm peers   # shows whether"}},
		"drained":       {explainView{Pending: "no", Members: []whereView{where(peerA, "alpha", drained), where(peerB, "beta", drained)}}, []string{"realm node resume alpha "}},
		"drained twins": {explainView{Pending: "no", Members: []whereView{where(peerA, "vm", drained), where(peerB, "vm", drained)}}, []string{"realm node resume " + peerA.Short()}},
		"no runnerd": {explainView{Pending: "no", Members: []whereView{where(peerA, "alpha", func(m *whereView) { m.Down = api.DaemonList{api.Casd, api.Runnerd} }),
			where(peerB, "beta", func(m *whereView) { m.Down = api.DaemonList{api.Casd} })}}, []string{"realm restart runnerd   # on alpha (…4kx6nXTN), where"}},
		"refused":     {explainView{Version: 3, Members: []whereView{where(peerA, "alpha", state(api.StateRefused, 0, 0))}}, []string{"# alpha (…4kx6nXTN) refuses it: because"}},
		"failed":      {explainView{Version: 3, Members: []whereView{where(peerA, "alpha", state(api.StateFailed, 0, 2))}}, []string{"realm rollback web   # goes back to the version before 3", "realm logs web   # on alpha (…4kx6nXTN): more"}},
		"failed once": {explainView{Version: 3, Members: []whereView{where(peerA, "alpha", state(api.StateBackoff, 1, 2))}}, []string{"realm logs web   # on alpha (…4kx6nXTN), where it has ended badly"}},
		"the first version loops": {explainView{Version: 1, Members: []whereView{where(peerA, "alpha", func(m *whereView) { state(api.StateBackoff, 5, 0)(m); m.Version = 1 })}},
			[]string{"realm stop web ", "realm logs web "}},
		"an older one failed": {explainView{Version: 4, Members: []whereView{where(peerA, "alpha", state(api.StateFailed, 0, 2))}}, nil},
		"unhealthy":           {explainView{Version: 3, Members: []whereView{where(peerA, "alpha", state(api.StateUnhealthy, 0, 0))}}, []string{"realm logs web ", "realm restart web"}},
	} {
		t.Run(name, func(t *testing.T) {
			c.view.said = "web"
			got := c.view.advise()
			if len(got) != len(c.want) {
				t.Fatalf("%q, want %q", got, c.want)
			}
			for i, w := range c.want {
				if !strings.HasPrefix(got[i], w) {
					t.Errorf("%q, want %q", got[i], w)
				}
			}
		})
	}
}
