package api

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// JobType says how often a job runs, and whether its end is what it is for.
type JobType string

// The types.
const (
	JobOneShot   JobType = "one-shot"  // each of its runs ends, once
	JobRecurring JobType = "recurring" // it runs at the instants of its schedule
	JobService   JobType = "service"   // it is kept up, and started again whenever it ends
)

// JobTypes are all that there are.
func JobTypes() []JobType { return []JobType{JobOneShot, JobRecurring, JobService} }

// RuntimeType says what executes a job.
type RuntimeType string

// The runtimes.
const (
	RuntimeWasm   RuntimeType = "wasm"   // a command for WASI 0.1 or 0.2, in the sandbox
	RuntimeNative RuntimeType = "native" // a program of the machine's own, confined; by the machine's policy only
	RuntimeQEMU   RuntimeType = "qemu"   // likewise, of another platform, under qemu's user-mode emulation
)

// RuntimeTypes are all that there are.
func RuntimeTypes() []RuntimeType { return []RuntimeType{RuntimeWasm, RuntimeNative, RuntimeQEMU} }

// Job is the body of a [KindJob] intent. Which members may run it, its target and
// Platform say. An intent of a job is followed by at most one kind of other version:
// the same body with Cancelled, or a tombstone.
type Job struct {
	Type    JobType    `json:"type"`
	Runtime JobRuntime `json:"runtime"`

	Schedule *JobSchedule `json:"schedule,omitempty"` // of a recurring job; nil for others

	WorkingDir string        `json:"working_dir,omitempty"` // below the run's own folder; empty: that itself
	Timeout    Duration      `json:"timeout,omitzero"`      // of one execution; 0: none
	PreStage   []JobStage    `json:"pre_stage,omitempty"`
	Assets     []JobAsset    `json:"assets,omitempty"`
	Artifacts  []JobArtifact `json:"artifacts,omitempty"`

	Platform  string       `json:"platform,omitempty"` // GOOS/GOARCH of the member; empty: any that fits the runtime
	Resources JobResources `json:"resources,omitzero"`

	Retries     int      `json:"retries,omitempty"` // further executions of a run that has failed
	Backoff     Backoff  `json:"backoff,omitzero"`  // between them
	Parallelism int      `json:"parallelism,omitempty"`
	Needs       []Name   `json:"needs,omitempty"` // ids of jobs whose results have to be accepted first
	Once        JobOnce  `json:"once,omitempty"`
	Electors    []PeerID `json:"electors,omitempty"` // of once = "strict": an odd number, 1 to MaxElectors
	Keep        int      `json:"keep,omitempty"`     // copies of artifacts and logs; 0: [Copies]
	Ports       []Port   `json:"ports,omitempty"`    // of a service

	Cancelled bool `json:"cancelled,omitempty"`
}

// JobRuntime is what a job executes.
type JobRuntime struct {
	Type RuntimeType `json:"type"`
	// Program is the module, or the executable file: a binary, or a script with "#!".
	Program BlobInfo          `json:"program"`
	File    string            `json:"file,omitempty"` // its base name, for people and as argv[0]
	Args    []string          `json:"args,omitempty"`
	Env     map[string]string `json:"env,omitempty"`

	Limits     Limits   `json:"limits,omitzero"`       // wasm only
	Mounts     []Mount  `json:"mounts,omitempty"`      // wasm only
	AllowHosts []string `json:"allow_hosts,omitempty"` // wasm only: [ValidateAllowHosts]

	TargetPlatform string `json:"target_platform,omitempty"` // qemu only: GOOS/GOARCH of the program
	QEMU           string `json:"qemu,omitempty"`            // qemu only: name of the emulator on PATH; empty: by TargetPlatform
}

// JobSchedule says when a recurring job runs.
type JobSchedule struct {
	Cron        string         `json:"cron"`                // five fields, or six with seconds first
	TimeZone    string         `json:"time_zone,omitempty"` // IANA name; empty: UTC
	Missed      MissedRuns     `json:"missed,omitempty"`
	Concurrency JobConcurrency `json:"concurrency,omitempty"`
}

// MissedRuns says what becomes of instants at which no member was there to run the job.
type MissedRuns string

// The policies.
const (
	MissedSkip MissedRuns = ""     // nothing
	MissedLast MissedRuns = "last" // the last of them is run late
	MissedAll  MissedRuns = "all"  // all are, the newest MaxMissed at most
)

// MaxMissed is the most missed instants that are run late.
const MaxMissed = 100

// JobConcurrency says what becomes of a run whose time comes while one before it goes on.
type JobConcurrency string

// The policies.
const (
	ConcurrencyAllow   JobConcurrency = ""        // both run
	ConcurrencyForbid  JobConcurrency = "forbid"  // the new one is skipped
	ConcurrencyReplace JobConcurrency = "replace" // the old one is cancelled
)

// JobOnce says how often a run may be executed.
type JobOnce string

// The promises.
const (
	OnceAtLeast JobOnce = ""       // at least once, with one accepted result
	OnceStrict  JobOnce = "strict" // by nobody whom a majority of the electors has not let, so never by two
)

// JobStage is a blob that is put into the run's folder before it begins.
type JobStage struct {
	Blob BlobInfo `json:"blob"`
	Dest string   `json:"dest"` // path below the run's folder
}

// JobAsset is a file that a job finds as /tmp/assets/NAME, to be read. It is a blob, or
// an artifact of another job, which counts as one that is needed.
type JobAsset struct {
	Name string   `json:"name"`
	Blob BlobInfo `json:"blob,omitzero"`
	Job  Name     `json:"job,omitempty"`      // id of the job
	From string   `json:"artifact,omitempty"` // name of its artifact
}

// JobArtifact is a file that a run leaves, and that goes into the store.
type JobArtifact struct {
	Name string `json:"name"`
	Path string `json:"path"` // below the run's folder; of a folder, a tar archive is kept
}

// JobResources are what a member sets aside for a run.
type JobResources struct {
	CPUMilli int   `json:"cpu_milli,omitempty"` // thousandths of a processor; 0: DefaultCPUMilli
	MemoryMB int64 `json:"memory_mb,omitempty"` // MiB; 0: of a wasm job its memory limit, of others what is left
	DiskMB   int64 `json:"disk_mb,omitempty"`   // MiB of its folder; 0: DefaultJobDiskMB
}

// Backoff is the pause between executions of a run: Initial, doubled each time up to Max.
type Backoff struct {
	Initial Duration `json:"initial,omitzero"` // 0: DefaultJobBackoff
	Max     Duration `json:"max,omitzero"`     // 0: MaxDefaultJobBackoff
}

// Defaults of a job.
const (
	DefaultCPUMilli      = 1000
	DefaultJobDiskMB     = 10 << 10
	DefaultJobBackoff    = time.Second
	MaxDefaultJobBackoff = 5 * time.Minute
	// MaxLosses is how often a run is executed again because its member was lost, beside
	// its retries: one that takes its machines down must not take all of them.
	MaxLosses = 3
)

// Limits of a job.
const (
	MaxJobBase     = MaxNameLen - 8 // bytes of the name that its id begins with
	MaxParallelism = 1000
	MaxRetries     = 1000
	MaxElectors    = 9
	MaxKeep        = 16
	maxNeeds       = 64
	maxJobFiles    = 64 // assets, artifacts and stages, of each
	maxJobTime     = 366 * 24 * time.Hour
	maxCron        = 256
	maxJobDiskMB   = 1 << 30
	maxJobMemoryMB = 1 << 30
	// MaxJobLife is how long after it was issued a one-shot job may expire: it is not begun later.
	MaxJobLife = 90 * 24 * time.Hour
)

// JobID is the id of the nth job of that name: "build-1".
func JobID(base Name, n int) Name { return Name(fmt.Sprintf("%s-%d", base, n)) }

// Validate implements [Validator].
func (j *Job) Validate() error {
	for _, check := range []func() error{j.validateType, j.Runtime.validate, j.validateFiles, j.validateTimes, j.validateOnce,
		func() error { return ValidatePlatform(j.Platform) }, j.Resources.validate, (&Component{Ports: j.Ports}).validatePorts} {
		if err := check(); err != nil {
			return fmt.Errorf("job: %w", err)
		}
	}
	if len(j.Needs) > maxNeeds {
		return fmt.Errorf("job: needs: at most %d", maxNeeds)
	}
	for _, n := range j.Needs {
		if _, err := ParseName(string(n)); err != nil {
			return fmt.Errorf("job: needs: %w", err)
		}
	}
	return nil
}

func (j *Job) validateType() error {
	switch {
	case !slices.Contains(JobTypes(), j.Type):
		return fmt.Errorf("type %.40q: want one of %v", string(j.Type), JobTypes())
	case (j.Type == JobRecurring) != (j.Schedule != nil):
		return errors.New("schedule: recurring jobs have one, others have none")
	case j.Parallelism < 0 || j.Parallelism > MaxParallelism:
		return fmt.Errorf("parallelism %d: want 1 to %d", j.Parallelism, MaxParallelism)
	case j.Retries < 0 || j.Retries > MaxRetries:
		return fmt.Errorf("retries %d: want 0 to %d", j.Retries, MaxRetries)
	case j.Keep < 0 || j.Keep > MaxKeep:
		return fmt.Errorf("keep %d: want 1 to %d", j.Keep, MaxKeep)
	case len(j.Ports) > 0 && j.Type != JobService:
		return errors.New("ports: only services have any")
	case j.Schedule != nil:
		return j.Schedule.validate()
	}
	return nil
}

// validate checks all but the expression, which is for those to read who act on it.
func (s *JobSchedule) validate() error {
	switch {
	case s.Cron == "" || len(s.Cron) > maxCron || len(s.TimeZone) > maxCron:
		return errors.New("schedule: want a cron expression and the name of a time zone")
	case s.Missed != MissedSkip && s.Missed != MissedLast && s.Missed != MissedAll:
		return fmt.Errorf("missed_runs %.40q: want skip, last or all", string(s.Missed))
	case s.Concurrency != ConcurrencyAllow && s.Concurrency != ConcurrencyForbid && s.Concurrency != ConcurrencyReplace:
		return fmt.Errorf("concurrency %.40q: want allow, forbid or replace", string(s.Concurrency))
	}
	return nil
}

func (r *JobRuntime) validate() error {
	switch {
	case !slices.Contains(RuntimeTypes(), r.Type):
		return fmt.Errorf("runtime type %.40q: want one of %v", string(r.Type), RuntimeTypes())
	case r.Program.SHA256.IsZero() || r.Program.Size <= 0 || r.Program.Size > MaxBlob:
		return errors.New("runtime: program is missing")
	case r.Type == RuntimeWasm && r.Program.Size > MaxModule:
		return fmt.Errorf("runtime: a module of %d bytes: at most %d", r.Program.Size, MaxModule)
	case r.Type != RuntimeWasm && (len(r.Mounts) > 0 || len(r.AllowHosts) > 0 || r.Limits != Limits{}):
		return errors.New("runtime: mounts, allow_hosts, memory_mb, fuel and epoch_ms are for wasm; say resources.memory_mb")
	case (r.Type == RuntimeQEMU) != (r.TargetPlatform != ""):
		return errors.New("runtime: target_platform: qemu jobs have one, others have none")
	case r.QEMU != "" && (r.Type != RuntimeQEMU || !ValidFile(r.QEMU) || !strings.HasPrefix(r.QEMU, "qemu-")):
		return fmt.Errorf("runtime: qemu_binary %.80q: want the name of an emulator on PATH, such as qemu-aarch64-static", r.QEMU)
	case r.File != "" && !ValidFile(r.File):
		return fmt.Errorf("runtime: file %.80q: want a name without slashes", r.File)
	}
	c := &Component{Args: r.Args, Env: r.Env, Mounts: r.Mounts}
	hosts := func() error { return ValidateAllowHosts(r.AllowHosts) }
	platform := func() error { return ValidatePlatform(r.TargetPlatform) }
	for _, check := range []func() error{r.Limits.Validate, c.validateArgs, c.validateMounts, hosts, platform} {
		if err := check(); err != nil {
			return fmt.Errorf("runtime: %w", err)
		}
	}
	return nil
}

func (j *Job) validateFiles() error {
	if len(j.Assets) > maxJobFiles || len(j.Artifacts) > maxJobFiles || len(j.PreStage) > maxJobFiles {
		return fmt.Errorf("at most %d assets, artifacts and pre_stage each", maxJobFiles)
	}
	if j.WorkingDir != "" && !inside(j.WorkingDir) {
		return fmt.Errorf("working_dir %.80q: want a path below the run's folder, without \"..\"", j.WorkingDir)
	}
	seen := map[string]bool{}
	for _, s := range j.PreStage {
		if s.Blob.SHA256.IsZero() || s.Blob.Size < 0 || s.Blob.Size > MaxBlob || !inside(s.Dest) || seen[s.Dest] {
			return fmt.Errorf("pre_stage %.80q: want a blob, and a path of its own below the run's folder, without \"..\"", s.Dest)
		}
		seen[s.Dest] = true
	}
	clear(seen)
	for _, a := range j.Assets {
		if !ValidFile(a.Name) || seen[a.Name] {
			return fmt.Errorf("asset %.80q: want a file name of its own, without slashes", a.Name)
		}
		if err := a.validate(); err != nil {
			return err
		}
		seen[a.Name] = true
	}
	clear(seen)
	for _, a := range j.Artifacts {
		if !ValidFile(a.Name) || seen[a.Name] || !inside(a.Path) {
			return fmt.Errorf("artifact %.80q: want a name of its own without slashes, and a path below the run's folder, without \"..\"", a.Name)
		}
		seen[a.Name] = true
	}
	return nil
}

func (a *JobAsset) validate() error {
	if a.Job == "" {
		if a.From != "" || a.Blob.SHA256.IsZero() || a.Blob.Size < 0 || a.Blob.Size > MaxBlob {
			return fmt.Errorf("asset %s: blob is missing", a.Name)
		}
		return nil
	}
	if _, err := ParseName(string(a.Job)); err != nil {
		return fmt.Errorf("asset %s: %w", a.Name, err)
	}
	if !ValidFile(a.From) || a.Blob != (BlobInfo{}) {
		return fmt.Errorf("asset %s: want the name of an artifact of %s", a.Name, a.Job)
	}
	return nil
}

func (j *Job) validateTimes() error {
	for name, d := range map[string]Duration{"timeout": j.Timeout, "backoff.initial": j.Backoff.Initial, "backoff.max": j.Backoff.Max} {
		if d < 0 || time.Duration(d) > maxJobTime {
			return fmt.Errorf("%s %s: at most %s", name, time.Duration(d), maxJobTime)
		}
	}
	return nil
}

func (j *Job) validateOnce() error {
	switch {
	case j.Once != OnceAtLeast && j.Once != OnceStrict:
		return fmt.Errorf("once %.40q: want strict, or nothing", string(j.Once))
	case j.Once == OnceAtLeast && len(j.Electors) > 0:
		return errors.New("electors: only with once = \"strict\"")
	case j.Once == OnceStrict && (len(j.Electors)%2 == 0 || len(j.Electors) > MaxElectors):
		return fmt.Errorf("electors: want an odd number of members, at most %d", MaxElectors)
	}
	seen := map[PeerID]bool{}
	for _, p := range j.Electors {
		if _, err := ParsePeerID(string(p)); err != nil {
			return fmt.Errorf("electors: %w", err)
		}
		if seen[p] {
			return fmt.Errorf("electors: %s is there twice", p)
		}
		seen[p] = true
	}
	return nil
}

func (r *JobResources) validate() error {
	if r.CPUMilli < 0 || r.CPUMilli > 1000*maxCPUs || r.MemoryMB < 0 || r.MemoryMB > maxJobMemoryMB || r.DiskMB < 0 || r.DiskMB > maxJobDiskMB {
		return errors.New("resources: out of range")
	}
	return nil
}

// Needed are the ids of all jobs whose results j waits for, each once, in order.
func (j *Job) Needed() []Name {
	all := map[Name]bool{}
	for _, n := range j.Needs {
		all[n] = true
	}
	for _, a := range j.Assets {
		if a.Job != "" {
			all[a.Job] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// Blobs are those that every execution needs.
func (j *Job) Blobs() []BlobInfo {
	out := []BlobInfo{j.Runtime.Program}
	for _, s := range j.PreStage {
		out = append(out, s.Blob)
	}
	for _, a := range j.Assets {
		if a.Job == "" {
			out = append(out, a.Blob)
		}
	}
	return out
}

// Runs is how many runs a one-shot job or service has, and a recurring one at each instant.
func (j *Job) Runs() int { return max(1, j.Parallelism) }

// Pause is how long the run waits after its nth failure, from 1.
func (b Backoff) Pause(n int) time.Duration {
	d, most := time.Duration(b.Initial), time.Duration(b.Max)
	if d == 0 {
		d = DefaultJobBackoff
	}
	if most == 0 {
		most = max(d, MaxDefaultJobBackoff)
	}
	for ; n > 1 && d < most; n-- {
		d *= 2
	}
	return min(d, most)
}

// ValidatePlatform checks a GOOS/GOARCH; empty is none.
func ValidatePlatform(s string) error {
	if s == "" {
		return nil
	}
	system, arch, ok := strings.Cut(s, "/")
	for _, part := range []string{system, arch} {
		if part == "" || len(part) > 16 || strings.Trim(part, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
			ok = false
		}
	}
	if !ok {
		return fmt.Errorf("platform %.40q: want one like linux/amd64", s)
	}
	return nil
}

// ValidFile reports whether s can be the name of a file in a folder: at most 128 bytes of
// printable text that begins with no dot, without slashes.
func ValidFile(s string) bool {
	return s != "" && len(s) <= 128 && s[0] != '.' && plain(s) && !strings.ContainsAny(s, `/\:`)
}

// inside reports whether s is a path that stays below the folder it is joined to.
func inside(s string) bool {
	return s != "" && len(s) <= maxPath && utf8.ValidString(s) && !strings.ContainsAny(s, "\x00\\") &&
		!path.IsAbs(s) && path.Clean(s) == s && s != ".." && !strings.HasPrefix(s, "../")
}
