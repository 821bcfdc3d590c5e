package jobfile

import (
	"errors"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/realm/internal/tomlfile"
)

const full = `
name = "build"
job_type = "recurring"
schedule = "0 2 * * *"
time_zone = "Europe/Berlin"
missed_runs = "last"
concurrency = "forbid"
retries = 0
backoff = { initial = "2s", max = "1m" }
parallelism = 3
needs = ["fetch-1"]
once = "strict"
electors = ["12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN"]
keep = 2
resources = { cpus = 0.5, memory = 64, disk_mb = 100 }
env = { A = "1", B = "1" }
allow_hosts = ["example.org"]

[runtime]
type = "wasm"
source = "work.wasm"
memory_mb = 32
fuel = 1000
epoch_ms = 500
args = ["-v"]
env = { B = "2" }
mounts = [{ host = "/srv", guest = "/data", ro = true }]

[execution]
working_dir = "src"
timeout_minutes = 0.5
artifacts = [{ path = "out/a.txt", name = "a" }, { path = "b" }]
pre_stage = [{ source = "cas:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", dest = "data.bin" }]

[targeting]
platform = "linux/amd64"
tags = ["edge"]
`

func TestParse(t *testing.T) {
	p, err := Parse("job.toml", "/jobs", []byte(full))
	if err != nil {
		t.Fatal(err)
	}
	j := p.Body
	switch {
	case p.Name != "build" || j.Type != api.JobRecurring || *j.Schedule != api.JobSchedule{Cron: "0 2 * * *", TimeZone: "Europe/Berlin", Missed: api.MissedLast, Concurrency: api.ConcurrencyForbid}:
		t.Errorf("%+v", p)
	case j.Retries != 0 || j.Backoff != api.Backoff{Initial: api.Duration(2 * time.Second), Max: api.Duration(time.Minute)} || j.Parallelism != 3 || j.Keep != 2:
		t.Errorf("%+v", j)
	case j.Resources != api.JobResources{CPUMilli: 500, MemoryMB: 64, DiskMB: 100} || j.Timeout != api.Duration(30*time.Second):
		t.Errorf("%+v", j)
	case j.Runtime.Env["A"] != "1" || j.Runtime.Env["B"] != "2" || j.Runtime.File != "work.wasm" || j.Runtime.Limits != api.Limits{MemoryMaxMB: 32, Fuel: 1000, EpochMS: 500}:
		t.Errorf("%+v", j.Runtime)
	case len(j.Artifacts) != 2 || j.Artifacts[1] != api.JobArtifact{Name: "b", Path: "b"} || len(p.Stages) != 1 || p.Stages[0].Kind != tomlfile.Blob || p.Expires != 0:
		t.Errorf("%+v", p)
	}
	least, err := Parse("job.toml", ".", []byte("name='a'\nbackoff='2s'\n[runtime]\ntype='native'\nbinary='x.sh'"))
	if err != nil || least.Body.Type != api.JobOneShot || least.Expires != DefaultExpiry || least.Body.Backoff.Initial != api.Duration(2*time.Second) {
		t.Errorf("%+v, %v", least, err)
	}
}

func TestProblems(t *testing.T) {
	const native = "[runtime]\ntype='native'\nbinary='x'\n"
	for text, want := range map[string]string{
		"nam='a'\n" + native:    `job.toml:1:1: unknown key "nam" in a job file: did you mean "name"?`,
		native:                  "name is missing",
		"name='a'":              "[runtime] is missing",
		"name='A b'\n" + native: "job.toml:1:6: name",
		"name='" + strings.Repeat("a", 60) + "'\n" + native:              "at most 50 characters",
		"name='a'\njob_type='oneshot'\n" + native:                        `did you mean "one-shot"?`,
		"name='a'\njob_type='recurring'\n" + native:                      "a recurring job has a schedule",
		"name='a'\njob_type='service'\nschedule='@daily'\n" + native:     "only recurring jobs have a schedule",
		"name='a'\nschedule='61 * * * *'\n" + native:                     "job.toml:2:10:",
		"name='a'\nschedule='@daily'\ntime_zone='Mars/X'\n" + native:     "job.toml:3:11: time zone",
		"name='a'\nconcurrency='forbid'\n" + native:                      "concurrency is for recurring jobs",
		"name='a'\nexpires='1y'\n" + native:                              "expires:",
		"name='a'\nschedule='@daily'\nexpires='1d'\n" + native:           "only one-shot jobs expire",
		"name='a'\ntimeout_minutes=1\n" + native:                         "timeout_minutes is a key of [execution]",
		"name='a'\n" + native + "retries=1\n":                            "retries is a key of the job itself",
		"name='a'\n" + native + "artifacts=[]\n":                         "artifacts is a key of [execution]",
		"name='a'\n" + native + "fuel=1\n":                               "only wasm jobs have it",
		"name='a'\n" + native + "target_platform='linux/arm64'\n":        "only qemu jobs have it",
		"name='a'\n[runtime]\ntype='native'\nsource='x'\n":               "its binary",
		"name='a'\n[runtime]\ntype='qemu'\nbinary='x'\n":                 "target_platform is missing",
		"name='a'\n[runtime]\ntype='wasm'\nsource='https://a.b/c'\n":     "sha256_hex is missing",
		"name='a'\n[runtime]\ntype='wasm'\nsource='oci://a.b/c:1'\n":     "a tag may be another file tomorrow",
		"name='a'\n[runtime]\ntype='wasm'\nsource='oci://a.b/c'\n":       "Say :TAG",
		"name='a'\n[runtime]\ntype='wasm'\n":                             "source is missing",
		"name='a'\nresources={cpus='1'}\n" + native:                      "write it without quotes",
		"name='a'\nresources={memory=1,memory_mb=1}\n" + native:          "are the same",
		"name='a'\nonce='strict'\n" + native:                             "electors",
		"name='a'\nports=[{name='p',port=1}]\n" + native:                 "job.toml:2:1: ports: only services",
		"name='a'\nneeds=['A']\n" + native:                               "ids of jobs",
		"name='a'\n" + native + "[execution]\nartifacts=[{path='../x'}]": "artifact",
		"name='a'\n" + native + "[execution]\npre_stage=[{dest='x'}]":    "want source and dest",
		"name='a'\n" + native + "[execution]\ntimeout_minutes=0":         "above 0",
		"name='a'\n" + native + "[targeting]\nplatform='linux'":          "linux/amd64",
		"name='a'\n" + native + "[targeting]\nnode_ids=['x']":            "peer id",
	} {
		_, err := Parse("job.toml", ".", []byte(text))
		var problems tomlfile.Problems
		if !errors.As(err, &problems) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\ngot  %v\nwant %s", text, err, want)
		}
	}
}

func TestFit(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	head, here := b[:HeadBytes], runtime.GOOS+"/"+runtime.GOARCH
	arm := append([]byte("\x7fELF\x02\x01\x01"), make([]byte, 20)...)
	arm[18] = 183
	for _, tt := range []struct {
		name, more, kind string
		head             []byte
		platform, want   string
	}{
		{"own", "", "native", head, here, ""},
		{"other", "[targeting]\nplatform='plan9/386'", "native", head, "", "and platform in [targeting] says plan9/386"},
		{"script", "", "native", []byte("#!/bin/sh\n"), "", ""},
		{"text", "", "native", []byte("echo"), "", "neither a program"},
		{"empty", "", "native", nil, "", "it is empty"},
		{"arm", "target_platform='linux/arm64'", "qemu", arm, "", ""},
		{"not arm", "target_platform='linux/riscv64'", "qemu", arm, "", "it was made for linux/arm64"},
		{"emulated script", "target_platform='linux/arm64'", "qemu", []byte("#!/bin/sh\n"), "", "no program for Linux"},
	} {
		p, err := Parse("job.toml", ".", []byte("name='a'\n[runtime]\ntype='"+tt.kind+"'\nbinary='x'\n"+tt.more))
		if err != nil {
			t.Fatal(err)
		}
		if err = p.Fit(tt.head); tt.want == "" && (err != nil || p.Body.Platform != tt.platform) || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v, platform %q", tt.name, err, p.Body.Platform)
		}
	}
}

// FuzzParse reads whatever a file may hold: what it takes can be signed once it has blobs.
func FuzzParse(f *testing.F) {
	f.Add([]byte(full))
	f.Add([]byte("name='a'\n[runtime]\ntype='native'\nbinary='x'\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := Parse("job.toml", "dir", text)
		var problems tomlfile.Problems
		if err != nil {
			if !errors.As(err, &problems) || len(problems) == 0 {
				t.Fatalf("an error of another kind: %v", err)
			}
			return
		}
		p.Body.Runtime.Program = api.BlobInfo{SHA256: api.Sum(nil), Size: 1}
		for i := range p.Stages {
			p.Body.PreStage[i].Blob = p.Body.Runtime.Program
		}
		if err := errors.Join(p.Body.Validate(), p.Target.Validate()); err != nil || (p.Body.Type == api.JobOneShot) != (p.Expires > 0) {
			t.Fatalf("%v: %+v", err, p)
		}
	})
}

// FuzzPlatform reads whatever the beginning of a program may hold.
func FuzzPlatform(f *testing.F) {
	f.Add([]byte("\x7fELF\x02\x01\x01"))
	f.Add([]byte("MZ"))
	f.Fuzz(func(t *testing.T, head []byte) {
		if err := api.ValidatePlatform(Platform(head)); err != nil {
			t.Fatal(err)
		}
	})
}
