package api

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

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
	case len(j.Ports) > 0 && j.Runtime.Type == RuntimeWasm:
		return errors.New("ports: programs of wasm cannot listen; push one that speaks HTTP as a component instead")
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
	if slices.ContainsFunc(r.Mounts, func(m Mount) bool { return m.Kind != MountHost }) {
		return errors.New("mounts: a job mounts folders of the host alone: what it is to have comes with it as assets")
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
		return fmt.Errorf("working_dir %.80q: want a path that stays below the run's folder", j.WorkingDir)
	}
	seen := map[string]bool{}
	for _, s := range j.PreStage {
		if s.Blob.SHA256.IsZero() || s.Blob.Size < 0 || s.Blob.Size > MaxBlob || !inside(s.Dest) || seen[s.Dest] {
			return fmt.Errorf("pre_stage %.80q: want a blob, and a path of its own that stays below the run's folder", s.Dest)
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
			return fmt.Errorf("artifact %.80q: want a name of its own without slashes, and a path that stays below the run's folder", a.Name)
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
