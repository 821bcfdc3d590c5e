package apiv1

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/local"
)

// asked are the parameters of a under these names, as a query.
func asked(a args, names ...string) string {
	v := url.Values{}
	for _, name := range names {
		if a[name] != "" {
			v.Set(name, a[name])
		}
	}
	if len(v) == 0 {
		return ""
	}
	return "?" + v.Encode()
}

func jobs(ctx context.Context, n *Node, a args) (any, error) {
	var r api.JobsReply
	err := n.get(ctx, api.Runnerd, api.PathJobs+asked(a, "name", "state", "after", "limit"), &r)
	r.Jobs = append([]api.JobSummary{}, r.Jobs...)
	return r, err
}

func oneJob(ctx context.Context, n *Node, a args) (any, error) {
	var s api.JobStatus
	if err := n.get(ctx, api.Runnerd, api.PathJob(a["job"]), &s); err != nil {
		return nil, hint(err)
	}
	for name := range s.Body.Runtime.Env {
		s.Body.Runtime.Env[name] = "" // it may be a secret
	}
	return s, nil
}

func explainJob(ctx context.Context, n *Node, a args) (any, error) {
	var x api.JobExplain
	err := n.get(ctx, api.Runnerd, api.PathJobExplain(a["job"]), &x)
	return x, hint(err)
}

func jobHistory(ctx context.Context, n *Node, a args) (any, error) {
	var s api.JobStatus
	if err := n.get(ctx, api.Runnerd, api.PathJob(a["job"]), &s); err != nil {
		return nil, hint(err)
	}
	return n.history(ctx, api.Ref{Kind: api.KindJob, Name: s.Job})
}

// hint says, where a job is not known, what to do next.
func hint(err error) error {
	if err != nil && statusOf(err) == http.StatusNotFound {
		return unknown("%w: GET %s/jobs lists those that there are", err, api.PathAPI)
	}
	return err
}

// maxLogReply is how many bytes of lines an answer has room for.
const maxLogReply = 8 << 20

func jobLogs(ctx context.Context, n *Node, a args) (any, error) {
	if since := a[api.QuerySince]; since != "" {
		if _, err := time.Parse(time.RFC3339Nano, since); err != nil {
			return nil, bad(fmt.Errorf("since %.64q: want an instant such as 2026-11-23T02:00:00Z", since))
		}
	}
	if a[api.QueryTail] == "" {
		a[api.QueryTail] = strconv.Itoa(defaultLines)
	}
	path := api.PathJobLogs(a["job"]) + asked(a, api.QueryRun, api.QueryEpoch, api.QueryTail, api.QuerySince, api.QueryGrep)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, local.URL(api.Runnerd, path), nil)
	if err != nil {
		return nil, err
	}
	resp, err := n.Client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask runnerd: %w", err)
	}
	defer resp.Body.Close()
	if err := local.CheckStatus(resp); err != nil {
		return nil, hint(fmt.Errorf("ask runnerd: %w", err))
	}
	return readLines(resp.Body)
}

const defaultLines = 200

// readLines reads lines of a job, as many as an answer has room for.
func readLines(body io.Reader) (any, error) {
	out := api.JobLogReport{Lines: []api.JobLogLine{}}
	room := &io.LimitedReader{R: body, N: maxLogReply}
	in := json.NewDecoder(room)
	for {
		var line api.JobLogLine
		err := in.Decode(&line)
		switch {
		case err == nil:
			out.Lines = append(out.Lines, line)
		case room.N <= 0:
			out.Cut = true
			return out, nil
		case err == io.EOF:
			return out, nil
		default:
			return nil, fmt.Errorf("read lines of a job: %w", err)
		}
	}
}
