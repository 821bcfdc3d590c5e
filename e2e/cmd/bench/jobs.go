package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/e2e/internal/node"
)

// jobRounds is how often jobs and runs take turns.
const jobRounds = 3

// measureJobs measures one-shot wasm jobs on the mesh beside as many "realm run" of the same
// program, as many at a time as the mesh has places, and how soon one job begins.
func (b *bench) measureJobs(ctx context.Context) error {
	places := meshSize * runtime.NumCPU()
	samples, err := filepath.Abs(b.samples)
	if err != nil {
		return err
	}
	module := filepath.Join(samples, "wasm-job.wasm")
	first := b.nodes[0]
	first.Env = append(first.Env, "XDG_CACHE_HOME="+filepath.Join(b.dir, "cache"))
	if _, err := first.Do(ctx, "run", module); err != nil { // compiled once, as on the nodes
		return err
	}
	var byJobs, byRuns []time.Duration
	executed := 0
	for round := range jobRounds {
		took, n, err := b.submitMany(ctx, round, module)
		if err != nil {
			return err
		}
		byJobs, executed = append(byJobs, took), executed+n
		if took, err = b.runMany(ctx, module, places); err != nil {
			return err
		}
		byRuns = append(byRuns, took)
	}
	slices.Sort(byJobs)
	slices.Sort(byRuns)
	rate := func(d time.Duration) float64 { return float64(b.jobs) / d.Seconds() }
	jobs, runs := byJobs[jobRounds/2], byRuns[jobRounds/2]
	row(fmt.Sprintf("%d wasm jobs on %d nodes, from realm job submit to the last result: a second", b.jobs, meshSize), fmt.Sprintf("%.0f", rate(jobs)), "", fmt.Sprintf("%.2f", rate(jobs)/rate(runs)))
	row(fmt.Sprintf("the same by realm run, %d at a time: a second", places), fmt.Sprintf("%.0f", rate(runs)), "", "1")
	row(fmt.Sprintf("executions of %d jobs", b.jobs*jobRounds), fmt.Sprint(executed), "", "")
	return b.submitOne(ctx, module)
}

// jobFiles writes job files that run a module.
func (b *bench) jobFiles(name, module string, n int) ([]string, error) {
	files := make([]string, 0, n)
	for i := range n {
		file := filepath.Join(b.dir, fmt.Sprintf("%s-%d.toml", name, i))
		text := fmt.Sprintf("name = \"%s-%d\"\n[runtime]\ntype = \"wasm\"\nsource = %q\nargs = [\"%d\"]\n", name, i, module, i)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	return files, nil
}

// submitMany returns how long all jobs took, and how often they were executed.
func (b *bench) submitMany(ctx context.Context, round int, module string) (time.Duration, int, error) {
	name := fmt.Sprintf("work-%d", round)
	files, err := b.jobFiles(name, module, b.jobs)
	if err != nil {
		return 0, 0, err
	}
	begun := time.Now()
	if _, err := b.nodes[0].Do(ctx, append([]string{"job", "submit", "--wait=false"}, files...)...); err != nil {
		return 0, 0, err
	}
	var last time.Time
	executed := 0
	err = node.Until(ctx, "all jobs to end", func(ctx context.Context) error {
		var list api.JobsReply
		if err := b.nodes[meshSize-1].JSON(ctx, &list, "job", "list", "--all"); err != nil {
			return err
		}
		ended := 0
		executed = 0
		for _, j := range list.Jobs {
			if !strings.HasPrefix(string(j.Job), name+"-") {
				continue
			}
			executed += j.Runs.Executions
			switch {
			case j.State == api.JobSucceeded:
				ended++
				if j.Ended.After(last) {
					last = j.Ended
				}
			case j.State.Ended():
				return node.Final(fmt.Errorf("%s is %s: %s", j.Job, j.State, j.Reason))
			}
		}
		if ended < b.jobs {
			return fmt.Errorf("%d have", ended)
		}
		return nil
	})
	return last.Sub(begun), executed, err
}

// runMany runs the module as often, without the mesh.
func (b *bench) runMany(ctx context.Context, module string, places int) (time.Duration, error) {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(places)
	begun := time.Now()
	for i := range b.jobs {
		g.Go(func() error {
			_, err := b.nodes[0].Do(ctx, "run", module, fmt.Sprint(i))
			return err
		})
	}
	err := g.Wait()
	return time.Since(begun), err
}

// submitOne measures how long one job after the other takes to begin, from before
// realm job submit, its process included, and from when its intent was signed.
func (b *bench) submitOne(ctx context.Context, module string) error {
	const count = 20
	files, err := b.jobFiles("one", module, count)
	if err != nil {
		return err
	}
	var whole, signed times
	for i, file := range files {
		begun := time.Now()
		if _, err := b.nodes[i%meshSize].Do(ctx, "job", "submit", file, "--wait"); err != nil {
			return err
		}
		var st api.JobStatus
		if err := b.nodes[0].JSON(ctx, &st, "job", "status", fmt.Sprintf("one-%d-1", i)); err != nil {
			return err
		}
		whole = append(whole, st.Started.Sub(begun))
		signed = append(signed, st.Started.Sub(st.Issued))
	}
	row("from the start of `realm job submit` to the start of the job", ms(whole.p(50)), ms(whole.p(95)), "")
	row("the same from when it was signed", ms(signed.p(50)), ms(signed.p(95)), "")
	return nil
}
