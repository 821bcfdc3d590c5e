package placement_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/placement"
)

// replicasOf reads what members tell: "A ready+" is a good one that is ready, "B none~"
// one that is kept.
func replicasOf(t *testing.T, s string) map[api.PeerID]placement.Replica {
	t.Helper()
	phases := []string{"none", "prepared", "starting", "failed", "ready", "refused"}
	out := map[api.PeerID]placement.Replica{}
	for _, one := range strings.Split(s, ", ") {
		who, what, ok := strings.Cut(one, " ")
		if !ok {
			continue
		}
		phase := slices.Index(phases, strings.TrimRight(what, "+~"))
		if phase < 0 {
			t.Fatalf("%q says nothing", one)
		}
		out[peerOf(who)] = placement.Replica{Phase: placement.Phase(phase), Good: strings.Contains(what, "+"), Kept: strings.Contains(what, "~")}
	}
	return out
}

func peerOf(name string) api.PeerID { return peers[name[0]-'A'] }

// rankingOf reads "A B | C D": C cannot run it, D is drained if it is in brackets.
func rankingOf(s string) (r placement.Ranking) {
	in, out, _ := strings.Cut(s, "|")
	for _, name := range strings.Fields(in) {
		r.In = append(r.In, peerOf(name))
	}
	for _, name := range strings.Fields(out) {
		o := placement.Out{Peer: peerOf(strings.Trim(name, "()")), Why: "it has no tag x"}
		if strings.HasPrefix(name, "(") {
			o.Drained, o.Why = true, "it is drained"
		}
		r.Out = append(r.Out, o)
	}
	return r
}

const (
	run, hold, keep, none = api.DutyRun, api.DutyHold, api.DutyKeep, api.DutyNone

	everyMember = "every member that its target names runs it"
	othersFirst = "others change to the new version first"
	goesOn      = "; it goes on until those above it are ready"
)

type decision struct {
	name      string
	self      string
	replicas  int
	ranking   string
	told      string
	most      int
	strict    bool
	duty      api.Duty
	meanwhile api.Duty
	rank      int
	why       string
}

// shall are about a member that is one of those that run it.
var shall = []decision{
	{name: "nothing anywhere: the first starts", self: "A", replicas: 2, ranking: "A B C", duty: run, rank: 1, why: "it is number 1 in rank of the 2 that run it"},
	{name: "nothing anywhere: the last of them, too", self: "B", replicas: 2, ranking: "A B C", duty: run, rank: 2, why: "it is number 2 in rank of the 2 that run it"},
	{name: "fewer can than shall", self: "B", replicas: 5, ranking: "A B | C", duty: run, rank: 2, why: "it is number 2 in rank of the 5 that run it"},
	{name: "every", self: "C", ranking: "A B C", duty: run, rank: 3, why: everyMember},
	{name: "a refusal above makes room", self: "C", replicas: 2, ranking: "A B C", told: "A refused, B ready+", duty: run, rank: 3, why: "it is number 2 in rank of the 2 that run it"},
	{name: "where nothing runs nobody waits", self: "B", replicas: 2, ranking: "A B", told: "A failed+", most: 1, duty: run, rank: 2, why: "it is number 2 in rank of the 2 that run it"},
	{name: "what is ready stays", self: "B", replicas: 2, ranking: "A B", told: "A failed+, B ready+", duty: run, rank: 2, why: "it is number 2 in rank of the 2 that run it"},
	{name: "what has begun goes on", self: "B", replicas: 2, ranking: "A B", told: "A starting+, B starting+", duty: run, rank: 2, why: "it is number 2 in rank of the 2 that run it"},
	{name: "what has failed is tried again", self: "B", replicas: 2, ranking: "A B", told: "A starting+, B failed+", duty: run, rank: 2, why: "it is number 2 in rank of the 2 that run it"},

	{name: "new version: the first goes first", self: "A", ranking: "A B C", told: "A none+, B prepared+, C prepared+", duty: run, rank: 1, why: everyMember},
	{name: "the second prepares it", self: "B", ranking: "A B C", told: "A none+, B none+, C none+", duty: hold, rank: 2, why: othersFirst},
	{name: "and passes one that is late", self: "B", ranking: "A B C", told: "A none+, B prepared+, C none+", duty: run, meanwhile: hold, rank: 2, why: everyMember},
	{name: "and passes one that says nothing", self: "B", ranking: "A B C", told: "B prepared+", duty: run, meanwhile: hold, rank: 2, why: everyMember},
	{name: "but not when order is strict", self: "B", ranking: "A B C", told: "A none+, B prepared+, C none+", strict: true, duty: hold, rank: 2, why: othersFirst},
	{name: "one that is prepared has its turn", self: "B", ranking: "A B C", told: "A prepared+, B prepared+", duty: hold, rank: 2, why: "…1111111A changes to the new version first"},
	{name: "one that starts", self: "B", ranking: "A B C", told: "A starting+, B prepared+", duty: hold, rank: 2, why: "…1111111A changes to the new version first"},
	{name: "one below that starts", self: "A", ranking: "A B C", told: "A prepared+, B starting+", duty: hold, rank: 1, why: "…8888888B changes to the new version first"},
	{name: "one below that is prepared waits itself", self: "A", ranking: "A B C", told: "A prepared+, B prepared+", duty: run, rank: 1, why: everyMember},
	{name: "a bad version stops where it is tried first", self: "C", ranking: "A B C", told: "A failed+, B prepared+, C prepared+", duty: hold, rank: 3, why: "the new version is not ready on …1111111A, where it is tried first"},
	{name: "also where nothing is left", self: "C", ranking: "A B C", told: "A failed, B prepared+, C prepared+", duty: hold, rank: 3, why: "the new version is not ready on …1111111A, where it is tried first"},
	{name: "also below", self: "A", ranking: "A B C", told: "A prepared+, B failed+", duty: hold, rank: 1, why: "the new version is not ready on …8888888B, where it is tried first"},
	{name: "but one below that never ran anything tells nothing", self: "A", ranking: "A B C", told: "A prepared+, B failed", duty: run, rank: 1, why: everyMember},
	{name: "unless so many may not be down", self: "A", ranking: "A B C", told: "A prepared+, B failed, C prepared+", strict: true, duty: hold, rank: 1, why: othersFirst},
	{name: "nor one that runs nothing yet", self: "A", ranking: "A B C", told: "A prepared+, B none, C prepared+", strict: true, duty: hold, rank: 1, why: othersFirst},
	{name: "nor one that is ready and not there", self: "C", ranking: "A B C", told: "A ready, B ready+, C prepared+", strict: true, duty: hold, rank: 3, why: othersFirst},
	{name: "two may", self: "C", ranking: "A B C D", told: "A ready+, B starting+, C prepared+, D prepared+", most: 2, duty: run, rank: 3, why: everyMember},
	{name: "and no third", self: "D", ranking: "A B C D", told: "A starting+, B starting+, C ready+, D prepared+", most: 2, duty: hold, rank: 4, why: "…1111111A changes to the new version first"},
	{name: "most of none is one", self: "A", ranking: "A B", told: "A prepared+, B none+", most: -1, duty: run, rank: 1, why: everyMember},
	{name: "who does not run it is not waited for", self: "B", replicas: 1, ranking: "C B A | D", told: "C refused+, A starting+, D starting+, B prepared+", duty: run, rank: 2, why: "it is number 1 in rank of the 1 that run it"},
}

// shallNot are about a member that is none of those.
var shallNot = []decision{
	{name: "too far down, and nothing here", self: "C", replicas: 2, ranking: "A B C", duty: none, rank: 3, why: "it is number 3 in rank, and 2 run it"},
	{name: "what was starting ends", self: "C", replicas: 2, ranking: "A B C", told: "C starting", duty: none, rank: 3, why: "it is number 3 in rank, and 2 run it"},
	{name: "it goes on while one above is missing", self: "C", replicas: 2, ranking: "A B C", told: "A ready+, B starting, C ready+", duty: keep, rank: 3, why: "it is number 3 in rank, and 2 run it" + goesOn},
	{name: "also with what comes back", self: "C", replicas: 2, ranking: "A B C", told: "A ready+, C starting~", duty: keep, rank: 3, why: "it is number 3 in rank, and 2 run it" + goesOn},
	{name: "any version above does", self: "C", replicas: 2, ranking: "A B C", told: "A failed+, B none+, C ready+", duty: none, meanwhile: keep, rank: 3, why: "it is number 3 in rank, and 2 run it"},
	{name: "what does not run ends at once then", self: "C", replicas: 2, ranking: "A B C", told: "A failed+, B none+, C failed~", duty: none, rank: 3, why: "it is number 3 in rank, and 2 run it"},
	{name: "those below do not count", self: "C", replicas: 2, ranking: "A B C D", told: "A ready+, C ready+, D ready+", duty: keep, rank: 3, why: "it is number 3 in rank, and 2 run it" + goesOn},

	{name: "it has refused", self: "A", replicas: 1, ranking: "A B", told: "A refused", duty: none, rank: 1, why: "it has refused"},
	{name: "and goes on with the version before", self: "A", replicas: 1, ranking: "A B", told: "A refused+, B starting", duty: keep, rank: 1, why: "it has refused" + goesOn},
	{name: "until another runs", self: "A", replicas: 1, ranking: "A B", told: "A refused+, B ready+", duty: none, meanwhile: keep, rank: 1, why: "it has refused"},
	{name: "or as many as can, where all are wanted", self: "A", ranking: "A B C", told: "A refused+, B ready+, C none+", duty: none, meanwhile: keep, rank: 1, why: "it has refused"},
	{name: "all refuse: as many go on", self: "B", replicas: 2, ranking: "A B C", told: "A refused+, B refused+, C refused+", duty: keep, rank: 2, why: "it has refused" + goesOn},
	{name: "and no more", self: "C", replicas: 2, ranking: "A B C", told: "A refused+, B refused+, C refused+", duty: none, meanwhile: keep, rank: 3, why: "it has refused"},

	{name: "drained", self: "A", replicas: 1, ranking: "B | (A)", duty: none, why: "it is drained"},
	{name: "drained while the successor starts", self: "A", replicas: 1, ranking: "B | (A)", told: "A ready+, B starting", duty: keep, why: "it is drained" + goesOn},
	{name: "drained, and the successor is ready", self: "A", replicas: 1, ranking: "B | (A)", told: "A ready+, B ready+", duty: none, meanwhile: keep, why: "it is drained"},
	{name: "drained, and the only one", self: "A", replicas: 1, ranking: "| (A)", told: "A ready+", duty: keep, why: "it is drained" + goesOn},
	{name: "drained, the only one, and it has crashed", self: "A", replicas: 1, ranking: "| (A)", told: "A starting~", duty: keep, why: "it is drained" + goesOn},
	{name: "drained, and too few others fit", self: "A", replicas: 3, ranking: "B C | (A)", told: "A ready+, B ready+, C ready+", duty: keep, why: "it is drained" + goesOn},
	{name: "drained, where all are wanted", self: "A", ranking: "B C | (A)", told: "A ready+, B ready+, C ready+", duty: none, meanwhile: keep, why: "it is drained"},
	{name: "drained, where all are wanted and one is missing", self: "A", ranking: "B C | (A)", told: "A ready+, B ready+", duty: keep, why: "it is drained" + goesOn},
	{name: "drained, where one of all has failed and runs nothing", self: "A", ranking: "B C | (A)", told: "A ready+, B ready+, C failed", duty: none, meanwhile: keep, why: "it is drained"},
	{name: "drained, where all others have failed", self: "A", ranking: "B C | (A)", told: "A ready+, B failed, C failed", duty: keep, why: "it is drained" + goesOn},
	{name: "drained, where all are wanted and it is the only one", self: "A", ranking: "| (A)", told: "A ready+", duty: keep, why: "it is drained" + goesOn},

	{name: "not meant", self: "A", replicas: 1, ranking: "B | A", duty: none, why: "it has no tag x"},
	{name: "not meant any more, and the successor starts", self: "A", replicas: 1, ranking: "B | A", told: "A ready+, B starting", duty: keep, why: "it has no tag x" + goesOn},
	{name: "not meant any more, and all that are run it", self: "A", replicas: 3, ranking: "B | A", told: "A ready+, B ready+", duty: none, meanwhile: keep, why: "it has no tag x"},
	{name: "nobody is meant", self: "A", replicas: 2, ranking: "| B A C", told: "A ready+, B ready+, C ready+", duty: keep, why: "it has no tag x" + goesOn},
	{name: "nobody is meant, and so many go on", self: "C", replicas: 2, ranking: "| B A C", told: "A ready+, B ready+, C ready+", duty: none, meanwhile: keep, why: "it has no tag x"},
	{name: "not meant any more, and only others that are not run it", self: "A", replicas: 4, ranking: "D | B C A", told: "A ready+, B ready+, C ready+", duty: keep, why: "it has no tag x" + goesOn},
	{name: "not meant any more, and all that others run is enough", self: "A", replicas: 2, ranking: "D E | B A", told: "A ready+, B ready+, D ready+", duty: none, meanwhile: keep, why: "it has no tag x"},
	{name: "not meant any more, where all are wanted, and one of them is missing", self: "A", ranking: "C D | B A", told: "A ready+, B ready+, C ready+", duty: keep, why: "it has no tag x" + goesOn},
	{name: "no member", self: "D", replicas: 1, ranking: "A B | C", told: "A ready+, D ready+", duty: none, meanwhile: keep, why: "it is no member"},
}

func TestDecide(t *testing.T) {
	for _, c := range slices.Concat(shall, shallNot) {
		t.Run(c.name, func(t *testing.T) {
			roll := placement.Rollout{Most: c.most, Strict: c.strict}
			v := placement.Decide(peerOf(c.self), placement.Workload{Replicas: c.replicas}, rankingOf(c.ranking), replicasOf(t, c.told), roll)
			if want := (placement.Verdict{Duty: c.duty, Rank: c.rank, Why: c.why, Meanwhile: c.meanwhile}); v != want {
				t.Errorf("got  %+v\nwant %+v", v, want)
			}
		})
	}
}
