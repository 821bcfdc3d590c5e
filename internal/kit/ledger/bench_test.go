package ledger

import (
	"fmt"
	"testing"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
)

// Run with: go test -run xxx -bench . ./ledger

// set is a realm of n components, half of them by a granted key, and of n/2 members,
// each let in by the one before it.
func set(b *testing.B, n int) (all []intent.Signed) {
	b.Helper()
	ci, inv := key(2), key(3)
	all = append(all, grant(b, owner, ci, 1, api.Grant{}), invite(b, owner, inv, 1, api.Invite{}), admit(b, owner, key(10_000), 1))
	for i := range n / 2 {
		all = append(all, component(b, owner, fmt.Sprint("a", i), 1), component(b, ci, fmt.Sprint("b", i), 1))
		all = append(all, witnessed(b, join(b, inv, key(10_001+i)), key(10_000+i), t0))
	}
	return all
}

func filled(b *testing.B, all []intent.Signed) *Ledger {
	b.Helper()
	l := New(thePin)
	for i, err := range errorsOf(l, all) {
		if err != nil {
			b.Fatal(i, err)
		}
	}
	return l
}

func errorsOf(l *Ledger, all []intent.Signed) []error {
	_, errs := l.AddAll(all, t0)
	return errs
}

const many = 10_000

// What one intent costs on its way in: nearly all of it is its signature.
func BenchmarkReadAndAdd(b *testing.B) {
	all := set(b, many)
	l := New(thePin)
	i := 0
	for b.Loop() {
		if i == len(all) {
			i, l = 0, New(thePin)
		}
		s, err := intent.Read(all[i].Envelope)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := l.Add(s, t0); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

func BenchmarkAdd(b *testing.B) {
	all := set(b, many)
	l := New(thePin)
	i := 0
	for b.Loop() {
		if i == len(all) {
			i, l = 0, New(thePin)
		}
		if _, err := l.Add(all[i], t0); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

// 15,000 intents at once, as when a node starts.
func BenchmarkAddAll(b *testing.B) {
	all := set(b, many)
	for b.Loop() {
		filled(b, all)
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*len(all)), "µs/intent")
}

func BenchmarkPeek(b *testing.B) {
	s := component(b, owner, "a", 1)
	for b.Loop() {
		if _, ok := intent.Peek(s.Envelope); !ok {
			b.Fatal("not an intent")
		}
	}
}

func BenchmarkMembers(b *testing.B) {
	l := filled(b, set(b, many))
	for b.Loop() {
		if n := len(l.Members(t0)); n != many/2+1 {
			b.Fatal(n)
		}
	}
}

// A change of what is said about keys, among 10,000 programs and 5,000 members.
func BenchmarkTrust(b *testing.B) {
	all := set(b, many)
	node := key(9)
	for name, change := range map[string]func(seq uint64) intent.Signed{
		"admit a member":      func(seq uint64) intent.Signed { return admit(b, owner, node, seq) },
		"revoke a member":     func(seq uint64) intent.Signed { return tombstone(b, owner, about(api.KindMember, node), seq) },
		"renew a grant":       func(seq uint64) intent.Signed { return grant(b, owner, key(2), seq+1, api.Grant{}) },
		"renew an invite":     func(seq uint64) intent.Signed { return invite(b, owner, key(3), seq+1, api.Invite{}) },
		"a grant for one key": func(seq uint64) intent.Signed { return grant(b, owner, key(9), seq, api.Grant{}) },
	} {
		b.Run(name, func(b *testing.B) {
			l := filled(b, all)
			for seq := uint64(1); b.Loop(); seq++ {
				b.StopTimer()
				s := change(seq)
				b.StartTimer()
				if _, err := l.Add(s, t0); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// One revocation that takes 5,000 members along, and one that takes 5,000 programs.
func BenchmarkRevoke(b *testing.B) {
	all := set(b, many)
	for name, end := range map[string]intent.Signed{
		"the first member": tombstone(b, owner, about(api.KindMember, key(10_000)), 2),
		"the invite":       tombstone(b, owner, about(api.KindInvite, key(3)), 2),
		"the grant":        tombstone(b, owner, about(api.KindGrant, key(2)), 2),
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				l := filled(b, all)
				b.StartTimer()
				if c, err := l.Add(end, t0); err != nil || len(c.Dropped) != many/2 {
					b.Fatal(len(c.Dropped), err)
				}
			}
		})
	}
}

func BenchmarkRotateAndSettle(b *testing.B) {
	all := set(b, many)
	turn := rotation(b, owner, key(4), 1)
	end := settle(b, key(4), 1, 0)
	for b.Loop() {
		b.StopTimer()
		l := filled(b, all)
		b.StartTimer()
		_, _ = l.Add(turn, t0)
		if _, err := l.Add(end, t0); err != nil || l.Len() != 2 {
			b.Fatal(l.Len(), err)
		}
	}
}

// Whoever knocks costs about the signatures that it shows, however large the realm is.
func BenchmarkJudge(b *testing.B) {
	l := filled(b, set(b, many))
	node := key(9)
	var garbage []intent.Signed
	for i := range api.MaxProofIntents {
		garbage = append(garbage, sign(b, key(100+i), api.Intent{Ref: about(api.KindMember, key(200+i))}, api.Membership{}))
	}
	for name, tt := range map[string]struct {
		proof []byte
		want  api.Standing
	}{
		"nothing":                 {proof(b), api.StandingPending},
		"a join":                  {proof(b, join(b, key(3), node)), api.StandingJoining},
		"let in":                  {proof(b, witnessed(b, join(b, key(3), node), key(10_001), t0)), api.StandingMember},
		"16 intents of strangers": {proof(b, garbage...), ""},
		"a bomb":                  {pack(b, make([]byte, 8<<20)), ""},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if v := l.Judge(pub(node), tt.proof, t0); v.Standing != tt.want {
					b.Fatal(v)
				}
			}
		})
	}
}

func BenchmarkSync(b *testing.B) {
	l := filled(b, set(b, many))
	var parts []int
	for i := range api.SyncBuckets {
		parts = append(parts, i)
	}
	b.Run("digests", func(b *testing.B) {
		for b.Loop() {
			l.Digests()
		}
	})
	b.Run("all entries", func(b *testing.B) {
		for b.Loop() {
			l.Entries(parts)
		}
	})
	b.Run("one part", func(b *testing.B) {
		for b.Loop() {
			l.Entries(parts[:1])
		}
	})
	b.Run("tops", func(b *testing.B) {
		for b.Loop() {
			l.Tops(t0)
		}
	})
}
