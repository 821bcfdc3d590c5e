package jobs

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/runnerd/internal/jobs/plan"
)

// How long other members get to answer.
const (
	claimWait = time.Second
	takeWait  = 1500 * time.Millisecond
	voteWait  = 3 * time.Second
)

// ask has members asked about claims, and electors for their votes.
func (m *Manager) ask(claims []plan.Claim) {
	var doubtful []plan.Claim
	for _, c := range claims {
		if len(c.Ask) > 0 {
			doubtful = append(doubtful, c)
			continue
		}
		m.spawn(func(ctx context.Context) { m.vote(ctx, c) })
	}
	for _, batch := range slices.Collect(slices.Chunk(doubtful, api.MaxJobClaims)) {
		m.spawn(func(ctx context.Context) { m.askAll(ctx, batch) })
	}
}

// askAll asks each member once about all claims that concern it.
func (m *Manager) askAll(ctx context.Context, claims []plan.Claim) {
	ctx, cancel := context.WithTimeout(ctx, claimWait)
	defer cancel()
	byPeer := map[api.PeerID][]int{} // places in claims
	for i, c := range claims {
		for _, p := range c.Ask {
			byPeer[p] = append(byPeer[p], i)
		}
	}
	objected := make([]bool, len(claims))
	var mu sync.Mutex
	var wg sync.WaitGroup
	for p, places := range byPeer {
		wg.Go(func() {
			for _, i := range m.objections(ctx, p, claims, places) {
				mu.Lock()
				objected[i] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	m.mu.Lock()
	now := m.cfg.Now()
	for i, c := range claims {
		m.planner.Asked(c.Exec, objected[i], now)
	}
	m.mu.Unlock()
	m.rouse()
}

// objections are the places of claims that p speaks against. Silence is no objection.
func (m *Manager) objections(ctx context.Context, p api.PeerID, claims []plan.Claim, places []int) (out []int) {
	q := &api.JobClaims{}
	for _, i := range places {
		x := claims[i].Exec
		q.Claims = append(q.Claims, api.JobClaim{Root: x.Root, Run: x.Run, Epoch: x.Epoch})
	}
	reply, err := m.cfg.Peers.Claim(ctx, p, q)
	if err != nil {
		return nil
	}
	for at, a := range reply.Answers {
		if at < len(places) && m.objects(a, claims[places[at]].Exec) {
			out = append(out, places[at])
		}
	}
	return out
}

// objects takes in what an answer brings, and reports whether it speaks against x.
func (m *Manager) objects(a api.JobAnswer, x api.Exec) bool {
	news := a.Live != "" && a.Live != m.cfg.Self
	for _, raw := range a.Records {
		rec, err := m.cfg.Read(raw)
		if err != nil || rec.Root != x.Root || rec.Run != x.Run {
			continue
		}
		news = true
		m.Record(rec, raw)
	}
	return news
}

// vote asks the electors of a strict job, and gives votes back that are no majority.
func (m *Manager) vote(ctx context.Context, c plan.Claim) {
	votes, holders := m.poll(ctx, c.Exec, c.Electors, c.Round, false)
	won := votes > len(c.Electors)/2
	m.mu.Lock()
	m.planner.Voted(c.Exec, won, holders, m.cfg.Now())
	m.mu.Unlock()
	if !won {
		m.poll(ctx, c.Exec, c.Electors, c.Round, true)
	}
	m.rouse()
}

// poll asks all electors at once, counts votes for x, and says who has the others.
func (m *Manager) poll(ctx context.Context, x api.Exec, electors []api.PeerID, round int64, giveBack bool) (votes int, holders []api.PeerID) {
	ctx, cancel := context.WithTimeout(ctx, voteWait)
	defer cancel()
	v := api.JobVote{JobClaim: api.JobClaim{Root: x.Root, Run: x.Run, Epoch: x.Epoch}, Release: giveBack, Round: round}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, p := range electors {
		wg.Go(func() {
			who, err := m.elector(ctx, p, v)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err != nil || who == "":
			case who == m.cfg.Self:
				votes++
			case !slices.Contains(holders, who):
				holders = append(holders, who)
			}
		})
	}
	wg.Wait()
	return votes, holders
}

func (m *Manager) elector(ctx context.Context, p api.PeerID, v api.JobVote) (api.PeerID, error) {
	if p == m.cfg.Self {
		return m.cfg.Votes.Vote(v, m.cfg.Self)
	}
	reply, err := m.cfg.Peers.Vote(ctx, p, &v)
	if err != nil {
		return "", err
	}
	return reply.Peer, nil
}

// take asks a member for runs that wait there.
func (m *Manager) take(ctx context.Context, t plan.Take) {
	ctx, cancel := context.WithTimeout(ctx, takeWait)
	defer cancel()
	var given []api.JobClaim
	if reply, err := m.cfg.Peers.Take(ctx, t.From, &api.JobTake{Runs: t.Runs}); err == nil {
		given = reply.Runs
	}
	m.mu.Lock()
	m.planner.Took(t.From, given, m.cfg.Now())
	m.mu.Unlock()
	m.rouse()
}

// Claims answers another member that is about to begin executions.
func (m *Manager) Claims(from api.PeerID, c *api.JobClaims) *api.JobAnswers {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.cfg.Now()
	out := &api.JobAnswers{Answers: make([]api.JobAnswer, len(c.Claims))}
	size := 0
	for i, claim := range c.Claims {
		records, live := m.planner.Answer(claim, from, now)
		out.Answers[i].Live = live
		for _, x := range records {
			raw, ok := m.raw[x]
			if size += len(raw); !ok || size > api.MaxRecordsBytes {
				out.Answers[i].Live = x.Peer // it is known, and there is no room to prove it
				continue
			}
			out.Answers[i].Records = append(out.Answers[i].Records, raw)
		}
	}
	return out
}

// Give answers a member that has room for runs that wait here.
func (m *Manager) Give(from api.PeerID, t *api.JobTake) *api.JobTaken {
	m.mu.Lock()
	defer m.rouse()
	defer m.mu.Unlock()
	return m.planner.Give(t, from, m.cfg.Now())
}
