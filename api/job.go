package api

import (
	"maps"
	"slices"
	"time"
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
	MaxJobBase     = MaxNameLen - 13 // bytes of the name that its id begins with
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
