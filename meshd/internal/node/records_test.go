package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/meshd/internal/gossip"
	"github.com/realm-mesh/realm/meshd/internal/meshtest"
	"github.com/realm-mesh/realm/meshd/internal/p2p"
	"github.com/realm-mesh/realm/meshd/internal/records"
)

// record is what a member says of the run n of a job.
func (p *place) record(t testing.TB, n int, seq uint64, state api.ExecState) (api.JobRecord, []byte) {
	t.Helper()
	rec := p.recordOf(api.Sum([]byte("root")), n, seq, state)
	raw, err := intent.SignRecord(rec, p.key)
	if err != nil {
		t.Fatal(err)
	}
	return rec, raw
}

func (p *place) recordOf(root api.Digest, n int, seq uint64, state api.ExecState) api.JobRecord {
	return api.JobRecord{Realm: p.pin.Realm, Root: root, Job: "build-1", Run: api.NewRunKey(time.Time{}, n), Epoch: 1,
		Peer: p.id(), Seq: seq, State: state, Claimed: time.Now().UTC()}
}

// say has a member say it, as its runnerd does by the bus.
func (m *member) say(t testing.TB, n int, seq uint64, state api.ExecState) api.JobRecord {
	t.Helper()
	rec, raw := m.place.record(t, n, seq, state)
	m.cfg.Records.Add(rec, raw, records.Runnerd)
	return rec
}

func (m *member) knows(rec api.JobRecord) func() bool {
	return func() bool { return m.cfg.Records.Knows(&rec) }
}

func (m *member) gossips(t testing.TB, b api.RecordBatch) {
	t.Helper()
	raw, err := json.Marshal(b)
	if err == nil {
		err = m.gossip.Publish(t.Context(), api.TopicJob(m.place.pin.Realm), raw)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestRecords has records spread by gossip, and to a member that comes later.
func TestRecords(t *testing.T) {
	r := meshtest.NewRealm(t)
	all := mesh(t, r, 3)
	running := all[0].say(t, 0, 1, api.ExecRunning)
	for _, m := range all[1:] {
		until(t, 20*time.Second, "the others have what one says", m.knows(running))
	}
	ended := all[0].say(t, 0, 2, api.ExecSucceeded)
	last := ended
	for n := range 600 { // more than a message, or a page, takes
		last = all[1].say(t, 1+n%900, 1, api.ExecFailed)
	}
	late := newPlace(t, r).start(t, all[0])
	for _, m := range append(all, late) {
		until(t, 60*time.Second, "everybody has everything", func() bool { return m.cfg.Records.Len() == 601 && m.knows(ended)() && m.knows(last)() })
	}
	if string(late.cfg.Records.Digests()) != string(all[0].cfg.Records.Digests()) {
		t.Error("they do not hold the same")
	}
	for _, m := range all {
		if s := late.conduct.Sentence(m.host.ID()); s != "" {
			t.Errorf("an honest member is blamed: %s", s)
		}
	}
}

// TestRecordsOfOnesOwn has a member lose its bucket: what it had said comes back.
func TestRecordsOfOnesOwn(t *testing.T) {
	r := meshtest.NewRealm(t)
	all := mesh(t, r, 2)
	said := all[0].say(t, 0, 3, api.ExecSucceeded)
	until(t, 20*time.Second, "the other has it", all[1].knows(said))
	all[0].stop()
	again := all[0].place.start(t, all[1]) // its shelf begins with none
	until(t, 30*time.Second, "it has its own record again", again.knows(said))
	if puts, _ := again.cfg.Records.TakeWrites(10); len(puts) != 1 {
		t.Errorf("%d go to the bucket", len(puts))
	}
}

// TestWrongRecords has a member forge, send garbage, and say old things again.
func TestWrongRecords(t *testing.T) {
	r := meshtest.NewRealm(t)
	all := mesh(t, r, 3)
	liar, victim, v := all[0], all[1], watchTable(all[2])
	rec, raw := victim.place.record(t, 7, 5, api.ExecSucceeded)
	forged := []byte(strings.Replace(string(raw), `"sig":"`, `"sig":"AAAA`, 1))
	stranger, strange := waiting(t, r).record(t, 8, 1, api.ExecRunning)
	foreign, other := rec, waiting(t, meshtest.NewRealm(t))
	foreign.Realm, foreign.Peer = other.pin.Realm, other.id()
	abroad, err := intent.SignRecord(foreign, other.key)
	if err != nil {
		t.Fatal(err)
	}

	said := victim.say(t, 0, 4, api.ExecRunning)
	until(t, 20*time.Second, "it is heard", all[2].knows(said))
	_, old := victim.place.record(t, 0, 1, api.ExecClaimed)
	ignored := fmt.Sprintf("gossip %s %s", api.TopicJob(r.Pin.Realm), gossip.Ignore)
	before := all[2].seen.count(ignored)
	liar.gossips(t, api.RecordBatch{Records: [][]byte{old}})
	liar.gossips(t, api.RecordBatch{Records: [][]byte{strange}})
	until(t, 20*time.Second, "what is old, or of a stranger, changes nothing", func() bool { return all[2].seen.count(ignored) >= before+2 })

	liar.gossips(t, api.RecordBatch{Records: [][]byte{forged}})
	until(t, 20*time.Second, "who forges is named", func() bool { return strings.Contains(v.peer(t, liar.self).Conduct, "forged") })
	if err := liar.gossip.Publish(t.Context(), api.TopicJob(r.Pin.Realm), []byte(`{"records":[]}x`)); err != nil {
		t.Fatal(err)
	}
	liar.gossips(t, api.RecordBatch{Records: [][]byte{abroad}})
	garbage := fmt.Sprintf("gossip %s %s", api.TopicJob(r.Pin.Realm), gossip.Garbage)
	until(t, 20*time.Second, "garbage is seen as such", func() bool { return all[2].seen.count(garbage) >= 2 })
	for _, m := range all[1:] {
		if m.cfg.Records.Len() != 1 || m.knows(rec)() || m.knows(stranger)() {
			t.Errorf("%s took something of that", m.self.Short())
		}
	}
	if c := v.peer(t, victim.self).Conduct; c != "" {
		t.Errorf("who was forged is blamed: %s", c)
	}
}

// TestJobsOfAClient has a command line ask a member about jobs: it may read only.
func TestJobsOfAClient(t *testing.T) {
	r := meshtest.NewRealm(t)
	p := newPlace(t, r)
	p.daemons = roundTrip(func(q *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusTeapot, Body: http.NoBody, Header: http.Header{}, Request: q}, nil
	})
	serving := p.start(t)
	peer := newPlace(t, r).start(t, serving)
	waitMesh(t, serving, peer)
	cli := waiting(t, r)
	cli.proof = api.Proof{Realm: r.Pin.Realm, Intents: [][]byte{r.Client(t, cli.key, time.Now().Add(time.Hour)).Envelope}}
	client := cli.start(t, serving)
	until(t, 20*time.Second, "it is a client", func() bool { return client.Status().Standing == api.StandingClient })
	until(t, 20*time.Second, "it is connected", func() bool { return len(client.host.Network().Peers()) > 0 })

	for _, tt := range []struct {
		from         *member
		method, path string
		want         int
	}{
		{client, http.MethodGet, api.PathJobs, http.StatusTeapot},
		{client, http.MethodGet, api.PathJobLogs("build-1"), http.StatusTeapot},
		{client, http.MethodPost, api.PathJobClaims, http.StatusForbidden},
		{client, http.MethodPost, api.PathJobTail, http.StatusForbidden},
		{client, http.MethodDelete, api.PathJob("build-1"), http.StatusForbidden},
		{peer, http.MethodPost, api.PathJobClaims, http.StatusTeapot},
		{peer, http.MethodPost, api.PathJob("build-1"), http.StatusForbidden},
		{peer, http.MethodGet, "/jobs/../blobs", http.StatusForbidden},
		{peer, http.MethodGet, "/workloads/function/x", http.StatusForbidden},
	} {
		req, err := http.NewRequestWithContext(t.Context(), tt.method, "http://"+string(serving.self)+tt.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := tt.from.jobTrips().RoundTrip(req)
		if err != nil {
			t.Errorf("%s %s: %v", tt.method, tt.path, err)
			continue
		}
		if err := errors.Join(res.Body.Close()); err != nil || res.StatusCode != tt.want {
			t.Errorf("%s %s: %d, want %d (%v)", tt.method, tt.path, res.StatusCode, tt.want, err)
		}
	}
}

// TestClaimsBesideFollowers has a claim be answered while a member is asked for more output
// that does not end than it tells at a time: silence would be taken for consent.
func TestClaimsBesideFollowers(t *testing.T) {
	r := meshtest.NewRealm(t)
	p := newPlace(t, r)
	p.daemons = roundTrip(func(q *http.Request) (*http.Response, error) {
		if q.Method == http.MethodGet {
			<-q.Context().Done()
			return nil, q.Context().Err()
		}
		return &http.Response{StatusCode: http.StatusTeapot, Body: http.NoBody, Header: http.Header{}, Request: q}, nil
	})
	serving := p.start(t)
	asking := newPlace(t, r).start(t, serving)
	waitMesh(t, serving, asking)
	trips := asking.jobTrips()
	ask := func(ctx context.Context, method, path string) (int, error) {
		req, err := http.NewRequestWithContext(ctx, method, "http://"+string(serving.self)+path, nil)
		if err != nil {
			return 0, err
		}
		res, err := trips.RoundTrip(req)
		if err != nil {
			return 0, err
		}
		return res.StatusCode, res.Body.Close()
	}
	ctx, cancel := context.WithCancel(t.Context())
	var followers sync.WaitGroup
	defer followers.Wait()
	defer cancel()
	for range p2p.StreamsJob + 10 {
		followers.Go(func() { _, _ = ask(ctx, http.MethodGet, api.PathJobLogs("build-1")) }) // it ends with the test
	}
	until(t, 20*time.Second, "streams are open", func() bool { return serving.jobStreams(asking.self) >= p2p.StreamsJob*3/4 })
	short, end := context.WithTimeout(t.Context(), 5*time.Second)
	defer end()
	if code, err := ask(short, http.MethodPost, api.PathJobClaims); err != nil || code != http.StatusTeapot {
		t.Errorf("a claim beside %d followers: %d, %v", p2p.StreamsJob+10, code, err)
	}
}

// jobStreams is how many streams about jobs are open with a member.
func (m *member) jobStreams(p api.PeerID) (n int) {
	for _, c := range m.host.Network().Conns() {
		id, err := p2p.ID(c.RemotePeer())
		if err != nil || id != p {
			continue
		}
		for _, s := range c.GetStreams() {
			if string(s.Protocol()) == api.Protocol(m.cfg.Pin.Realm, api.ServiceJob) {
				n++
			}
		}
	}
	return n
}

// TestInstantsToCome: a run of an instant that has not come is nobody's to speak of. It
// would push out what is kept of others, or end them.
func TestInstantsToCome(t *testing.T) {
	m := newPlace(t, meshtest.NewRealm(t)).start(t)
	for ahead, want := range map[time.Duration]int{-time.Hour: 1, time.Minute: 1, time.Hour: 0, 10000 * time.Hour: 0} {
		rec := m.place.recordOf(api.Sum([]byte("root")), 0, 1, api.ExecSucceeded)
		rec.Run = api.NewRunKey(time.Now().Add(ahead), 0)
		raw, err := intent.SignRecord(rec, m.place.key)
		if err != nil {
			t.Fatal(err)
		}
		if news, err := m.readRecords([][]byte{raw}); err != nil || len(news) != want {
			t.Errorf("%s ahead: %d are news, want %d (%v)", ahead, len(news), want, err)
		}
	}
}
