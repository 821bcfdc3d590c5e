package cli

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/paths"
	"github.com/realm-mesh/realm/realm/internal/nodetest"
)

// offered are the words that the shell is given for a command line, its last word unfinished.
func (m *mesh) offered(line ...string) []string {
	m.t.Helper()
	var stdout, stderr bytes.Buffer
	code := Main(append([]string{cobra.ShellCompNoDescRequestCmd}, line...), &stdout, &stderr)
	out, errs := stdout.String(), stderr.String()
	if code != 0 || strings.Contains(errs, "realm:") {
		m.t.Errorf("complete %q: %d %s%s", line, code, out, errs)
	}
	words := strings.Split(strings.TrimSpace(out), "\n")
	return words[:len(words)-1] // the last one tells the shell what to do with them
}

func TestCompletion(t *testing.T) {
	m := newMesh(t)
	t.Setenv(paths.EnvHome, m.home.Root())
	m.peer(member(peerC, "beta", false, true, "gpu"))
	m.admit(peerA, peerB, peerC)
	m.want(0, nil, "push", "--name", "web", "--file", m.file, "--wait=false")
	m.want(0, nil, "fn", "deploy", "--name", "double", "--wasm", m.file, "--wait=false")
	twins := []string{"alpha", peerC.Short(), peerB.Short()}
	for _, c := range []struct {
		line []string
		want []string
	}{
		{[]string{"explain", ""}, []string{"double", "web"}},
		{[]string{"stop", ""}, []string{"double", "web"}},
		{[]string{"scale", ""}, []string{"web"}},
		{[]string{"scale", "web", ""}, []string{"every"}},
		{[]string{"restart", ""}, append([]string{"web"}, strings.Split(daemonNames(), ", ")...)},
		{[]string{"node", "drain", ""}, twins},
		{[]string{"node", "set", "alpha", ""}, nil},
		{[]string{"push", "--peer", ""}, []string{string(peerA), string(peerB), string(peerC)}},
		{[]string{"push", "--tag", ""}, []string{"edge", "gpu"}},
		{[]string{"push", "--name", ""}, []string{"double", "web"}},
		{[]string{"push", "--http", ""}, []string{"wasi", "cgi", "none"}},
		{[]string{"push", "--file", ""}, []string{"wasm"}}, // what such files end in, for the shell to find
		{[]string{"fn", "deploy", "--wasm", ""}, []string{"wasm"}},
		{[]string{"inspect", ""}, []string{"wasm"}},
		{[]string{"inspect", "a.wasm", ""}, nil},
		{[]string{"package", "inspect", ""}, []string{"realm"}},
		{[]string{"deploy-package", "--file", ""}, []string{"realm"}},
		{[]string{"deploy-package", "--tag", ""}, []string{"edge", "gpu"}},
		{[]string{"deploy-package", "--name", ""}, []string{"double", "web"}},
		{[]string{"push", "--restart", ""}, []string{"on-failure", "always", "never"}},
		{[]string{"fn", "deploy", "--tag", ""}, []string{"edge", "gpu"}},
		{[]string{"node", "set", "alpha", "--role", ""}, []string{"edge", "gpu"}},
	} {
		got := m.offered(c.line...)
		slices.Sort(got)
		slices.Sort(c.want)
		if !slices.Equal(got, c.want) {
			t.Errorf("%q: %q, want %q", c.line, got, c.want)
		}
	}
}

// Pressing Tab where no node is up offers nothing, says nothing and takes no time.
func TestCompletionWithoutANode(t *testing.T) {
	h := nodetest.Home(t)
	t.Setenv(paths.EnvHome, h.Root())
	m := &mesh{t: t, home: h}
	begin := time.Now()
	for _, line := range [][]string{{"explain", ""}, {"scale", ""}, {"node", "drain", ""}, {"push", "--peer", ""}, {"push", "--tag", ""}, {"peers", "revoke", ""}, {"grant", "revoke", ""}, {"history", ""}} {
		if got := m.offered(line...); len(got) != 0 {
			t.Errorf("%q: %q", line, got)
		}
	}
	if got := m.offered("restart", ""); !slices.Contains(got, string(api.Runnerd)) {
		t.Errorf("restart: %q", got)
	}
	if took := time.Since(begin); took > 3*time.Second {
		t.Errorf("it took %v", took)
	}
}
