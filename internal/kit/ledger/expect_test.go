package ledger

import (
	"cmp"
	"crypto/ed25519"
	"fmt"
	"slices"
	"strings"

	"github.com/realm-mesh/realm/api"
)

// expect checks what follows from what the node at hand holds:
//
//	KIND/NAME is WHO NUMBER | nothing | removed by WHO NUMBER
//	next KIND/NAME is NUMBER
//	history KIND/NAME: WHO NUMBER STATE, ...    the newest first
//	needed KIND/NAME: NUMBER BLOB [current], ...
//	NODE is member [roles=a,b] [by INVITE] | revoked | stranger
//	NODE has [drain] roles=[a,b]                what it says itself is "own"
//	owner is WHO
//	held LABEL... | gone LABEL...
//	shared N                                    intents that are passed on
//	A agrees with B
func (p *play) expect(f []string, text string) {
	n := p.node()
	var got string
	want := strings.Join(f[2:], " ")
	switch {
	case f[0] == "next":
		seq, _ := n.Next(p.ref(f[1]), p.now)
		got, want = fmt.Sprint(seq), f[3]
	case f[0] == "history":
		_, want, _ = strings.Cut(text, ": ")
		var all []string
		for _, v := range n.History(p.ref(strings.TrimSuffix(f[1], ":")), p.now) {
			all = append(all, fmt.Sprintf("%s %d %s", p.named(v.Signer), v.Seq, v.State))
		}
		got = strings.Join(all, ", ")
	case f[0] == "needed":
		_, want, _ = strings.Cut(text, ":")
		want, got = strings.TrimSpace(want), p.needed(p.ref(strings.TrimSuffix(f[1], ":")))
	case f[0] == "owner":
		got = p.named(n.Owner())
	case f[0] == "shared":
		got, want = fmt.Sprint(n.Len()), f[1]
	case f[0] == "held" || f[0] == "gone":
		for _, l := range f[1:] {
			if holds(n.Ledger, p.labels[l]) != (f[0] == "held") {
				p.fail("%s", l)
			}
		}
		return
	case f[1] == "agrees":
		mustAgree(p, p.line, view(p.nodes[f[0]].Ledger, p.now), view(p.nodes[f[3]].Ledger, p.now))
		return
	case strings.Contains(f[0], "/"):
		got = p.current(p.ref(f[0]))
	case f[1] == "has":
		got = p.settings(p.key(f[0]))
	default:
		got = p.standing(p.key(f[0]))
	}
	if got != want {
		p.fail("got %q", got)
	}
}

func (p *play) current(ref api.Ref) string {
	s, ok := p.node().Current(ref, p.now)
	switch {
	case !ok:
		return "nothing"
	case s.Tombstone:
		return fmt.Sprintf("removed by %s %d", p.named(s.Signer), s.Seq)
	}
	return fmt.Sprintf("%s %d", p.named(s.Signer), s.Seq)
}

// needed are the references of ref, the newest first.
func (p *play) needed(ref api.Ref) string {
	all, _ := p.node().References(p.now)
	all = slices.DeleteFunc(all, func(r api.Reference) bool { return r.Ref != ref })
	slices.SortFunc(all, func(a, b api.Reference) int { return cmp.Compare(b.Seq, a.Seq) })
	var out []string
	for _, r := range all {
		text := fmt.Sprintf("%d %s", r.Seq, p.blobs[r.Blob])
		if r.Current {
			text += " current"
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}

func (p *play) standing(k ed25519.PrivateKey) string {
	m, ok := p.node().Member(pub(k), p.now)
	if !ok {
		return "stranger"
	}
	got := string(m.Standing)
	if len(m.Roles) > 0 {
		got += " roles=" + strings.Join(m.Roles, ",")
	}
	if m.By != "owner" {
		got += " by " + p.named(keyOf(api.Ref{Name: api.Name(m.By)}))
	}
	return got
}

func (p *play) settings(k ed25519.PrivateKey) (got string) {
	if s, ok := p.node().NodeSettings(pub(k), p.now); ok && s.Drain {
		got = "drain "
	}
	return got + "roles=" + strings.Join(p.node().Roles(pub(k), []string{"own"}, p.now), ",")
}
