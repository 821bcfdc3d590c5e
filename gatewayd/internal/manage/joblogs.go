package manage

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/gatewayd/internal/sse"
	"github.com/realm-mesh/realm/internal/kit/local"
)

const (
	maxJobName = 128       // bytes
	maxJobLine = 128 << 10 // bytes of a line as runnerd tells it: each of its own may become six
)

// jobLogs answers /logs for a job, whose lines runnerd has, wherever the job ran.
func (n Node) jobLogs(w http.ResponseWriter, r *http.Request) {
	v := r.URL.Query()
	path, follow, err := jobQuery(v, time.Now())
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if follow {
		n.followJob(w, r, path)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), readTimeout)
	defer cancel()
	lines, err := n.openJob(ctx, path)
	if err != nil {
		refuseJob(w, err)
		return
	}
	defer lines.Close()
	var text bytes.Buffer
	for text.Len() < maxText {
		l, err := lines.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			w.Header().Set(headerCut, "runnerd broke off")
			break
		}
		if l != nil {
			fmt.Fprintf(&text, "%s %s %s\n", l.Time.Format(time.RFC3339Nano), l.Stream, l.Line)
		}
	}
	if text.Len() >= maxText {
		w.Header().Set(headerCut, fmt.Sprintf("it is more than %d bytes", maxText))
	}
	w.Header().Set("Content-Type", textType)
	_, _ = text.WriteTo(w) // fails only when the client has gone
}

// jobQuery makes of a query the path that runnerd is asked.
func jobQuery(v url.Values, now time.Time) (path string, follow bool, err error) {
	job := v.Get("job")
	if len(job) > maxJobName || v.Has("component") || job == "." || job == ".." {
		return "", false, fmt.Errorf("job %.40q: want the id of one job, and no component", job)
	}
	v.Set("component", all) // the rest is as for these
	q, err := parseQuery(v, now)
	if err != nil {
		return "", false, err
	}
	ask := url.Values{api.QueryTail: {strconv.Itoa(q.tail)}}
	if !q.since.IsZero() {
		ask.Set(api.QuerySince, q.since.Format(time.RFC3339Nano))
	}
	if q.match != nil {
		ask.Set(api.QueryGrep, v.Get(api.QueryGrep))
	}
	if q.follow {
		ask.Set(api.QueryFollow, "1")
	}
	return api.PathJobLogs(job) + "?" + ask.Encode(), q.follow, nil
}

// jobLines are the lines of a job as they come.
type jobLines struct {
	io.Closer
	in *bufio.Scanner
}

func (n Node) openJob(ctx context.Context, path string) (*jobLines, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, local.URL(api.Runnerd, path), nil)
	if err != nil {
		return nil, err
	}
	resp, err := n.Client.Do(req)
	if err != nil {
		return nil, err
	}
	if err := local.CheckStatus(resp); err != nil {
		resp.Body.Close()
		return nil, err
	}
	in := bufio.NewScanner(resp.Body)
	in.Buffer(nil, maxJobLine)
	return &jobLines{resp.Body, in}, nil
}

// next waits for a line; nil: there was none for a while. [io.EOF]: that was all.
func (l *jobLines) next() (*api.JobLogLine, error) {
	if !l.in.Scan() {
		if err := l.in.Err(); err != nil {
			return nil, err
		}
		return nil, io.EOF
	}
	if len(l.in.Bytes()) == 0 {
		return nil, nil //nolint:nilnil // so runnerd shows that it is there
	}
	line := new(api.JobLogLine)
	if err := api.Decode(l.in.Bytes(), maxJobLine, line); err != nil {
		return nil, err
	}
	return line, nil
}

func refuseJob(w http.ResponseWriter, err error) {
	status := http.StatusServiceUnavailable
	var said *local.StatusError
	if errors.As(err, &said) {
		status = said.Status
	}
	http.Error(w, fmt.Sprintf("%v: realm job list shows which jobs there are", err), status)
}

// followJob answers with the lines that are there, and those that come until the job ends.
// The client holds runnerd back where it is slow: nothing has to be dropped.
func (n Node) followJob(w http.ResponseWriter, r *http.Request, path string) {
	s, ok := sse.Open[api.JobLogLine](n.Streams, w, r)
	if !ok {
		return
	}
	defer s.Close()
	ctx, cancel := s.Context(r.Context())
	defer cancel()
	lines, err := n.openJob(ctx, path)
	if err != nil {
		refuseJob(w, err)
		return
	}
	defer lines.Close()
	s.Pull(ctx, func() (e sse.Event, some bool, err error) {
		l, err := lines.next()
		if l == nil {
			return e, false, err
		}
		return sse.Event{Name: "line", Data: l}, true, nil
	}, "the job has ended")
}
