package owner

import (
	"crypto"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/paths"
)

// byHand signs a payload that this version would not: by hand, as DSSE says.
func byHand(t *testing.T, k Key, payload []byte) intent.Signed {
	t.Helper()
	sig, err := k.Signer().Sign(nil, fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(api.PayloadIntent), api.PayloadIntent, len(payload), payload), crypto.Hash(0))
	if err != nil {
		t.Fatal(err)
	}
	env, err := json.Marshal(map[string]any{"payloadType": api.PayloadIntent, "payload": base64.StdEncoding.EncodeToString(payload),
		"signatures": []any{map[string]string{"keyid": k.Public().String(), "sig": base64.StdEncoding.EncodeToString(sig)}}})
	if err != nil {
		t.Fatal(err)
	}
	in, err := intent.Read(env)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func TestNewSigner(t *testing.T) {
	r := newRealm(t)
	ci := r.granted(api.Grant{May: []api.Right{api.RightPush}, Since: now.UTC()})
	if s, err := NewSigner(r.s.Key, r.s.Realm, r.l, now); err != nil || s.Grant != nil || s.MustOwn() != nil {
		t.Errorf("the owner: %+v %v", s, err)
	}
	s, err := NewSigner(ci.Key, r.s.Realm, r.l, now)
	if err != nil || s.Grant == nil || s.Grant.Digest != ci.Grant.Digest {
		t.Errorf("granted: %+v %v", s, err)
	}
	if err := s.MustOwn(); !errors.Is(err, ErrRights) || !strings.Contains(err.Error(), paths.EnvOwnerKey) {
		t.Errorf("what is the owner's alone: %v", err)
	}
	stranger := newKey(t)
	if _, err := NewSigner(stranger, r.s.Realm, r.l, now); !errors.Is(err, ErrOtherOwner) || !strings.Contains(err.Error(), paths.EnvOwnerKey) || !strings.Contains(err.Error(), "realm grant "+stranger.Public().String()) {
		t.Errorf("a stranger: %v", err)
	}
	r.act(r.s, Revoke(GrantRef(ci.Key.Public())))
	if _, err := NewSigner(ci.Key, r.s.Realm, r.l, now); !errors.Is(err, ErrRevoked) {
		t.Errorf("revoked: %v", err)
	}
	old := r.s.Key
	r.s = r.rotate()
	if _, err := NewSigner(r.s.Key, r.s.Realm, r.l, now); err != nil {
		t.Error(err)
	}
	if _, err := NewSigner(old, r.s.Realm, r.l, now); !errors.Is(err, ErrReplaced) || !strings.Contains(err.Error(), r.s.Key.Public().String()) {
		t.Errorf("replaced: %v", err)
	}
}

// Whose a name is, in the words of the error.
func TestTaken(t *testing.T) {
	r := newRealm(t)
	program := Set(api.Target{}, &api.Function{Module: prog})
	older := r.granted(api.Grant{May: []api.Right{api.RightPush}, Since: now.Add(-2 * time.Hour).UTC(), Comment: "builds"})
	nameless := r.granted(api.Grant{May: []api.Right{api.RightPush}, Since: now.Add(-time.Hour).UTC()})
	young := r.granted(api.Grant{May: []api.Right{api.RightPush}, Since: now.UTC()})
	for want, by := range map[string]Signer{"is the owner's (number 1)": r.s, `by "builds" (` + older.Key.Public().String(): older, "by " + nameless.Key.Public().String() + ", whose grant is older": nameless} {
		ref := fn("f" + string(api.KeyName(by.Key.Public().Key()))[:8])
		r.act(by, Act{ref, program})
		in, err := young.Act(r.l, Act{ref, program}, now, now)
		if err != nil {
			t.Fatal(err)
		}
		if err := young.Check(r.l, in, now); !errors.Is(err, ErrTaken) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
		if in, err = r.s.Act(r.l, Act{ref, program}, now, now); err != nil {
			t.Fatal(err)
		}
		if err := r.s.Check(r.l, in, now); err != nil {
			t.Errorf("the owner: %v", err)
		}
	}
}

func TestGrantText(t *testing.T) {
	end := time.Date(2026, 12, 1, 2, 3, 0, 0, time.Local)
	for want, g := range map[string]api.Grant{
		"push any name, without end": {May: []api.Right{api.RightPush}},
		"push and job and secret and volume names that begin with ci-, for nodes with the tag dev or edge, until 2026-12-01 02:03": {May: api.Rights(), Prefix: "ci-", Tags: []string{"dev", "edge"}, Expires: end},
	} {
		if got := GrantText(g); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestWhat(t *testing.T) {
	sum := "sha256 " + prog.Blob.Short()
	body := func(v any) json.RawMessage {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for want, in := range map[string]api.Intent{
		"removed":         {Ref: ref, Tombstone: true},
		sum:               {Ref: ref, Body: body(&api.Component{Module: prog})},
		"stopped, " + sum: {Ref: fnRef, Body: body(&api.Function{Module: prog, Stopped: true})},
		"grant":           {Ref: api.Ref{Kind: api.KindGrant}, Body: json.RawMessage("{}")},
	} {
		if got := What(in); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// Only what depends on what is taken away is lost, and it can be kept.
func TestLoss(t *testing.T) {
	r := newRealm(t)
	ci := r.fill()
	r.act(r.s, Act{fn("both"), Set(api.Target{}, &api.Function{Module: prog})})
	r.act(ci, Act{fn("both"), Remove()}) // the owner's counts
	loss := func(refs ...api.Ref) Loss {
		t.Helper()
		var news []intent.Signed
		for _, ref := range refs {
			in, err := r.s.Act(r.l, Revoke(ref), now, now)
			if err != nil {
				t.Fatal(err)
			}
			news = append(news, in)
		}
		return LossBy(r.pin(), r.l, news, now)
	}
	names := func(l Loss) string {
		var out []string
		for _, s := range l.Programs {
			out = append(out, s.String())
		}
		for _, m := range l.Members {
			for n := range byte(10) {
				if m.Peer == keys.Peer(public(n).Key()) {
					out = append(out, fmt.Sprint("member ", n))
				}
			}
		}
		slices.Sort(out)
		return strings.Join(out, ", ")
	}
	for want, refs := range map[string][]api.Ref{
		"function/given, function/theirs": {GrantRef(ci.Key.Public())},
		"member 3, member 4":              {MemberRef(public(1))},
		"member 4":                        {MemberRef(public(3)), InviteRef(public(11))},
		"":                                {MemberRef(public(4))},
	} {
		if got := names(loss(refs...)); got != want {
			t.Errorf("%v: %q, want %q", refs, got, want)
		}
	}
	before := r.describe()
	all := loss(MemberRef(public(1)), GrantRef(ci.Key.Public()))
	acts, err := all.Adopt(r.l, now)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range acts {
		r.act(r.s, a)
	}
	r.act(r.s, Revoke(GrantRef(ci.Key.Public())))
	r.act(r.s, Revoke(MemberRef(public(1))))
	same := func(s string) string {
		var keep []string
		for line := range strings.Lines(s) {
			if strings.HasPrefix(line, "function/") || strings.Contains(line, "member[") && !strings.HasPrefix(line, string(keys.Peer(public(1).Key()))) {
				keep = append(keep, line)
			}
		}
		return strings.Join(keep, "")
	}
	if got, want := same(r.describe()), same(before); got != want {
		t.Errorf("after all was adopted:\n%s\nwant\n%s", got, want)
	}
}

// What another would bring back when a key's tombstone goes is lost, too.
func TestLossOfATombstone(t *testing.T) {
	r := newRealm(t)
	older := r.granted(api.Grant{May: []api.Right{api.RightPush}, Since: now.Add(-time.Hour).UTC()})
	young := r.granted(api.Grant{May: []api.Right{api.RightPush}, Since: now.UTC()})
	program := Set(api.Target{}, &api.Function{Module: prog})
	r.act(young, Act{fn("x"), program})
	r.act(older, Act{fn("x"), program})
	r.act(older, Act{fn("x"), Remove()})
	r.act(older, Act{fn("y"), program})
	r.act(older, Act{fn("y"), Remove()})
	in, err := r.s.Act(r.l, Revoke(GrantRef(older.Key.Public())), now, now)
	if err != nil {
		t.Fatal(err)
	}
	loss := LossBy(r.pin(), r.l, []intent.Signed{in}, now)
	if len(loss.Programs) != 1 || loss.Programs[0].Ref != fn("x") || !loss.Programs[0].Tombstone {
		t.Errorf("%+v", loss.Programs)
	}
}
