package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/paths"
	"github.com/realm-mesh/realm/realm/internal/owner"
)

// as runs the rest of the test in the account with the key at path.
func (m *mesh) as(path string) { m.t.Setenv(paths.EnvOwnerKey, path) }

// newcomer makes a key in another account, and returns to the owner's.
func (m *mesh) newcomer() (path string, key keys.Public) {
	m.t.Helper()
	path = filepath.Join(m.t.TempDir(), "other.pem")
	m.as(path)
	k, err := owner.Create()
	if err != nil {
		m.t.Fatal(err)
	}
	m.as(m.account)
	return path, k.Public()
}

func (m *mesh) deploy(code int, name string, words ...string) {
	m.t.Helper()
	m.want(code, words, "fn", "deploy", "--name", name, "--wasm", m.file, "--wait=false")
}

func (m *mesh) current(kind api.Kind, name string) (by keys.Public, seq uint64) {
	s, _ := m.seq.Ledger().Current(api.Ref{Kind: kind, Name: api.Name(name)}, time.Now())
	return s.Signer, s.Seq
}

func TestGrant(t *testing.T) {
	m := newMesh(t)
	ci, key := m.newcomer()
	m.as(ci)
	m.deploy(1, "ci-one", "this node belongs to another owner", key.String(), "realm grant "+key.String()+" --may push")
	m.want(1, []string{key.String()}, "grant", key.String(), "--may", "push")
	m.as(m.account)
	m.want(2, []string{"--may is missing"}, "grant", key.String())
	m.want(2, []string{"may"}, "grant", key.String(), "--may", "fly")
	m.want(2, []string{"want ed25519:"}, "grant", "12D3KooW", "--may", "push")
	m.want(2, []string{"the owner's own key"}, "grant", m.owner.Key.Public().String(), "--may", "push")
	m.want(0, []string{key.String() + " may push names that begin with ci-, until 20"},
		"grant", key.String(), "--may", "push", "--prefix", "ci-", "--expires", "30d", "--comment", "builds")

	m.deploy(0, "ci-owned", "version 1 is accepted")
	m.as(ci)
	m.want(0, []string{key.String(), "may push names that begin with ci-, until 20"}, "whoami")
	m.deploy(0, "ci-one", "version 1 is accepted")
	m.deploy(1, "web", "your key may not sign this", "push names that begin with ci-")
	m.deploy(1, "ci-owned", "function/ci-owned is the owner's", "Take another name")
	m.want(1, []string{"is the owner's"}, "fn", "rm", "ci-owned")
	for _, args := range [][]string{{"grant", key.String(), "--may", "push"}, {"grant", "revoke", key.String()}, {"peers", "admit", string(peerA)}, {"peers", "revoke", string(peerA)}, {"key", "rotate", "--yes"}} {
		m.want(1, []string{"only the owner can do that"}, args...)
	}
	m.want(0, []string{"builds", "function/ci-one"}, "history", "ci-one")
	m.as(m.account)
	if by, seq := m.current(api.KindFunction, "ci-one"); by != key || seq != 1 {
		t.Errorf("%s signed number %d", by, seq)
	}
	m.want(0, []string{"FOR", "builds", "push", "ci-…", "in 29d", key.String()}, "grant", "ls")

	// It is made longer, and stays as old.
	before := m.grantOf(key)
	m.want(0, []string{"until"}, "grant", key.String(), "--expires", "60d")
	after := m.grantOf(key)
	if !after.Since.Equal(before.Since) || after.Prefix != "ci-" || after.Comment != "builds" || !after.Expires.After(before.Expires.Add(29*24*time.Hour)) {
		t.Errorf("%+v became %+v", before, after)
	}

	// Revoked, what it pushed goes on.
	m.want(0, []string{key.String() + " counts no more", "function/ci-one goes on, in your name: version 2"}, "grant", "revoke", "builds")
	if by, seq := m.current(api.KindFunction, "ci-one"); by != m.owner.Key.Public() || seq != 2 {
		t.Errorf("%s signed number %d", by, seq)
	}
	m.want(1, []string{"revoked already"}, "grant", "revoke", key.String())
	m.want(1, []string{"no grant has this key"}, "grant", "revoke", "nobody")
	m.want(1, []string{"a revoked key cannot be granted again", "makes a new key"}, "grant", key.String(), "--may", "push")
	m.want(0, []string{"revoked"}, "grant", "ls")
	m.as(ci)
	m.deploy(1, "ci-two", "the grant of your key has been revoked")
}

func (m *mesh) grantOf(key keys.Public) api.Grant {
	m.t.Helper()
	g, err := grantOf(m.seq.Ledger(), key, time.Now())
	if err != nil {
		m.t.Fatal(err)
	}
	return g
}

// What falls out of a grant that is narrowed, or is dropped with it, ends.
func TestGrantNarrowedAndDropped(t *testing.T) {
	m := newMesh(t)
	ci, key := m.newcomer()
	m.want(0, []string{"may push any name, without end"}, "grant", key.String(), "--may", "push")
	m.as(ci)
	for _, name := range []string{"a-one", "b-one", "c-one"} {
		m.deploy(0, name)
	}
	m.as(m.account)
	m.want(0, []string{"function/a-one goes on", "function/c-one goes on"}, "grant", key.String(), "--prefix", "b-")
	if by, _ := m.current(api.KindFunction, "b-one"); by != key {
		t.Error("what is within the grant was signed anew")
	}
	m.want(0, []string{"function/b-one ends"}, "grant", "revoke", key.String(), "--drop")
	if _, seq := m.current(api.KindFunction, "b-one"); seq != 0 {
		t.Error("what was dropped goes on")
	}
}

func TestOverlap(t *testing.T) {
	m := newMesh(t)
	_, first := m.newcomer()
	_, second := m.newcomer()
	_, third := m.newcomer()
	m.want(0, nil, "grant", first.String(), "--may", "push", "--prefix", "ci-", "--comment", "first")
	since := m.grantOf(first).Since
	m.want(0, nil, "grant", third.String(), "--may", "push", "--prefix", "web")
	code, out, _ := m.realm("grant", second.String(), "--may", "push,job", "--prefix", "ci-x", "--json")
	var v grantView
	if err := json.Unmarshal([]byte(out), &v); err != nil || code != 0 || len(v.Warnings) != 1 || !strings.HasPrefix(v.Warnings[0], `"first" has a grant for names that begin with ci-x, too: `) {
		t.Fatalf("%d %v %s", code, err, out)
	}
	older, younger := api.Grant{May: v.Grant.May, Prefix: "ci", Since: since.Add(-time.Hour)}, api.Grant{May: v.Grant.May, Since: since.Add(time.Hour)}
	if w := overlaps(m.seq.Ledger().Grants(), second, older); len(w) != 1 || !strings.Contains(w[0], "begin with ci-, too: of a name that both use, this key's version counts") {
		t.Errorf("older: %q", w)
	}
	if w := overlaps(m.seq.Ledger().Grants(), second, younger); len(w) != 2 || !strings.Contains(w[0]+w[1], "the other's version counts") {
		t.Errorf("younger: %q", w)
	}
	if w := overlaps(m.seq.Ledger().Grants(), second, api.Grant{May: []api.Right{api.RightJob}}); len(w) != 0 {
		t.Errorf("another right: %q", w)
	}
}

// A holder can bring the grant along to a node that has not heard of it.
func TestGrantFile(t *testing.T) {
	m := newMesh(t)
	ci, key := m.newcomer()
	file := filepath.Join(t.TempDir(), "grant")
	m.want(0, nil, "grant", key.String(), "--may", "push", "--out", file)
	n := newMesh(t) // another node, of the same owner, which knows nothing yet
	n.seq.Pin = m.seq.Pin
	if err := n.seq.Pin.Write(n.home.Pin()); err != nil {
		t.Fatal(err)
	}
	n.as(ci)
	n.deploy(1, "one", "which has no grant")
	n.want(1, []string{"--grant", "no such file"}, "--grant", file+"x", "rm", "one")
	if err := os.WriteFile(file+"y", []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	n.want(1, []string{"want a file that realm grant --out wrote"}, "--grant", file+"y", "rm", "one")
	t.Setenv(envGrant, file)
	n.deploy(0, "one", "version 1 is accepted")
	if by, _ := n.current(api.KindFunction, "one"); by != key {
		t.Errorf("signed by %s", by)
	}
}
