package wasihttp

import (
	"bytes"
	"flag"
	"io"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/realm-mesh/realm/engine/soaktest"
	"github.com/realm-mesh/realm/runnerd/internal/exchange"
)

// soak bounds the test below, which is longer the longer it is: see make soak.
var soak = flag.Duration("soak", time.Second, "how long the test of flat memory may go on")

const (
	soakRequests = 1_000_000
	soakAtOnce   = 4
	soakBatch    = 200 // requests in a row, on one connection
	slackFiles   = 10  // descriptors more at one look than at another
)

// TestRequestsLeaveNothing has a component answer a million requests, some of which have a body that it
// does not read, or as many as there is time for.
func TestRequestsLeaveNothing(t *testing.T) {
	var held atomic.Int64
	s := serve(t, "hello-http", func(c *exchange.Config) {
		c.Account.Holds = func(n int64) { held.Add(n) }
	})
	want := answer(t, s, nil)
	var files []int
	done := soaktest.Soak{Most: soakRequests / soakAtOnce / soakBatch, For: *soak, Look: func() soaktest.Held {
		s.Client().CloseIdleConnections()
		files = append(files, descriptors(t))
		return soaktest.Here(t)
	}}.Flat(t, func(int) {
		var batch sync.WaitGroup
		for range soakAtOnce {
			batch.Go(func() {
				for range soakBatch {
					if got := answer(t, s, nil); !bytes.Equal(got, want) {
						t.Errorf("%q, want %q", got, want)
					}
				}
				answer(t, s, io.LimitReader(forever{}, 1<<16)) // which nobody reads
			})
		}
		batch.Wait()
	})
	t.Logf("%d requests; descriptors at each look: %v", done*soakAtOnce*(soakBatch+1), files)
	if last := len(files) - 1; files[last] > files[0]+slackFiles {
		t.Error("descriptors are left open")
	}
	s.Close() // waits for the handlers; guests are over a moment later
	for late := time.Now().Add(time.Minute); held.Load() != 0; time.Sleep(time.Millisecond) {
		if time.Now().After(late) {
			t.Fatalf("instances that are gone hold %d bytes", held.Load())
		}
	}
}

// forever is a body without end.
type forever struct{}

func (forever) Read(b []byte) (int, error) { return len(b), nil }

// answer is what s answers to a request, which may have a body.
func answer(t *testing.T, s *site, body io.Reader) []byte {
	q, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/", body)
	if err != nil {
		t.Error(err)
		return nil
	}
	resp, err := s.Client().Do(q)
	if err != nil {
		t.Error(err)
		return nil
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("%s %q, %v", resp.Status, b, err)
	}
	return b
}

// descriptors is how many files this process has open; 0 where the system does not tell.
func descriptors(t *testing.T) int {
	t.Helper()
	dir, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(dir)
}
