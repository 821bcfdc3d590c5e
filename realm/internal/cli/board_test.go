package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/realm/internal/rollout"
)

// stands are versions on their way: done, waiting, pending, failed.
func stands(t *testing.T) []stand {
	t.Helper()
	make := func(name string, replicas int, fill func(*stand)) stand {
		b, err := json.Marshal(api.Component{Module: api.Program{Blob: api.Sum(nil), Size: 1}, Replicas: replicas})
		if err != nil {
			t.Fatal(err)
		}
		var st stand
		if err := st.begin(intent.Signed{Intent: api.Intent{Ref: api.Ref{Kind: api.KindComponent, Name: api.Name(name)}, Seq: 2, Body: b}}); err != nil {
			t.Fatal(err)
		}
		st.Asked, st.Desired = replicas, replicas
		fill(&st)
		return st
	}
	on := func(p api.PeerID, host string, o rollout.Outcome, s api.State) rollout.Progress {
		return rollout.Progress{Member: rollout.Member{PeerRecord: member(p, host, false, true)}, Outcome: o, State: s}
	}
	return []stand{
		make("done", 1, func(st *stand) {
			st.Outcome, st.Members = rollout.Done, []rollout.Progress{on(peerA, "alpha", rollout.Done, api.StateRunning)}
		}),
		make("waits", 2, func(st *stand) {
			st.Members = []rollout.Progress{on(peerA, "alpha", rollout.Done, api.StateRunning), on(peerB, "beta", rollout.Waiting, api.StateFetching)}
		}),
		make("pending", 3, func(st *stand) { st.Pending = "2 of 3 replicas can run: gamma: it is drained" }),
		make("fails", 1, func(st *stand) {
			m := on(peerB, "beta", rollout.Failed, api.StateFailed)
			m.Reason, m.Serving = "exit code 2", 1
			st.Outcome, st.Members = rollout.Failed, []rollout.Progress{m}
		}),
		make("new", 1, func(*stand) {}),
	}
}

func TestBoardRows(t *testing.T) {
	want := strings.Join([]string{
		"  component/fails    0 of 1  failed on beta (…G1aoDd2p): failed: exit code 2; version 1 goes on",
		"  component/pending  0 of 3  pending: 2 of 3 replicas can run: gamma: it is drained",
		"  component/waits    1 of 2  fetching on 1",
		"  component/new      0 of 1  on its way",
		"1 of 5 programs, after 3 s",
	}, "\n")
	if got := strings.Join(boardRows(stands(t), 3*time.Second, 200, 24), "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	small := boardRows(stands(t), 3*time.Second, 40, 5)
	if len(small) != 4 || small[2] != "  and 2 more" {
		t.Errorf("on a small screen:\n%s", strings.Join(small, "\n"))
	}
	for _, r := range small {
		if n := len([]rune(r)); n >= 40 {
			t.Errorf("%d columns: %s", n, r)
		}
	}
}

// Where there is no terminal, each version says its news once.
func TestBoardTells(t *testing.T) {
	var out bytes.Buffer
	b := newBoard(&app{out: &out}, time.Now())
	all := stands(t)
	b.show(all)
	b.show(all)
	if n := strings.Count(out.String(), "\n"); n != len(all) {
		t.Errorf("%d lines for %d versions:\n%s", n, len(all), out.String())
	}
	all[4].Outcome = rollout.Failed
	all[4].replaced = &intent.Signed{Intent: api.Intent{Seq: 7}}
	b.show(all)
	if !strings.HasSuffix(out.String(), "version 7 has taken its place\n") || strings.Count(out.String(), "\n") != len(all)+1 {
		t.Errorf("after news of one:\n%s", out.String())
	}
}

// On a terminal each picture takes the place of the one before.
func TestBoardDraws(t *testing.T) {
	path := filepath.Join(t.TempDir(), "screen")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := &board{app: &app{out: f}, begin: time.Now(), screen: f}
	all := stands(t)
	b.show(all)
	first := b.drawn
	b.end(all[:2])
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if first != 5 || b.drawn != 2 || !strings.Contains(string(text), fmt.Sprintf("\x1b[%dA\x1b[J  component/waits", first)) {
		t.Errorf("drew %d and %d lines:\n%q", first, b.drawn, text)
	}
}

func TestOutcomes(t *testing.T) {
	m := newMesh(t)
	var all []intent.Signed
	m.seq.After = func(in intent.Signed) { all = append(all, in) }
	for _, name := range []string{"one", "two", "three", "four"} {
		m.want(0, nil, "push", "--name", name, "--file", m.file, "--wait=false")
	}
	m.want(0, nil, "stop", "four", "--wait=false") // it takes the place of what is waited for
	for _, p := range []api.PeerID{peerA, peerB} {
		m.tell(all[0], p, api.StateRunning, "")
		m.tell(all[2], p, api.StateFailed, "exit code 3", "last words")
	}
	m.tell(all[1], peerA, api.StateRunning, "")
	m.later.Go(func() {
		time.Sleep(300 * time.Millisecond)
		m.tell(all[1], peerB, api.StateRunning, "")
	})
	var out bytes.Buffer
	a := &app{out: &out, err: &out, homeDir: m.home.Root()}
	n := m.dial()
	defer n.Close()
	results, err := a.outcomes(m.context(), n, all[:4], 0)
	if err == nil || len(results) != 4 || !results[0].Reached || !results[1].Reached || results[2].Reached || results[3].Reached {
		t.Errorf("%+v %v", results, err)
	}
	for _, want := range []string{"2 of 4 programs are not as they should be", "component/three failed\n", "| last words", "version 1 of component/four came to nothing: version 2 has taken its place"} {
		if err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in\n%v", want, err)
		}
	}
	if _, err := a.outcomes(m.context(), n, all[:2], 0); err != nil {
		t.Errorf("those that run: %v", err)
	}
}
