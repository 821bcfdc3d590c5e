//go:build unix

package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/realm-mesh/realm/e2e/internal/node"
	"github.com/realm-mesh/realm/e2e/internal/wasm"
)

// alone is a machine on which no node is, nor ever was.
func alone(t *testing.T) *node.Node {
	t.Helper()
	n := newNode(t, "nowhere", "")
	n.Env = append(n.Env, "XDG_CACHE_HOME="+t.TempDir())
	return n
}

// TestRun runs programs where no node is: all flags of realm run.
func TestRun(t *testing.T) {
	t.Parallel()
	n := alone(t)
	spin := write(t, "spin.wasm", wasm.Spin("spin"))
	deep := write(t, "deep.wasm", wasm.Deep("deep"))
	greedy := write(t, "greedy.wasm", wasm.Greedy("greedy"))
	dir := t.TempDir()
	for _, c := range []struct {
		what     string
		code     int
		out, err string // patterns
		args     []string
	}{
		{"a function", 0, `^42\n$`, `^$`, []string{"--invoke", "double", sample("double"), "21"}},
		{"a negative number", 0, `^-8\n$`, `^$`, []string{"--invoke", "double", sample("double"), "-4"}},
		{"what it has used", 0, `^42\n$`, `^fuel [1-9][0-9]+, memory [0-9.]+ MiB, cpu [0-9.]+m?s, time [0-9.]+m?s\n$`, []string{"--stats", "--invoke", "double", sample("double"), "21"}},
		{"a command with a folder", 1, `^counting on from 0\ncount 1\n`, `deadline of 3000 ms passed`, []string{"--mount", "host=" + dir + ",guest=/there", "--epoch-ms", "3000", sample("counter-file"), "/there"}},
		{"a folder that it cannot write", 1, `^$`, `^counter-file: .*starts`, []string{"--mount", "host=" + dir + ",guest=/data,ro", sample("counter-file")}},
		{"no folder", 1, `^$`, `^counter-file: `, []string{sample("counter-file")}},
		{"no fuel", 1, `^$`, `^realm run: out of fuel after 1000001 units of 1000000: .*--fuel\n$`, []string{"--fuel", "1000000", "--invoke", "spin", spin}},
		{"little fuel for Go", 1, `^$`, `^realm run: make an instance: out of fuel after [0-9]+ units of 1000: .*--fuel\n$`, []string{"--fuel", "1000", "--invoke", "double", sample("double"), "1"}},
		{"no time", 1, `^$`, `^realm run: deadline of 200 ms passed \([0-9]{4,} units of fuel used\): .*--epoch-ms\n$`, []string{"--epoch-ms", "200", "--invoke", "spin", spin}},
		{"no stack", 1, `^$`, `^realm run: trap: stack overflow \([0-9]+ units of fuel used\): `, []string{"--invoke", "deep", deep}},
		{"no memory", 1, `^$`, `^realm run: trap: unreachable, after it was refused more than 16 MiB of memory \([0-9]+ units of fuel used\): .*--memory-max-mb\n$`, []string{"--memory-max-mb", "16", "--invoke", "greedy", greedy}},
		{"no file", 1, `^$`, `nowhere.wasm`, []string{"nowhere.wasm"}},
		{"no program", 1, `^$`, `^realm run: this is not a WebAssembly file\n$`, []string{write(t, "text", []byte("hello"))}},
		{"no such flag", 2, ``, `unknown flag`, []string{"--feul", "1", spin}},
		{"nothing", 2, ``, `FILE is missing`, nil},
	} {
		t.Run(c.what, func(t *testing.T) {
			r := n.CLI(testContext(t), append([]string{"run"}, c.args...)...)
			if r.Code != c.code || !regexp.MustCompile(c.out).MatchString(r.Stdout) || !regexp.MustCompile(c.err).MatchString(r.Stderr) {
				t.Errorf("want code %d, %s and %s of\n%s", c.code, c.out, c.err, r)
			}
		})
	}
	if _, err := os.Stat(n.Home); !os.IsNotExist(err) {
		t.Errorf("there is a home now: %v", err)
	}
}

// TestRunIsInterrupted: Ctrl-C ends a program that waits for a terminal, and one that
// computes.
func TestRunIsInterrupted(t *testing.T) {
	t.Parallel()
	n := alone(t)
	for what, args := range map[string][]string{
		"computing": {"--invoke", "spin", write(t, "spin.wasm", wasm.Spin("spin"))},
		"ticking":   {sample("ticker")}, // and does so before it is told to end
	} {
		t.Run(what, func(t *testing.T) {
			cmd := n.Command(testContext(t), append([]string{"run"}, args...)...)
			in, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			defer in.Close()
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			var complaints strings.Builder
			cmd.Stderr = &complaints
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			if what == "ticking" {
				if _, err := out.Read(make([]byte, 1)); err != nil {
					t.Error(err)
				}
			} else {
				time.Sleep(3 * time.Second) // it says nothing
			}
			begun := time.Now()
			if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
				t.Error(err)
			}
			err = cmd.Wait()
			if exit, ok := err.(*exec.ExitError); !ok || exit.ExitCode() != 1 { //nolint:errorlint // as Wait says
				t.Errorf("it ended with %v", err)
			}
			if took := time.Since(begun); took > 2*time.Second {
				t.Errorf("it ended %s after it was told to", took)
			}
			if !strings.Contains(complaints.String(), "realm run: stopped after ") {
				t.Errorf("it says %q", complaints.String())
			}
		})
	}
}

// TestFuelIsCounted gives functions, a component and a manifest fuel, and reads what
// callers and metrics are told.
func TestFuelIsCounted(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	spin := write(t, "spin.wasm", wasm.Spin("spin"))
	do(t, n, "fn", "deploy", "--wasm", spin, "--name", "spin", "--fuel", "5000000")
	do(t, n, "fn", "deploy", "--wasm", spin, "--name", "late", "--epoch-ms", "300")
	do(t, n, "fn", "deploy", "--wasm", write(t, "deep.wasm", wasm.Deep("deep")), "--name", "deep")
	do(t, n, "fn", "deploy", "--wasm", write(t, "greedy.wasm", wasm.Greedy("greedy")), "--name", "greedy", "--memory-max-mb", "16")
	do(t, n, "fn", "deploy", "--wasm", sample("double"), "--name", "double", "--fuel", "100000000")
	for name, want := range map[string]struct {
		status int
		says   string
	}{
		"spin":   {http.StatusBadGateway, `out of fuel after 5000001 units of 5000000: .*--fuel`},
		"late":   {http.StatusGatewayTimeout, `deadline of 300 ms passed \([0-9]{4,} units of fuel used\): .*--epoch-ms`},
		"deep":   {http.StatusBadGateway, `stack overflow \([0-9]+ units of fuel used\)`},
		"greedy": {http.StatusBadGateway, `refused more than 16 MiB of memory \([0-9]+ units of fuel used\)`},
		"double": {http.StatusOK, `42`},
	} {
		args := `{"name":"` + name + `"}`
		if name == "double" {
			args = `{"name":"double","arg":21}`
		}
		status, got := request(t, http.MethodPost, "http://"+n.HTTP+"/exec", args, jsonType)
		if status != want.status || !regexp.MustCompile(want.says).MatchString(got) {
			t.Errorf("%s: %d %s; want %d and %s", name, status, got, want.status, want.says)
		}
		if want.status != http.StatusOK {
			if r := n.CLI(testContext(t), "fn", "exec", name); r.Code != 1 || !regexp.MustCompile(want.says).MatchString(r.Stderr) {
				t.Errorf("want %s of\n%s", want.says, r)
			}
		}
	}
	do(t, n, "push", "--name", "hungry", "--file", sample("ticker"), "--fuel", "1000", "--wait=false")
	until(t, "a command to run out of fuel", func(ctx context.Context) error {
		out, err := n.Do(ctx, "explain", "hungry")
		if err == nil && !strings.Contains(out, "out of fuel after") {
			err = fmt.Errorf("explain says %s", out)
		}
		return err
	})
	manifest := "name = \"fuel\"\n\n[components.web]\nsource = " + strconv.Quote(sample("hello-cgi")) + "\nhttp = \"cgi\"\nfuel = 1000\n"
	do(t, n, "apply", "--file", write(t, "realm.toml", []byte(manifest)), "--yes")
	if status, got := request(t, http.MethodGet, "http://"+n.HTTP+"/web/", "", nil); status != http.StatusBadGateway || !strings.Contains(got, "out of fuel after") {
		t.Errorf("GET /web/: %d %s", status, got)
	}
	_, metrics := request(t, http.MethodGet, "http://"+n.Manage+"/metrics", "", nil)
	for _, series := range []string{`realm_runnerd_fuel_total\{[^}]*workload="function/spin"[^}]*\} [1-9]`, `realm_runnerd_cpu_seconds_total\{[^}]*workload="function/late"[^}]*\} 0\.[0-9]`,
		`realm_runnerd_memory_bytes_sum\{[^}]*workload="function/greedy"[^}]*\} [1-9]`, `realm_runnerd_calls_total\{[^}]*result="fuel"[^}]*\} [1-9]`,
		`agent_fuel_used_total(\{[^}]*\})? [1-9]`} {
		if !regexp.MustCompile(series).MatchString(metrics) {
			t.Errorf("/metrics has nothing like %s", series)
		}
	}
}
