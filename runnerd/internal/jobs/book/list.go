package book

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/realm-mesh/realm/api"
)

// Query says which jobs to list.
type Query struct {
	States []api.JobState // any of them; none: all jobs
	Name   api.Name       // id or base name; empty: any
	After  string         // Next of the page before
	Limit  int            // 0: [api.MaxJobsPage], which is the most
}

// ErrAfter is returned for an After that no page has given.
var ErrAfter = errors.New("after: want what the page before has given as next")

// List is a page of the jobs that q asks for, as they stand at now.
func (b *Book) List(q Query, now time.Time) (api.JobsReply, error) {
	b.Advance(now)
	limit := api.MaxJobsPage
	if q.Limit > 0 {
		limit = min(q.Limit, limit)
	}
	at := 0
	if q.After != "" {
		mark, err := parseAfter(q.After)
		if err != nil {
			return api.JobsReply{}, err
		}
		var found bool
		if at, found = slices.BinarySearchFunc(b.listed, mark, newestFirst); found {
			at++
		}
	}
	reply := api.JobsReply{Jobs: []api.JobSummary{}}
	for ; at < len(b.listed); at++ {
		e := b.listed[at]
		if !b.asked(e, q) {
			continue
		}
		if len(reply.Jobs) == limit {
			reply.Next = afterOf(&reply.Jobs[limit-1])
			break
		}
		reply.Jobs = append(reply.Jobs, b.summary(e))
	}
	return reply, nil
}

func (b *Book) asked(e *job, q Query) bool {
	if q.Name != "" && q.Name != e.Name && q.Name != BaseName(e.Name) {
		return false
	}
	if len(q.States) == 0 {
		return true
	}
	state, _ := b.state(e)
	return slices.Contains(q.States, state)
}

func afterOf(s *api.JobSummary) string {
	return strconv.FormatInt(s.Issued.UnixNano(), 36) + "." + s.Root.String()
}

func parseAfter(text string) (*job, error) {
	when, root, ok := strings.Cut(text, ".")
	if !ok {
		return nil, ErrAfter
	}
	nano, err := strconv.ParseInt(when, 36, 64)
	if err != nil {
		return nil, ErrAfter
	}
	d, err := api.ParseDigest(root)
	if err != nil {
		return nil, ErrAfter
	}
	return &job{Job: Job{Root: d, Issued: time.Unix(0, nano)}}, nil
}

// BaseName is the name that an id was made of: of "build-1", "build-1-3fa2" and
// "build-1~a0b1c2", "build".
func BaseName(id api.Name) api.Name {
	base, _, _ := api.SplitJobID(id)
	text, _, _ := strings.Cut(string(base), "~")
	return api.Name(text)
}

// ErrUnknown is returned for a job or run that is not there.
var ErrUnknown = errors.New("no such job")

// Resolve finds a job, and perhaps one of its runs, as people name them: "build-1", a
// base name ("build" is its newest), the first digits of a root with "~" before them; and
// after an "@" the run: its key, an index, or an instant such as 2026-11-23T02:00Z.
func (b *Book) Resolve(text string) (api.Digest, api.RunKey, error) {
	name, which, picked := strings.Cut(text, "@")
	e := b.lookup(name)
	if e == nil {
		return api.Digest{}, "", fmt.Errorf("job %.80q: %w; see realm job list", name, ErrUnknown)
	}
	if !picked {
		return e.Root, "", nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04Z07:00"} {
		if t, err := time.Parse(layout, which); err == nil {
			which = string(api.NewRunKey(t, 0))
		}
	}
	key, err := api.ParseRunKey(which)
	if err != nil {
		return api.Digest{}, "", err
	}
	if e.runs[key] == nil {
		return api.Digest{}, "", fmt.Errorf("run %s of %s: %w; see realm job status %s", key, e.Name, ErrUnknown, e.Name)
	}
	return e.Root, key, nil
}

func (b *Book) lookup(name string) *job {
	if e := b.names[api.Name(name)]; e != nil {
		return e
	}
	base, digits, fork := strings.Cut(name, "~")
	if _, err := hex.DecodeString(digits); fork && (err != nil || len(digits) < 6) {
		return nil
	}
	for _, e := range b.listed {
		switch {
		case fork && strings.HasPrefix(e.Root.String(), digits) && (base == "" || strings.HasPrefix(string(e.Name), base)),
			!fork && BaseName(e.Name) == api.Name(name):
			return e
		}
	}
	return nil
}
