package runnerd

import (
	"context"
	"crypto"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/engine"
	"github.com/realm-mesh/realm/internal/kit/bus"
	"github.com/realm-mesh/realm/internal/kit/clock"
	"github.com/realm-mesh/realm/internal/kit/daemon"
	"github.com/realm-mesh/realm/internal/kit/gate"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/paths"
	"github.com/realm-mesh/realm/internal/kit/task"
	"github.com/realm-mesh/realm/internal/kit/trace"
	"github.com/realm-mesh/realm/internal/kit/trust"
	"github.com/realm-mesh/realm/internal/kit/wanted"
	"github.com/realm-mesh/realm/internal/kit/wanted/feed"
	"github.com/realm-mesh/realm/runnerd/internal/admit"
	"github.com/realm-mesh/realm/runnerd/internal/logs"
	"github.com/realm-mesh/realm/runnerd/internal/native"
	"github.com/realm-mesh/realm/runnerd/internal/native/confine"
	"github.com/realm-mesh/realm/runnerd/internal/native/shim"
	"github.com/realm-mesh/realm/runnerd/internal/program"
	"github.com/realm-mesh/realm/runnerd/internal/reconcile"
	"github.com/realm-mesh/realm/runnerd/internal/secrets"
	"github.com/realm-mesh/realm/runnerd/internal/service"
	"github.com/realm-mesh/realm/runnerd/internal/single"
	"github.com/realm-mesh/realm/runnerd/internal/workload"
)

// Main runs the daemon, or as a child of it compiles one module or stands by one native
// program, or runs one module for the command line, and returns the exit code of the process.
func Main() int {
	switch command := append(os.Args, "")[1]; command {
	case engine.CompileCommand:
		return engine.Child(os.Args[2:], os.Stdin, os.Stdout)
	case api.RunCommand:
		return single.Main(os.Getenv(api.EnvRun), single.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})
	case native.ShimCommand:
		return shim.Main(os.Stdin, os.Stdout)
	case confine.InitCommand:
		return confine.Init()
	}
	leaveNoCore()
	return daemon.Main(api.Runnerd, New)
}

const (
	callsPerCPU  = 4               // function calls at once
	minCalls     = 8               // however few processors there are
	requests     = 32              // requests to components at once; most of their time they wait
	waiting      = 256             // calls, or requests, that wait for their turn
	patience     = 5 * time.Second // how long each does
	startTimeout = 20 * time.Second
	tellTry      = 5 * time.Second // one request to meshd
)

// Daemon is runnerd, wired.
type Daemon struct {
	env     *daemon.Env
	self    api.PeerID
	clock   *clock.Clock
	marks   *trust.Marks
	facts   *facts
	book    *wanted.Book
	intents *feed.Feed
	mesh    *mesh
	jobs    *jobber
	key     crypto.Signer
	duties  *reconcile.Reconciler
	set     *workload.Set
	volumes *volumes
	engine  *engine.Engine
	tracer  *trace.Tracer // nil: nothing is traced
}

// New wires the daemon.
func New(ctx context.Context, env *daemon.Env) (daemon.Daemon, error) {
	key, err := keys.Read(env.Home.NodeKey())
	if err != nil {
		return nil, err
	}
	exe, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	own := keys.PublicOf(key)
	d := &Daemon{env: env, key: key, self: keys.Peer(own.Key()), clock: clock.Open(env.Home.Clock())}
	if d.tracer, err = trace.New(ctx, env.Config, api.Runnerd, d.self, env.Log); err != nil {
		return nil, err
	}
	if d.marks, err = trust.OpenMarks(env.Home.Marks(api.Runnerd)); err != nil {
		return nil, err
	}
	book := wanted.New(wanted.Config{
		Pin:   func() (trust.Pin, error) { return trust.ReadPin(env.Home.Pin()) },
		Marks: d.marks, Now: d.clock.Now, Log: env.Log,
	})
	d.book = book
	kept := &workload.Kept{Path: env.Home.LastGood, Open: book.Open}
	store := &blobs{client: env.Client}
	admission := newAdmission(env)
	if d.volumes, err = newVolumes(env.Home, jobBlobs{store}, admission, book, d.self, key, env.Log); err != nil {
		return nil, err
	}
	d.duties = reconcile.New(reconcile.Config{
		Self: d.self, Roles: env.Config.Roles, Capacity: env.Config.Capacity(), Realm: book, Holders: d.volumes.Holders, Kept: kept.Has,
		Apply: func(ctx context.Context, w workload.Want) error { return d.set.Apply(ctx, w) }, Now: time.Now,
	})
	d.volumes.held = d.duties.Held
	d.volumes.tell = func(ctx context.Context, all [][]byte) error {
		ctx, cancel := context.WithTimeout(ctx, tellTry)
		defer cancel()
		return env.Bus.Request(ctx, api.SubjectHoldings, api.TellHoldings{Statements: all}, &api.Empty{})
	}
	intents, records, err := d.openBuckets(ctx)
	if err != nil {
		return nil, err
	}
	calls := max(minCalls, callsPerCPU*runtime.GOMAXPROCS(0))
	functions, components := gate.New(gateConfig(calls)), gate.New(gateConfig(requests))
	m := newMetrics(env.Metrics, sources{d.facts.counts, d.duties.Counts, book.Manifests, d.countJobs, []*gate.Gate{functions, components}})
	cache := env.Home.Cache(api.Runnerd)
	d.engine = engine.New(engine.NewCache(cache))
	loader := newTidyLoader(program.NewLoader(store, &timedCompiler{program.NewCompiler(exe, cache), m}, d.engine))
	if d.jobs, err = newJobber(d, book, records, loader, admission, m.countExecution); err != nil { //nolint:contextcheck // signing waits for nothing
		return nil, err
	}
	d.mesh.jobs, d.mesh.volumes, d.mesh.secrets = d.jobs, d.volumes, newSecretPeers(d.self, env.Client)
	desk := secrets.New(secrets.Config{Self: d.self, Key: key, Roles: env.Config.Roles, Dir: env.Home.SecretKeys(), Realm: book, Peers: d.mesh.secrets, Log: env.Log})
	env.Mux.HandleFunc(api.RouteSecretKey, serveSecretKey(desk))
	d.jobs.Register(env.Mux)
	d.set = workload.NewSet(workload.Env{
		Self: d.self, Loader: loader,
		Admit:   admission,
		Folders: d.volumes.folders,
		Secrets: desk,
		Facts:   d.facts,
		Logs:    func(r api.Ref) *logs.Log { return logs.Open(r, env.Home.WorkloadLog(r), publisher(env.Bus), env.Log) },
		Kept:    kept,
		Stands:  book.Stands,
		Restart: m.countRestart,
		Account: m.account,
		Gone:    m.forget,
		Log:     env.Log,
	})
	e := &endpoints{set: d.set, metrics: m, log: env.Log, tracer: d.tracer,
		calls: functions, requests: components, services: service.New(d.jobs, env.Log)}
	e.register(env.Mux)
	(&volumeDoor{d.volumes, book.May, d.clock.Now, env.Log}).register(env.Mux)
	d.intents = feed.New(intents, book, d.clock.Now, func(c wanted.Change) {
		m.commands.Add(float64(c.Taken))
		if c.Secrets {
			desk.Tidy()
		}
		d.volumes.wanted(c)
		d.duties.Wanted(c)
		d.jobs.wanted(c)
	}, env.Log)
	return d, nil
}

// countJobs says how the jobs of the realm stand, once they are known.
func (d *Daemon) countJobs() (map[api.JobState]int, int) {
	if d.jobs == nil {
		return nil, 0
	}
	return d.jobs.Counts()
}

// newAdmission gives programs what the node's settings say, and nothing of the node's
// own or the owner's.
func newAdmission(env *daemon.Env) *admit.Node {
	unsaid, most := env.Config.ProgramLimits()
	return admit.New(admit.Config{MemoryMB: env.Config.Capacity().MemoryMB, Unsaid: unsaid, Most: most, Mounts: env.Config.Mounts, Private: private(env.Home)})
}

// private is what no program may see: the home with its sockets, and of the owner the
// key, the agent that has it unlocked, and which nodes the command line asks.
func private(h paths.Home) []string {
	out := []string{h.Root(), h.Run()}
	if key, err := paths.OwnerKey(); err == nil { // else this account has none
		out = append(out, key)
		if agent, err := paths.OpenKeyAgent(key); err == nil { // else there is no room for one
			out = append(out, agent.Dir())
		}
	}
	if file, err := paths.Contexts(); err == nil { // else this account has none
		out = append(out, file)
	}
	return out
}

// gateConfig leaves a quarter of the places to other workloads than the busiest.
func gateConfig(places int) gate.Config {
	return gate.Config{Places: places, Share: max(1, places*3/4), Queue: waiting, Patience: patience}
}

// openBuckets wires what follows the bus, and returns the buckets of intents and of jobs.
func (d *Daemon) openBuckets(ctx context.Context) (intents, jobs *bus.Bucket, err error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	open := map[string]*bus.Bucket{}
	for _, name := range []string{api.BucketIntents, api.BucketPeers, api.BucketWorkloads, api.BucketJobs} {
		b, err := d.env.Bus.Bucket(ctx, name)
		if err != nil {
			return nil, nil, err
		}
		open[name] = b
	}
	d.facts = newFacts(open[api.BucketWorkloads], d.self, d.env.Log)
	event := tellEvents(d.env.Bus)
	d.facts.changed = func(was, is api.WorkloadFact) {
		d.duties.Own(is)
		event(was, is)
	}
	d.mesh = &mesh{peers: open[api.BucketPeers], workloads: open[api.BucketWorkloads], to: d.duties, log: d.env.Log}
	return open[api.BucketIntents], open[api.BucketJobs], nil
}

// Run looks after the node's programs until ctx ends.
func (d *Daemon) Run(ctx context.Context) error {
	defer d.marks.Close()
	defer d.clock.Close()
	defer d.engine.MakeRoom()()
	x := &explainer{duties: d.duties, facts: d.mesh.workloads, home: d.env.Home}
	if err := x.register(d.env.Service, d.env.Mux); err != nil {
		return fmt.Errorf("answer requests: %w", err)
	}
	return task.Run(ctx, d.tracer.Run, d.set.Run, d.duties.Run, d.intents.Run,
		d.mesh.watchPeers, d.mesh.watchWorkloads, d.facts.write, d.begin,
		func(ctx context.Context) error { return d.volumes.run(ctx, d.intents.Known()) },
		d.jobs.watchRecords, func(ctx context.Context) error { return d.jobs.run(ctx, d.intents.Known()) })
}

// begin reports ready once all intents are known, and then looks after the facts
// in the bucket.
func (d *Daemon) begin(ctx context.Context) error {
	select {
	case <-d.intents.Known():
		d.duties.End(reconcile.Intents)
	case <-ctx.Done():
		return nil
	}
	if _, err := trust.ReadPin(d.env.Home.Pin()); err != nil {
		d.env.Log.Warn("no intents are followed", slog.Any("reason", err))
	}
	if err := d.env.Ready(ctx, fmt.Sprintf("%d intents known", d.book.Count())); err != nil {
		if ctx.Err() != nil {
			return nil //nolint:nilerr // it is to stop already
		}
		return err
	}
	return d.facts.watch(ctx)
}
