package jobfile

import (
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/schedule"
	"github.com/realm-mesh/realm/realm/internal/tomlfile"
)

// reader is a job file that is being read into a plan.
type reader struct {
	*tomlfile.Document
	dir    string
	fields []tomlfile.Field // of the top
	plan   Plan

	env     map[string]string // of the whole file; that of the runtime comes before it
	cron    *tomlfile.Field   // the schedule, nil for none
	sched   api.JobSchedule   // and what belongs to it
	zone    *tomlfile.Field   // whose clock it is about, nil for UTC
	timed   *tomlfile.Field   // a key that is for schedules only
	expires *tomlfile.Field
}

// read reads the whole file.
func (r *reader) read(root *tomlfile.Value) {
	top := r.topKeys()
	r.misplaced(root, top)
	r.fields = root.Fields
	r.Table(tomlfile.Field{Value: root}, "a job file", top)
	if len(r.Problems) > 0 {
		return
	}
	j := &r.plan.Body
	switch {
	case r.plan.Name == "":
		r.Wrong(tomlfile.Span{}, "name is missing: jobs are called by it, as NAME-1, NAME-2 and so on")
	case j.Runtime.Type == "":
		r.Wrong(tomlfile.Span{}, "[runtime] is missing: say what is to be executed, by type and source or binary")
	default:
		r.settle(j)
	}
	if len(r.Problems) == 0 {
		r.whole(j)
	}
}

// topKeys are the keys outside of any table.
func (r *reader) topKeys() tomlfile.Keys {
	j := &r.plan.Body
	return tomlfile.Keys{
		"name":     r.name,
		"job_type": func(f tomlfile.Field) { j.Type = api.JobType(r.word(f, words(api.JobTypes())...)) },
		"schedule": func(f tomlfile.Field) { r.sched.Cron, _ = r.Str(f); r.cron = &f },
		"time_zone": func(f tomlfile.Field) {
			r.sched.TimeZone, _ = r.Str(f)
			r.timed, r.zone = &f, &f
		},
		"missed_runs": func(f tomlfile.Field) {
			r.sched.Missed = api.MissedRuns(r.Choice(f, "skip", string(api.MissedLast), string(api.MissedAll)))
			r.timed = &f
		},
		"concurrency": func(f tomlfile.Field) {
			r.sched.Concurrency = api.JobConcurrency(r.Choice(f, "allow", string(api.ConcurrencyForbid), string(api.ConcurrencyReplace)))
			r.timed = &f
		},
		"retries":     func(f tomlfile.Field) { n, _ := r.Whole(f, 0, api.MaxRetries); j.Retries = int(n) },
		"backoff":     func(f tomlfile.Field) { j.Backoff = r.backoff(f) },
		"parallelism": func(f tomlfile.Field) { n, _ := r.Integer(f, api.MaxParallelism); j.Parallelism = int(n) },
		"needs":       func(f tomlfile.Field) { j.Needs = r.needs(f) },
		"once":        func(f tomlfile.Field) { j.Once = api.JobOnce(r.Choice(f, "at-least", string(api.OnceStrict))) },
		"electors":    func(f tomlfile.Field) { j.Electors = r.Peers(f) },
		"keep":        func(f tomlfile.Field) { n, _ := r.Integer(f, api.MaxKeep); j.Keep = int(n) },
		"expires":     func(f tomlfile.Field) { r.plan.Expires = r.expiry(f); r.expires = &f },
		"resources":   func(f tomlfile.Field) { j.Resources = r.resources(f) },
		"env":         func(f tomlfile.Field) { r.env = r.Env(f) },
		"ports":       func(f tomlfile.Field) { j.Ports = r.Ports(f) },
		"allow_hosts": func(f tomlfile.Field) { j.Runtime.AllowHosts = r.Hosts(f) },
		"runtime":     r.runtime,
		"execution":   r.execution,
		"targeting":   r.targeting,
	}
}

// misplaced notes keys that stand in the wrong table, and takes them out of it.
func (r *reader) misplaced(root *tomlfile.Value, top tomlfile.Keys) {
	inside := map[string]string{}
	for table, keys := range map[string]tomlfile.Keys{"runtime": r.runtimeKeys(), "execution": r.executionKeys(), "targeting": r.targetingKeys()} {
		for k := range keys {
			inside[k] = table
		}
	}
	kept := root.Fields[:0]
	for _, f := range root.Fields {
		table, there := inside[f.Key]
		if _, here := top[f.Key]; !here && there {
			r.Wrong(f.At, "%s is a key of [%s]: put it below that line", f.Key, table)
			continue
		}
		if f.Key == "runtime" || f.Key == "execution" || f.Key == "targeting" {
			r.swallowed(f, inside, top)
		}
		kept = append(kept, f)
	}
	root.Fields = kept
}

// swallowed notes keys of the top that stand below the line of a table, where TOML takes
// them for that table's.
func (r *reader) swallowed(table tomlfile.Field, inside map[string]string, top tomlfile.Keys) {
	kept := table.Fields[:0]
	for _, f := range table.Fields {
		where, there := inside[f.Key]
		if _, here := top[f.Key]; here && !there {
			r.Wrong(f.At, "%s is a key of the job itself: put it above the first line with brackets", f.Key)
			continue
		}
		if there && where != table.Key && f.Key != "env" {
			r.Wrong(f.At, "%s is a key of [%s]: put it below that line", f.Key, where)
			continue
		}
		kept = append(kept, f)
	}
	table.Fields = kept
}

// settle puts together what several keys say.
func (r *reader) settle(j *api.Job) {
	if j.Type == "" {
		j.Type = api.JobOneShot
		if r.cron != nil {
			j.Type = api.JobRecurring
		}
	}
	switch {
	case j.Type == api.JobRecurring && r.cron == nil:
		r.Wrong(tomlfile.Span{}, "a recurring job has a schedule, such as schedule = \"0 2 * * *\", each night at two")
	case j.Type != api.JobRecurring && r.cron != nil:
		r.Wrong(r.cron.At, "only recurring jobs have a schedule: say job_type = \"recurring\"")
	case r.cron == nil && r.timed != nil:
		r.Wrong(r.timed.At, "%s is for recurring jobs, which have a schedule", r.timed.Key)
	case r.cron != nil:
		if _, err := schedule.Parse(r.sched.Cron, r.sched.TimeZone); err != nil {
			at := r.cron
			if _, utc := schedule.Parse(r.sched.Cron, ""); utc == nil {
				at = r.zone // the schedule would do elsewhere
			}
			r.Wrong(at.Value.At, "%s", err)
		}
		j.Schedule = &r.sched
	}
	switch {
	case j.Type != api.JobOneShot && r.expires != nil:
		r.Wrong(r.expires.At, "only one-shot jobs expire: realm job cancel ends others")
	case j.Type == api.JobOneShot && r.plan.Expires == 0:
		r.plan.Expires = DefaultExpiry
	}
	if len(r.env) > 0 {
		all := maps.Clone(r.env)
		maps.Copy(all, j.Runtime.Env)
		j.Runtime.Env = all
	}
}

// whole checks what no key tells by itself.
func (r *reader) whole(j *api.Job) {
	trial := *j
	unknown := api.BlobInfo{SHA256: api.Sum(nil), Size: 1}
	trial.Runtime.Program = unknown
	trial.PreStage = append([]api.JobStage{}, j.PreStage...)
	for i := range trial.PreStage {
		trial.PreStage[i].Blob = unknown
	}
	if err := trial.Validate(); err != nil {
		r.Wrong(r.named(err), "%s", strings.TrimPrefix(err.Error(), "job: "))
	}
	if err := r.plan.Target.Validate(); err != nil {
		r.Wrong(tomlfile.Span{}, "%s", err)
	}
}

// named is the key of the top that an error of the whole job begins with, or where the
// file begins.
func (r *reader) named(err error) tomlfile.Span {
	words := strings.FieldsFunc(strings.TrimPrefix(err.Error(), "job: "), func(c rune) bool { return c == ' ' || c == ':' })
	for _, f := range r.fields {
		if len(words) > 0 && f.Key == words[0] {
			return f.At
		}
	}
	return tomlfile.Span{}
}

func (r *reader) name(f tomlfile.Field) {
	s, ok := r.Str(f)
	if !ok {
		return
	}
	n, err := Base(s)
	if err != nil {
		r.Wrong(f.Value.At, "%s", err)
	}
	r.plan.Name = n
}

// Base checks the name that the ids of jobs begin with.
func Base(s string) (api.Name, error) {
	n, err := api.ParseName(s)
	if err == nil && len(n) > api.MaxJobBase {
		err = fmt.Errorf("name %s: at most %d characters, since a number is added to it", n, api.MaxJobBase)
	}
	if err != nil {
		return "", err
	}
	return n, nil
}

func words[T ~string](all []T) (out []string) {
	for _, w := range all {
		out = append(out, string(w))
	}
	return out
}

// word reads one of some words.
func (r *reader) word(f tomlfile.Field, known ...string) string {
	s := r.Choice(f, known[0], known[1:]...)
	if s == "" && f.Kind == unstable.String && strings.EqualFold(f.Text, known[0]) {
		return known[0]
	}
	return s
}

func (r *reader) backoff(f tomlfile.Field) (b api.Backoff) {
	if f.Kind == unstable.String {
		b.Initial = r.Duration(f)
		return b
	}
	r.Table(f, "backoff", tomlfile.Keys{
		"initial": func(f tomlfile.Field) { b.Initial = r.Duration(f) },
		"max":     func(f tomlfile.Field) { b.Max = r.Duration(f) },
	})
	return b
}

func (r *reader) needs(f tomlfile.Field) (needs []api.Name) {
	r.Strings(f, func(item tomlfile.Field, s string) {
		n, err := api.ParseName(s)
		if err != nil {
			r.Wrong(item.Value.At, "needs: %s: want the ids of jobs, such as build-1", err)
			return
		}
		needs = append(needs, n)
	})
	return needs
}

// Most of a resource, as package api has them.
const (
	maxCPUs = 1 << 16
	maxMB   = 1 << 30
)

func (r *reader) resources(f tomlfile.Field) (res api.JobResources) {
	memory := func(f tomlfile.Field) {
		if res.MemoryMB != 0 {
			r.Wrong(f.At, "memory and memory_mb are the same: leave one out")
		}
		res.MemoryMB, _ = r.Integer(f, maxMB)
	}
	r.Table(f, "resources", tomlfile.Keys{
		"cpus":      func(f tomlfile.Field) { n, _ := r.Number(f, maxCPUs); res.CPUMilli = max(int(n*1000+0.5), bit(n > 0)) },
		"memory":    memory,
		"memory_mb": memory,
		"disk_mb":   func(f tomlfile.Field) { res.DiskMB, _ = r.Integer(f, maxMB) },
	})
	return res
}

func bit(set bool) int {
	if set {
		return 1
	}
	return 0
}

// expiry reads a time span that may be in days.
func (r *reader) expiry(f tomlfile.Field) time.Duration {
	s, ok := r.Str(f)
	if !ok {
		return 0
	}
	span, err := Span(s)
	if err != nil {
		r.Wrong(f.Value.At, "expires: %s", err)
	}
	return span
}

// Span reads how long after it was submitted a job may begin: "12h", or "30d".
func Span(s string) (time.Duration, error) {
	text, unit := s, time.Duration(1)
	if days, ok := strings.CutSuffix(s, "d"); ok {
		text, unit = days+"h", 24
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 || d > api.MaxJobLife/unit {
		return 0, fmt.Errorf("%.40q: want a time span such as \"12h\" or \"30d\", of %d days at most", s, api.MaxJobLife/(24*time.Hour))
	}
	return d * unit, nil
}
