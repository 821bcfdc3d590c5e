package runnerd

import (
	"context"
	"fmt"
	"net/http"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/local"
)

// jobPeers asks the runnerd of other members about jobs, through meshd.
type jobPeers struct{ client *http.Client }

// post sends in to a route of the service job at p.
func (j *jobPeers) post(ctx context.Context, p api.PeerID, path string, in any, out api.Validator) error {
	url := local.URL(api.Meshd, api.PathPeer(p, api.ServiceJob, path))
	return local.Call(ctx, j.client, http.MethodPost, url, in, out, api.MaxMessage)
}

// Claim implements [jobs.Peers].
func (j *jobPeers) Claim(ctx context.Context, p api.PeerID, c *api.JobClaims) (*api.JobAnswers, error) {
	out := new(api.JobAnswers)
	if err := j.post(ctx, p, api.PathJobClaims, c, out); err != nil {
		return nil, err
	}
	if len(out.Answers) != len(c.Claims) {
		return nil, fmt.Errorf("%d answers to %d claims", len(out.Answers), len(c.Claims))
	}
	return out, nil
}

// Take implements [jobs.Peers].
func (j *jobPeers) Take(ctx context.Context, p api.PeerID, t *api.JobTake) (*api.JobTaken, error) {
	out := new(api.JobTaken)
	return out, j.post(ctx, p, api.PathJobTake, t, out)
}

// Vote implements [jobs.Peers].
func (j *jobPeers) Vote(ctx context.Context, p api.PeerID, v *api.JobVote) (*api.JobVoted, error) {
	out := new(api.JobVoted)
	return out, j.post(ctx, p, api.PathJobVotes, v, out)
}

// Tail implements [jobs.Peers].
func (j *jobPeers) Tail(ctx context.Context, p api.PeerID, t *api.JobTail) error {
	return j.post(ctx, p, api.PathJobTail, t, &api.Empty{})
}

// Logs opens the lines that p itself has of a job.
func (j *jobPeers) Logs(ctx context.Context, p api.PeerID, path string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, local.URL(api.Meshd, api.PathPeer(p, api.ServiceJob, path)), nil)
	if err != nil {
		return nil, err
	}
	resp, err := j.client.Do(req)
	if err != nil {
		return nil, err
	}
	if err := local.CheckStatus(resp); err != nil {
		resp.Body.Close()
		return nil, err
	}
	return resp, nil
}
