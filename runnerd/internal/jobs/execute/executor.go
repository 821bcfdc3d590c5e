package execute

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/engine"
	"github.com/realm-mesh/realm/internal/kit/atomicfile"
	"github.com/realm-mesh/realm/internal/kit/policy"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
	"github.com/realm-mesh/realm/runnerd/internal/jobs"
	"github.com/realm-mesh/realm/runnerd/internal/native"
)

// Blobs is the node's store.
type Blobs interface {
	// Bring has the blob be here, from members if need be.
	Bring(context.Context, api.BlobInfo) error
	Open(context.Context, api.BlobInfo) (io.ReadCloser, error)
	Put(context.Context, io.Reader) (api.BlobInfo, error)
}

// Loader makes wasm programs ready: [program.Loader].
type Loader interface {
	Load(ctx context.Context, p api.Program, stage func(api.State)) (*engine.Module, error)
}

// Admission is what the node gives to programs: [admit.Node].
type Admission interface {
	Bound(api.Workload) (api.Workload, error)
	Open([]api.Mount) ([]engine.Mount, func(), error)
}

// Config says what an Executor works with.
type Config struct {
	Folder  string // of executions
	Tails   string // folder of what is kept for other members
	Blobs   Blobs
	Loader  Loader
	Admit   Admission
	Policy  func() (policy.Policy, error) // what this machine allows, now
	Private []string                      // paths that no program sees
	// Account is told what wasm jobs use; nil: nobody.
	Account func(job api.Name, u engine.Usage)
	Log     *slog.Logger
}

// Executor implements [jobs.Executor] and [jobs.Output].
type Executor struct {
	cfg     Config
	machine func() (native.Confinement, error) // probed once
	tails   *tails
	warm    *warm

	mu  sync.Mutex
	all map[api.Exec]*execution // that go on here
}

// New returns an Executor. It makes its folders.
func New(cfg Config) (*Executor, error) {
	for _, dir := range []string{cfg.Folder, cfg.Tails} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("make a folder for jobs: %w", err)
		}
	}
	return &Executor{cfg: cfg, tails: newTails(cfg.Tails), warm: newWarm(cfg.Loader), all: map[api.Exec]*execution{},
		machine: sync.OnceValues(func() (native.Confinement, error) { return native.Probe(context.Background()) })}, nil
}

// Names of what is in an execution's folder.
const (
	orderFile   = "order.json"
	outcomeFile = "outcome.json"
	resultFile  = "result.json"
	programDir  = "program"
	assetsDir   = "assets"
	workDir     = "work"
	shimDir     = "shim"
	logFile     = "log"
	maxOrder    = 2 * api.MaxEnvelope
	maxResult   = 64 << 10
	foldersMode = 0o700
)

func (e *Executor) dir(x api.Exec) string {
	return filepath.Join(e.cfg.Folder, x.Root.String()[:20]+"."+string(x.Run)+"."+strconv.Itoa(x.Epoch))
}

// workDir is the folder of a run whose execution has the folder dir: in that, unless this
// machine does not let native programs reach it there.
func (e *Executor) workDir(dir string, r api.RuntimeType) string {
	inside := filepath.Join(dir, workDir)
	if r == api.RuntimeWasm {
		return inside
	}
	m, err := e.machine()
	if err != nil {
		return inside // it will not be started
	}
	root, err := native.WorkRoot(m, e.cfg.Folder)
	if err != nil || root == e.cfg.Folder {
		return inside // likewise
	}
	return filepath.Join(root, filepath.Base(dir))
}

// Begin implements [jobs.Executor].
func (e *Executor) Begin(o jobs.Order, report func(jobs.Change)) jobs.Execution {
	x := e.add(o, report)
	go x.whole()
	return x
}

func (e *Executor) add(o jobs.Order, report func(jobs.Change)) *execution {
	x := newExecution(e, o, report)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all[o.Exec] = x
	return x
}

func (e *Executor) get(x api.Exec) *execution {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.all[x]
}

func (e *Executor) gone(x api.Exec) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.all, x)
}

// Forget implements [jobs.Executor].
func (e *Executor) Forget(x api.Exec) {
	if err := os.RemoveAll(e.dir(x)); err != nil {
		e.cfg.Log.Warn("remove what is left of a job", telemetry.Error(err))
	}
}

// Kept implements [jobs.Executor]. A log that the store did not take stays.
func (e *Executor) Kept(x api.Exec) {
	if _, err := os.Stat(filepath.Join(e.dir(x), logFile)); err != nil {
		e.Forget(x)
	}
}

// Recover implements [jobs.Executor].
func (e *Executor) Recover() ([]jobs.Found, error) {
	entries, err := os.ReadDir(e.cfg.Folder)
	if err != nil {
		return nil, fmt.Errorf("find jobs that went on: %w", err)
	}
	var out []jobs.Found
	for _, entry := range entries {
		dir := filepath.Join(e.cfg.Folder, entry.Name())
		o, err := readOrder(dir)
		if err != nil {
			e.cfg.Log.Warn("a folder of no job is removed", "folder", entry.Name(), telemetry.Error(err))
			if err := os.RemoveAll(dir); err != nil {
				return nil, fmt.Errorf("remove a folder of no job: %w", err)
			}
			continue
		}
		out = append(out, e.found(dir, o))
	}
	return out, nil
}

// found says what has become of an execution.
func (e *Executor) found(dir string, o jobs.Order) jobs.Found {
	f := jobs.Found{Exec: o.Exec}
	if last, err := readChange(filepath.Join(dir, resultFile)); err == nil {
		f.Last = last
		return f
	}
	if c, err := readChange(filepath.Join(dir, outcomeFile)); err == nil {
		f.Resume = func(report func(jobs.Change)) jobs.Execution {
			x := e.add(o, report)
			go x.end(c)
			return x
		}
		return f
	}
	lost := func(why string) jobs.Found {
		f.Resume = func(report func(jobs.Change)) jobs.Execution {
			x := e.add(o, report)
			go x.end(jobs.Change{State: api.ExecLost, Reason: why, Ended: time.Now()})
			return x
		}
		return f
	}
	if o.Body.Runtime.Type == api.RuntimeWasm {
		return lost("runnerd has ended under it")
	}
	program, err := native.Attach(filepath.Join(dir, shimDir))
	switch {
	case errors.Is(err, native.ErrNone):
		return lost("runnerd has ended before it began")
	case err != nil:
		return lost(err.Error())
	}
	f.Resume = func(report func(jobs.Change)) jobs.Execution {
		x := e.add(o, report)
		go x.resume(program)
		return x
	}
	return f
}

func readOrder(dir string) (o jobs.Order, err error) {
	if err := readJSON(filepath.Join(dir, orderFile), maxOrder, &o); err != nil {
		return o, err
	}
	if o.Body == nil || o.Exec.Root.IsZero() {
		return o, errors.New("it has no job")
	}
	return o, o.Body.Validate()
}

func readChange(path string) (c jobs.Change, err error) {
	if err := readJSON(path, maxResult, &c); err != nil {
		return c, err
	}
	if !c.State.Ended() {
		return c, errors.New("it is no result")
	}
	return c, nil
}

func readJSON(path string, limit int64, v any) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	b, err := api.ReadAll(f, limit)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, v)
}

func writeJSON(path string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return atomicfile.Write(path, b, 0o600)
}

// Lines implements [jobs.Output].
func (e *Executor) Lines(ctx context.Context, x api.Exec, q jobs.Lines, emit func(api.LogLine) error) (bool, error) {
	if running := e.get(x); running != nil {
		return true, running.log.lines(ctx, q, emit)
	}
	path := filepath.Join(e.dir(x), logFile)
	if _, err := os.Stat(path); err == nil {
		return true, ended(path).lines(ctx, q, emit)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	return e.tails.lines(ctx, x, q, emit)
}

// Keep implements [jobs.Output].
func (e *Executor) Keep(t *api.JobTail) error { return e.tails.keep(t) }

// Drop implements [jobs.Output].
func (e *Executor) Drop(x api.Exec) { e.tails.drop(x) }

// Confined says what of the confinement of native programs does not hold on this machine.
func (e *Executor) Confined() (out []string) {
	m, err := e.machine()
	if err != nil {
		return []string{err.Error()}
	}
	for _, l := range m.Missing() {
		out = append(out, l.Name+": "+l.Reason)
	}
	return out
}
