package execute

import (
	"archive/tar"
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/engine/wasmtest"
	"github.com/realm-mesh/realm/internal/kit/disk"
	"github.com/realm-mesh/realm/runnerd/internal/jobs"
)

func TestWasm(t *testing.T) {
	n := newNode(t)
	o := n.order(api.RuntimeWasm, probe, "env=REALM_INDEX", "env=REALM_EPOCH", "env=REALM_ASSETS", "ls=/tmp/assets", "open=made", "exit=7")
	o.Body.Runtime.Env = map[string]string{"REALM_INDEX": "99"}
	o.Assets = []api.JobAsset{{Name: "a", Blob: n.store.add([]byte("asset"))}}
	o.Body.Artifacts = []api.JobArtifact{{Name: "made", Path: "made"}, {Name: "none", Path: "none"}}
	c := n.run(o)
	if c.State != api.ExecFailed || c.Exit == nil || *c.Exit != 7 || c.Usage.Fuel == 0 && c.Usage.CPU == 0 {
		t.Fatalf("%+v", c)
	}
	for _, want := range []string{"stdout 2\n", "stdout 3\n", "stdout /tmp/assets\n", "stdout 1 <nil>\n"} {
		if !strings.Contains(c.Said, want) {
			t.Errorf("no %q in %q", want, c.Said)
		}
	}
	if a := c.Artifacts; len(a) != 2 || string(n.store.get(a[0].Blob.SHA256)) != "opened\n" || !strings.Contains(a[1].Missing, "not made") {
		t.Errorf("%+v", a)
	}
	n.over(o)
}

// over checks that nothing is left but what a new process needs to know.
func (n *node) over(o jobs.Order) {
	n.t.Helper()
	n.again()
	found, err := n.Recover()
	if err != nil || len(found) != 1 || found[0].Resume != nil || found[0].Exec != o.Exec || !found[0].Last.State.Ended() {
		n.t.Fatalf("%+v %v", found, err)
	}
	left, err := filepath.Glob(filepath.Join(n.dir(o.Exec), "*"))
	if err != nil {
		n.t.Fatal(err)
	}
	for _, f := range left {
		if b := filepath.Base(f); b != orderFile && b != resultFile && !strings.HasPrefix(b, logFile) {
			n.t.Errorf("left: %s", f)
		}
	}
	n.Forget(o.Exec)
	if found, err = n.Recover(); err != nil || len(found) != 0 {
		n.t.Fatalf("%+v %v", found, err)
	}
}

func TestHostileWasm(t *testing.T) {
	for name, c := range map[string]struct {
		wasm   []byte
		limits api.Limits
		time   time.Duration
		late   bool
	}{
		"timeout":  {wasmtest.Endless(), api.Limits{}, 300 * time.Millisecond, true},
		"deadline": {wasmtest.Endless(), api.Limits{EpochMS: 300}, 0, true},
		"fuel":     {wasmtest.Endless(), api.Limits{Fuel: 1_000_000}, 0, false},
		"memory":   {wasmtest.GrowMemory(), api.Limits{MemoryMaxMB: 16}, 0, false},
		"trap":     {wasmtest.Trap(), api.Limits{}, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNode(t)
			o := n.order(api.RuntimeWasm, c.wasm)
			o.Body.Runtime.Limits, o.Body.Timeout = c.limits, api.Duration(c.time)
			if got := n.run(o); got.State != api.ExecFailed || got.TimedOut != c.late || got.Reason == "" {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestStop(t *testing.T) {
	for name, o := range map[string]func(*node) jobs.Order{
		"wasm":   func(n *node) jobs.Order { return n.order(api.RuntimeWasm, wasmtest.Endless()) },
		"native": func(n *node) jobs.Order { return n.order(api.RuntimeNative, []byte("#!/bin/sh\nsleep 60\n")) },
	} {
		t.Run(name, func(t *testing.T) {
			n, c := newNode(t), newTold()
			x := n.Begin(o(n), c.report)
			select {
			case <-c.ran:
			case <-x.Over():
			}
			x.Stop(api.ExecCancelled, "no more")
			n.wait(x)
			if got := c.last(); got.State != api.ExecCancelled || got.Reason != "no more" {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestStopWhileStaging(t *testing.T) {
	n, c := newNode(t), newTold()
	n.store.bad = context.Canceled
	x := n.Begin(n.order(api.RuntimeNative, []byte("#!/bin/sh\n")), c.report)
	x.Stop(api.ExecMoved, "given away")
	n.wait(x)
	if got := c.last(); got.State != api.ExecMoved {
		t.Errorf("%+v", got)
	}
}

// TestStaging tells what is the job's fault from what is the node's.
func TestStaging(t *testing.T) {
	n := newNode(t)
	o := n.order(api.RuntimeWasm, probe)
	b := n.store.add([]byte("x"))
	o.Body.PreStage = []api.JobStage{{Blob: b, Dest: "a"}, {Blob: b, Dest: "a/b"}}
	if c := n.run(o); c.State != api.ExecFailed {
		t.Errorf("files in each other's way: %+v", c)
	}
	o = n.order(api.RuntimeWasm, probe)
	o.Assets = []api.JobAsset{{Name: "a", Job: "other-1", From: "out"}}
	if c := n.run(o); c.State != api.ExecFailed || !strings.Contains(c.Reason, "other-1") {
		t.Errorf("no artifact: %+v", c)
	}
	n.store.bad = disk.ErrFull
	if c := n.run(n.order(api.RuntimeNative, []byte("#!/bin/sh\n"))); c.State != api.ExecMoved {
		t.Errorf("full disk: %+v", c)
	}
}

func TestNative(t *testing.T) {
	n := newNode(t)
	o := n.order(api.RuntimeNative, []byte("#!/bin/sh\necho $REALM_JOB $REALM_RUN $1\ncat staged/in\nmkdir -p d/e; echo b >d/e/f; ln -s /etc/passwd out; ln -s / d/up\nchmod 0 d/e; chmod 700 d/e\nexit 3\n"), "arg")
	o.Body.PreStage = []api.JobStage{{Blob: n.store.add([]byte("staged text\n")), Dest: "staged/in"}}
	o.Body.Artifacts = []api.JobArtifact{{Name: "d", Path: "d"}, {Name: "out", Path: "out"}}
	c := n.run(o)
	if c.State != api.ExecFailed || c.Exit == nil || *c.Exit != 3 || !strings.Contains(c.Said, "build-1 2 arg\n") || !strings.Contains(c.Said, "staged text\n") {
		t.Fatalf("%+v", c)
	}
	if len(c.Artifacts) != 2 || c.Artifacts[1].Missing == "" {
		t.Fatalf("%+v", c.Artifacts)
	}
	var names []string
	for r := tar.NewReader(bytes.NewReader(n.store.get(c.Artifacts[0].Blob.SHA256))); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, h.Name)
	}
	if got := strings.Join(names, " "); got != "e/ e/f" {
		t.Errorf("the archive has %q", got)
	}
	n.over(o)
}

// TestNewProcess finds a native program again that an executor before has started.
func TestNewProcess(t *testing.T) {
	n, c := newNode(t), newTold()
	o := n.order(api.RuntimeNative, []byte("#!/bin/sh\necho begun\nwhile ! test -e go; do sleep 0.05; done\necho done\n"))
	first := n.Begin(o, c.report)
	select {
	case <-c.ran:
	case <-first.Over():
		t.Fatalf("%+v", c.last())
	}
	n.again()
	found, err := n.Recover()
	if err != nil || len(found) != 1 || found[0].Resume == nil {
		t.Fatalf("%+v %v", found, err)
	}
	again := newTold()
	x := found[0].Resume(again.report)
	<-again.ran
	x.Stop(api.ExecCancelled, "enough")
	n.wait(x)
	n.wait(first)
	if got := again.last(); got.State != api.ExecCancelled {
		t.Errorf("%+v", got)
	}
}

// TestLostWithProcess has a wasm program begun by an executor that is no more.
func TestLostWithProcess(t *testing.T) {
	n := newNode(t)
	o := n.order(api.RuntimeWasm, probe)
	if err := os.MkdirAll(n.dir(o.Exec), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := writeJSON(filepath.Join(n.dir(o.Exec), orderFile), o); err != nil {
		t.Fatal(err)
	}
	found, err := n.Recover()
	if err != nil || len(found) != 1 || found[0].Resume == nil {
		t.Fatalf("%+v %v", found, err)
	}
	c := newTold()
	n.wait(found[0].Resume(c.report))
	if got := c.last(); got.State != api.ExecLost {
		t.Errorf("%+v", got)
	}
	n.over(o)
}

func TestEmulated(t *testing.T) {
	if _, err := exec.LookPath("qemu-aarch64-static"); err != nil {
		t.Skip("this machine has no qemu-aarch64-static")
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte("package main\nimport \"runtime\"\nfunc main() { println(runtime.GOARCH) }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-o", "hello", "main.go")
	build.Dir, build.Env = dir, append(os.Environ(), "GOARCH=arm64", "CGO_ENABLED=0", "GOWORK=off", "GO111MODULE=off", "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	hello, err := os.ReadFile(filepath.Join(dir, "hello"))
	if err != nil {
		t.Fatal(err)
	}
	n := newNode(t)
	o := n.order(api.RuntimeQEMU, hello)
	o.Body.Runtime.TargetPlatform = "linux/arm64"
	if c := n.run(o); c.State != api.ExecSucceeded || !strings.Contains(c.Said, "stderr arm64\n") {
		t.Fatalf("%+v", c)
	}
	o.Body.Runtime.QEMU = "qemu-none"
	if c := n.run(o); c.State != api.ExecMoved || !strings.Contains(c.Reason, "qemu-user-static") {
		t.Errorf("%+v", c)
	}
}

func TestFollow(t *testing.T) {
	n, c := newNode(t), newTold()
	o := n.order(api.RuntimeWasm, probe, "out=one", "sleep=300ms", "lines=20000")
	x := n.Begin(o, c.report)
	<-c.ran
	got := 0
	has, err := n.Lines(t.Context(), o.Exec, jobs.Lines{Tail: -1, Follow: true}, func(api.LogLine) error { got++; return nil })
	n.wait(x)
	if !has || err != nil || got != 20001 || c.last().Log.Size == 0 {
		t.Errorf("%v %v: %d lines, %+v", has, err, got, c.last())
	}
}

func BenchmarkWasm(b *testing.B) {
	n := newNode(b)
	for b.Loop() {
		o := n.order(api.RuntimeWasm, wasmtest.Nothing())
		if c := n.run(o); c.State != api.ExecSucceeded {
			b.Fatalf("%+v", c)
		}
		n.Forget(o.Exec)
	}
}
