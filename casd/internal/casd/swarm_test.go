package casd

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
)

// swarm is nodes that reach each other, as their meshds would have it.
type swarm []*node

// newSwarm starts n nodes. Their ids are those of [peerID] for 1, 2, ….
func newSwarm(t *testing.T, n int, change func(i int, c *Config)) swarm {
	t.Helper()
	var s swarm
	for i := range n {
		s = append(s, start(t, t.TempDir(), func(c *Config) {
			c.Fetch.Patience = time.Minute
			if change != nil {
				change(i, c)
			}
		}))
	}
	for i := range s {
		s.join(i)
	}
	return s
}

func (s swarm) id(i int) api.PeerID { return peerID(strconv.Itoa(i + 1)) }

// join makes the meshd of the ith node.
func (s swarm) join(i int) {
	others := map[api.PeerID]*node{}
	for j, other := range s {
		if j != i {
			others[s.id(j)] = other
		}
	}
	s[i].mesh(s.id(i), others, http.NewServeMux())
}

// fetch brings a blob to all of some nodes at once.
func (s swarm) fetch(blob api.Digest) time.Duration {
	began := time.Now()
	var all sync.WaitGroup
	for _, n := range s {
		all.Go(func() {
			if resp, b := n.do(http.MethodPost, api.PathBlobFetch(blob), nil); resp.StatusCode != http.StatusOK {
				n.t.Errorf("fetch: %s %s", resp.Status, b)
			}
		})
	}
	all.Wait()
	return time.Since(began)
}

// value is that of a metric.
func (n *node) value(metric string) float64 {
	n.t.Helper()
	_, b := n.do(http.MethodGet, "/metrics", nil)
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, "realm_casd_"+metric+" "); ok {
			f, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
			if err != nil {
				n.t.Fatal(err)
			}
			return f
		}
	}
	n.t.Fatalf("no metric %s in:\n%s", metric, b)
	return 0
}

const sentBytes = `swarm_bytes_total{direction="out"}`

// The member that has a blob alone sends it to five others about once; they have the
// rest from each other.
func TestSeedSendsItAboutOnce(t *testing.T) {
	for _, size := range []int{24 << 20, 96 << 20} {
		t.Run(fmt.Sprint(size>>20, " MiB"), func(t *testing.T) {
			s := newSwarm(t, 6, nil)
			blob := noise(1, size)
			d := s[0].put(blob)
			took := s[1:].fetch(d)
			ratio := s[0].value(sentBytes) / float64(size)
			again := 0.0
			for _, n := range s[1:] {
				again += n.value("swarm_chunks_again_total")
				_, b := n.do(http.MethodHead, api.PathBlob(d), nil)
				if len(b) != 0 {
					t.Errorf("%d bytes", len(b))
				}
			}
			t.Logf("%v; the seed sent it %.2f times; %v chunks came twice", took, ratio, again)
			if ratio > 1.3 {
				t.Errorf("the seed sent it %.2f times", ratio)
			}
		})
	}
}
