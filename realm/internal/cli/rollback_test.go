package cli

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/realm/internal/owner"
)

func TestRollback(t *testing.T) {
	f := newFolder(t)
	f.program("old")
	f.program("new")
	push := func(program string, args ...string) {
		f.m.want(0, nil, append([]string{"push", "--name", "web", "--file", f.dir + "/" + program + ".wasm"}, args...)...)
	}
	f.m.want(1, []string{"web: there is no such program"}, "rollback", "web")
	push("old")
	f.m.want(1, []string{"component/web: there is no earlier version that asked for something else", "realm history component/web"}, "rollback", "web")
	old, _ := f.current("web")
	f.m.want(0, nil, "scale", "web", "1")
	f.m.want(0, []string{"back to what number 1 asked for", "replicas 1 -> every", "version 3 is accepted", "component/web runs on 2 nodes"}, "rollback", "web")
	push("new", "--env", "A=B")
	f.m.want(0, nil, "stop", "web")
	// Not to the bad program before it was stopped, but to the one before that.
	f.m.want(0, []string{"back to what number 3 asked for", "program sha256", "env.A \"B\" -> (none)", "start false -> true"}, "rollback", "web", "--dry-run")
	if s, _ := f.current("web"); s.Seq != 5 {
		t.Errorf("number %d", s.Seq)
	}
	f.m.want(0, []string{"version 6 is accepted"}, "rollback", "web")
	if s, c := f.current("web"); string(s.Body) != string(old.Body) || c.Stopped {
		t.Errorf("got %s, want %s", s.Body, old.Body)
	}
	// And back again; by number; what is there already.
	f.m.want(0, []string{"back to what number 5 asked for", "component/web is stopped"}, "rollback", "web")
	f.m.want(0, []string{"back to what number 4 asked for", "version 8"}, "rollback", "component/web", "--to", "4")
	f.m.want(0, []string{"nothing to change, number 8 counts already", "runs on 2 nodes"}, "rollback", "web", "--to", "8")
	f.m.want(1, []string{"number 17: no such version is held here", "there are 7, 6, 5, 4, 3, 2, 1"}, "rollback", "web", "--to", "17")
	f.m.want(2, []string{"--to 0"}, "rollback", "web", "--to", "0")
	// From its removal.
	f.m.want(0, nil, "rm", "web")
	f.m.want(0, []string{"back to what number 8 asked for", "from removed to sha256", "version 10 is accepted"}, "rollback", "web")
	f.m.want(1, []string{"number 9: that version is a removal"}, "rollback", "web", "--to", "9")
	// Nobody has the bytes any more.
	_, c := f.current("web")
	f.m.want(0, nil, "rollback", "web", "--to", "6")
	f.m.seq.Gone = map[api.Digest]bool{c.Module.Blob: true}
	f.m.store.Drop(c.Module.Blob)
	f.m.want(1, []string{"component/web number 10: no node is known to have its program any more", "push or apply it again"}, "rollback", "web")
	f.m.want(0, []string{"version 12 is accepted"}, "rollback", "web", "--force")
}

// Of two bad versions in a row the one before the last was never good: back is to what
// goes on.
func TestRollbackPassesOverWhatNeverCameUp(t *testing.T) {
	f := newFolder(t)
	for _, p := range []string{"good", "bad", "worse"} {
		f.program(p)
		f.m.want(0, nil, "push", "--name", "web", "--file", f.dir+"/"+p+".wasm", "--wait=false")
	}
	last, _ := f.current("web")
	f.m.fact(api.WorkloadFact{Ref: last.Ref, Peer: peerA, Intent: last.Digest, Seq: last.Seq, State: api.StateFailed, Since: time.Now(), Serving: 1})
	f.m.fact(api.WorkloadFact{Ref: last.Ref, Peer: peerB, Intent: last.Digest, Seq: last.Seq, State: api.StatePrepared, Since: time.Now(), Serving: 1})
	f.m.want(0, []string{"back to what number 1 asked for"}, "rollback", "web", "--dry-run")
	f.m.want(0, []string{"back to what number 2 asked for"}, "rollback", "web", "--dry-run", "--to", "2")
	// It runs on one of them: what that had before is no better.
	f.m.fact(api.WorkloadFact{Ref: last.Ref, Peer: peerA, Intent: last.Digest, Seq: last.Seq, State: api.StateRunning, Since: time.Now()})
	f.m.want(0, []string{"back to what number 2 asked for"}, "rollback", "web", "--dry-run")
}

// Functions roll back, too, and what others sign meanwhile is not signed over.
func TestRollbackStale(t *testing.T) {
	f := newFolder(t)
	f.program("a")
	f.program("b")
	for _, p := range []string{"a", "b"} {
		f.m.want(0, nil, "fn", "deploy", "--name", "double", "--wasm", f.dir+"/"+p+".wasm")
	}
	double := api.Ref{Kind: api.KindFunction, Name: "double"}
	f.m.seq.Before = func() {
		cur, _ := f.m.seq.Ledger().Current(double, time.Now())
		f.m.seq.Take(f.m.sign(double, owner.Place{Seq: cur.Seq + 1, Prev: cur.Digest}, function("theirs"), time.Now()))
	}
	f.m.want(1, []string{"function/double has changed since this command began"}, "rollback", "double")
	f.m.want(0, []string{"back to what number 2 asked for", "function/double"}, "rollback", "function/double")
}

// A rollback leaves a component to whom it belongs.
func TestRollbackKeepsSource(t *testing.T) {
	f := newFolder(t)
	f.program("web")
	f.program("api")
	f.apply(0, nil, shop)
	f.apply(0, nil, strings.Replace(shop, "replicas = 1", "replicas = 2", 1))
	f.m.want(0, []string{"replicas 2 -> 1"}, "rollback", "web")
	if _, c := f.current("web"); c.Source != (api.Source{Manifest: "shop", Version: 2}) {
		t.Errorf("source %+v", c.Source)
	}
	f.diff(3, []string{"~ web  update     replicas 1 -> 2", "by hand: replicas 2 -> 1"}, "--exit-code")
	f.m.want(0, nil, "rm", "web")
	f.m.want(0, []string{"back to what number 3 asked for"}, "rollback", "web")
	if _, c := f.current("web"); c.Source.Manifest != "shop" {
		t.Errorf("source %+v", c.Source)
	}
	// What the manifest has dropped belongs to nobody when it comes back.
	f.apply(0, nil, strings.Split(shop, "[components.api]")[0])
	f.m.want(0, nil, "rollback", "api")
	if _, c := f.current("api"); c.Source.Manifest != "" {
		t.Errorf("source %+v", c.Source)
	}
}

func TestRollbackManifest(t *testing.T) {
	f := newFolder(t)
	f.program("web")
	f.program("api")
	f.m.want(1, []string{"manifest shop: nothing has been applied under this name"}, "rollback", "manifest/shop")
	f.apply(0, nil, shop)
	f.m.want(1, []string{"there is no earlier version that asked for something else"}, "rollback", "manifest/shop")
	second := strings.Replace(strings.Split(shop, "[components.api]")[0], "replicas = 1", "replicas = 2", 1) + "[components.db]\nsource = 'api.wasm'\n"
	f.apply(0, nil, second, "--version", "5")
	f.m.want(0, []string{"back to what version 1 asked for", "manifest shop, version 6: the last one was 5", "+ api  create", "- db   remove", "~ web  update     replicas 2 -> 1"}, "rollback", "manifest/shop", "--dry-run")
	f.m.want(0, []string{"version 6 is accepted", "Everything is as version 6"}, "rollback", "manifest/shop")
	if r := f.record("shop"); r.Version != 6 || len(r.Components) != 2 {
		t.Errorf("record %+v", r)
	}
	f.write("realm.toml", shop)
	f.diff(0, []string{"Nothing to change"}, "--exit-code")
	f.m.want(1, []string{"version 3: no such version is held here", "there are 6, 5, 1"}, "rollback", "manifest/shop", "--to", "3")
	// To the version that counts: what was changed by hand is put right.
	f.byHand("web", func(c *api.Component) { c.Replicas = 7 })
	f.m.want(0, []string{"replicas 7 -> 1", "version 7 is accepted"}, "rollback", "manifest/shop", "--to", "6")
	f.m.want(0, []string{"back to what version 5 asked for", "version 8 is accepted"}, "rollback", "manifest/shop")
	f.m.want(0, []string{"Nothing to change", "Everything is as version 8"}, "rollback", "manifest/shop", "--to", "8")

	_, out, _ := f.m.realm("history", "manifest/shop")
	for _, want := range []string{
		`^manifest/shop\nNUMBER +DIGEST +SIGNER +ISSUED +WHAT +STATE\n5 +[0-9a-f]{12} +owner .* +version 8, components: 2 +current\n +new: db; changed: web; removed: api\n4 `,
		`\n1 +[0-9a-f]{12} +owner .* +version 1, components: 2 +replaced\n$`,
	} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	_, out, _ = f.m.realm("history", "web")
	for _, want := range []string{
		`\n +manifest shop version 8: replicas 1 -> 2\n5 `,
		`\n +by hand, after manifest shop version 6: replicas 1 -> 7\n3 `,
		`\n1 .*\n +manifest shop version 1\n$`,
	} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	_, out, _ = f.m.realm("history", "component/web", "--json")
	var h struct{ Versions []versionView }
	if err := json.Unmarshal([]byte(out), &h); err != nil || len(h.Versions) != 6 || h.Versions[0].Source.Version != 8 || len(h.Versions[0].Changes) != 1 || h.Versions[0].Changes[0].To != "2" {
		t.Errorf("--json: %v %s", err, out)
	}
}

// What an old version asked for may be held by nobody any more.
func TestRollbackTooFar(t *testing.T) {
	f := newFolder(t)
	f.program("web")
	f.program("api")
	f.apply(0, nil, shop, "--wait=false")
	for range 9 {
		f.byHand("web", func(c *api.Component) { c.Replicas++ })
	}
	f.apply(0, nil, strings.Split(shop, "[components.web]")[0]+"[components.api]\nsource='api.wasm'\n", "--wait=false")
	f.m.want(1, []string{"manifest shop version 1: what it asked for is not held here any more: web", "apply its file again"}, "rollback", "manifest/shop")
	f.m.want(1, []string{"number 1: no such version is held here"}, "rollback", "web", "--to", "1")
}
