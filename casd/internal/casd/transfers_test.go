package casd

import (
	"net/http"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
)

// What is told of a transfer is so, from its first bytes to its last: how fast it is, and
// so how long it takes yet.
func TestTransferTellsItsRate(t *testing.T) {
	const rate = 2 * mib
	for name, limit := range map[string]struct{ up, down int64 }{"limited by its source": {up: rate}, "limited by its node": {down: rate}} {
		t.Run(name, func(t *testing.T) {
			peer := start(t, t.TempDir(), func(c *Config) { c.Upload = limit.up })
			n := start(t, t.TempDir(), func(c *Config) { patient(c); c.Download = limit.down })
			n.peers(map[api.PeerID]*node{peerID("B"): peer})
			d := peer.put(noise(1, 12*mib))
			seen, end := n.watch(d)
			if len(seen) < 10 {
				t.Fatalf("%d looks at a transfer of %v", len(seen), end.Sub(seen[0].at))
			}
			right := 0
			for i, s := range seen {
				least, most := speeds(seen[:i+1])
				switch early := s.at.Sub(s.Began) < time.Second/2; {
				case s.Done == 0, i == 0:
				case s.Rate <= 0, !early && (s.Rate < least/3 || s.Rate > 3*most):
					t.Errorf("at %d of %d bytes it says %.0f bytes a second; it has had from %.0f to %.0f", s.Done, s.Size, s.Rate, least, most)
				}
				if left, told := end.Sub(s.at), s.left(); told < 2*left+time.Second/2 && left < 2*told+time.Second/2 {
					right++
				}
			}
			if right < len(seen)/2 {
				t.Errorf("how long it takes yet was right %d times of %d", right, len(seen))
			}
		})
	}
}

// speeds are that in the mean and that of about the last two seconds, in bytes a second.
func speeds(seen []look) (least, most float64) {
	last := seen[len(seen)-1]
	from := last.at.Add(-2 * time.Second)
	first := look{at: last.Began}
	mean := float64(last.Done) / last.at.Sub(last.Began).Seconds()
	for _, s := range seen {
		if s.at.Before(from) {
			first = s
		}
	}
	lately := float64(last.Done-first.Done) / last.at.Sub(first.at).Seconds()
	return min(mean, lately), max(mean, lately)
}

// look is a transfer at some time.
type look struct {
	api.Transfer
	at time.Time
}

// left is how long the rest takes at the rate that is told.
func (l look) left() time.Duration {
	if l.Rate <= 0 {
		return 0
	}
	return time.Duration(float64(l.Size-l.Done) / l.Rate * float64(time.Second))
}

// watch fetches a blob, and looks all the time how that goes. end is when it is here.
func (n *node) watch(d api.Digest) (seen []look, end time.Time) {
	n.t.Helper()
	done := make(chan time.Time, 1)
	go func() {
		defer close(done)
		if resp, err := n.client.Post(n.url+api.PathBlobFetch(d), "", nil); err == nil {
			resp.Body.Close()
			done <- time.Now()
		}
	}()
	for {
		select {
		case end := <-done:
			if end.IsZero() {
				n.t.Fatal("the fetch has failed")
			}
			return seen, end
		case <-time.After(50 * time.Millisecond):
		}
		var reply api.TransfersReply
		n.ask(http.MethodGet, "/transfers", "", &reply)
		for _, t := range reply.Transfers {
			seen = append(seen, look{t, time.Now()})
		}
	}
}
