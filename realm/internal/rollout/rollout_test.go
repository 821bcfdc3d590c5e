package rollout

import (
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
)

var (
	low  = api.Digest{1}
	mine = api.Digest{5}
	high = api.Digest{9}
	v    = intent.Version{Seq: 3, Digest: mine}
)

func fact(seq uint64, d api.Digest, s api.State) *api.WorkloadFact {
	return &api.WorkloadFact{Seq: seq, Intent: d, State: s, Reason: "because", Tail: []string{"last line"}}
}

func restarted(f *api.WorkloadFact, n int) *api.WorkloadFact {
	f.Restarts = n
	return f
}

func TestJudge(t *testing.T) {
	for name, c := range map[string]struct {
		goal   Goal
		fact   *api.WorkloadFact
		gone   bool
		quiet  bool
		want   Outcome
		reason string // part of it
	}{
		"no fact":                 {goal: Run, want: Waiting, reason: "said nothing"},
		"older runs":              {goal: Run, fact: fact(2, high, api.StateRunning), want: Waiting, reason: "still at version 2 (running)"},
		"older failed":            {goal: Run, fact: fact(2, high, api.StateFailed), want: Waiting, reason: "still at version 2"},
		"loser of a fork":         {goal: Run, fact: fact(3, low, api.StateRunning), want: Waiting, reason: "still at version 3"},
		"pending":                 {goal: Run, fact: fact(3, mine, api.StatePending), want: Waiting, reason: "because"},
		"fetching":                {goal: Run, fact: fact(3, mine, api.StateFetching), want: Waiting},
		"compiling":               {goal: Run, fact: fact(3, mine, api.StateCompiling), want: Waiting},
		"starting":                {goal: Run, fact: fact(3, mine, api.StateStarting), want: Waiting},
		"running":                 {goal: Run, fact: fact(3, mine, api.StateRunning), want: Done},
		"exited":                  {goal: Run, fact: fact(3, mine, api.StateExited), want: Done},
		"failed":                  {goal: Run, fact: fact(3, mine, api.StateFailed), want: Failed, reason: "because"},
		"first backoff":           {goal: Run, fact: restarted(fact(3, mine, api.StateBackoff), 2), want: Waiting},
		"backoff again and again": {goal: Run, fact: restarted(fact(3, mine, api.StateBackoff), 3), want: Failed, reason: "because"},
		"winner of a fork runs":   {goal: Run, fact: fact(3, high, api.StateRunning), want: Done},
		"newer runs":              {goal: Run, fact: fact(4, low, api.StateRunning), want: Done},
		"newer is on its way":     {goal: Run, fact: fact(4, low, api.StateFetching), want: Waiting},
		"newer stopped it":        {goal: Run, fact: fact(4, low, api.StateStopped), want: Failed, reason: "a newer version, 4"},
		"newer is gone from it":   {goal: Run, fact: fact(4, low, api.StateRemoved), want: Waiting, reason: "a newer version, 4"},
		"not for this member":     {goal: Run, fact: fact(3, mine, api.StateRemoved), want: Idle, reason: "because"},
		"refused":                 {goal: Run, fact: fact(3, mine, api.StateRefused), want: Refused, reason: "because"},
		"older refused":           {goal: Run, fact: fact(2, high, api.StateRefused), want: Waiting, reason: "still at version 2"},
		"waits for its turn":      {goal: Run, fact: fact(3, mine, api.StatePrepared), want: Waiting, reason: "because"},
		"does not answer":         {goal: Run, fact: fact(3, mine, api.StateUnhealthy), want: Waiting, reason: "because"},
		"newer failed":            {goal: Run, fact: fact(4, low, api.StateFailed), want: Failed, reason: "because"},
		"gone":                    {goal: Run, gone: true, want: Waiting, reason: "lost its connection"},
		"gone, but done":          {goal: Run, gone: true, fact: fact(3, mine, api.StateRunning), want: Done},

		"stopped":          {goal: Stop, fact: fact(3, mine, api.StateStopped), want: Done},
		"not yet stopped":  {goal: Stop, fact: fact(2, mine, api.StateRunning), want: Waiting, reason: "still at version 2"},
		"not here":         {goal: Stop, fact: fact(3, mine, api.StateRemoved), want: Idle},
		"newer started it": {goal: Stop, fact: fact(4, low, api.StateRunning), want: Failed, reason: "a newer version, 4"},

		"removed":                      {goal: Remove, fact: fact(3, mine, api.StateRemoved), want: Done},
		"not removed":                  {goal: Remove, fact: fact(2, mine, api.StateFailed), want: Waiting},
		"never had it, perhaps":        {goal: Remove, want: Waiting, reason: "said nothing"},
		"never had it":                 {goal: Remove, quiet: true, want: Done},
		"quiet about an older version": {goal: Remove, quiet: true, fact: fact(2, mine, api.StateRunning), want: Waiting},
		"quiet about a push":           {goal: Run, quiet: true, want: Waiting, reason: "said nothing"},
		"pushed again":                 {goal: Remove, fact: fact(4, low, api.StateExited), want: Failed, reason: "a newer version, 4"},
	} {
		t.Run(name, func(t *testing.T) {
			p := Judge(c.goal, v, Member{Gone: c.gone}, c.fact, c.quiet)
			if p.Outcome != c.want || !strings.Contains(p.Reason, c.reason) {
				t.Errorf("got %d %q, want %d %q", p.Outcome, p.Reason, c.want, c.reason)
			}
			if p.Outcome == Failed && len(p.Tail) != 1 {
				t.Errorf("failed without its last lines")
			}
			if older := c.fact != nil && v.Newer(version(c.fact)); older && (p.State != "" || p.Tail != nil) {
				t.Errorf("shows %s of an older version", p.State)
			}
		})
	}
}

func TestWantedOf(t *testing.T) {
	body := func(s string) api.Intent {
		return api.Intent{Seq: 3, Target: api.Target{Tags: []string{"edge"}}, Ref: api.Ref{Kind: api.KindComponent, Name: "x"}, Body: []byte(s)}
	}
	blob := api.Sum(nil).String()
	for name, c := range map[string]struct {
		in   api.Intent
		want Goal
	}{
		"started":   {body(`{"program":{"blob":"` + blob + `","size":1,"limits":{}}}`), Run},
		"stopped":   {body(`{"program":{"blob":"` + blob + `","size":1,"limits":{}},"stopped":true}`), Stop},
		"tombstone": {api.Intent{Seq: 3, Target: api.Target{Tags: []string{"edge"}}, Tombstone: true}, Remove},
	} {
		got, err := WantedOf(intent.Signed{Intent: c.in, Digest: mine})
		if err != nil || got.Goal != c.want || got.Version != v || got.Work.Ref != c.in.Ref || len(got.Work.Target.Tags) != 1 {
			t.Errorf("%s: %+v %v, want %d", name, got, err, c.want)
		}
	}
	if _, err := WantedOf(intent.Signed{Intent: body(`{}`)}); err == nil {
		t.Error("a body without a program passed")
	}
}

func peer(id, host string, connected bool, roles ...string) api.PeerRecord {
	return api.PeerRecord{PeerFact: api.PeerFact{Peer: api.PeerID(id), Host: host, Roles: roles}, Connected: connected, Live: connected}
}

func names(ms []Member) string {
	var out []string
	for _, m := range ms {
		n := string(m.Peer)
		if m.Gone {
			n += "?"
		}
		out = append(out, n)
	}
	return strings.Join(out, " ")
}

func TestRoster(t *testing.T) {
	self := peer("me", "z", false)
	self.Self = true
	a, b := peer("a", "host-a", true, "edge"), peer("b", "host-b", true)
	lostA := a
	lostA.Connected, lostA.Live = false, false
	farA := a
	farA.Connected = false // known through others alone
	client := peer("c", "host-c", true)
	client.Client = true
	begin := time.Unix(1000, 0)

	type step struct {
		at    time.Duration
		peers []api.PeerRecord
		want  string
		next  time.Duration // 0: none
	}
	for name, steps := range map[string][]step{
		"this node first, then by host": {{0, []api.PeerRecord{b, a, self}, "me a b", 0}},
		"never seen connected":          {{0, []api.PeerRecord{self, lostA}, "me", 0}},
		"known through others":          {{0, []api.PeerRecord{self, farA}, "me a", 0}},
		"clients run nothing":           {{0, []api.PeerRecord{self, client}, "me", 0}},
		"lost, then back": {
			{0, []api.PeerRecord{self, a}, "me a", 0},
			{time.Minute, []api.PeerRecord{self, lostA}, "me a?", time.Minute + LostGrace},
			{time.Minute + 1, []api.PeerRecord{self}, "me a?", time.Minute + LostGrace},
			{time.Minute + 2, []api.PeerRecord{self, a}, "me a", 0},
		},
		"lost for good": {
			{0, []api.PeerRecord{self, a, b}, "me a b", 0},
			{time.Minute, []api.PeerRecord{self, b}, "me a? b", time.Minute + LostGrace},
			{time.Minute + LostGrace, []api.PeerRecord{self, b}, "me b", 0},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var r Roster
			for i, s := range steps {
				got, next := r.Update(s.peers, begin.Add(s.at))
				want := time.Time{}
				if s.next != 0 {
					want = begin.Add(s.next)
				}
				if names(got) != s.want || !next.Equal(want) {
					t.Errorf("step %d: %q until %v, want %q until %v", i, names(got), next, s.want, want)
				}
			}
		})
	}
}
