package meshd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/bus"
	"github.com/realm-mesh/realm/internal/kit/daemon"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/local"
	"github.com/realm-mesh/realm/meshd/internal/meshtest"
)

// pair is two members that are connected.
func pair(t *testing.T) (r *meshtest.Realm, boxes [2]*box, procs [2]*process) {
	r, boxes = meshtest.NewRealm(t), [2]*box{newBox(t), newBox(t)}
	for _, b := range boxes {
		b.admit(t, r)
	}
	procs[0] = boxes[0].start(t)
	procs[1] = boxes[1].start(t, boot(procs[0]))
	boxes[0].awaitMember(t, boxes[1].id(), true)
	boxes[1].awaitMember(t, boxes[0].id(), true)
	return r, boxes, procs
}

func TestIntentsOverTheBus(t *testing.T) {
	r, boxes, procs := pair(t)
	s := r.Component(t, "web", 1)
	for range 2 { // the same again is answered the same
		if err := boxes[0].submit(t, s); err != nil {
			t.Fatal(err)
		}
	}
	for _, b := range boxes {
		b.awaitIntent(t, s)
	}
	var remote *bus.RemoteError
	foreign := meshtest.NewRealm(t)
	if err := boxes[1].submit(t, foreign.Component(t, "web", 1)); !errors.As(err, &remote) {
		t.Errorf("an intent of another realm: %v", err)
	}
	if err := boxes[1].submit(t, r.ComponentBy(t, foreign.Key, "web", 2)); !errors.As(err, &remote) {
		t.Errorf("an intent of somebody else: %v", err)
	}
	two := after(t, r, s)
	if err := boxes[1].submit(t, two); err != nil {
		t.Fatal(err)
	}
	boxes[0].awaitIntent(t, two)
	if err := boxes[0].submit(t, r.Component(t, "web", 2)); !errors.As(err, &remote) || !strings.Contains(err.Error(), "realm history") {
		t.Errorf("one that does not follow: %v; want to be told what to do", err)
	}

	// Whoever is killed and misses something has it when it is back.
	procs[1].kill(t)
	three := after(t, r, two)
	if err := boxes[0].submit(t, three); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	boxes[1].start(t) // it remembers whom it knew
	boxes[1].awaitIntent(t, three)
	t.Logf("up to date %v after its start", time.Since(start))

	var history api.HistoryReply
	if err := boxes[1].bus.Request(testContext(t), api.SubjectHistory, api.HistoryRequest{Ref: s.Ref}, &history); err != nil {
		t.Fatal(err)
	}
	if h := history.Versions; len(h) != 3 || h[0].Digest != three.Digest || h[0].State != api.VersionCurrent || h[2].State != api.VersionReplaced || h[2].By != "owner" {
		t.Errorf("history is %+v", h)
	}
}

// TestKilledWhileSubmitting kills the meshd that accepts intents, again and again,
// while it has one in its hands. Who was not answered submits the same again, and
// what was accepted is on both nodes in the end.
func TestKilledWhileSubmitting(t *testing.T) {
	r, boxes, procs := pair(t)
	const intents, killEvery = 40, 8
	proc := procs[0]
	var all []intent.Signed
	for i := range intents {
		s := r.Component(t, fmt.Sprintf("w%d", i), 1)
		all = append(all, s)
		if i%killEvery == killEvery/2 {
			brief, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			go func() {
				_ = boxes[0].bus.Request(brief, api.SubjectSubmit, s.Envelope, &api.SubmitReply{}) // it may be answered, or not
			}()
			time.Sleep(time.Duration(i) * 100 * time.Microsecond)
			proc.kill(t)
			proc = boxes[0].start(t)
		}
		if err := boxes[0].submit(t, s); err != nil {
			t.Fatal(err)
		}
	}
	for _, b := range boxes {
		for _, s := range all {
			b.awaitIntent(t, s)
		}
	}
}

func TestFactsOverTheBus(t *testing.T) {
	_, boxes, procs := pair(t)
	f := api.WorkloadFact{Ref: meshtest.Ref("web"), Peer: boxes[0].id(), Intent: api.Sum(nil), Seq: 1, State: api.StateRunning, Since: time.Now().UTC()}
	key := api.KeyWorkload(f.Ref, f.Peer)
	raw, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	own := boxes[0].bucket(t, api.BucketWorkloads)
	if err := own.Put(testContext(t), key, raw); err != nil {
		t.Fatal(err)
	}
	has := func(v []byte) bool {
		var got api.WorkloadFact
		return v != nil && api.Decode(v, api.MaxMessage, &got) == nil && got.State == api.StateRunning
	}
	hasNot := func(v []byte) bool { return v == nil }
	boxes[1].awaitKey(t, api.BucketWorkloads, key, "the fact is known to the other", has)

	// The bus restarts, and has forgotten what was in memory.
	boxes[1].restartBus(t)
	boxes[1].awaitKey(t, api.BucketWorkloads, key, "the fact is written again", has)
	boxes[1].awaitMember(t, boxes[0].id(), true)

	// meshd restarts.
	procs[1].kill(t)
	boxes[1].start(t)
	boxes[1].awaitKey(t, api.BucketWorkloads, key, "the fact is fetched again", has)

	// The workload is gone, and comes back.
	if err := own.Delete(testContext(t), key); err != nil {
		t.Fatal(err)
	}
	boxes[1].awaitKey(t, api.BucketWorkloads, key, "the fact is gone", hasNot)
	if err := own.Put(testContext(t), key, raw); err != nil {
		t.Fatal(err)
	}
	boxes[1].awaitKey(t, api.BucketWorkloads, key, "the fact is back", has)

	// The member is gone.
	procs[0].stop(t)
	boxes[1].awaitMember(t, boxes[0].id(), false)
	boxes[1].awaitKey(t, api.BucketWorkloads, key, "what it ran is forgotten", hasNot)
}

func TestStatusAndProviders(t *testing.T) {
	r, boxes, procs := pair(t)
	var status api.MeshStatus
	if err := boxes[0].bus.Request(testContext(t), api.SubjectMesh, nil, &status); err != nil {
		t.Fatal(err)
	}
	if status.Peer != boxes[0].id() || status.Realm != r.Pin.Realm || status.Owner != r.Pin.Owner.String() || status.Peers != 1 ||
		status.Standing != api.StandingMember || status.Note != "" || len(status.Warnings) > 0 || !slices.Contains(status.Addrs, procs[0].note) {
		t.Errorf("status is %+v; it was ready at %s", status, procs[0].note)
	}
	blob := api.Sum([]byte("web"))
	if err := boxes[0].bus.Request(testContext(t), api.SubjectAnnounce, api.AnnounceRequest{Blobs: []api.Digest{blob}}, &api.Empty{}); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	var providers api.ProvidersReply
	if err := boxes[1].bus.Request(testContext(t), api.SubjectProviders, api.ProvidersRequest{Blob: blob}, &providers); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); !slices.Equal(providers.Peers, []api.PeerID{boxes[0].id()}) || took > 2*time.Second {
		t.Errorf("providers are %v after %v", providers.Peers, took)
	}
	var remote *bus.RemoteError
	for _, subject := range []string{api.SubjectProviders, api.SubjectAnnounce, api.SubjectSubmit, api.SubjectMembers, api.SubjectHistory, api.SubjectClaim} {
		if err := boxes[0].bus.Request(testContext(t), subject, []byte(`{"nonsense":1}`), &api.Empty{}); !errors.As(err, &remote) {
			t.Errorf("nonsense to %s: %v", subject, err)
		}
	}
}

// TestStreamsToDaemons has one node read a blob from the other's casd.
func TestStreamsToDaemons(t *testing.T) {
	_, boxes, _ := pair(t)
	sum := api.Sum([]byte("x"))
	serveSocket(t, boxes[0], api.Casd, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s for %s", r.URL.Path, r.Header.Get(local.HeaderPeer))
	}))
	client, err := local.NewClient(boxes[1].home)
	if err != nil {
		t.Fatal(err)
	}
	defer client.CloseIdleConnections()
	get := func(p api.PeerID, s api.Service, path string) (int, string) {
		req, err := http.NewRequestWithContext(testContext(t), http.MethodGet, local.URL(api.Meshd, api.PathPeer(p, s, path)), nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(body)
	}
	code, body := get(boxes[0].id(), api.ServiceBlob, api.PathBlobIndex(sum))
	if want := api.PathBlobIndex(sum) + " for " + string(boxes[1].id()); code != http.StatusOK || body != want {
		t.Errorf("%d %s; want %s", code, body, want)
	}
	metrics := func() string {
		resp, err := client.Get(local.URL(api.Meshd, "/metrics"))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	for _, want := range []string{"realm_mesh_peers_connected 1", `realm_mesh_stream_requests_total{direction="out",service="blob"} 1`, `realm_mesh_sync_rounds_total{result="done"}`} {
		until(t, "metrics with "+want, func() bool { return strings.Contains(metrics(), want) })
	}
	if code, body := get(boxes[0].id(), api.ServiceCall, "/components/web"); code != http.StatusBadGateway {
		t.Errorf("a daemon that is away: %d %s", code, body)
	}
	if code, body := get(newBox(t).id(), api.ServiceBlob, api.PathBlob(sum)); code != http.StatusBadGateway || !strings.Contains(body, "realm peers") {
		t.Errorf("a peer that is away: %d %s", code, body)
	}
}

func serveSocket(t *testing.T, b *box, d api.Daemon, h http.Handler) {
	t.Helper()
	ln, err := net.Listen("unix", b.home.Socket(d))
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: h}
	go func() { _ = srv.Serve(ln) }()
	t.Cleanup(func() { srv.Close() })
}

func TestUnclaimed(t *testing.T) {
	b := newBox(t)
	p := b.start(t)
	if !strings.Contains(p.note, string(b.id())) {
		t.Errorf("ready at %q", p.note)
	}
	var status api.MeshStatus
	if err := b.bus.Request(testContext(t), api.SubjectMesh, nil, &status); err != nil || status.Peer != b.id() || status.Realm != "" || len(status.Addrs) == 0 || status.Standing != api.StandingUnclaimed || status.Pairing != nil {
		t.Errorf("status is %+v, %v", status, err)
	}
	if err := b.submit(t, meshtest.NewRealm(t).Component(t, "web", 1)); err == nil || !strings.Contains(err.Error(), "realm configure --owner") {
		t.Errorf("an intent without an owner: %v; want to be told what to do", err)
	}
	var providers api.ProvidersReply
	if err := b.bus.Request(testContext(t), api.SubjectProviders, api.ProvidersRequest{Blob: api.Sum(nil)}, &providers); err != nil || len(providers.Peers) != 0 {
		t.Errorf("providers are %v, %v", providers, err)
	}
}

func TestBadSettings(t *testing.T) {
	b := newBox(t)
	p := b.spawn(t, "REALM_BOOTSTRAP=/ip4/192.0.2.1/tcp/4001")
	if code := p.code(t); code != daemon.ExitConfig {
		t.Errorf("a bootstrap address without a peer ends meshd with %d; want %d", code, daemon.ExitConfig)
	}
}

func TestPortTaken(t *testing.T) {
	taken, err := net.ListenPacket("udp4", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	b := newBox(t)
	p := b.spawn(t, fmt.Sprintf("REALM_LISTEN_PORT=%d", taken.LocalAddr().(*net.UDPAddr).Port))
	if code := p.code(t); code != daemon.ExitFailed {
		t.Errorf("a taken port ends meshd with %d; want %d", code, daemon.ExitFailed)
	}
}
