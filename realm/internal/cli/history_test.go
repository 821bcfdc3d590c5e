package cli

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/realm/internal/owner"
)

// sign signs something as the owner, at a place of its sequence.
func (m *mesh) sign(ref api.Ref, at owner.Place, c owner.Change, issued time.Time) intent.Signed {
	m.t.Helper()
	cur, ok := m.seq.Ledger().Current(ref, time.Now())
	var current *intent.Signed
	if ok {
		current = &cur
	}
	in, err := m.owner.Next(ref, at, current, c, issued)
	if err != nil {
		m.t.Fatal(err)
	}
	return in
}

func function(blob string) owner.Change {
	return owner.Set(api.Target{}, &api.Function{Module: api.Program{Blob: api.Sum([]byte(blob)), Size: 1}})
}

func TestHistory(t *testing.T) {
	m := newMesh(t)
	double := api.Ref{Kind: api.KindFunction, Name: "double"}
	m.want(1, []string{"double: nothing has been signed under this name", "realm status"}, "history", "double")
	first := m.sign(double, owner.Place{Seq: 1}, function("a"), time.Now())
	m.seq.Take(first)
	at := owner.Place{Seq: 2, Prev: first.Digest}
	m.seq.Take(m.sign(double, at, function("b"), time.Now()), m.sign(double, at, function("c"), time.Now()))
	top, _ := m.seq.Ledger().Current(double, time.Now())
	m.seq.Take(m.sign(double, owner.Place{Seq: 3, Prev: top.Digest}, owner.SetStopped(true), time.Now()))
	top, _ = m.seq.Ledger().Current(double, time.Now())
	m.seq.Take(m.sign(double, owner.Place{Seq: 4, Prev: top.Digest}, owner.Remove(), time.Now().Add(time.Hour)))

	_, out, _ := m.realm("history", "double")
	for _, want := range []string{
		`^function/double\nNUMBER +DIGEST +SIGNER +ISSUED +WHAT +STATE\n`,
		`\n4 +[0-9a-f]{12} +owner +20\d\d-\d\d-\d\d \d\d:\d\d:\d\d +removed +quarantine until 20`,
		`\n3 +[0-9a-f]{12} +owner .* +stopped, sha256 [0-9a-f]{12} +current\n        stopped\n2`,
		`\n2 ┬ +[0-9a-f]{12} +owner .* +sha256 [0-9a-f]{12} +replaced\n        new program\n2 └ +[0-9a-f]{12} +owner .* +sha256 [0-9a-f]{12} +fork: lost to the one above\n        new program\n1`,
		`\n1 +[0-9a-f]{12} +owner .* replaced\n$`,
	} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	for line := range strings.Lines(out) {
		if n := len([]rune(line)); n > 120 {
			t.Errorf("a line of %d characters: %s", n, line)
		}
	}
	_, out, _ = m.realm("history", "function/double", "--json")
	var h struct{ Versions []versionView }
	if err := json.Unmarshal([]byte(out), &h); err != nil || len(h.Versions) != 5 || h.Versions[0].State != api.VersionQuarantine ||
		h.Versions[0].CountsFrom.IsZero() || !h.Versions[1].CountsFrom.IsZero() || h.Versions[1].Key != m.owner.Key.Public().String() || h.Versions[1].Kind != api.KindFunction {
		t.Errorf("--json: %v %s", err, out)
	}
	// Both kinds of a name, and a kind that is no program.
	m.seq.Take(m.sign(api.Ref{Kind: api.KindComponent, Name: "double"}, owner.Place{Seq: 1}, owner.Set(api.Target{}, &api.Component{Module: api.Program{Blob: api.Sum(nil), Size: 1}}), time.Now()))
	m.want(0, []string{"component/double", "function/double"}, "history", "double")
	m.want(1, []string{"nothing has been signed"}, "history", "rotate/owner")
	m.want(2, []string{"want"}, "history", "../x")
}

func TestStalePush(t *testing.T) {
	m := newMesh(t)
	m.want(0, nil, "push", "--name", "web", "--file", m.file, "--wait=false")
	web := api.Ref{Kind: api.KindComponent, Name: "web"}
	slip := func() {
		cur, _ := m.seq.Ledger().Current(web, time.Now())
		m.seq.Take(m.sign(web, owner.Place{Seq: cur.Seq + 1, Prev: cur.Digest}, owner.Set(api.Target{}, &api.Component{Module: api.Program{Blob: api.Sum([]byte("theirs")), Size: 1}}), time.Now()))
	}
	for _, args := range [][]string{{"push", "--name", "web", "--file", m.file}, {"stop", "web"}, {"rm", "web"}} {
		m.seq.Before = slip
		m.want(1, []string{"component/web has changed since this command began", "signed by owner at", "realm history component/web", "--force"}, args...)
	}
	m.seq.Before = slip
	m.want(0, []string{"version 6 is accepted"}, "push", "--name", "web", "--file", m.file, "--wait=false", "--force")
	m.seq.Before = slip
	m.want(0, []string{"version 8 is accepted"}, "stop", "web", "--wait=false", "--force")
}
