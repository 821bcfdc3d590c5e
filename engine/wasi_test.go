package engine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/realm-mesh/realm/engine/mount"
	"github.com/realm-mesh/realm/engine/wasmtest"
)

const (
	vectorsAt = 64
	bufferAt  = 1 << 16
	large     = 128 << 20 // bytes of a call
	mounted   = int32(3)  // the first folder
)

// longCalls are functions of WASI that go on for seconds or minutes if they are let.
func longCalls() map[string]wasmtest.HostCall {
	every := []wasmtest.Data{wasmtest.Vectors(vectorsAt, maxVectors, bufferAt, large)}
	calls := map[string]wasmtest.HostCall{
		"random_get":          {Name: "random_get", Args: []any{int32(bufferAt), int32(large)}, Pages: 2200},
		"fd_read":             {Name: "fd_read", Args: []any{int32(0), int32(vectorsAt), int32(maxVectors), int32(0)}, Pages: 2200, Data: every},
		"fd_write":            {Name: "fd_write", Args: []any{int32(1), int32(vectorsAt), int32(maxVectors), int32(0)}, Pages: 2200, Data: every},
		"fd_readdir":          {Name: "fd_readdir", Args: []any{mounted, int32(bufferAt), int32(maxNamesBytes), int64(0), int32(0)}, Pages: 3},
		"path_filestat_get":   {Name: "path_filestat_get", Args: []any{mounted, int32(0), int32(0), int32(0), int32(bufferAt)}, Pages: 2},
		"many poll_oneoff":    {Name: "poll_oneoff", Args: []any{int32(0), int32(bufferAt), int32(maxSubscriptions), int32(8)}, Pages: 3},
		"many clock_time_get": {Name: "clock_time_get", Args: []any{int32(1), int64(0), int32(0)}, Pages: 1},
	}
	for name, c := range calls {
		c.Forever = true
		calls[name] = c
	}
	return calls
}

// endless is a stream that is never empty.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// copied is a stream that takes time for every byte.
type copied struct{ b [pieceBytes]byte }

func (c *copied) Write(p []byte) (n int, err error) {
	for n < len(p) {
		n += copy(c.b[:], p[n:])
	}
	return n, nil
}

// manyFiles is a folder with a thousand files.
func manyFiles(t *testing.T) *mount.Folder {
	t.Helper()
	dir := t.TempDir()
	for i := range 1000 {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint("file-", i)), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder(t, dir)
}

func folder(t *testing.T, dir string) *mount.Folder {
	t.Helper()
	f, err := mount.Open(dir, false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// TestCallsOfTheHostAreBounded: what guests hand to WASI does not decide how much memory
// the host takes, or for how long it is busy.
func TestCallsOfTheHostAreBounded(t *testing.T) {
	const long, many = int32(maxPathBytes + 1), int32(maxVectors + 1)
	i, l := int32(0), int64(0)
	for name, c := range map[string]struct {
		args []any
		want uint32
	}{
		"fd_read":                 {[]any{i, i, many, i}, errnoInvalid},
		"fd_write":                {[]any{int32(1), i, many, i}, errnoInvalid},
		"fd_pread":                {[]any{i, i, many, l, i}, errnoInvalid},
		"fd_pwrite":               {[]any{int32(1), i, many, l, i}, errnoInvalid},
		"fd_readdir":              {[]any{mounted, i, int32(maxNamesBytes + 1), l, i}, errnoInvalid},
		"poll_oneoff":             {[]any{i, i, int32(maxSubscriptions + 1), i}, errnoInvalid},
		"path_create_directory":   {[]any{mounted, i, long}, errnoNameTooLong},
		"path_filestat_get":       {[]any{mounted, i, i, long, i}, errnoNameTooLong},
		"path_filestat_set_times": {[]any{mounted, i, i, long, l, l, i}, errnoNameTooLong},
		"path_link":               {[]any{mounted, i, i, i, mounted, i, long}, errnoNameTooLong},
		"path_open":               {[]any{mounted, i, i, long, i, l, l, i, i}, errnoNameTooLong},
		"path_readlink":           {[]any{mounted, i, long, i, i, i}, errnoNameTooLong},
		"path_remove_directory":   {[]any{mounted, i, long}, errnoNameTooLong},
		"path_rename":             {[]any{mounted, i, long, mounted, i, i}, errnoNameTooLong},
		"path_symlink":            {[]any{i, long, mounted, i, i}, errnoNameTooLong},
		"path_unlink_file":        {[]any{mounted, i, long}, errnoNameTooLong},
		"fd_renumber":             {[]any{mounted, int32(1 << 27)}, errnoBadFile},
		"random_get":              {[]any{int32(1<<16 - 1), int32(2)}, errnoFault},
	} {
		m := ready(t, wasmtest.HostCall{Name: name, Args: c.args, Pages: 1}.Bytes(), 16)
		err := m.Run(t.Context(), Env{Mounts: []Mount{{Guest: "/data", Folder: folder(t, t.TempDir())}}})
		if exit := new(ExitError); !errors.As(err, &exit) || exit.Code != c.want {
			t.Errorf("%s: %v, want error number %d", name, err, c.want)
		}
	}
}

// TestCallsOfTheHostCostFuel: each of them, and what they move.
func TestCallsOfTheHostCostFuel(t *testing.T) {
	const bytes = 3<<20 + 320
	vectors := []wasmtest.Data{wasmtest.Vectors(vectorsAt, 1, bufferAt, bytes)}
	io := func(fd int32) []any { return []any{fd, int32(vectorsAt), int32(1), int32(0)} }
	const exit = HostCallFuel + 1
	for name, c := range map[string]struct {
		call  wasmtest.HostCall
		moved uint64
	}{
		"nothing":    {wasmtest.HostCall{Name: "sched_yield"}, 0},
		"random_get": {wasmtest.HostCall{Name: "random_get", Args: []any{int32(bufferAt), int32(bytes)}}, bytes},
		"fd_write":   {wasmtest.HostCall{Name: "fd_write", Args: io(1), Data: vectors}, bytes},
		"fd_read":    {wasmtest.HostCall{Name: "fd_read", Args: io(0), Data: vectors}, pieceBytes},
	} {
		c.call.Pages = 64
		var used Usage
		err := ready(t, c.call.Bytes(), 16).Run(t.Context(), Env{Stdin: endless{}, Stdout: new(copied), Used: func(u Usage) { used = u }})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		want := uint64(len(c.call.Args)) + 1 + HostCallFuel + exit
		for moved, done := c.moved, uint64(0); done < moved; done += pieceBytes {
			want += min(moved-done, pieceBytes) / 32
		}
		if used.Fuel != want {
			t.Errorf("%s: %d units, want %d", name, used.Fuel, want)
		}
	}
	// So do texts that it is given, and paths.
	for name, c := range map[string]struct {
		args []any
		cost uint64
	}{"environ_get": {[]any{int32(8), int32(bufferAt)}, 320_001 / 32}, "path_unlink_file": {[]any{mounted, int32(0), int32(100)}, 6400}} {
		var used Usage
		_ = ready(t, wasmtest.HostCall{Name: name, Args: c.args, Pages: 64}.Bytes(), 16).Run(t.Context(), Env{Vars: []Var{{Name: "A", Value: strings.Repeat("x", 320_000)}},
			Mounts: []Mount{{Guest: "/data", Folder: folder(t, t.TempDir())}}, Used: func(u Usage) { used = u }})
		if want := uint64(len(c.args)) + 1 + HostCallFuel + exit + c.cost; used.Fuel != want {
			t.Errorf("%s: %d units, want %d", name, used.Fuel, want)
		}
	}
	// A guest that has fuel for a part of what it asks for is ended.
	for name, call := range longCalls() {
		var used Usage
		err := ready(t, call.Bytes(), 256).Run(t.Context(), Env{Fuel: 200_000, Stdin: endless{}, Stdout: new(copied),
			Mounts: []Mount{{Guest: "/data", Folder: manyFiles(t)}}, Used: func(u Usage) { used = u }})
		if out := new(FuelError); !errors.As(err, &out) || used.Fuel < 200_000 || used.Fuel > 270_000 {
			t.Errorf("%s: %v, %d units used", name, err, used.Fuel)
		}
	}
}
