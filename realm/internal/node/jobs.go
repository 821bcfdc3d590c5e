package node

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/local"
)

// Jobs asks a runnerd about the jobs of the realm. Any knows all of them.
type Jobs struct {
	node *Node
	peer api.PeerID // whose runnerd it is; "": that of the node
}

// Jobs asks the runnerd of the node, or where peer is given that of a member.
func (n *Node) Jobs(peer api.PeerID) Jobs { return Jobs{n, peer} }

// maxJobReply caps an answer, in bytes: [api.MaxJobRuns] runs with their executions.
const maxJobReply = 32 << 20

func (j Jobs) url(path string, query url.Values) string {
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	if j.peer != "" {
		return local.URL(api.Meshd, api.PathPeer(j.peer, api.ServiceJob, path))
	}
	return local.URL(api.Runnerd, path)
}

func (j Jobs) daemon() api.Daemon {
	if j.peer != "" {
		return api.Meshd
	}
	return api.Runnerd
}

// get asks until runnerd has answered, or ctx ends.
func (j Jobs) get(ctx context.Context, path string, query url.Values, out api.Validator) error {
	var raw []byte
	err := j.node.atDaemon(ctx, j.daemon(), func() (err error) {
		raw, err = j.node.read(ctx, j.url(path, query), maxJobReply)
		return err
	})
	if err != nil {
		return err
	}
	return api.DecodeFact(raw, maxJobReply, out) // what cannot be read is not to be asked for again
}

// maxJobPages bounds the pages of [Jobs.List].
const maxJobPages = 1000

// List are the jobs, the newest first; with name or state, those with them.
func (j Jobs) List(ctx context.Context, name, state string) ([]api.JobSummary, error) {
	var all []api.JobSummary
	query := url.Values{}
	for k, v := range map[string]string{"name": name, "state": state} {
		if v != "" {
			query.Set(k, v)
		}
	}
	for range maxJobPages {
		var page api.JobsReply
		if err := j.get(ctx, api.PathJobs, query, &page); err != nil {
			return all, wrap("list jobs", err)
		}
		all = append(all, page.Jobs...)
		if page.Next == "" {
			return all, nil
		}
		query.Set("after", page.Next)
	}
	return all, nil
}

// ErrNoJob says that no member knows such a job.
var ErrNoJob = errors.New("there is no such job")

// Status is all that is known of a job, which is named by its id, or by a base name for
// its newest. It is [ErrNoJob] where there is none.
func (j Jobs) Status(ctx context.Context, job string) (s api.JobStatus, err error) {
	err = j.get(ctx, api.PathJob(job), nil, &s)
	return s, about(job, err)
}

// Explain says why a job runs where it does. It is [ErrNoJob] where there is none.
func (j Jobs) Explain(ctx context.Context, job string) (e api.JobExplain, err error) {
	err = j.get(ctx, api.PathJobExplain(job), nil, &e)
	return e, about(job, err)
}

func about(job string, err error) error {
	if notFound(err) {
		return fmt.Errorf("%w: %s: realm job list --all shows those that there are", ErrNoJob, job)
	}
	return wrap("ask about job "+job, err)
}

// LogQuery chooses lines of a job's output.
type LogQuery struct {
	Run    api.RunKey // "": of all runs
	Epoch  int        // of one execution; 0: of that which counts
	Tail   int        // last lines; below 0: all
	Since  time.Time  // only what is newer; zero: all
	Grep   string     // RE2; "": all
	Follow bool       // on, until the job has ended
}

func (q LogQuery) values() url.Values {
	v := url.Values{}
	if q.Run != "" {
		v.Set(api.QueryRun, string(q.Run))
	}
	if q.Epoch > 0 {
		v.Set(api.QueryEpoch, strconv.Itoa(q.Epoch))
	}
	if q.Tail >= 0 {
		v.Set(api.QueryTail, strconv.Itoa(q.Tail))
	}
	if !q.Since.IsZero() {
		v.Set(api.QuerySince, q.Since.UTC().Format(time.RFC3339Nano))
	}
	if q.Grep != "" {
		v.Set(api.QueryGrep, q.Grep)
	}
	if q.Follow {
		v.Set(api.QueryFollow, "1")
	}
	return v
}

// Logs calls fn with each line of a job's output. It is [ErrNoJob] where there is none.
func (j Jobs) Logs(ctx context.Context, job string, q LogQuery, fn func(api.JobLogLine) error) error {
	var resp *http.Response
	err := j.node.atDaemon(ctx, j.daemon(), func() (err error) {
		resp, err = j.node.send(ctx, http.MethodGet, j.url(api.PathJobLogs(job), q.values()), nil) //nolint:bodyclose // scan does
		return err
	})
	if err != nil {
		return about(job, err)
	}
	return scan(ctx, resp, api.Runnerd, func(b []byte) error {
		var l api.JobLogLine
		if err := api.DecodeFact(b, maxVerifyLine, &l); err != nil {
			return err
		}
		return fn(l)
	})
}
