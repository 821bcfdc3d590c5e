//go:build linux

package confine

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestCarve(t *testing.T) {
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{"a/x", "a/y/deep", "b"} {
		if err := os.MkdirAll(filepath.Join(root, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("a/x", filepath.Join(root, "link")); err != nil {
		t.Fatal(err)
	}
	for private, want := range map[string]string{
		"":         "",
		"a":        "b",
		"a/y":      "a/x b",
		"a/y/deep": "a/x b",
		"a/y/none": "a/x a/y/deep b",
		".":        "nothing",
		"../other": "",
	} {
		got := []string{}
		var hide []string
		if private != "" {
			hide = []string{filepath.Join(root, private)}
		}
		for _, p := range carve(root, hide) {
			rel, _ := filepath.Rel(root, p)
			got = append(got, rel)
		}
		slices.Sort(got)
		s := strings.Join(got, " ")
		if want == "" && s != "." || want == "nothing" && s != "" || want != "" && want != "nothing" && s != want {
			t.Errorf("without %q: %q", private, s)
		}
	}
}

func TestPassable(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "closed", "open")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(dir), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Passable(filepath.Join(dir, "f"), 123456); err == nil || !strings.Contains(err.Error(), "cannot reach") {
		t.Error(err)
	}
	if err := Passable("/usr/bin/env", 123456); err != nil {
		t.Error(err)
	}
}

// TestUnified makes groups of version 2 where a folder stands for the kernel's.
func TestUnified(t *testing.T) {
	root := t.TempDir()
	own := filepath.Join(root, "system", "realm")
	if err := os.MkdirAll(own, 0o755); err != nil {
		t.Fatal(err)
	}
	put := func(dir, has string) {
		if err := os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte(has), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	put(own, "")
	put(filepath.Dir(own), "memory pids\n")
	put(root, "cpu memory pids\n")
	why := map[string]error{}
	if dir := makeUnified(hierarchy{root, own}, "job", why); dir != filepath.Join(root, "system", "job") || why["cpu"] == nil || why["memory"] != nil {
		t.Errorf("%s, %v", dir, why)
	}
	put(filepath.Dir(own), "")
	put(root, "")
	why = map[string]error{}
	if dir := makeUnified(hierarchy{root, own}, "job", why); dir != "" || len(why) != len(controllers) {
		t.Errorf("%s, %v", dir, why)
	}
}

func TestLeases(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("user ids of their own are for root")
	}
	seen := map[int]*Lease{}
	for range 20 {
		l, err := LeaseUser()
		if err != nil {
			t.Fatal(err)
		}
		if seen[l.ID] != nil {
			t.Errorf("%d is given twice", l.ID)
		}
		if again, err := takeUser(leases(), l.ID); again != nil || err != nil {
			t.Errorf("%d can be taken again: %v", l.ID, err)
		}
		seen[l.ID] = l
	}
	for id, l := range seen {
		l.Release()
		if _, err := os.Stat(filepath.Join(leases(), filepath.Base(l.lock.Name()))); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the lock of %d is left: %v", id, err)
		}
	}
}

// TestFilter reads the jumps of the filter: each must lead to an instruction.
func TestFilter(t *testing.T) {
	if !hasFilter {
		t.Skip("there is no filter for this processor")
	}
	program := filter()
	if len(program) > 4096 {
		t.Errorf("%d instructions are more than the kernel takes", len(program))
	}
	for i, in := range program {
		if in.Code&7 == unix.BPF_JMP && i+1+int(max(in.Jt, in.Jf)) >= len(program) {
			t.Errorf("instruction %d jumps out", i)
		}
	}
	if last := program[len(program)-1]; last != allow() {
		t.Errorf("it ends with %v", last)
	}
}
