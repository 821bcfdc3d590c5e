package meshd

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/local"
	"github.com/realm-mesh/realm/meshd/internal/meshtest"
)

func (b *box) submitAll(t *testing.T, all ...intent.Signed) (r api.SubmitBatchReply, err error) {
	t.Helper()
	var batch api.SubmitBatch
	for _, s := range all {
		batch.Envelopes = append(batch.Envelopes, s.Envelope)
	}
	return r, b.bus.Request(testContext(t), api.SubjectBatch, batch, &r)
}

// TestBatchOverTheBus is taken as a whole, by a process that is killed then.
func TestBatchOverTheBus(t *testing.T) {
	r, boxes, procs := pair(t)
	var batch []intent.Signed
	for i := range 40 {
		batch = append(batch, r.Component(t, fmt.Sprintf("c%02d", i), 1))
	}
	for range 2 { // the same again is answered the same
		reply, err := boxes[0].submitAll(t, batch...)
		if err != nil || len(reply.Digests) != len(batch) || reply.Digests[7] != batch[7].Digest {
			t.Fatalf("%d digests, %v", len(reply.Digests), err)
		}
	}
	procs[0].kill(t)
	for _, s := range batch {
		boxes[1].awaitIntent(t, s)
	}
	boxes[0].start(t)
	for _, s := range batch {
		boxes[0].awaitIntent(t, s)
	}
	alone := r.Component(t, "alone", 1)
	_, err := boxes[0].submitAll(t, alone, after(t, r, batch[0]), after(t, r, alone), r.Component(t, "gap", 3))
	if err == nil || !strings.Contains(err.Error(), "intent 4 of 4") || !strings.Contains(err.Error(), "realm history") || !strings.Contains(err.Error(), "nothing was taken") {
		t.Errorf("one that does not follow: %v", err)
	}
	if _, err := boxes[0].submitAll(t, alone); err != nil { // nothing of the bad one was taken
		t.Error(err)
	}
	boxes[1].awaitIntent(t, alone)
	if _, err := newBoxWithout(t).submitAll(t, alone); err == nil || !strings.Contains(err.Error(), "realm configure --owner") {
		t.Errorf("a node without an owner: %v", err)
	}
}

// newBoxWithout is a running node without an owner.
func newBoxWithout(t *testing.T) *box {
	t.Helper()
	b := newBox(t)
	b.start(t)
	return b
}

// TestWhatTheOwnerWantsOfANode shows in the records of members.
func TestWhatTheOwnerWantsOfANode(t *testing.T) {
	r, boxes := meshtest.NewRealm(t), [2]*box{newBox(t), newBox(t)}
	for _, b := range boxes {
		b.admit(t, r)
	}
	first := boxes[0].start(t, "REALM_CAPACITY_CPUS=12", "REALM_CAPACITY_MB=2048", "REALM_ROLES=own")
	boxes[1].start(t, boot(first))
	await := func(what string, roles ...string) {
		t.Helper()
		for _, b := range boxes {
			b.awaitKey(t, api.BucketPeers, string(boxes[0].id()), what, func(v []byte) bool {
				var p api.PeerRecord
				return v != nil && api.Decode(v, api.MaxMessage, &p) == nil && slices.Equal(p.Roles, roles) &&
					p.Capacity == api.Capacity{CPUs: 12, MemoryMB: 2048}
			})
		}
	}
	await("its own roles", "own")
	in := api.Intent{Ref: api.Ref{Kind: api.KindNode, Name: meshtest.Name(boxes[0].key)}}
	if err := boxes[1].submit(t, r.Record(t, r.Sign(t, r.Key, in, api.NodeSettings{Roles: []string{"edge", "gpu"}}))); err != nil {
		t.Fatal(err)
	}
	await("those of the settings", "edge", "gpu")
	in.Tombstone = true
	if err := boxes[1].submit(t, r.Record(t, r.Sign(t, r.Key, in, nil))); err != nil {
		t.Fatal(err)
	}
	await("its own roles again", "own")
}

// TestAccounts asks the runnerd of another member.
func TestAccounts(t *testing.T) {
	_, boxes, _ := pair(t)
	serveSocket(t, boxes[0], api.Runnerd, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s for %s", r.URL.RequestURI(), r.Header.Get(local.HeaderPeer))
	}))
	client, err := local.NewClient(boxes[1].home)
	if err != nil {
		t.Fatal(err)
	}
	defer client.CloseIdleConnections()
	path := api.PathAccount(meshtest.Ref("web")) + "?tail=3"
	req, err := http.NewRequestWithContext(testContext(t), http.MethodGet, local.URL(api.Meshd, api.PathPeer(boxes[0].id(), api.ServiceNode, path)), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if want := path + " for " + string(boxes[1].id()); err != nil || resp.StatusCode != http.StatusOK || string(body) != want {
		t.Errorf("%d %q, want %q (%v)", resp.StatusCode, body, want, err)
	}
}
