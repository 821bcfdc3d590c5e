package rollout

import (
	"strings"
	"testing"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/placement"
)

func web(replicas int, tags ...string) placement.Workload {
	return placement.Workload{Ref: api.Ref{Kind: api.KindComponent, Name: "web"}, Target: api.Target{Tags: tags}, Replicas: replicas}
}

// crew makes members of letters: "a b~ c? d+ e!" are a, b that is drained, c that has just
// gone, d with the role edge, and e whose runnerd is down.
func crew(letters string) (out []Member) {
	for _, r := range letters {
		last := len(out) - 1
		switch r {
		case ' ':
		case '~':
			out[last].Drained = true
		case '?':
			out[last].Gone = true
		case '!':
			out[last].Down = api.DaemonList{api.Casd, api.Runnerd}
		case '+':
			out[last].Roles = []string{"edge"}
		default:
			out = append(out, Member{PeerRecord: peer(string(r), "host-"+string(r), true)})
		}
	}
	return out
}

// told are the facts of members, of version v (3) or 2, by words like "a=running".
func told(t *testing.T, words string) Facts {
	t.Helper()
	out := Facts{}
	for _, word := range strings.Fields(words) {
		p, said, _ := strings.Cut(word, "=")
		f := fact(3, mine, api.State(said))
		switch said {
		case "old":
			f = fact(2, high, api.StateRunning)
		case "older-failed":
			f = fact(2, high, api.StateFailed)
		case "loops":
			f = restarted(fact(3, mine, api.StateBackoff), MaxRestarts)
			f.Serving = 2
		case "prepared", "keeps":
			f.State, f.Serving = api.StatePrepared, 2
		}
		if err := f.State.Validate(); err != nil {
			t.Fatal(err)
		}
		out[api.PeerID(p)] = *f
	}
	return out
}

func TestAssess(t *testing.T) {
	for name, c := range map[string]struct {
		goal     Goal
		replicas int
		tags     []string
		crew     string
		facts    string
		quiet    bool
		want     Outcome
		pending  string // part of it; "": there is none
		counts   [4]int // asked, desired, running, updated
		shown    string // members that are listed, those that must in capitals
	}{
		"every member":                    {crew: "ab", facts: "a=running b=exited", want: Done, counts: [4]int{2, 2, 2, 2}, shown: "AB"},
		"every one but one":               {crew: "ab", facts: "a=running b=fetching", want: Waiting, counts: [4]int{2, 2, 1, 1}, shown: "AB"},
		"every one, one is silent":        {crew: "ab", facts: "a=running", want: Waiting, counts: [4]int{2, 2, 1, 1}, shown: "AB"},
		"every one that matches":          {tags: []string{"edge"}, crew: "a+b", facts: "a=running", want: Done, counts: [4]int{1, 1, 1, 1}, shown: "A"},
		"nobody matches":                  {tags: []string{"gpu"}, crew: "ab", want: Waiting, pending: "no connected node is one that it is for (tag gpu)"},
		"nobody is there":                 {want: Waiting, pending: "no connected node is one that it is for (all nodes)"},
		"drained members need not":        {crew: "ab~", facts: "a=running", want: Done, counts: [4]int{1, 1, 1, 1}, shown: "A"},
		"a drained one still does":        {crew: "ab~", facts: "a=running b=old", want: Waiting, counts: [4]int{1, 1, 2, 1}, shown: "Ab"},
		"all are drained":                 {crew: "a~b~", want: Waiting, pending: "no node can run it: host-a, host-b: it is drained"},
		"one has just gone, but done":     {crew: "ab?", facts: "a=running b=running", want: Done, counts: [4]int{2, 2, 1, 1}, shown: "AB"},
		"one refuses, nobody is instead":  {crew: "ab", facts: "a=running b=refused", want: Waiting, pending: "1 of 2 nodes that it is for cannot run it: host-b: it has refused", counts: [4]int{2, 1, 1, 1}, shown: "Ab"},
		"target has moved away":           {tags: []string{"edge"}, crew: "a+b", facts: "a=running b=old", want: Waiting, counts: [4]int{1, 1, 2, 1}, shown: "Ab"},
		"it failed where it need not run": {tags: []string{"edge"}, crew: "a+b", facts: "a=running b=older-failed", want: Done, counts: [4]int{1, 1, 1, 1}, shown: "A"},

		"two of four":                {replicas: 2, crew: "dcba", facts: "a=running b=running", want: Done, counts: [4]int{2, 2, 2, 2}, shown: "ba"},
		"one of two":                 {replicas: 2, crew: "abcd", facts: "a=running", want: Waiting, counts: [4]int{2, 2, 1, 1}, shown: "a"},
		"not those of the first":     {replicas: 2, crew: "abcd", facts: "a=running c=running", want: Done, counts: [4]int{2, 2, 2, 2}, shown: "ac"},
		"one too many":               {replicas: 2, crew: "abcd", facts: "a=running b=running c=running", want: Waiting, counts: [4]int{2, 2, 3, 3}, shown: "abc"},
		"an old one goes on":         {replicas: 2, crew: "abcd", facts: "a=running b=running c=old", want: Waiting, counts: [4]int{2, 2, 3, 2}, shown: "abc"},
		"kept in the old version":    {replicas: 2, crew: "abcd", facts: "a=running b=running c=keeps", want: Waiting, counts: [4]int{2, 2, 3, 2}, shown: "abc"},
		"others say they need not":   {replicas: 2, crew: "abcd", facts: "a=running b=running c=removed d=removed", want: Done, counts: [4]int{2, 2, 2, 2}, shown: "ab"},
		"one refuses, the next does": {replicas: 2, crew: "abcd", facts: "a=refused b=running c=running", want: Done, counts: [4]int{2, 2, 2, 2}, shown: "abc"},
		"one refuses, none is left":  {replicas: 2, crew: "ab", facts: "a=refused b=running", want: Waiting, pending: "1 of 2 replicas can run: host-a: it has refused", counts: [4]int{2, 1, 1, 1}, shown: "ab"},
		"more than there are":        {replicas: 3, crew: "ab", facts: "a=running b=running", want: Waiting, pending: "2 of 3 replicas can run: there are no more nodes", counts: [4]int{3, 2, 2, 2}, shown: "ab"},
		"more than match": {replicas: 3, tags: []string{"edge"}, crew: "a+b+cd+~", facts: "a=running b=running", want: Waiting,
			pending: "2 of 3 replicas can run: host-c: it has no tag edge; host-d: it is drained", counts: [4]int{3, 2, 2, 2}, shown: "ab"},
		"drained is no place":       {replicas: 2, crew: "a~b", facts: "a=old b=running", want: Waiting, pending: "1 of 2 replicas can run: host-a: it is drained", counts: [4]int{2, 1, 2, 1}, shown: "ab"},
		"a dead one does not count": {replicas: 2, crew: "a?bc", facts: "a=running b=running", want: Waiting, counts: [4]int{2, 2, 1, 1}, shown: "ab"},
		"one has no runnerd":        {replicas: 2, crew: "a!bc", facts: "a=running b=running", want: Waiting, counts: [4]int{2, 2, 1, 1}, shown: "b"},
		"nor does it refuse":        {replicas: 2, crew: "a!bc", facts: "a=refused b=running c=running", want: Done, counts: [4]int{2, 2, 2, 2}, shown: "bc"},
		"too few have a runnerd":    {replicas: 2, crew: "a!b", facts: "a=old b=running", want: Waiting, pending: "1 of 2 replicas can run: host-a: its runnerd is down", counts: [4]int{2, 1, 1, 1}, shown: "b"},
		"nobody has a runnerd":      {replicas: 2, crew: "a!b!~", facts: "a=running b=running", want: Waiting, pending: "0 of 2 replicas can run: host-a, host-b: its runnerd is down", counts: [4]int{2, 0, 0, 0}},
		"every one with a runnerd":  {crew: "ab!", facts: "a=running b=failed", want: Waiting, pending: "1 of 2 nodes that it is for cannot run it: host-b: its runnerd is down", counts: [4]int{2, 1, 1, 1}, shown: "A"},
		"the first one fails":       {replicas: 2, crew: "abc", facts: "a=loops b=prepared", want: Failed, counts: [4]int{2, 2, 2, 0}, shown: "ab"},
		"it does not answer":        {replicas: 1, crew: "ab", facts: "a=unhealthy", want: Waiting, counts: [4]int{1, 1, 1, 0}, shown: "a"},

		"stopped everywhere":      {goal: Stop, crew: "ab", facts: "a=stopped b=stopped", want: Done, counts: [4]int{2, 2, 0, 0}, shown: "AB"},
		"stopped where it ran":    {goal: Stop, replicas: 1, crew: "ab", facts: "a=stopped b=removed", want: Done, counts: [4]int{1, 1, 0, 0}, shown: "a"},
		"one goes on":             {goal: Stop, replicas: 1, crew: "ab", facts: "a=stopped b=old", want: Waiting, counts: [4]int{1, 1, 1, 0}, shown: "ab"},
		"nobody to stop it":       {goal: Stop, tags: []string{"gpu"}, crew: "ab", quiet: true, want: Done, pending: "no connected node is one"},
		"nobody to stop it, yet":  {goal: Stop, tags: []string{"gpu"}, crew: "ab", want: Waiting, pending: "no connected node is one"},
		"gone from those with it": {goal: Remove, crew: "abc", facts: "a=removed b=removed c=removed", want: Done, counts: [4]int{3, 3, 0, 0}, shown: "ABC"},
		"some never had it":       {goal: Remove, crew: "abc", facts: "a=removed", want: Waiting, counts: [4]int{3, 3, 0, 0}, shown: "ABC"},
		"some never had it, sure": {goal: Remove, crew: "abc", facts: "a=removed", quiet: true, want: Done, counts: [4]int{3, 3, 0, 0}, shown: "ABC"},
		"one still has it":        {goal: Remove, tags: []string{"edge"}, crew: "a+b", facts: "a=removed b=old", quiet: true, want: Waiting, counts: [4]int{2, 2, 1, 0}, shown: "AB"},
		"one cannot remove it":    {goal: Remove, crew: "ab!", facts: "a=removed b=old", want: Done, counts: [4]int{1, 1, 0, 0}, shown: "A"},
		"nobody can remove it":    {goal: Remove, crew: "a!", facts: "a=old", want: Waiting, pending: "no node can run it: host-a: its runnerd is down"},
		"a drained one has it":    {goal: Remove, crew: "a~", facts: "a=old", want: Waiting, counts: [4]int{1, 1, 1, 0}, shown: "A"},
	} {
		t.Run(name, func(t *testing.T) {
			w := Wanted{Version: v, Goal: c.goal, Work: web(c.replicas, c.tags...)}
			a := Assess(w, crew(c.crew), told(t, c.facts), c.quiet)
			shown := ""
			for _, p := range a.Members {
				if p.Must {
					shown += strings.ToUpper(string(p.Peer))
				} else {
					shown += string(p.Peer)
				}
			}
			if a.Outcome != c.want || shown != c.shown {
				t.Errorf("outcome %d, members %q; want %d, %q", a.Outcome, shown, c.want, c.shown)
			}
			if (a.Pending == "") != (c.pending == "") || !strings.Contains(a.Pending, c.pending) {
				t.Errorf("pending %q, want %q", a.Pending, c.pending)
			}
			if got := [4]int{a.Asked, a.Desired, a.Running, a.Updated}; got != c.counts {
				t.Errorf("asked, desired, running, updated %v, want %v", got, c.counts)
			}
		})
	}
}

// Members on hosts of one name are told apart.
func TestPendingOfTwins(t *testing.T) {
	twins := crew("abc")
	twins[1].Host = twins[0].Host
	a := Assess(Wanted{Version: v, Work: web(1, "edge", "gpu")}, append(twins, crew("d+~")...), nil, false)
	if want := "0 of 1 replica can run: host-a …a, host-a …b, host-c: it has no tag edge or gpu; host-d: it is drained"; a.Pending != want {
		t.Errorf("got %q, want %q", a.Pending, want)
	}
}

// Reasons that many members have must not fill a page.
func TestPendingOfMany(t *testing.T) {
	a := Assess(Wanted{Version: v, Work: web(9, "edge")}, crew("a+bcdefgh"), nil, false)
	if want := "1 of 9 replicas can run: "; !strings.HasPrefix(a.Pending, want) || !strings.HasSuffix(a.Pending, ", 3 more: it has no tag edge") {
		t.Errorf("got %q", a.Pending)
	}
}

// A node that has just lost its bus knows of nobody, and of nothing that is removed.
func TestNothingIsRemovedFromNobody(t *testing.T) {
	if a := Assess(Wanted{Version: v, Goal: Remove, Work: web(0)}, nil, nil, true); a.Outcome != Waiting {
		t.Errorf("outcome %d", a.Outcome)
	}
}
