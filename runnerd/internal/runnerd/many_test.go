package runnerd

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/bus"
)

// many is how many intents come at once; 10,000 take ten times as long.
const many = 1_000

// TestThousandsAtOnce has a node meet a large realm while one of its functions is
// called.
func TestThousandsAtOnce(t *testing.T) {
	n := newNode(t)
	n.start()
	n.push(double, n.times(2))
	n.awaitState(double, 1, api.StateRunning)
	puts := map[string][]byte{}
	for i := range many {
		ref := api.Ref{Kind: api.KindFunction, Name: api.Name(fmt.Sprint("f", i))}
		s := n.sign(ref, n.times(byte(3+i%20)), api.Target{}, n.owner)
		puts[s.Slot().Key()] = s.Envelope
	}
	stop, calls := make(chan struct{}), make(chan []time.Duration, 1)
	go func() { calls <- n.callUntil(stop) }()
	begun := time.Now()
	n.check(n.bucket(api.BucketIntents).Apply(t.Context(), puts, nil))
	writes := n.awaitRunning("f", many)
	all := time.Since(begun)
	close(stop)
	took := <-calls
	slices.Sort(took)
	slowest := took[len(took)-1]
	t.Logf("%d functions run after %v, told by %d facts; of %d calls meanwhile half took %v, the slowest %v", many,
		all.Round(time.Millisecond), writes, len(took), took[len(took)/2].Round(time.Microsecond), slowest.Round(time.Microsecond))
	if all > time.Minute || slowest > 5*time.Second || writes > 3*many {
		t.Error("it takes too long, keeps others waiting, or tells too much")
	}
	n.kill()
	begun = time.Now()
	n.start()
	t.Logf("ready %v after the next start", time.Since(begun).Round(time.Millisecond))
}

// callUntil calls double until stop is closed, and returns how long each call took.
func (n *node) callUntil(stop <-chan struct{}) (took []time.Duration) {
	for {
		select {
		case <-stop:
			return took
		case <-time.After(5 * time.Millisecond):
		}
		begun := time.Now()
		if got := n.call("double", "[21]"); got != `200 {"result":42}` {
			n.Error(got)
		}
		took = append(took, time.Since(begun))
	}
}

// awaitRunning waits until count functions whose names begin with prefix run, and
// returns how many facts said so.
func (n *node) awaitRunning(prefix string, count int) (writes int) {
	n.Helper()
	running := map[api.Name]bool{}
	errAll := errors.New("all run")
	err := n.bucket(api.BucketWorkloads).Watch(n.Context(), "function.*."+string(n.self), func(ev bus.Event) error {
		if ev.Kind != bus.Put {
			return nil
		}
		writes++
		var f api.WorkloadFact
		if err := json.Unmarshal(ev.Value, &f); err != nil {
			return err
		}
		if f.State == api.StateRunning && strings.HasPrefix(string(f.Name), prefix) {
			running[f.Name] = true
		}
		if len(running) == count {
			return errAll
		}
		return nil
	})
	if !errors.Is(err, errAll) {
		n.Fatal(err)
	}
	return writes
}
