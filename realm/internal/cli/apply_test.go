package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/engine/wasmtest"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/realm/internal/owner"
	"github.com/realm-mesh/realm/realm/internal/plan"
	"github.com/realm-mesh/realm/realm/internal/rollout"
)

// folder is where a manifest and its programs lie.
type folder struct {
	m   *mesh
	dir string
}

// newFolder has members do at once what they are asked for.
func newFolder(t *testing.T) *folder {
	m := newMesh(t)
	m.seq.After = m.obey
	return &folder{m, t.TempDir()}
}

// obey has members do what a version asks for, the first ones where not all are meant.
func (m *mesh) obey(in intent.Signed) {
	if !in.Kind.Workload() {
		return
	}
	want, err := rollout.WantedOf(in)
	if err != nil {
		m.t.Error(err)
	}
	replicas := 2
	if w, err := in.Workload(); err == nil {
		if c, ok := w.(*api.Component); ok && c.Replicas > 0 {
			replicas = c.Replicas
		}
	}
	for i, p := range []api.PeerID{peerA, peerB} {
		s := []api.State{api.StateRunning, api.StateStopped, api.StateRemoved}[want.Goal]
		if i >= replicas {
			s = api.StateRemoved
		}
		m.tell(in, p, s, "")
	}
}

// program writes a program that is like no other.
func (f *folder) program(name string) {
	f.m.t.Helper()
	f.write(name+".wasm", string(called(name)))
}

// called is a command with an empty section of no meaning in it that has this name.
func called(name string) []byte {
	return append(wasmtest.Nothing(), wasmtest.Section(0, append([]byte{byte(len(name))}, name...))...)
}

func (f *folder) write(name, text string) string {
	f.m.t.Helper()
	path := filepath.Join(f.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		f.m.t.Fatal(err)
	}
	return path
}

// apply runs realm apply with a manifest, and looks for these words.
func (f *folder) apply(code int, words []string, text string, args ...string) {
	f.m.t.Helper()
	f.m.want(code, words, append([]string{"apply", "--file", f.write("realm.toml", text)}, args...)...)
}

func (f *folder) diff(code int, words []string, args ...string) {
	f.m.t.Helper()
	f.m.want(code, words, append([]string{"diff", "--file", filepath.Join(f.dir, "realm.toml")}, args...)...)
}

// current is the version of a component that counts.
func (f *folder) current(name api.Name) (intent.Signed, *api.Component) {
	f.m.t.Helper()
	s, ok := f.m.seq.Ledger().Current(api.Ref{Kind: api.KindComponent, Name: name}, time.Now())
	if !ok {
		f.m.t.Fatalf("%s: nothing counts", name)
	}
	if s.Tombstone {
		return s, nil
	}
	w, err := s.Workload()
	if err != nil {
		f.m.t.Fatal(err)
	}
	return s, w.(*api.Component)
}

// record is what a manifest says of itself.
func (f *folder) record(name api.Name) api.Manifest {
	f.m.t.Helper()
	s, ok := f.m.seq.Ledger().Current(plan.Ref(name), time.Now())
	var m api.Manifest
	if !ok {
		f.m.t.Fatalf("manifest %s: it was never signed", name)
	}
	if err := json.Unmarshal(s.Body, &m); err != nil {
		f.m.t.Fatal(err)
	}
	return m
}

// byHand changes a component as people do.
func (f *folder) byHand(name api.Name, change func(*api.Component)) {
	f.m.t.Helper()
	cur, c := f.current(name)
	change(c)
	next := f.m.sign(cur.Ref, owner.Place{Seq: cur.Seq + 1, Prev: cur.Digest}, owner.Set(cur.Target, c), time.Now())
	f.m.seq.Take(next)
	f.m.seq.After(next)
}

const shop = `name = "shop"
[components.web]
source = "web.wasm"
replicas = 1
env = { GREETING = "Hi" }
[components.api]
source = "api.wasm"
`

func TestApply(t *testing.T) {
	f := newFolder(t)
	f.program("web")
	f.program("api")
	f.apply(0, []string{"manifest shop, version 1: it has not been applied before", "+ web  create     sha256 ", `, env.GREETING "Hi", replicas 1`, "2 to create, 0 unchanged."}, shop, "--dry-run")
	f.apply(0, []string{"manifest shop: version 1 is accepted", "web.wasm: 101 B", "Everything is as version 1 of manifest shop says"}, shop)
	web, c := f.current("web")
	if web.Seq != 1 || c.Replicas != 1 || c.Env["GREETING"] != "Hi" || c.Source != (api.Source{Manifest: "shop", Version: 1}) {
		t.Errorf("web: %+v", c)
	}
	if r := f.record("shop"); r.Version != 1 || len(r.Components) != 2 || r.Components[1].Intent != web.Digest {
		t.Errorf("record %+v", r)
	}
	f.diff(0, []string{"Nothing to change: 2 unchanged."}, "--exit-code")
	f.apply(0, []string{"Nothing to change: 2 unchanged.", "Everything is as version 1"}, shop)

	// Another program, another number, one more component, and one less.
	f.program("db")
	f.write("web.wasm", string(called("new")))
	next := strings.Replace(strings.Replace(shop, "replicas = 1", "replicas = 2", 1), "api", "db", 2)
	f.write("realm.toml", next)
	f.diff(3, []string{"manifest shop, version 2: the last one was 1", "- api  remove", "+ db   create", "~ web  update     program sha256 ", "replicas 1 -> 2", "1 to create, 1 to update, 1 to remove, 0 unchanged."}, "--exit-code")
	f.apply(0, []string{"version 2 is accepted", "Everything is as version 2"}, next)
	if api, _ := f.current("api"); !api.Tombstone {
		t.Error("api is still wanted")
	}
	if _, c := f.current("web"); c.Replicas != 2 || c.Source.Version != 2 {
		t.Errorf("web: %+v", c)
	}
	// Nothing is left.
	f.apply(0, []string{"2 to remove"}, "name = 'shop'\n[components]\n")
	if r := f.record("shop"); r.Version != 3 || len(r.Components) != 0 {
		t.Errorf("record %+v", r)
	}
	f.apply(0, []string{"version 4 is accepted"}, shop)
}

func TestApplyJSON(t *testing.T) {
	f := newFolder(t)
	f.program("web")
	f.program("api")
	code, out, errs := f.m.realm("apply", "--file", f.write("realm.toml", shop), "--json")
	var v struct {
		Manifest string
		Version  uint64
		Reached  bool
		Digest   api.Digest
		Results  []resultView
		Items    []plan.Item `json:"components"`
	}
	if err := json.Unmarshal([]byte(out), &v); err != nil || code != 0 || !v.Reached || v.Version != 1 || len(v.Results) != 2 || len(v.Items) != 2 || v.Items[0].Action != plan.Create || v.Digest.IsZero() {
		t.Errorf("%d %v %s%s", code, err, out, errs)
	}
	code, out, _ = f.m.realm("diff", "--file", filepath.Join(f.dir, "realm.toml"), "--json")
	var d struct{ Changes *bool }
	if err := json.Unmarshal([]byte(out), &d); err != nil || code != 0 || d.Changes == nil || *d.Changes {
		t.Errorf("%d %v %s", code, err, out)
	}
}

// An apply waits for all programs of the manifest, and names those that few members keep.
func TestApplyWaitsForCopies(t *testing.T) {
	f := newFolder(t)
	f.program("web")
	f.program("api")
	f.apply(2, []string{"--durability 9: want 1 to 3"}, shop, "--durability", "9")
	f.m.store.Copies = everywhere
	f.apply(0, []string{" s  kept on 2 members: 2 of 2 programs\n", "Everything is as version 1"}, shop)
	slow := api.Sum(called("web"))
	var looks, others atomic.Int32
	f.m.store.Copies = func(d api.Digest) api.BlobCopies {
		if d != slow {
			others.Add(1)
			return everywhere(d)
		}
		looks.Add(1)
		return on(d, []api.PeerID{peerA}, []api.PeerID{peerB}, nil)
	}
	// What is unchanged is waited for, too; what is there is not asked for again.
	code, out, errs := f.m.realm("apply", "--file", filepath.Join(f.dir, "realm.toml"), "--json", "--timeout", "4s")
	var v applyView
	if err := json.Unmarshal([]byte(out), &v); err != nil || code != 1 || len(v.Results) != 2 || v.Results[0].Copies == nil || len(v.Results[1].Copies.Lack)+len(v.Results[0].Copies.Lack) != 1 {
		t.Errorf("%d %v %s", code, err, out)
	}
	if !strings.Contains(errs, `component/web runs on 1 node, but its program is kept on 1 of 2 members: alpha\n  on its way to beta\n`) {
		t.Error(errs)
	}
	if looks.Load() < 3 || others.Load() != 1 {
		t.Errorf("asked %d and %d times", looks.Load(), others.Load())
	}
	f.apply(0, []string{"Everything is as version 1"}, shop, "--durability", "1")
}

func TestApplyVersions(t *testing.T) {
	f := newFolder(t)
	f.program("web")
	f.program("api")
	f.apply(2, []string{"versions begin with 1"}, shop, "--version", "0")
	f.apply(0, []string{"version 7 is accepted"}, shop, "--version", "7")
	f.apply(1, []string{"version 6 of manifest shop is older than the one that was applied last, 7", "realm rollback manifest/shop --to 6"}, shop, "--version", "6")
	f.apply(0, []string{"Nothing to change"}, shop, "--version", "7")
	other := strings.Replace(shop, "replicas = 1", "replicas = 2", 1)
	f.apply(1, []string{"version 7 of manifest shop has been applied already", "web: replicas 1 -> 2"}, other, "--version", "7")
	f.apply(1, []string{"api was in it"}, strings.Split(shop, "[components.api]")[0], "--version", "7")
	// What has drifted is put right under the same version.
	f.byHand("web", func(c *api.Component) { c.Replicas, c.Stopped = 9, true })
	f.diff(3, []string{"~ web  update     replicas 9 -> 1", "start false -> true", "changed by hand by owner on 20", "by hand: replicas 1 -> 9"}, "--exit-code")
	f.apply(0, []string{"version 7 is accepted"}, shop, "--version", "7")
	if _, c := f.current("web"); c.Replicas != 1 || c.Stopped {
		t.Errorf("web: %+v", c)
	}
	// A restart is no drift, and is not taken back.
	at := time.Now().UTC().Truncate(time.Second)
	f.byHand("web", func(c *api.Component) { c.Restarted = at })
	f.apply(0, []string{"Nothing to change"}, shop)
	f.apply(0, []string{"version 8 is accepted"}, other)
	if _, c := f.current("web"); !c.Restarted.Equal(at) {
		t.Errorf("restarted %s", c.Restarted)
	}
	f.apply(0, []string{"Only the manifest itself is signed", "version 10 is accepted"}, other, "--version", "10")
}

func TestApplyTakesOver(t *testing.T) {
	f := newFolder(t)
	f.program("web")
	f.program("api")
	f.m.want(0, nil, "push", "--name", "web", "--file", f.m.file)
	f.apply(1, []string{"! web  blocked", "push looks after it, by owner on 20", "--take-over", "nothing was signed: 1 component of the manifest cannot be changed"}, shop)
	if _, c := f.current("web"); c.Source.Manifest != "" {
		t.Error("it was taken over")
	}
	f.diff(3, []string{"blocked"}, "--exit-code")
	f.apply(0, []string{"> web  take over"}, shop, "--take-over")
	// Another manifest, and then nobody's any more.
	theirs := strings.Replace(shop, "shop", "theirs", 1)
	f.apply(1, []string{"manifest shop looks after it"}, theirs)
	f.apply(0, []string{"2 to take over"}, theirs, "--take-over")
	f.diff(0, []string{"Nothing to change"})
	f.apply(0, []string{". api  leave      manifest theirs looks after it"}, "name='shop'\n[components]\n")
	f.byHand("api", func(c *api.Component) { c.Source, c.Replicas = api.Source{}, 5 })
	f.apply(1, []string{"push looks after it", "by hand: replicas every -> 5"}, theirs)
	// Removed by hand.
	f.m.want(0, nil, "rm", "web")
	f.apply(0, []string{"+ web  create", "removed by hand by owner", "> api"}, theirs, "--take-over")
}

// Where a command is cut short the next one goes on.
func TestApplyCutShort(t *testing.T) {
	f := newFolder(t)
	var many strings.Builder
	for i := range 10 {
		f.program(fmt.Sprint("p", i))
		fmt.Fprintf(&many, "[components.c%d]\nsource = 'p%d.wasm'\n", i, i)
	}
	refuse := true
	f.m.seq.Refuse = func(in intent.Signed) error {
		if refuse && in.Kind == api.KindManifest {
			return fmt.Errorf("no room for %s", in.Ref)
		}
		return nil
	}
	f.apply(1, []string{"no room for manifest/default"}, many.String(), "--version", "3")
	for _, r := range f.m.seq.Ledger().Refs() {
		t.Errorf("%s was taken", r)
	}
	// Here the first part of it got through.
	refuse = false
	f.apply(0, nil, many.String(), "--version", "3")
	cur, _ := f.m.seq.Ledger().Current(plan.Ref("default"), time.Now())
	f.m.seq.Take(f.m.sign(cur.Ref, owner.Place{Seq: cur.Seq + 1, Prev: cur.Digest}, owner.Say(&api.Manifest{Version: 1, Components: []api.ManifestComponent{}}), time.Now()))
	f.apply(1, []string{"older than the one that was applied last, 3"}, many.String(), "--version", "2")
	f.apply(1, []string{"was something else (c0: replicas every -> 4"}, strings.Replace(many.String(), "'p0.wasm'", "'p0.wasm'\nreplicas=4", 1), "--version", "3")
	f.apply(0, []string{"Only the manifest itself is signed: 10 unchanged."}, many.String(), "--version", "3")
}

// Two applies at once: one is told what the other has signed.
func TestApplySideBySide(t *testing.T) {
	f := newFolder(t)
	f.program("web")
	f.program("api")
	f.apply(0, nil, shop)
	other := strings.Replace(shop, "replicas = 1", "replicas = 2", 1)
	slip := func() { f.byHand("web", func(c *api.Component) { c.Replicas = 7 }) }
	f.m.seq.Before = slip
	f.apply(1, []string{"component/web has changed since this command began", "number 2, signed by owner at", "Nothing was signed.", "--force"}, other)
	if r := f.record("shop"); r.Version != 1 {
		t.Errorf("record %+v", r)
	}
	f.m.seq.Before = slip
	f.apply(0, []string{"version 2 is accepted"}, other, "--force")
	if s, c := f.current("web"); c.Replicas != 2 || s.Seq != 4 {
		t.Errorf("number %d: %+v", s.Seq, c)
	}
	// An answer that is lost is no other version.
	lost := false
	f.m.seq.Lose = func(in intent.Signed) bool {
		if lost {
			return false
		}
		lost = true
		return true
	}
	f.apply(0, []string{"version 3 is accepted"}, shop, "--wait=false")
}

func TestApplyWithoutWaiting(t *testing.T) {
	f := newFolder(t)
	f.program("web")
	f.program("api")
	f.m.seq.After = func(in intent.Signed) {
		if in.Name == "web" {
			f.m.tell(in, peerA, api.StateFailed, "exit code 2", "panic: no luck")
			return
		}
		f.m.tell(in, peerA, api.StateRunning, "")
		f.m.tell(in, peerB, api.StateRunning, "")
	}
	f.apply(0, []string{"version 1 is accepted"}, shop, "--wait=false")
	f.apply(1, []string{"Nothing to change", "component/web failed", "exit code 2"}, shop)
}

// What is kept and not acted on yet is told once, with all whom it is about.
func TestApplyWarns(t *testing.T) {
	f := newFolder(t)
	f.program("web")
	f.program("api")
	text := strings.ReplaceAll(shop, ".wasm\"", ".wasm\"\nvisibility = 'public'")
	f.apply(0, []string{"warning: api, web: visibility public is kept"}, text)
	f.diff(0, []string{"warning: api, web: visibility public is kept", "Nothing to change"})
}

func TestApplyWrong(t *testing.T) {
	f := newFolder(t)
	f.apply(1, []string{"realm.toml:2:1: unknown key \"sorce\" in [components.web]: did you mean \"source\"?", "   2 | sorce = 'x'", "     | ^^^^^"}, "[components.web]\nsorce = 'x'\n")
	f.apply(1, []string{"realm.toml:3:10: component api: read program", "realm.toml:5:8: component web: read program"}, "# \n[components.api]\nsource = 'api.wasm'\n[components.web]\nsource='web.wasm'\n")
	f.m.want(1, []string{"read manifest", "none.toml"}, "apply", "--file", filepath.Join(f.dir, "none.toml"))
	f.m.want(1, []string{"read manifest"}, "diff", "--file", filepath.Join(f.dir, "none.toml"))
	f.m.want(2, []string{"takes no arguments"}, "apply", "realm.toml")
}
