package placement

import (
	"cmp"
	"math"
	"slices"
)

// What a member may run more or less than its share before rankings are changed: so
// many percent of it, but no less than so many times its square root, by which chance
// alone lets numbers differ. Less slack would move more replicas for reasons that
// people do not see.
const (
	slackPercent = 15
	slackSigmas  = 1.5
)

// shareBits is how many bits of a share stand behind the binary point.
const shareBits = 24

// balance is how replicas are spread over the members of a roster. Workloads that
// run on all that can run them, or where their state is, are left out: nothing about them
// can be changed.
type balance struct {
	*roster
	placed []*placing
	load   []int // replicas of a member
	lo, hi []int // that it should run

	scratch []seat // of share
}

// even changes rankings until no member runs more or less than its bounds allow,
// or no change helps. It goes by names and costs alone, so that a workload or member
// more or less changes little of what it does:
//   - a member with too many gives away those that cost it most, each to the next
//     in rank that has room;
//   - then a member with too few takes those that cost it least, each from the last
//     in rank that can spare one.
func (r *roster) even(placed []*placing) {
	b := &balance{roster: r, load: make([]int, len(r.members)), lo: make([]int, len(r.members)), hi: make([]int, len(r.members))}
	for _, p := range placed {
		if 0 < p.Replicas && p.Replicas < len(p.in) && len(p.Holders) == 0 {
			b.placed = append(b.placed, p)
		}
	}
	b.bounds()
	runs := make([][]*placing, len(r.members))
	for _, p := range b.placed {
		for _, s := range p.in[:p.Replicas] {
			b.load[s.member]++
			runs[s.member] = append(runs[s.member], p)
		}
	}
	for m := range r.members {
		if b.load[m] > b.hi[m] {
			b.shed(m, runs[m])
		}
	}
	for m := range r.members {
		if b.load[m] < b.lo[m] {
			b.pull(m)
		}
	}
}

// bounds computes each member's share and what it may run.
func (b *balance) bounds() {
	shares := make([]uint64, len(b.members))
	for _, p := range b.placed {
		b.share(p, shares)
	}
	for m, s := range shares {
		slack := max(s*slackPercent/100, uint64(slackSigmas*math.Sqrt(float64(s<<shareBits))))
		b.hi[m] = int((s + slack + uint64(len(b.placed))) >> shareBits)
		b.lo[m] = int((s - min(s, slack) + 1<<shareBits - 1) >> shareBits)
	}
}

// share adds each member's share of p: in proportion to its weight, and one replica
// at most.
func (b *balance) share(p *placing, shares []uint64) {
	var sum uint64
	for _, s := range p.in {
		sum += b.weight(s.member)
	}
	left := uint64(p.Replicas)
	b.scratch = append(b.scratch[:0], p.in...)
	rest := b.scratch
	slices.SortFunc(rest, func(x, y seat) int { return cmp.Compare(b.weight(y.member), b.weight(x.member)) })
	for ; left*b.weight(rest[0].member) > sum; rest = rest[1:] {
		shares[rest[0].member] += 1 << shareBits
		left, sum = left-1, sum-b.weight(rest[0].member)
	}
	for _, s := range rest {
		shares[s.member] += left * b.weight(s.member) << shareBits / sum
	}
}

// priced is a workload with what it costs some member.
type priced struct {
	*placing
	cost uint64
}

func byCost(a, b priced) int {
	return cmp.Or(cmp.Compare(a.cost, b.cost), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
}

// shed gives replicas of m to others.
func (b *balance) shed(m int, runs []*placing) {
	var l []priced
	for _, p := range runs {
		l = append(l, priced{p, b.cost(p.hash, m)})
	}
	slices.SortFunc(l, func(x, y priced) int { return byCost(y, x) })
	for _, p := range l {
		if b.load[m] <= b.hi[m] {
			return
		}
		to := slices.IndexFunc(p.in[p.Replicas:], func(s seat) bool { return b.load[s.member] < b.hi[s.member] })
		if to >= 0 {
			b.swap(p.placing, p.seat(m), p.Replicas+to)
		}
	}
}

// pull takes replicas from others to m.
func (b *balance) pull(m int) {
	var l []priced
	for _, p := range b.placed {
		if at := p.seat(m); at >= p.Replicas {
			l = append(l, priced{p, b.cost(p.hash, m)})
		}
	}
	slices.SortFunc(l, byCost)
	for _, p := range l {
		if b.load[m] >= b.lo[m] {
			return
		}
		for from := p.Replicas - 1; from >= 0; from-- {
			if s := p.in[from].member; b.load[s] > b.lo[s] {
				b.swap(p.placing, from, p.seat(m))
				break
			}
		}
	}
}

// seat is where member m stands in p's ranking; -1: nowhere.
func (p *placing) seat(m int) int {
	return slices.IndexFunc(p.in, func(s seat) bool { return s.member == m })
}

// swap gives the replica of p at seat from to the member at seat to.
func (b *balance) swap(p *placing, from, to int) {
	b.load[p.in[from].member]--
	b.load[p.in[to].member]++
	p.in[from], p.in[to] = p.in[to], p.in[from]
}
