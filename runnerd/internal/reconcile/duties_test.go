package reconcile

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/placement"
)

func TestPhase(t *testing.T) {
	wanted, older := api.Sum([]byte("new")), api.Sum([]byte("old"))
	for name, c := range map[string]struct {
		fact  api.WorkloadFact
		phase placement.Phase
		good  bool
	}{
		"nothing":                      {api.WorkloadFact{}, placement.PhaseNone, false},
		"pending":                      {api.WorkloadFact{Intent: wanted, State: api.StatePending}, placement.PhaseNone, false},
		"compiling beside an older":    {api.WorkloadFact{Intent: wanted, State: api.StateCompiling, Serving: 1}, placement.PhaseNone, true},
		"prepared":                     {api.WorkloadFact{Intent: wanted, State: api.StatePrepared}, placement.PhasePrepared, false},
		"prepared beside an older":     {api.WorkloadFact{Intent: wanted, State: api.StatePrepared, Serving: 1}, placement.PhasePrepared, true},
		"starting":                     {api.WorkloadFact{Intent: wanted, State: api.StateStarting}, placement.PhaseStarting, false},
		"running":                      {api.WorkloadFact{Intent: wanted, State: api.StateRunning}, placement.PhaseReady, true},
		"ended well":                   {api.WorkloadFact{Intent: wanted, State: api.StateExited}, placement.PhaseReady, true},
		"unhealthy":                    {api.WorkloadFact{Intent: wanted, State: api.StateUnhealthy}, placement.PhaseStarting, false},
		"failed once":                  {api.WorkloadFact{Intent: wanted, State: api.StateBackoff, Restarts: 1}, placement.PhaseStarting, false},
		"failed three times":           {api.WorkloadFact{Intent: wanted, State: api.StateBackoff, Restarts: 3}, placement.PhaseFailed, false},
		"failed beside an older":       {api.WorkloadFact{Intent: wanted, State: api.StateFailed, Serving: 1}, placement.PhaseFailed, true},
		"refused":                      {api.WorkloadFact{Intent: wanted, State: api.StateRefused}, placement.PhaseRefused, false},
		"stopped":                      {api.WorkloadFact{Intent: wanted, State: api.StateStopped}, placement.PhaseNone, false},
		"an older one runs":            {api.WorkloadFact{Intent: older, State: api.StateRunning}, placement.PhaseNone, true},
		"an older one has ended well":  {api.WorkloadFact{Intent: older, State: api.StateExited}, placement.PhaseNone, true},
		"an older one has failed":      {api.WorkloadFact{Intent: older, State: api.StateFailed}, placement.PhaseNone, false},
		"an older one was not taken":   {api.WorkloadFact{Intent: older, State: api.StateRefused}, placement.PhaseNone, false},
		"an older one beside an older": {api.WorkloadFact{Intent: older, State: api.StateFailed, Serving: 1}, placement.PhaseNone, true},
	} {
		r := replicaOf(&c.fact)
		if got := r.phase(wanted); got != c.phase || r.good() != c.good {
			t.Errorf("%s: phase %d, good %v", name, got, r.good())
		}
	}
}

// TestHold has a new version tried on others first.
func TestHold(t *testing.T) {
	ref := selfAt(t, 2, 3, 0)
	first := othersOf(ref, 3, 0)[0]
	last := othersOf(ref, 3, 0)[1]
	withNode(t, func(n *node) {
		n.joined(3)
		n.hear(2, 3)
		one, two := sign(n, owner, ref, 1, component(1, 0)), sign(n, owner, ref, 2, component(2, 0))
		n.show(one)
		for p := 1; p <= 3; p++ {
			n.say(p, one, api.StateRunning)
		}
		n.show(two)
		n.say(first, two, api.StateStarting, serving(1))
		n.isDuty("the first one starts it", ref, api.DutyHold)
		if w := n.want(ref); !strings.Contains(w.Why, "changes to the new version first") || w.Last != nil {
			n.Errorf("%+v", w)
		}
		n.say(self, two, api.StatePrepared, serving(1))
		n.say(first, two, api.StateFailed, serving(1))
		n.isDuty("it fails there", ref, api.DutyHold)
		if w := n.want(ref); !strings.Contains(w.Why, "is not ready on …"+peer(first).Short()) {
			n.Errorf("the reason is not told anew: %s", w.Why)
		}
		n.say(first, two, api.StateRunning)
		n.isDuty("it runs there", ref, api.DutyRun)
		n.say(self, two, api.StateStarting, serving(1))
		n.say(last, two, api.StateStarting, serving(1))
		n.isDuty("it goes on with what is begun", ref, api.DutyRun)
		before := n.count
		n.say(self, two, api.StateRunning)
		n.say(last, two, api.StateRunning)
		if n.count != before {
			n.Error("it is told again what has not changed")
		}

		three := sign(n, owner, ref, 3, component(3, 0))
		n.show(three)
		n.say(first, three, api.StateFailed, serving(2))
		n.isDuty("the third one fails", ref, api.DutyHold)
		n.rec.FactGone(ref, peer(first)) // meshd starts again
		n.settle()
		n.isDuty("nobody says so for a moment", ref, api.DutyHold)
		n.say(first, three, api.StateFailed, serving(2))
		time.Sleep(2 * Grace)
		synctest.Wait()
		n.isDuty("it is said again", ref, api.DutyHold)
		n.rec.Begin(Facts)
		n.rec.End(Facts)
		n.settle()
		n.isDuty("the bus has lost everything", ref, api.DutyHold)
		time.Sleep(2 * Grace)
		synctest.Wait()
		n.isDuty("nobody says so any more, and it is not ready here", ref, api.DutyHold)
		n.say(self, three, api.StatePrepared, serving(2))
		n.isDuty("it could start now", ref, api.DutyHold)
		time.Sleep(placement.Pause)
		synctest.Wait()
		n.isDuty("others have nothing to say for long", ref, api.DutyRun)

		n.show(sign(n, owner, ref, 4, &api.Component{Module: program(4), Stopped: true}))
		n.isDuty("stopped, whatever others do", ref, api.DutyRun)
	})
}

// TestMaxUnavailable counts those that change at once.
func TestMaxUnavailable(t *testing.T) {
	const members = 8
	ref := selfAt(t, 3, members, 0)
	others := othersOf(ref, members, 0)
	for most, holds := range map[api.Share]bool{"25%": true, "2": true, "3": false, "": true, "50%": false} {
		withNode(t, func(n *node) {
			n.joined(members)
			n.hear(others...)
			c := component(1, 0)
			c.Update = &api.Update{MaxUnavailable: most}
			one := sign(n, owner, ref, 1, c)
			n.show(one)
			for p := 1; p <= members; p++ {
				n.say(p, one, api.StateRunning)
			}
			c.Module = program(2)
			two := sign(n, owner, ref, 2, c)
			for _, p := range others[:2] {
				n.say(p, two, api.StateStarting, serving(1))
			}
			n.show(two)
			want := api.DutyRun
			if holds {
				want = api.DutyHold
			}
			n.isDuty(string(most), ref, want)
		})
	}
}

// TestRefused has a member refuse, and the next in rank step in.
func TestRefused(t *testing.T) {
	ref := selfAt(t, 2, 2, 1)
	withNode(t, func(n *node) {
		n.joined(2)
		n.hear(2)
		s := sign(n, owner, ref, 1, component(1, 1))
		n.show(s)
		n.isDuty("second in rank", ref, api.DutyNone)
		n.say(2, s, api.StateRefused)
		n.isDuty("the first has refused", ref, api.DutyRun)
		n.say(self, s, api.StateRefused)
		n.isDuty("both have", ref, api.DutyNone)
		if w := n.want(ref); w.Unfit || w.Why != "it has refused" {
			n.Errorf("%+v", w)
		}
		x, err := n.rec.Explain(ref)
		check(n, err)
		if x.Pending != "no member can run it: 2 members have refused" || x.Desired != 0 {
			n.Errorf("%+v", x)
		}
	})
}

// TestTargetMoves has the target name others: what runs here ends when they are ready,
// or at once where there is nobody.
func TestTargetMoves(t *testing.T) {
	for _, ref := range []api.Ref{double, web} {
		withNode(t, func(n *node) {
			n.show(memberOf(n, 1, "a"), memberOf(n, 2, "b"))
			n.hear(2)
			var body any = function(1)
			if ref == web {
				body = component(1, 1)
			}
			one := sign(n, owner, ref, 1, body, tags("a"))
			n.show(one)
			n.say(self, one, api.StateRunning)
			two := sign(n, owner, ref, 2, body, tags("b"))
			n.show(two)
			n.say(self, two, api.StatePending, serving(1))
			n.isDuty("another one is to run it", ref, api.DutyKeep)
			n.say(2, two, api.StateRunning)
			n.isGivenUp("it does", ref)
			n.say(self, two, api.StateRemoved)
			n.show(sign(n, owner, ref, 3, body, tags("a")))
			n.isDuty("back", ref, api.DutyRun)
			n.say(self, two, api.StateRunning)
			n.show(sign(n, owner, ref, 4, body, tags("c")))
			n.isDuty("nobody is to run it", ref, api.DutyNone)
		})
	}
}

// TestLostFacts has what a member says be missing for a moment, and for good.
func TestLostFacts(t *testing.T) {
	ref := selfAt(t, 2, 2, 1)
	withNode(t, func(n *node) {
		n.joined(2)
		n.hear(2)
		s := sign(n, owner, ref, 1, component(1, 1))
		n.show(s)
		n.say(2, s, api.StateRefused)
		n.say(self, s, api.StateRunning)
		n.isDuty("the first has refused", ref, api.DutyRun)
		n.rec.FactGone(ref, peer(2)) // its meshd, or ours, starts again
		time.Sleep(Grace / 2)
		synctest.Wait()
		n.isDuty("nobody says so for a moment", ref, api.DutyRun)
		n.say(2, s, api.StateRefused)
		time.Sleep(2 * Grace)
		synctest.Wait()
		n.isDuty("it is said again", ref, api.DutyRun)
		n.rec.Begin(Facts) // the bus starts again
		n.rec.End(Facts)
		time.Sleep(Grace - 2*burst)
		synctest.Wait()
		n.isDuty("the bus has lost everything", ref, api.DutyRun)
		time.Sleep(3 * burst)
		synctest.Wait()
		n.isDuty("nobody says so any more", ref, api.DutyKeep)
	})
}

// TestOthersSpeakOfUnknown keeps nothing of what nobody asks for, once nobody speaks of
// it.
func TestOthersSpeakOfUnknown(t *testing.T) {
	withNode(t, func(n *node) {
		n.joined(2)
		n.hear(2)
		n.say(2, sign(n, owner, web, 1, component(1, 1)), api.StateRunning)
		if len(n.wants) != 0 {
			n.Error(n.wants)
		}
		n.rec.FactGone(web, peer(2))
		n.rec.FactGone(double, peer(2))
		time.Sleep(2 * Grace)
		synctest.Wait()
		if len(n.rec.loads) != 0 || len(n.rec.fading) != 0 || len(n.rec.dirty) != 0 {
			n.Errorf("%d are kept", len(n.rec.loads))
		}
	})
}

// TestFunctionsWaitForNobody has others be on their way to a new version.
func TestFunctionsWaitForNobody(t *testing.T) {
	withNode(t, func(n *node) {
		n.joined(5)
		n.hear(2, 3, 4, 5)
		one, two := sign(n, owner, double, 1, function(1)), sign(n, owner, double, 2, function(2))
		n.show(one)
		for p := 1; p <= 5; p++ {
			n.say(p, one, api.StateRunning)
		}
		for p := 2; p <= 5; p++ {
			n.say(p, two, api.StateFailed, serving(1))
		}
		n.show(two)
		n.isDuty("it fails on all others", double, api.DutyRun)
	})
}

// TestStopFirst has a version that gives up the one before it go strictly by rank.
func TestStopFirst(t *testing.T) {
	for order, want := range map[api.Order]api.Duty{api.StopFirst: api.DutyHold, api.StartFirst: api.DutyRun} {
		ref := selfAt(t, 2, 2, 0)
		withNode(t, func(n *node) {
			n.joined(2)
			n.hear(2)
			c := component(1, 0)
			c.Update = &api.Update{Order: order}
			one := sign(n, owner, ref, 1, c)
			c.Module = program(2)
			two := sign(n, owner, ref, 2, c)
			n.show(one)
			n.say(2, one, api.StateRunning)
			n.say(self, one, api.StateRunning)
			n.show(two)
			n.say(self, two, api.StatePrepared, serving(1))
			n.isDuty(string(order)+": the first is slow", ref, api.DutyHold)
			time.Sleep(2 * placement.Pause)
			synctest.Wait()
			n.isDuty(string(order)+": it stays so", ref, want)
		})
	}
}

// TestLast has a node step in while a new version does not come up anywhere.
func TestLast(t *testing.T) {
	ref := selfAt(t, 1, 2, 1)
	withNode(t, func(n *node) {
		n.joined(2)
		n.hear(2)
		one, two := sign(n, owner, ref, 1, component(1, 1)), sign(n, owner, ref, 2, component(2, 1))
		n.show(one)
		n.show(two)
		if w := n.want(ref); w.Duty != api.DutyRun || w.Last != nil {
			n.Errorf("%+v", w)
		}
		n.say(2, two, api.StateFailed, serving(1))
		if w := n.want(ref); w.Last == nil || w.Last.Digest != one.Digest {
			n.Errorf("%+v", w)
		}
		count := n.count
		n.say(self, two, api.StateStarting, serving(1))
		n.say(2, two, api.StateRunning)
		if w := n.want(ref); w.Last == nil || n.count != count {
			n.Errorf("it is told again though the same is wanted: %+v", w)
		}
		three := sign(n, owner, ref, 3, component(3, 1))
		n.show(three)
		if w := n.want(ref); w.Last != nil {
			n.Errorf("%+v", w)
		}
		n.say(self, three, api.StateFailed)
		n.say(2, two, api.StateRunning) // it goes on with an older one that it was told to keep
		if w := n.want(ref); w.Last == nil || w.Last.Digest != two.Digest {
			n.Errorf("%+v", w)
		}
	})
}

// TestWhatNobodyAsksFor ends at once.
func TestWhatNobodyAsksFor(t *testing.T) {
	withNode(t, func(n *node) {
		ci := 5
		grant := api.Ref{Kind: api.KindGrant, Name: nameOf(key(ci))}
		s := sign(n, key(ci), web, 1, component(1, 1))
		n.show(sign(n, owner, grant, 1, api.Grant{May: []api.Right{api.RightPush}, Since: t0}), s)
		n.isDuty("pushed", web, api.DutyRun)
		if !n.want(web).News {
			n.Error("it is no news")
		}
		n.say(self, s, api.StateRunning)
		n.show(sign(n, owner, grant, 2, nil))
		if w := n.want(web); w.Duty != api.DutyNone || !strings.Contains(w.Lost, "revoked") || w.Digest != s.Digest {
			n.Errorf("%+v", w)
		}
		if _, err := n.rec.Explain(web); err == nil || !strings.Contains(err.Error(), "nobody asks for it") {
			n.Error(err)
		}
		mine := sign(n, owner, web, 2, component(2, 1))
		n.show(mine)
		n.isDuty("the owner asks for it", web, api.DutyRun)
		n.show(sign(n, owner, web, 3, nil))
		if w := n.want(web); !w.Tombstone || w.Duty != api.DutyNone || w.Why != "" {
			n.Errorf("%+v", w)
		}
		n.say(self, mine, api.StateRemoved)
		if a := n.rec.Account(web); a.Fact != nil || a.Duty != api.DutyNone {
			n.Errorf("%+v", a)
		}
	})
}

// TestToldAgain has the version before the wanted one lose its say: whoever runs it has
// to look.
func TestToldAgain(t *testing.T) {
	withNode(t, func(n *node) {
		grant := api.Ref{Kind: api.KindGrant, Name: nameOf(key(5))}
		n.show(sign(n, owner, grant, 1, api.Grant{May: []api.Right{api.RightPush}, Since: t0}), sign(n, key(5), double, 1, function(1)))
		mine := sign(n, owner, double, 2, function(2))
		n.show(mine)
		count := n.count
		n.show(sign(n, owner, grant, 2, nil))
		if w := n.want(double); n.count != count+1 || w.Digest != mine.Digest || w.News {
			n.Errorf("%+v", w)
		}
	})
}

// TestNewerVersionOfRealm has a body come that cannot be read whole: as far as it can,
// it says where it runs.
func TestNewerVersionOfRealm(t *testing.T) {
	ref := selfAt(t, 2, 2, 1)
	withNode(t, func(n *node) {
		n.joined(2)
		n.hear(2)
		s := sign(n, owner, ref, 1, component(1, 1))
		s.Body = []byte(strings.Replace(string(s.Body), "{", `{"colour":"blue",`, 1))
		if a := read(s); a.Replicas != 1 || a.stopped {
			n.Errorf("%+v", a)
		}
		s.Body = []byte(`{"replicas":"some"}`)
		if a := read(s); a.Replicas != 0 || a.stopped || a.Ref != ref {
			n.Errorf("%+v", a)
		}
	})
}
