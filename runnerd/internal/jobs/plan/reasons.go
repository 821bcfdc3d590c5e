package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// reasons says why no member can execute runs of e: the two that most of them have.
func (p *Planner) reasons(e *jobPlan) string {
	count := map[string]int{}
	for i := range p.members {
		count[unfit(e, &p.members[i])]++
	}
	all := make([]string, 0, len(count))
	for why := range count {
		all = append(all, why)
	}
	slices.SortFunc(all, func(a, b string) int { return cmp.Or(count[b]-count[a], strings.Compare(a, b)) })
	const most = 2
	var words []string
	for _, why := range all[:min(len(all), most)] {
		if len(all) > 1 {
			why = fmt.Sprintf("%s (%d of %d members)", why, count[why], len(p.members))
		}
		words = append(words, why)
	}
	return strings.Join(words, "; ") + "; see realm explain"
}
