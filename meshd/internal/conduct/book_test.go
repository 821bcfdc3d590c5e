package conduct

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"go.uber.org/goleak"

	"github.com/realm-mesh/realm/api"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// court runs a Book in simulated time, and writes down whom it tells what.
type court struct {
	*Book
	mu      sync.Mutex
	said    []string
	blocked []peer.ID
}

func run(t *testing.T, fn func(t *testing.T, c *court)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := new(court)
		c.Book = New(Config{Log: slog.New(slog.DiscardHandler),
			Changed: func(p peer.ID, s string) {
				c.mu.Lock()
				defer c.mu.Unlock()
				c.said = append(c.said, string(p)+": "+s)
			},
			Block: func(p peer.ID) {
				c.mu.Lock()
				defer c.mu.Unlock()
				c.blocked = append(c.blocked, p)
			}})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- c.Run(ctx) }()
		fn(t, c)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// told returns what was said since the last time, after a moment.
func (c *court) told() []string {
	time.Sleep(2 * tellEvery)
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	said := c.said
	c.said = nil
	return said
}

func TestPointsHalve(t *testing.T) {
	run(t, func(t *testing.T, c *court) {
		c.NoteMany("a", Rejected, 4)
		if got := c.Score("a"); got != -40 {
			t.Errorf("the score is %v", got)
		}
		time.Sleep(HalfLife)
		if got := c.Score("a"); got < -20.01 || got > -19.99 {
			t.Errorf("after a half-life it is %v", got)
		}
		c.Note("a", Garbage)
		if got := c.Score("a"); got < -30.01 || got > -29.99 {
			t.Errorf("after one more it is %v", got)
		}
		if c.Score("b") != 0 || c.Sentence("b") != "" || c.Blocked("b") {
			t.Error("somebody else is blamed")
		}
		time.Sleep(6 * HalfLife)
		synctest.Wait()
		if c.Score("a") != 0 || c.Sentence("a") != "" {
			t.Errorf("it is never forgiven: %v %q", c.Score("a"), c.Sentence("a"))
		}
	})
}

func TestWhatPeopleRead(t *testing.T) {
	run(t, func(t *testing.T, c *court) {
		c.Note("a", Rejected)
		if got := c.told(); !slices.Equal(got, []string{"a: it sent what is forged or not its right (1)"}) {
			t.Errorf("%q", got)
		}
		for range 20_000 {
			c.Note("a", Flooded)
		}
		got := c.told()
		if len(got) == 0 || len(got) > 2 || !strings.Contains(got[len(got)-1], "it sent too much (20000 dropped); cut off until 00:10 UTC") {
			t.Errorf("%q", got)
		}
		if s := got[len(got)-1]; len(s) > 256 {
			t.Errorf("%d bytes", len(s))
		}
		if got := c.told(); len(got) != 0 {
			t.Errorf("repeated: %q", got)
		}
		time.Sleep(time.Hour)
		if got := c.told(); len(got) == 0 || got[len(got)-1] != "a: " {
			t.Errorf("at the end it says %q", got)
		}
	})
}

// TestSteps has a peer go from bad to worse.
func TestSteps(t *testing.T) {
	run(t, func(t *testing.T, c *court) {
		for n := 1; n <= BlockAt/10; n++ {
			if c.Blocked("a") {
				t.Fatalf("cut off after %d", n-1)
			}
			c.Note("a", Garbage)
			if ignored := strings.Contains(c.Sentence("a"), "ignored"); ignored != (n*10 >= IgnoreAt && n*10 < BlockAt) {
				t.Errorf("after %d: %s", n, c.Sentence("a"))
			}
		}
		c.told()
		if !c.Blocked("a") || len(c.blocked) != 1 {
			t.Errorf("cut off: %v, %d times", c.Blocked("a"), len(c.blocked))
		}
		c.NoteMany("a", Garbage, 10)
		c.told()
		if len(c.blocked) != 1 {
			t.Error("cut off again while it is cut off")
		}
		time.Sleep(BlockFor + lookEvery)
		synctest.Wait()
		if c.Blocked("a") {
			t.Error("it stays cut off")
		}
		c.NoteMany("a", Garbage, BlockAt/10)
		c.told()
		if !c.Blocked("a") || len(c.blocked) != 2 {
			t.Error("who goes on is not cut off again")
		}
	})
}

func TestRates(t *testing.T) {
	run(t, func(t *testing.T, c *court) {
		for class := range classes {
			q := class.quota()
			p := peer.ID(fmt.Sprint("peer ", int(class)))
			allowed := 0
			for range q.burst + 100 {
				if c.Allow(p, class, 1, 1) {
					allowed++
				}
			}
			if allowed != q.burst {
				t.Errorf("class %d: %d at once; want %d", class, allowed, q.burst)
			}
			if s := c.Sentence(p); !strings.Contains(s, "too much (100 dropped)") {
				t.Errorf("class %d: %q", class, s)
			}
			if !c.Allow("another", class, 1, 1) {
				t.Errorf("class %d: another peer pays for it", class)
			}
			time.Sleep(10 * time.Second)
			synctest.Wait() // what looks at counts now and then does not do so among those below
			if !c.Allow(p, class, 1, 1) {
				t.Errorf("class %d: nothing after ten seconds", class)
			}
			if q.bytes > 0 && (c.Allow("large", class, 1, q.room+1) || !c.Allow("large", class, 1, q.room)) {
				t.Errorf("class %d: bytes are not counted", class)
			}
		}
	})
}

func TestUselessMessages(t *testing.T) {
	run(t, func(t *testing.T, c *court) {
		burst := UselessMessages.quota().burst
		for range burst {
			c.Useless("a")
		}
		if s := c.Sentence("a"); s != "" {
			t.Errorf("after a few it is blamed: %s", s)
		}
		c.Useless("a")
		if s := c.Sentence("a"); !strings.Contains(s, "repeated") {
			t.Errorf("after many: %q", s)
		}
	})
}

func TestEquivocation(t *testing.T) {
	run(t, func(t *testing.T, c *court) {
		one, two := api.Sum([]byte("one")), api.Sum([]byte("two"))
		for _, s := range []struct {
			epoch int64
			seq   uint64
			d     api.Digest
			want  bool
		}{
			{1, 1, one, false}, {1, 2, two, false}, {1, 1, one, false}, {2, 1, two, false}, {1, 2, one, true}, {2, 1, two, false},
		} {
			if got := c.Said("a", s.epoch, s.seq, s.d); got != s.want {
				t.Errorf("%+v: %v", s, got)
			}
		}
		if c.Said("b", 1, 1, two) {
			t.Error("two authors may say different things")
		}
		if s := c.Sentence("a"); !strings.Contains(s, "different things under one number (1)") || c.Score("a") != -40 {
			t.Errorf("%q, %v", s, c.Score("a"))
		}
		for seq := range uint64(10 * maxStatements) {
			c.Said("b", 3, seq, one)
		}
		if n := len(c.peers["b"].said); n > maxStatements {
			t.Errorf("%d numbers are remembered", n)
		}
	})
}

// TestManyPeers has more peers come than are remembered: the bad ones stay.
func TestManyPeers(t *testing.T) {
	run(t, func(t *testing.T, c *court) {
		c.NoteMany("bad", Garbage, 5)
		for i := range maxPeers + 10 {
			c.Allow(peer.ID(fmt.Sprint(i)), Frames, 1, 0)
		}
		if len(c.peers) > maxPeers || c.Score("bad") == 0 {
			t.Errorf("%d peers are remembered; the bad one has %v", len(c.peers), c.Score("bad"))
		}
		time.Sleep(12 * time.Hour)
		synctest.Wait()
		if len(c.peers) != 0 {
			t.Errorf("%d peers are remembered when nothing was heard for long", len(c.peers))
		}
	})
}

// BenchmarkAllow is what each gossip frame costs.
func BenchmarkAllow(b *testing.B) {
	book := New(Config{Log: slog.New(slog.DiscardHandler)})
	for b.Loop() {
		book.Allow("a", Frames, 1, 0)
	}
}
