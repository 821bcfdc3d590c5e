package runnerd

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
)

// TestUseIsTold wants to know of each workload what it has used, and what it has now, as
// long as it is here.
func TestUseIsTold(t *testing.T) {
	n := newNode(t)
	n.start()
	n.push(worker, n.sleeper(1, "here"))
	n.push(double, n.times(2))
	n.awaitState(worker, 1, api.StateRunning)
	n.awaitState(double, 1, api.StateRunning)
	if got := n.call("double", "[21]"); got != `200 {"result":42}` {
		t.Error(got)
	}
	series := func(pattern string) bool {
		_, body := n.request(http.MethodGet, "/metrics", "")
		return regexp.MustCompile("(?m)^" + pattern + "$").MatchString(body)
	}
	for _, pattern := range []string{
		`realm_runnerd_memory_current_bytes\{workload="component/worker"\} [1-9].*`,
		`agent_mem_current_bytes [1-9].*`, `agent_fuel_used_total [1-9].*`,
		`realm_runnerd_fuel_total\{workload="function/double"\} [1-9].*`,
		`realm_runnerd_cpu_seconds_total\{workload="function/double"\} [0-9].*`,
		`realm_runnerd_memory_bytes_count\{workload="function/double"\} [1-9].*`,
		`realm_runnerd_call_seconds_count\{workload="function/double"\} 1`,
	} {
		if !series(pattern) {
			t.Errorf("/metrics has nothing like %s", pattern)
		}
	}
	n.push(double, nil)
	n.push(worker, nil)
	gone := time.Now().Add(20 * time.Second)
	for series(`.*workload="(function/double|component/worker)".*`) {
		if time.Now().After(gone) {
			_, body := n.request(http.MethodGet, "/metrics", "")
			t.Fatalf("series of what was removed are there:\n%s", strings.Join(regexp.MustCompile(`(?m)^.*workload=.*$`).FindAllString(body, -1), "\n"))
		}
		time.Sleep(20 * time.Millisecond)
	}
	if !series(`agent_mem_current_bytes 0`) {
		t.Error("memory is told that nobody has")
	}
}
