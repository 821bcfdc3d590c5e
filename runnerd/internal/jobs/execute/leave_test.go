package execute

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/rotate"
	"github.com/realm-mesh/realm/runnerd/internal/admit"
	"github.com/realm-mesh/realm/runnerd/internal/jobs"
)

func TestComponent(t *testing.T) {
	command, err := os.ReadFile("../../../../engine/component/testdata/rust-command.wasm")
	if err != nil {
		t.Fatal(err)
	}
	n := newNode(t)
	if c := n.run(n.order(api.RuntimeWasm, command, "args", "a")); c.State != api.ExecSucceeded || !strings.Contains(c.Said, `["a"]`) {
		t.Errorf("%+v", c)
	}
	if c := n.run(n.order(api.RuntimeWasm, command, "exit", "1")); c.State != api.ExecFailed || c.Exit == nil || *c.Exit != 1 {
		t.Errorf("%+v", c)
	}
	web, err := os.ReadFile("../../../../engine/component/testdata/rust-web.wasm")
	if err != nil {
		t.Fatal(err)
	}
	if c := n.run(n.order(api.RuntimeWasm, web)); c.State != api.ExecFailed || !strings.Contains(c.Reason, "no command") {
		t.Errorf("%+v", c)
	}
}

// TestMounts: a guest sees what the node's settings let it see; what they do not is for
// another member.
func TestMounts(t *testing.T) {
	n, dir := newNode(t), t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	o := n.order(api.RuntimeWasm, probe, "ls=/data")
	o.Body.Runtime.Mounts = []api.Mount{{Host: dir, Guest: "/data", RO: true}}
	if c := n.run(o); c.State != api.ExecMoved {
		t.Errorf("not allowed: %+v", c)
	}
	n.Forget(o.Exec)
	n.cfg.Admit = admit.New(admit.Config{Mounts: []string{dir}})
	n.again()
	if c := n.run(o); c.State != api.ExecSucceeded || !strings.Contains(c.Said, "stdout 1 <nil>\n") {
		t.Errorf("allowed: %+v", c)
	}
}

// TestWorkingDir: a program begins there; stages and artifacts are in the run's folder.
func TestWorkingDir(t *testing.T) {
	n := newNode(t)
	o := n.order(api.RuntimeNative, []byte("#!/bin/sh\ncat ../in; echo made >out; echo top >../top\n"))
	o.Body.WorkingDir = "sub"
	o.Body.PreStage = []api.JobStage{{Blob: n.store.add([]byte("staged\n")), Dest: "in"}}
	o.Body.Artifacts = []api.JobArtifact{{Name: "out", Path: "sub/out"}, {Name: "top", Path: "top"}}
	c := n.run(o)
	if c.State != api.ExecSucceeded || !strings.Contains(c.Said, "staged") || len(c.Artifacts) != 2 || c.Artifacts[0].Missing+c.Artifacts[1].Missing != "" {
		t.Errorf("%+v", c)
	}
}

// TestBlame: a program that this kind of machine cannot run has failed; a machine that
// cannot keep programs in has others take them.
func TestBlame(t *testing.T) {
	n := newNode(t)
	if c := n.run(n.order(api.RuntimeNative, []byte("\x7fELF nonsense"))); c.State != api.ExecFailed || c.Reason == "" {
		t.Errorf("no program: %+v", c)
	}
	o := n.order(api.RuntimeNative, []byte("#!/none\n"))
	n.Forget(o.Exec)
	if c := n.run(o); c.State != api.ExecFailed {
		t.Errorf("no interpreter: %+v", c)
	}
}

// TestMuch: what a program writes is bounded, and its end is there.
func TestMuch(t *testing.T) {
	n := newNode(t)
	const lines = 500_000
	o := n.order(api.RuntimeWasm, probe, fmt.Sprintf("lines=%d", lines))
	c := n.run(o)
	b := n.store.get(c.Log.SHA256)
	if c.State != api.ExecSucceeded || len(b) > (rotate.Older+1)*rotate.MaxFile || !bytes.Contains(b, []byte(fmt.Sprintf("stdout line %d ", lines-1))) {
		t.Errorf("%d bytes: %+v", len(b), c)
	}
}

// TestTree: folders with many files, and deep ones, become one archive.
func TestTree(t *testing.T) {
	n := newNode(t)
	o := n.order(api.RuntimeNative, []byte("#!/bin/sh\nmkdir d; i=0; while [ $i -lt 1000 ]; do echo $i >d/$i; i=$((i+1)); done\ncd d; i=0; while [ $i -lt 100 ]; do mkdir x; cd x; i=$((i+1)); done; echo deep >f\n"))
	o.Body.Artifacts = []api.JobArtifact{{Name: "d", Path: "d"}}
	c := n.run(o)
	if c.State != api.ExecSucceeded || len(c.Artifacts) != 1 || c.Artifacts[0].Missing != "" {
		t.Fatalf("%+v", c)
	}
	files := 0
	r := tar.NewReader(bytes.NewReader(n.store.get(c.Artifacts[0].Blob.SHA256)))
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg {
			files++
		}
	}
	if files != 1001 {
		t.Errorf("%d files", files)
	}
}

// TestStoreAway: a store that is away for a moment gets artifacts and log all the same.
func TestStoreAway(t *testing.T) {
	n := newNode(t)
	n.store.refuse = 2
	o := n.order(api.RuntimeWasm, probe, "open=made", "lines=100")
	o.Body.Artifacts = []api.JobArtifact{{Name: "made", Path: "made"}}
	if c := n.run(o); c.State != api.ExecSucceeded || c.Artifacts[0].Missing != "" || c.Log.Size == 0 {
		t.Errorf("%+v", c)
	}
}

// TestLogStays: a log that the store has not taken in time is read here, also when the
// record is safe.
func TestLogStays(t *testing.T) {
	n := newNode(t)
	n.store.refuse = math.MaxInt
	o := n.order(api.RuntimeNative, nil)
	x := newExecution(n.Executor, o, func(jobs.Change) {})
	for range 100 {
		_, _ = x.log.writer("stdout").Write([]byte("a line of some length, so that it is more than a record takes\n"))
	}
	x.log.close()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	c := jobs.Change{State: api.ExecSucceeded}
	x.collect(ctx, &c)
	x.clear()
	n.Kept(o.Exec)
	got := 0
	has, err := n.Lines(t.Context(), o.Exec, jobs.Lines{Tail: -1}, func(api.LogLine) error { got++; return nil })
	if !has || err != nil || got != 100 || !c.Log.SHA256.IsZero() {
		t.Errorf("%v %v: %d lines, %+v", has, err, got, c)
	}
	n.Forget(o.Exec)
	if has, _ := n.Lines(t.Context(), o.Exec, jobs.Lines{Tail: -1}, func(api.LogLine) error { return nil }); has {
		t.Error("it is there although it was forgotten")
	}
}

// TestOutcome: what had ended, and was on its way to the store, is told by the next process.
func TestOutcome(t *testing.T) {
	n := newNode(t)
	o := n.order(api.RuntimeWasm, probe)
	o.Body.Artifacts = []api.JobArtifact{{Name: "a", Path: "a"}}
	x := newExecution(n.Executor, o, func(jobs.Change) {})
	if err := errors.Join(x.prepare(), os.WriteFile(filepath.Join(x.work, "a"), []byte("made"), 0o600),
		writeJSON(filepath.Join(x.dir, outcomeFile), jobs.Change{State: api.ExecSucceeded, Started: time.Now(), Ended: time.Now()})); err != nil {
		t.Fatal(err)
	}
	found, err := n.Recover()
	if err != nil || len(found) != 1 || found[0].Resume == nil {
		t.Fatalf("%+v %v", found, err)
	}
	c := newTold()
	n.wait(found[0].Resume(c.report))
	if got := c.last(); got.State != api.ExecSucceeded || len(got.Artifacts) != 1 || got.Artifacts[0].Missing != "" {
		t.Errorf("%+v", got)
	}
	n.over(o)
}

// TestReaderAcrossRotation reads each line once while the log is rotated under it.
func TestReaderAcrossRotation(t *testing.T) {
	o := newOutput(filepath.Join(t.TempDir(), "log"))
	text := strings.Repeat("x", 8<<10) + "\n"
	const most = 3000 // three files
	go func() {
		w := o.writer("stdout")
		for range most {
			_, _ = w.Write([]byte(text))
		}
		o.close()
	}()
	seen := map[time.Time]bool{}
	n := 0
	err := o.lines(t.Context(), jobs.Lines{Tail: -1, Follow: true}, func(l api.LogLine) error { seen[l.Time] = true; n++; return nil })
	if err != nil || n != most || len(seen) != most {
		t.Errorf("%d lines, %d of them different: %v", n, len(seen), err)
	}
}

// TestTails: what is kept for others is bounded, and its end is there.
func TestTails(t *testing.T) {
	n := newNode(t)
	x := n.order(api.RuntimeWasm, nil).Exec
	at := time.Now()
	for i := range 200 {
		tail := &api.JobTail{Job: "a-1", Exec: x, Lines: []api.LogLine{{Time: at, Stream: "stdout", Line: fmt.Sprint(i, strings.Repeat("y", 8<<10))}}}
		if err := n.Keep(tail); err != nil {
			t.Fatal(err)
		}
		at = at.Add(time.Millisecond)
	}
	size, last := 0, ""
	has, err := n.Lines(t.Context(), x, jobs.Lines{Tail: -1}, func(l api.LogLine) error { size += len(l.Line); last = l.Line; return nil })
	if !has || err != nil || size < api.KeptTail || size > 3*api.KeptTail || !strings.HasPrefix(last, "199y") {
		t.Errorf("%v %v: %d bytes, %.10s", has, err, size, last)
	}
	n.Drop(x)
	if has, _ := n.Lines(t.Context(), x, jobs.Lines{Tail: -1}, func(api.LogLine) error { return nil }); has {
		t.Error("it is there although it was dropped")
	}
}

// FuzzFolder: whatever is in the folder of an execution, it is an order, a result or an error.
func FuzzFolder(f *testing.F) {
	good, err := json.Marshal(jobs.Order{Job: "a-1", Exec: api.Exec{Root: api.Sum(nil), Run: "0", Epoch: 1}, Body: &api.Job{Type: api.JobOneShot}})
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{string(good), `{"State":"succeeded"}`, "{}", "null", "[", `{"Body":{}}`} {
		f.Add([]byte(s))
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, name := range []string{orderFile, resultFile} {
			if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if o, err := readOrder(dir); err == nil && (o.Body == nil || o.Exec.Root.IsZero()) {
			t.Errorf("%+v", o)
		}
		if c, err := readChange(filepath.Join(dir, resultFile)); err == nil && !c.State.Ended() {
			t.Errorf("%+v", c)
		}
	})
}
