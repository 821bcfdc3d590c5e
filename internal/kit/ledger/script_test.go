package ledger

import (
	"bufio"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/trust"
)

// The language of the examples in docs/INTENTS.md, which explains it, and of the
// scripts in testdata/rules. Each line is a statement; # begins a comment.
//
//	WHO signs KIND/NAME NUMBER [tombstone] [issued=+1h] [expires=+1h] [tags=a,b] [args=x]
//	WHO signs job/ID NUMBER [type=recurring] [cancelled] [tombstone] [expires=+1h] [blob=x]
//	WHO signs manifest/NAME NUMBER [version=N]
//	WHO signs node/NODE NUMBER [drain] [roles=a,b]
//	WHO grants KEY RIGHTS [prefix=p] [tags=a,b] [since=-1h] [expires=+1h]
//	WHO invites KEY [roles=a,b] [expires=+1h] [uses=N]
//	WHO admits NODE [roles=a,b]
//	WHO revokes grant|invite|member KEY
//	NODE joins by INVITE witness MEMBER [at=+1h]
//	WHO rotates to KEY
//	WHO settles [names=N]
//
// What is signed is given to the node at hand, unless the statement ends in "later".
// "as LABEL" names it; "-> ERROR" says why the node refuses it. A number=N of
// statements without NUMBER is the next of its signer.
//
//	node NAME            the node at hand from now on
//	give LABEL...        give it what was signed before, all at once
//	restart              it reads back what it holds
//	sync A B...          these nodes compare what they hold until they agree
//	time +1h             its clock shows the first moment and this
//	expect ...           see expect below
type play struct {
	testing.TB
	line   string
	nodes  map[string]*replica
	name   string // of the node at hand
	now    time.Time
	who    map[string]ed25519.PrivateKey
	labels map[string]intent.Signed
	number map[Slot]uint64
	blobs  map[api.Digest]string // words for them
	turns  []intent.Signed
}

func newPlay(t testing.TB) *play {
	p := &play{TB: t, nodes: map[string]*replica{}, now: t0, who: map[string]ed25519.PrivateKey{"owner": owner}, labels: map[string]intent.Signed{}, number: map[Slot]uint64{},
		blobs: map[api.Digest]string{program.Blob: "it"}}
	p.at("here")
	return p
}

func (p *play) at(name string) {
	if p.nodes[name] == nil {
		p.nodes[name] = &replica{Ledger: New(thePin), t: p.TB}
	}
	p.name = name
}

func (p *play) node() *replica { return p.nodes[p.name] }

// run plays a script, whose first line is line first of file.
func (p *play) run(file string, first int, script string) {
	for i, line := range strings.Split(script, "\n") {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		p.line = fmt.Sprintf("%s:%d: %s", file, first+i, line)
		p.do(line)
		for _, n := range p.nodes {
			verify(p, n.Ledger)
		}
		if p.Failed() {
			p.fail("so far")
		}
	}
}

func (p *play) fail(format string, args ...any) {
	p.Helper()
	p.Fatalf("%s: %s", p.line, fmt.Sprintf(format, args...))
}

func (p *play) key(name string) ed25519.PrivateKey {
	if p.who[name] == nil {
		seed := sha256.Sum256([]byte(name))
		p.who[name] = ed25519.NewKeyFromSeed(seed[:])
	}
	return p.who[name]
}

// names finds the word for a key.
func (p *play) named(k keys.Public) string {
	for _, name := range slices.Sorted(maps.Keys(p.who)) {
		if pub(p.who[name]) == k {
			return name
		}
	}
	return k.String()
}

func (p *play) do(line string) {
	line, refusal, _ := strings.Cut(line, " -> ")
	f := strings.Fields(line)
	switch f[0] {
	case "node":
		p.at(f[1])
	case "time":
		p.now = p.when(f[1])
		p.node().Expire(p.now)
	case "give":
		p.give(refusal, f[1:]...)
	case "restart":
		p.restart()
	case "sync":
		p.sync(f[1:])
	case "expect":
		p.expect(f[1:], strings.TrimPrefix(line, "expect "))
	default:
		o := p.options(f[1:])
		s := p.signed(f[0], o)
		label := o.get("as", "last")
		p.labels[label] = s
		if !o.flag["later"] {
			p.give(refusal, label)
		}
	}
}

// options are the words of a statement, its flags, and its NAME=VALUEs.
type options struct {
	words []string
	flag  map[string]bool
	value map[string]string
}

func (p *play) options(f []string) options {
	o := options{flag: map[string]bool{}, value: map[string]string{}}
	for i := 0; i < len(f); i++ {
		k, v, is := strings.Cut(f[i], "=")
		switch {
		case is:
			o.value[k] = v
		case f[i] == "as" && i+1 < len(f):
			o.value["as"] = f[i+1]
			i++
		case slices.Contains([]string{"later", "tombstone", "with-grant", "drain", "cancelled"}, f[i]):
			o.flag[f[i]] = true
		default:
			o.words = append(o.words, f[i])
		}
	}
	return o
}

func (o options) get(name, otherwise string) string {
	if v, ok := o.value[name]; ok {
		return v
	}
	return otherwise
}

func (o options) list(name string) []string {
	if v := o.value[name]; v != "" {
		return strings.Split(v, ",")
	}
	return nil
}

// when reads a moment relative to the first one; none is the zero time.
func (p *play) when(s string) time.Time {
	if s == "" {
		return time.Time{}
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		p.fail("%v", err)
	}
	return t0.Add(d)
}

func (p *play) ref(s string) api.Ref {
	kind, name, ok := strings.Cut(s, "/")
	if !ok {
		p.fail("%s: want KIND/NAME", s)
	}
	if (api.Kind(kind).Trust() || kind == string(api.KindNode)) && name != string(api.NameOwner) {
		return about(api.Kind(kind), p.key(name))
	}
	return api.Ref{Kind: api.Kind(kind), Name: api.Name(name)}
}

func (p *play) num(s string) uint64 {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		p.fail("%v", err)
	}
	return n
}

// signed makes what a statement says.
func (p *play) signed(who string, o options) intent.Signed {
	by, w := p.key(who), o.words
	in := api.Intent{Issued: p.when(o.get("issued", "0s")), Expires: p.when(o.value["expires"]), Tombstone: o.flag["tombstone"]}
	var body any
	switch w[0] {
	case "signs":
		in.Ref, in.Target.Tags = p.ref(w[1]), o.list("tags")
		o.value["number"] = w[2]
		body = p.body(in.Kind, o)
	case "grants":
		in.Ref, in.Expires = about(api.KindGrant, p.key(w[1])), time.Time{}
		g := api.Grant{Prefix: o.value["prefix"], Tags: o.list("tags"), Since: p.when(o.get("since", "0s")), Expires: p.when(o.value["expires"])}
		for _, r := range strings.Split(w[2], ",") {
			g.May = append(g.May, api.Right(r))
		}
		body = g
	case "invites":
		in.Ref, in.Expires = about(api.KindInvite, p.key(w[1])), time.Time{}
		body = api.Invite{Roles: o.list("roles"), Expires: p.when(o.get("expires", "24h")), Uses: int(p.num(o.get("uses", "0")))}
	case "admits":
		in.Ref, body = about(api.KindMember, p.key(w[1])), api.Membership{Roles: o.list("roles")}
	case "revokes":
		in.Ref, in.Tombstone = about(api.Kind(w[1]), p.key(w[2])), true
	case "joins": // NODE joins by INVITE witness MEMBER
		s := sign(p, p.key(w[2]), api.Intent{Ref: about(api.KindMember, by), Issued: in.Issued}, api.Membership{})
		if len(w) > 4 {
			s = witnessed(p, s, p.key(w[4]), p.when(o.get("at", "0s")))
		}
		return s
	case "rotates":
		n := p.num(o.get("number", fmt.Sprint(len(p.turns)+1)))
		s := rotation(p, by, p.key(w[2]), n, p.turns[max(0, int(n)-2):n-1]...)
		if int(n) > len(p.turns) {
			p.turns = append(p.turns, s)
		}
		return s
	case "settles":
		in.Ref, body = refSettle, api.Settled{Names: int(p.num(o.get("names", "0")))}
	default:
		p.fail("nobody %s", w[0])
	}
	if in.Tombstone {
		body = nil
	}
	slot := Slot{Ref: in.Ref, Signer: pub(by)}
	p.number[slot] = p.num(o.get("number", fmt.Sprint(p.number[slot]+1)))
	in.Seq = p.number[slot]
	s := sign(p, by, in, body)
	if o.flag["with-grant"] {
		g, ok := p.node().Current(about(api.KindGrant, by), p.now)
		if !ok {
			g = p.labels["grant"]
		}
		s = with(p, s, g)
	}
	return s
}

// body is that of an intent of kind k.
func (p *play) body(k api.Kind, o options) any {
	switch {
	case k.Workload():
		c := api.Component{Module: program, Args: o.list("args")}
		if word, ok := o.value["blob"]; ok {
			c.Module.Blob = p.blob(word)
		}
		return c
	case k == api.KindPin:
		return api.Pin{BlobInfo: api.BlobInfo{SHA256: p.blob(o.get("blob", "it")), Size: 7}}
	case k == api.KindJob:
		j := api.Job{Type: api.JobType(o.get("type", string(api.JobOneShot))), Cancelled: o.flag["cancelled"],
			Runtime: api.JobRuntime{Type: api.RuntimeNative, Program: api.BlobInfo{SHA256: p.blob(o.get("blob", "it")), Size: 7}, Args: o.list("args")}}
		if j.Type == api.JobRecurring {
			j.Schedule = &api.JobSchedule{Cron: "0 2 * * *"}
		}
		return j
	case k == api.KindManifest:
		return api.Manifest{Version: p.num(o.get("version", "1"))}
	case k == api.KindNode:
		s := api.NodeSettings{Drain: o.flag["drain"], Roles: o.list("roles")}
		if _, named := o.value["roles"]; named && s.Roles == nil {
			s.Roles = []string{}
		}
		return s
	}
	return map[string]any{"args": o.list("args")}
}

// blob is the one that a script has this word for.
func (p *play) blob(word string) api.Digest {
	d := api.Sum([]byte(word))
	p.blobs[d] = word
	return d
}

// refusals by the words of scripts.
var refusalWords = map[string]error{"unauthorized": ErrUnauthorized, "forbidden": ErrForbidden, "revoked": ErrRevoked, "older": ErrOlder,
	"expired": ErrExpired, "realm": ErrRealm, "full": ErrFull, "client": ErrClient}

func (p *play) give(refusal string, labels ...string) {
	var all []intent.Signed
	for _, l := range labels {
		s, ok := p.labels[l]
		if !ok {
			p.fail("nothing is called %s", l)
		}
		all = append(all, s)
	}
	c, errs := p.node().AddAll(all, p.now)
	p.node().came = append(p.node().came, c.Added...)
	for _, err := range errs {
		if want := refusalWords[refusal]; !errors.Is(err, want) || (err == nil) != (want == nil) || want == nil && refusal != "" {
			p.fail("got %v", err)
		}
	}
}

func (p *play) restart() {
	r := p.node()
	pin := trust.Pin{Realm: thePin.Realm, Owner: r.Owner()}
	held := r.held()
	again := &replica{Ledger: New(pin), t: p.TB, came: held}
	_, errs := again.Restore(held, p.now)
	if err := errors.Join(errs...); err != nil {
		p.fail("%v", err)
	}
	mustAgree(p, p.line, view(r.Ledger, p.now), view(again.Ledger, p.now))
	p.nodes[p.name] = again
}

func (p *play) sync(names []string) {
	for more, rounds := true, 0; more; rounds++ {
		more = false
		for _, a := range names {
			for _, b := range names {
				more = a != b && p.nodes[a].fetch(p.nodes[b], p.now) || more
			}
		}
		if rounds > 20 {
			p.fail("there is always more to tell")
		}
	}
}

// TestRules plays the scripts in testdata/rules: blocks that a blank line and a line
// "== NAME" begin.
func TestRules(t *testing.T) {
	files, err := filepath.Glob("testdata/rules/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		blocks(string(b), func(l string) (string, bool) { return strings.CutPrefix(l, "== ") }, func(string) bool { return false },
			func(name string, first int, script string) {
				t.Run(name, func(t *testing.T) { newPlay(t).run(filepath.Base(f), first, script) })
			})
	}
}

// blocks cuts a text into pieces that begin after a line that begin says yes to, and
// end before one that end does, or where the next begins.
func blocks(text string, begin func(string) (string, bool), end func(string) bool, play func(name string, first int, script string)) {
	var name, script string
	first, inside := 0, false
	flush := func() {
		if inside {
			play(name, first, script)
		}
		script, inside = "", false
	}
	sc := bufio.NewScanner(strings.NewReader(text))
	for no := 1; sc.Scan(); no++ {
		if inside && end(sc.Text()) {
			flush()
			continue
		}
		if n, ok := begin(sc.Text()); ok {
			flush()
			name, first, inside = n, no+1, true
			continue
		}
		script += sc.Text() + "\n"
	}
	flush()
}
