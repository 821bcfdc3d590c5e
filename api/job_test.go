package api

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// someJob has something in each field that a one-shot job may have.
func someJob() *Job {
	blob := BlobInfo{SHA256: someDigest, Size: 5}
	return &Job{
		Type: JobOneShot,
		Runtime: JobRuntime{
			Type: RuntimeWasm, Program: blob, File: "build.wasm", Args: []string{"-v"}, Env: map[string]string{"A": "b"},
			Limits: Limits{MemoryMaxMB: 64}, Mounts: []Mount{{Host: "/srv", Guest: "/data", RO: true}}, AllowHosts: []string{"example.org"},
		},
		WorkingDir: "src", Timeout: Duration(time.Minute),
		PreStage:  []JobStage{{Blob: blob, Dest: "src/in.txt"}},
		Assets:    []JobAsset{{Name: "model", Blob: blob}, {Name: "lib", Job: "lib-3", From: "out"}},
		Artifacts: []JobArtifact{{Name: "out", Path: "src/out"}},
		Platform:  "linux/amd64", Resources: JobResources{CPUMilli: 500, MemoryMB: 64, DiskMB: 10},
		Retries: 2, Backoff: Backoff{Initial: Duration(time.Second), Max: Duration(time.Minute)}, Parallelism: 3,
		Needs: []Name{"prepare-1"}, Once: OnceStrict, Electors: []PeerID{somePeer}, Keep: 2,
	}
}

func TestValidateJob(t *testing.T) {
	breaks(t, map[string]func(*Job){
		"type":                          func(j *Job) { j.Type = "often" },
		"schedule: recurring jobs":      func(j *Job) { j.Type = JobRecurring },
		"schedule: recurring jobs|none": func(j *Job) { j.Schedule = &JobSchedule{Cron: "* * * * *"} },
		"schedule: want":                func(j *Job) { j.Type, j.Schedule = JobRecurring, &JobSchedule{} },
		"missed_runs":                   func(j *Job) { j.Type, j.Schedule = JobRecurring, &JobSchedule{Cron: "@", Missed: "some"} },
		"concurrency":                   func(j *Job) { j.Type, j.Schedule = JobRecurring, &JobSchedule{Cron: "@", Concurrency: "some"} },
		"parallelism -1":                func(j *Job) { j.Parallelism = -1 },
		"parallelism 1001":              func(j *Job) { j.Parallelism = MaxParallelism + 1 },
		"retries":                       func(j *Job) { j.Retries = MaxRetries + 1 },
		"keep":                          func(j *Job) { j.Keep = MaxKeep + 1 },
		"keep -1":                       func(j *Job) { j.Keep = -1 },
		"ports: only services":          func(j *Job) { j.Ports = make([]Port, 1) },
		"runtime type":                  func(j *Job) { j.Runtime.Type = "jvm" },
		"program is missing":            func(j *Job) { j.Runtime.Program.SHA256 = Digest{} },
		"program is missing|size":       func(j *Job) { j.Runtime.Program.Size = -1 },
		"a module of":                   func(j *Job) { j.Runtime.Program.Size = MaxModule + 1 },
		"are for wasm":                  func(j *Job) { j.Runtime.Type = RuntimeNative },
		"target_platform":               func(j *Job) { j.Runtime.TargetPlatform = "linux/arm64" },
		"qemu_binary":                   func(j *Job) { j.Runtime.QEMU = "qemu-arm" },
		"qemu_binary|path": func(j *Job) {
			j.Runtime = JobRuntime{Type: RuntimeQEMU, Program: j.Runtime.Program, TargetPlatform: "linux/arm64", QEMU: "qemu-/../sh"}
		},
		"qemu_binary|other": func(j *Job) {
			j.Runtime = JobRuntime{Type: RuntimeQEMU, Program: j.Runtime.Program, TargetPlatform: "linux/arm64", QEMU: "sh"}
		},
		"runtime: file":            func(j *Job) { j.Runtime.File = "../sh" },
		"working_dir":              func(j *Job) { j.WorkingDir = "../x" },
		"working_dir|absolute":     func(j *Job) { j.WorkingDir = "/etc" },
		"pre_stage":                func(j *Job) { j.PreStage[0].Dest = "a/../../b" },
		"pre_stage|twice":          func(j *Job) { j.PreStage = append(j.PreStage, j.PreStage[0]) },
		"pre_stage|nothing":        func(j *Job) { j.PreStage[0].Blob = BlobInfo{} },
		"at most 64":               func(j *Job) { j.Assets = make([]JobAsset, maxJobFiles+1) },
		"at most 64|artifacts":     func(j *Job) { j.Artifacts = make([]JobArtifact, maxJobFiles+1) },
		"asset model: blob":        func(j *Job) { j.Assets[0].Blob = BlobInfo{} },
		"asset lib":                func(j *Job) { j.Assets[1].Job = "a/b" },
		"asset lib: want the name": func(j *Job) { j.Assets[1].From = "" },
		"artifact":                 func(j *Job) { j.Artifacts[0].Name = ".." },
		"artifact|path":            func(j *Job) { j.Artifacts[0].Path = "/etc/passwd" },
		"artifact|backslash":       func(j *Job) { j.Artifacts[0].Path = `..\x` },
		"platform":                 func(j *Job) { j.Platform = "linux" },
		"platform|three":           func(j *Job) { j.Platform = "linux/arm/7" },
		"resources":                func(j *Job) { j.Resources.DiskMB = -1 },
		"timeout":                  func(j *Job) { j.Timeout = -1 },
		"backoff.max":              func(j *Job) { j.Backoff.Max = Duration(2 * maxJobTime) },
		"needs: at most":           func(j *Job) { j.Needs = make([]Name, maxNeeds+1) },
		"needs: ":                  func(j *Job) { j.Needs = []Name{"../x"} },
		"once":                     func(j *Job) { j.Once = "twice" },
		"electors: only with":      func(j *Job) { j.Once = OnceAtLeast },
		"odd number":               func(j *Job) { j.Electors = nil },
		"odd number|two":           func(j *Job) { j.Electors = make([]PeerID, 2) },
		"electors: ":               func(j *Job) { j.Electors = []PeerID{"me"} },
		"is there twice":           func(j *Job) { j.Electors = []PeerID{somePeer, somePeer, somePeer} },
	})
}

func TestBodyOfJob(t *testing.T) {
	at := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	intent := func(j *Job, expires time.Time) Intent {
		body, err := json.Marshal(j)
		if err != nil {
			t.Fatal(err)
		}
		return Intent{Realm: someRealm, Ref: Ref{KindJob, "build-1"}, Seq: 1, Issued: at, Expires: expires, Target: Target{Tags: []string{"edge"}}, Body: body}
	}
	often := &Job{Type: JobRecurring, Schedule: &JobSchedule{Cron: "* * * * *"}, Runtime: someJob().Runtime}
	service := &Job{Type: JobService, Runtime: someJob().Runtime}
	for name, tt := range map[string]struct {
		in Intent
		ok bool
	}{
		"one-shot":              {intent(someJob(), at.Add(time.Hour)), true},
		"one-shot without end":  {intent(someJob(), time.Time{}), false},
		"one-shot for ever":     {intent(someJob(), at.Add(2*MaxJobLife)), false},
		"recurring":             {intent(often, time.Time{}), true},
		"recurring with an end": {intent(often, at.Add(time.Hour)), false},
		"service":               {intent(service, time.Time{}), true},
		"service with an end":   {intent(service, at.Add(time.Hour)), false},
	} {
		if err := tt.in.Validate(); (err == nil) != tt.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	gone := intent(someJob(), time.Time{})
	gone.Seq, gone.Prev, gone.Body, gone.Tombstone = 2, someDigest, nil, true
	if err := gone.Validate(); err != nil {
		t.Errorf("a tombstone: %v", err)
	}
	if _, err := gone.Job(); err == nil {
		t.Error("a tombstone has a job")
	}
}

func TestJobTells(t *testing.T) {
	j := someJob()
	if got := j.Needed(); len(got) != 2 || got[0] != "lib-3" || got[1] != "prepare-1" {
		t.Errorf("it needs %v", got)
	}
	if got := j.Blobs(); len(got) != 3 {
		t.Errorf("its blobs are %v", got)
	}
	if j.Runs() != 3 || (&Job{}).Runs() != 1 {
		t.Errorf("%d runs, %d runs", j.Runs(), (&Job{}).Runs())
	}
	longest := JobID(Name(strings.Repeat("n", MaxJobBase)), 9_999_999)
	if _, err := ParseName(string(longest)); err != nil {
		t.Error(err)
	}
}

func TestPause(t *testing.T) {
	for _, tt := range []struct {
		b    Backoff
		n    int
		want time.Duration
	}{
		{Backoff{}, 1, time.Second},
		{Backoff{}, 4, 8 * time.Second},
		{Backoff{}, 1 << 30, MaxDefaultJobBackoff},
		{Backoff{Initial: Duration(time.Hour)}, 2, time.Hour},
		{Backoff{Initial: Duration(time.Hour), Max: Duration(time.Minute)}, 1, time.Minute},
		{Backoff{Initial: Duration(maxJobTime), Max: Duration(maxJobTime)}, MaxRetries, maxJobTime},
	} {
		if got := tt.b.Pause(tt.n); got != tt.want {
			t.Errorf("%+v, %d: %s, want %s", tt.b, tt.n, got, tt.want)
		}
	}
}
