package owner

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/paths"
)

func newKey(t *testing.T) Key {
	t.Helper()
	t.Setenv(paths.EnvOwnerKey, filepath.Join(t.TempDir(), "sub", "owner.pem"))
	k, err := Create()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestCreateLeavesAKeyAlone(t *testing.T) {
	k := newKey(t)
	before, err := os.ReadFile(k.Path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Create(); !errors.Is(err, fs.ErrExist) {
		t.Errorf("second Create = %v, want ErrExist", err)
	}
	after, err := os.ReadFile(k.Path)
	if err != nil || string(after) != string(before) {
		t.Errorf("the key has changed (%v)", err)
	}
	same, err := Load()
	if err != nil || same.Public() != k.Public() || same.Realm() != api.NewRealmID(k.Public().Key()) {
		t.Errorf("Load = %v %v", same.Public(), err)
	}
}

func TestLoadWithoutKey(t *testing.T) {
	t.Setenv(paths.EnvOwnerKey, filepath.Join(t.TempDir(), "none.pem"))
	if _, err := Load(); !errors.Is(err, ErrNoKey) || !strings.Contains(err.Error(), "realm init") {
		t.Errorf("got %v", err)
	}
}

var (
	ref    = api.Ref{Kind: api.KindComponent, Name: "web"}
	fnRef  = api.Ref{Kind: api.KindFunction, Name: "double"}
	prog   = api.Program{Blob: api.Sum([]byte("x")), Size: 1}
	target = api.Target{Tags: []string{"edge"}}
	now    = time.Date(2026, 11, 22, 1, 2, 3, 456, time.FixedZone("", 3600))
)

// next is what k, the owner's, signs after current.
func next(k Key, ref api.Ref, current *intent.Signed, c Change, now time.Time) (intent.Signed, error) {
	at := Place{Seq: 1}
	if current != nil {
		at = Place{Seq: current.Seq + 1, Prev: current.Digest}
	}
	return Signer{Key: k, Realm: k.Realm()}.Next(ref, at, current, c, now)
}

func TestNext(t *testing.T) {
	k := newKey(t)
	sign := func(ref api.Ref, cur *intent.Signed, c Change) *intent.Signed {
		t.Helper()
		s, err := next(k, ref, cur, c, now)
		if err != nil {
			t.Fatal(err)
		}
		return &s
	}
	first := sign(ref, nil, Set(target, &api.Component{Module: prog, Args: []string{"a"}}))
	stopped := sign(ref, first, SetStopped(true))
	removed := sign(ref, stopped, Remove())
	fn := sign(fnRef, nil, Set(api.Target{}, &api.Function{Module: prog}))

	for name, c := range map[string]struct {
		ref     api.Ref
		current *intent.Signed
		change  Change
		err     error
		started bool
		tomb    bool
		target  api.Target
	}{
		"first":             {ref, nil, Set(target, &api.Component{Module: prog}), nil, true, false, target},
		"push again":        {ref, first, Set(api.Target{}, &api.Component{Module: prog}), nil, true, false, api.Target{}},
		"push revives":      {ref, removed, Set(target, &api.Component{Module: prog}), nil, true, false, target},
		"push, not started": {ref, nil, Set(target, &api.Component{Module: prog, Stopped: true}), nil, false, false, target},
		"stop":              {ref, first, SetStopped(true), nil, false, false, target},
		"stop a function":   {fnRef, fn, SetStopped(true), nil, false, false, api.Target{}},
		"start":             {ref, stopped, SetStopped(false), nil, true, false, target},
		"rm":                {ref, stopped, Remove(), nil, false, true, target},
		"stop twice":        {ref: ref, current: stopped, change: SetStopped(true), err: ErrUnchanged},
		"start twice":       {ref: ref, current: first, change: SetStopped(false), err: ErrUnchanged},
		"rm twice":          {ref: ref, current: removed, change: Remove(), err: ErrUnchanged},
		"stop nothing":      {ref: ref, change: SetStopped(true), err: ErrUnknown},
		"stop what is gone": {ref: ref, current: removed, change: SetStopped(true), err: ErrUnknown},
		"rm nothing":        {ref: ref, change: Remove(), err: ErrUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := next(k, c.ref, c.current, c.change, now)
			if !errors.Is(err, c.err) {
				t.Fatalf("error %v, want %v", err, c.err)
			}
			if err != nil {
				return
			}
			opened, err := intent.Read(s.Envelope)
			if err != nil || opened.Signer != k.Public() || opened.Realm != k.Realm() || opened.Validate() != nil {
				t.Fatalf("a node would refuse it: %v", err)
			}
			if opened.Digest != s.Digest {
				t.Errorf("digest %s, the node sees %s", s.Digest.Short(), opened.Digest.Short())
			}
			if c.current != nil && (opened.Seq != c.current.Seq+1 || opened.Prev != c.current.Digest || !opened.Version().Newer(c.current.Version())) {
				t.Errorf("seq %d prev %s does not follow %d %s", opened.Seq, opened.Prev.Short(), c.current.Seq, c.current.Digest.Short())
			}
			if c.current == nil && (opened.Seq != 1 || !opened.Prev.IsZero()) {
				t.Errorf("first has seq %d prev %s", opened.Seq, opened.Prev)
			}
			if opened.Tombstone != c.tomb || !equalTags(opened.Target, c.target) {
				t.Errorf("tombstone %v target %v, want %v %v", opened.Tombstone, opened.Target, c.tomb, c.target)
			}
			if c.tomb {
				return
			}
			w, err := opened.Workload()
			if err != nil || w.Started() != c.started || w.Program() != prog {
				t.Errorf("workload %+v, %v; want started %v", w, err, c.started)
			}
		})
	}
}

func equalTags(a, b api.Target) bool {
	return strings.Join(a.Tags, ",") == strings.Join(b.Tags, ",") && len(a.Peers) == len(b.Peers)
}

// What a component is given must survive being stopped and started.
func TestStopKeepsTheRest(t *testing.T) {
	k := newKey(t)
	body := &api.Component{Module: prog, Interface: api.InterfaceCGI, Args: []string{"a"}, Env: map[string]string{"K": "v"}}
	cur, err := next(k, ref, nil, Set(target, body), now)
	if err != nil {
		t.Fatal(err)
	}
	for _, stopped := range []bool{true, false} {
		if cur, err = next(k, ref, &cur, SetStopped(stopped), now); err != nil {
			t.Fatal(err)
		}
	}
	w, err := cur.Workload()
	if err != nil {
		t.Fatal(err)
	}
	got := w.(*api.Component)
	if got.Interface != body.Interface || len(got.Args) != 1 || got.Env["K"] != "v" || got.Stopped {
		t.Errorf("after stop and start: %+v", got)
	}
}

func TestNextRefusesWhatNodesWould(t *testing.T) {
	k := newKey(t)
	_, err := next(k, ref, nil, Set(api.Target{}, &api.Component{Module: api.Program{Blob: prog.Blob, Size: 1, Limits: api.Limits{EpochMS: -1}}}), now)
	if err == nil || !strings.Contains(err.Error(), "epoch_ms") {
		t.Errorf("got %v", err)
	}
}
